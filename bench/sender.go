package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/sender"
	"github.com/videocloud/webhooks/store"
)

func init() {
	role("sender", runSender)
	benchmarks["sender"] = benchmark{"deliveries a second beside the same requests without a queue", 60_000, 256, benchSender}
}

const benchSecret = "your_webhook_secret"

// webhookCount is how many webhooks the deliveries of a round are spread over: enough that no webhook's own limit counts.
const webhookCount = 32

// senderSettings of a sender that runs as a process of its own.
type senderSettings struct {
	Redis    config.Redis
	Limits   config.Sender
	Profile  string // folder for its CPU profile; "" for none
	Observed bool   // with metrics and tracing
}

// typeName names one of the bench's own event types.
func typeName(i int) string { return "bench.e" + strconv.Itoa(i) }

// typeNames are the first n of them; those of a round are webhookCount, one for each webhook.
func typeNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = typeName(i)
	}
	return names
}

func eventTypes(names []string) []config.EventType {
	types := make([]config.EventType, len(names))
	for i, name := range names {
		types[i] = config.EventType{Name: name, Group: "bench"}
	}
	return types
}

func senderConfig(concurrency int) config.Sender {
	return config.Sender{
		Concurrency: concurrency, AllowHTTP: true, AllowNetworks: []string{"127.0.0.0/8"}, EventTypes: eventTypes(typeNames(webhookCount)), MaxPending: 2_000_000,
	}
}

// commandCounter counts the commands that a client sends. A script counts as one, whatever commands are in it.
type commandCounter struct{ n atomic.Int64 }

func (c *commandCounter) DialHook(next redis.DialHook) redis.DialHook { return next }
func (c *commandCounter) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		c.n.Add(1)
		return next(ctx, cmd)
	}
}
func (c *commandCounter) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		c.n.Add(int64(len(cmds)))
		return next(ctx, cmds)
	}
}

// openSender makes a sender on a store, by options that change may alter.
func openSender(r config.Redis, c config.Sender, change ...func(*sender.Options)) (*sender.Sender, *redisstore.Store, error) {
	public, err := store.Open(r, store.Options{})
	if err != nil {
		return nil, nil, err
	}
	o := sender.Options{Store: public, Config: c, Version: "bench"}
	for _, f := range change {
		f(&o)
	}
	s, err := sender.New(o)
	return s, redisstore.Unwrap(public), err
}

// runSender delivers from the moment it is told to until its input ends.
func runSender(ctx context.Context, settings senderSettings, parent *pipe) error {
	observe, stopObserving, err := newObserver(ctx, settings.Observed)
	if err != nil {
		return err
	}
	defer stopObserving()
	s, store, err := openSender(settings.Redis, settings.Limits, observe)
	if err != nil {
		return err
	}
	counter := &commandCounter{}
	store.Client().AddHook(counter)
	if !parent.waitForGo() {
		return nil
	}
	defer profileTo(settings.Profile, "sender")()
	empty, clock := liveBytes(), startClock()
	if err := s.Start(ctx); err != nil {
		return err
	}
	err = parent.answerEach(func(question string) (any, error) {
		inFlight, _ := s.Slots()
		u := clock.usageInFlight(question, inFlight, empty)
		u.Commands = counter.n.Load()
		return u, nil
	})
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer cancel()
	return errors.Join(err, s.Stop(stopping))
}

// fixture is what a round delivers from: a Redis, and in this process a sender that registers webhooks and publishes.
type fixture struct {
	*redisServer
	sender *sender.Sender
	store  *redisstore.Store
	conf   config.Sender
}

func newFixture(ctx context.Context, aof string, conf config.Sender) *fixture {
	server := must(startRedis(ctx, aof))
	s, store, err := openSender(server.Redis(), conf)
	if err != nil {
		server.Close()
	}
	check(err)
	return &fixture{server, s, store, conf}
}

// newFixtureFor is a fixture with the webhooks of a round, see register.
func newFixtureFor(ctx context.Context, aof string, conf config.Sender, url func(path any) string) *fixture {
	x := newFixture(ctx, aof, conf)
	err := errorOf(func() { register(ctx, x.sender, url) })
	if err != nil {
		x.close()
	}
	check(err)
	return x
}

func (x *fixture) close() {
	_ = x.store.Close()
	x.Close()
}

// senderSettings are those of a process that delivers what is published here.
func (x *fixture) senderSettings(o options) senderSettings {
	return senderSettings{Redis: x.Redis(), Limits: x.conf, Profile: o.profile, Observed: o.observed}
}

// startDelivering runs a sender that delivers what is published here.
func (x *fixture) startDelivering(ctx context.Context, o options, environment ...string) (*child, error) {
	return startAndGo(ctx, "sender", x.senderSettings(o), environment...)
}

// eventData makes the data of an event whose envelope has about size bytes. publishedAt, in microseconds, is there where it is
// not zero.
func eventData(size int, publishedAt int64) json.RawMessage {
	var b bytes.Buffer
	b.WriteString(`{"videoId":"vid_123456","status":"ready"`)
	if publishedAt > 0 {
		fmt.Fprintf(&b, `,"publishedAt":%d`, publishedAt)
	}
	b.WriteString(`,"note":"`)
	for b.Len() < size-80 {
		b.WriteString("lorem ipsum dolor sit amet ")
	}
	b.WriteString(`"}`)
	return b.Bytes()
}

// createWebhook registers a webhook for one type of events and returns its ID.
func createWebhook(ctx context.Context, s *sender.Sender, account, url, eventType string) string {
	w, _, err := s.CreateWebhook(ctx, account, sender.NewWebhook{Settings: sender.Settings{URL: url, Events: []string{eventType}}, Secret: benchSecret})
	check(err, "registering")
	return w.ID
}

// register makes the webhooks of a round: the events of type bench.e<i> go to the endpoint's path <i>.
func register(ctx context.Context, s *sender.Sender, url func(path any) string) {
	for i, name := range typeNames(webhookCount) {
		createWebhook(ctx, s, config.DefaultAccount, url(i), name)
	}
}

// publishBacklog publishes n events of the types in turn.
func publishBacklog(ctx context.Context, s *sender.Sender, types []string, n, size int) {
	data := eventData(size, 0)
	for done := 0; done < n; done += 1000 {
		publishBatch(ctx, s, config.DefaultAccount, eventBatch(types, done, min(1000, n-done), data))
	}
}

// eventBatch makes n events of the types in turn, from that of number first on.
func eventBatch(types []string, first, n int, data json.RawMessage) []sender.Event {
	batch := make([]sender.Event, n)
	for i := range batch {
		batch[i] = sender.Event{Type: types[(first+i)%len(types)], Data: data}
	}
	return batch
}

func publishBatch(ctx context.Context, s *sender.Sender, account string, batch []sender.Event) {
	for _, r := range s.PublishBatch(ctx, account, batch) {
		check(r.Err, "publishing")
	}
}

func benchSender(ctx context.Context, o options) *figures {
	return o.eachRoundWithSink(ctx, func(k sinkProcess, f *figures) {
		raw, product := roundRaw(ctx, o, k), roundSender(ctx, o, k)
		f.sampleInt("raw_per_s", raw.perSecond(o.n))
		f.sampleInt("delivered_per_s", product.perSecond(o.n))
		f.sample("ratio", raw.Seconds/product.Seconds)
		f.sample("sender_cpu_us", product.cpuUS(o.n))
		f.sample("raw_cpu_us", raw.cpuUS(o.n))
		f.sample("redis_cpu_us", product.redisUS)
		f.sample("redis_commands_per_delivery", float64(product.Commands)/float64(o.n))
		f.sum("lost", o.n-product.counts.Events)
		f.sum("duplicates", product.counts.Duplicates)
	})
}

func roundRaw(ctx context.Context, o options, k sinkProcess) (u usage) {
	urls := make([]string, webhookCount)
	for i := range urls {
		urls[i] = k.url(i)
	}
	c := must(startRaw(ctx, o, urls, o.n))
	defer c.stop()
	check(c.ask("end", &u))
	must(k.reset())
	return u
}

// senderUsage is what a round of the sender used and delivered.
type senderUsage struct {
	usage
	redisUS float64 // CPU time of Redis for a delivery
	counts  sinkCounts
}

func roundSender(ctx context.Context, o options, k sinkProcess) (u senderUsage) {
	x := newFixtureFor(ctx, o.aof, senderConfig(o.c), k.url)
	defer x.close()
	publishBacklog(ctx, x.sender, typeNames(webhookCount), o.n, o.size)
	c := must(start(ctx, "sender", x.senderSettings(o), nil))
	defer c.stop()
	x.rewriteAppendOnly(ctx)
	redisUS := x.startCPU(ctx)
	check(c.send("go"))
	must(k.waitFor(ctx, o.n))
	check(c.ask("usage", &u.usage))
	u.redisUS = redisUS(o.n)
	x.writeStats(ctx, o.profile, "sender")
	u.counts = must(k.reset())
	return u
}
