package main

import (
	"bytes"
	"context"
	"encoding/json"
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

// hooks is how many webhooks the deliveries of a round are spread over: enough that no webhook's own limit counts.
const hooks = 32

// senderSettings of a sender that runs as a process of its own.
type senderSettings struct {
	Redis   config.Redis
	Workers int
	Profile string
	Limits  config.Sender

	Observed bool // with metrics and tracing
}

// typeName names one of the bench's own event types.
func typeName(i int) string { return "bench.e" + strconv.Itoa(i) }

// eventTypes are those of a round, one for each webhook.
func eventTypes() []config.EventType { return typesOf(hooks) }

func typesOf(n int) []config.EventType {
	types := make([]config.EventType, n)
	for i := range types {
		types[i] = config.EventType{Name: typeName(i), Group: "bench"}
	}
	return types
}

func namesOf(types []config.EventType) []string {
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = t.Name
	}
	return names
}

func senderConfig(workers int) config.Sender {
	return config.Sender{
		Concurrency: workers, AllowHTTP: true, AllowNetworks: []string{"127.0.0.0/8"}, EventTypes: eventTypes(), MaxPending: 2_000_000,
	}
}

// commandCounter counts the commands that a client sends; those inside scripts are Redis' own.
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

// openSender makes a sender on a store.
func openSender(r config.Redis, c config.Sender, change ...func(*sender.Options)) (*sender.Sender, *redisstore.Store, error) {
	face, err := store.Open(r, store.Options{})
	if err != nil {
		return nil, nil, err
	}
	o := sender.Options{Store: face, Config: c, Version: "bench"}
	for _, f := range change {
		f(&o)
	}
	s, err := sender.New(o)
	return s, redisstore.Unwrap(face), err
}

// runSender delivers from the moment it is told to until it is told to stop.
func runSender(ctx context.Context, settings senderSettings, t *talk) error {
	watch, end, err := observing(ctx, settings.Observed)
	if err != nil {
		return err
	}
	defer end()
	s, store, err := openSender(settings.Redis, settings.Limits, watch)
	if err != nil {
		return err
	}
	counter := &commandCounter{}
	store.Client().AddHook(counter)
	t.say("ready")
	var question string
	if !t.hear(&question) {
		return nil
	}
	defer profileTo(settings.Profile, "sender")()
	empty, clock := live(), startClock()
	if err := s.Start(ctx); err != nil {
		return err
	}
	for t.hear(&question) {
		answer := clock.spent()
		answer.Commands = counter.n.Load()
		answer.InFlight, _ = s.Slots()
		if question == "weigh" {
			answer.KiB = kibEach(empty, answer.InFlight)
		}
		t.say(answer)
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer cancel()
	return s.Stop(stop)
}

// startSender runs a sender, which delivers once it is told to go.
func startSender(ctx context.Context, o senderSettings, environment ...string) (*child, error) {
	return start(ctx, "sender", o, nil, environment...)
}

// startDelivering runs a sender that delivers.
func startDelivering(ctx context.Context, o senderSettings, environment ...string) (*child, error) {
	c, err := startSender(ctx, o, environment...)
	if err != nil {
		return nil, err
	}
	if err := c.say("go"); err != nil {
		c.stop()
		return nil, err
	}
	return c, nil
}

// stage is what a round delivers from: a Redis, and in this process a sender that registers webhooks and publishes.
type stage struct {
	*redisServer
	sender *sender.Sender
	store  *redisstore.Store
	conf   config.Sender
}

func newStage(ctx context.Context, aof string, conf config.Sender) (*stage, error) {
	server, err := startRedis(ctx, aof)
	if err != nil {
		return nil, err
	}
	s, store, err := openSender(server.Redis(), conf)
	if err != nil {
		server.Close()
		return nil, err
	}
	return &stage{server, s, store, conf}, nil
}

// newStageWith is a stage with the webhooks of a round, whose deliveries go to the sink.
func newStageWith(ctx context.Context, aof string, conf config.Sender, sinkAddr string) (*stage, error) {
	s, err := newStage(ctx, aof, conf)
	if err != nil {
		return nil, err
	}
	if err := register(ctx, s.sender, sinkAddr); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *stage) close() {
	_ = s.store.Close()
	s.Close()
}

// senders are the settings of a process that delivers what is published here.
func (s *stage) senders(o options) senderSettings {
	return senderSettings{Redis: s.Redis(), Limits: s.conf, Profile: o.profile, Observed: o.observed}
}

// dataOf makes the data of an event whose envelope has about size bytes. publishedAt is there where at is not zero.
func dataOf(size int, at int64) json.RawMessage {
	var b bytes.Buffer
	b.WriteString(`{"videoId":"vid_123456","status":"ready"`)
	if at > 0 {
		b.WriteString(`,"publishedAt":`)
		b.WriteString(strconv.FormatInt(at, 10))
	}
	b.WriteString(`,"note":"`)
	for b.Len() < size-80 {
		b.WriteString("lorem ipsum dolor sit amet ")
	}
	b.WriteString(`"}`)
	return b.Bytes()
}

// createWebhook registers a webhook for one type of events.
func createWebhook(ctx context.Context, s *sender.Sender, account, url, eventType string) (id string, err error) {
	w, _, err := s.CreateWebhook(ctx, account, sender.NewWebhook{Settings: sender.Settings{URL: url, Events: []string{eventType}}, Secret: benchSecret})
	if err != nil {
		return "", fmt.Errorf("registering: %w", err)
	}
	return w.ID, nil
}

// register makes the webhooks of a round: the events of type bench.e<i> go to the sink's /<i>.
func register(ctx context.Context, s *sender.Sender, sinkAddr string) error {
	for i := range hooks {
		if _, err := createWebhook(ctx, s, config.DefaultAccount, "http://"+sinkAddr+"/"+strconv.Itoa(i), typeName(i)); err != nil {
			return err
		}
	}
	return nil
}

// preload publishes n events, round the webhooks.
func preload(ctx context.Context, s *sender.Sender, n, size int) error {
	return backlog(ctx, s, namesOf(eventTypes()), n, size)
}

// backlog publishes n events, round the types.
func backlog(ctx context.Context, s *sender.Sender, types []string, n, size int) error {
	data := dataOf(size, 0)
	for done := 0; done < n; {
		batch := make([]sender.Event, min(1000, n-done))
		for i := range batch {
			batch[i] = sender.Event{Type: types[(done+i)%len(types)], Data: data}
		}
		if err := publishBatch(ctx, s, config.DefaultAccount, batch); err != nil {
			return err
		}
		done += len(batch)
	}
	return nil
}

func publishBatch(ctx context.Context, s *sender.Sender, account string, batch []sender.Event) error {
	for _, r := range s.PublishBatch(ctx, account, batch) {
		if r.Err != nil {
			return fmt.Errorf("publishing: %w", r.Err)
		}
	}
	return nil
}

// waitFor asks the sink until it has n events.
func waitFor(ctx context.Context, k *child, n int) (c sinkCounts, err error) {
	deadline := time.Now().Add(2 * time.Minute)
	for time.Now().Before(deadline) && ctx.Err() == nil {
		if err := k.ask("count", &c); err != nil || c.Events >= n {
			return c, err
		}
		time.Sleep(5 * time.Millisecond)
	}
	return c, ctx.Err()
}

func benchSender(ctx context.Context, o options) (*figures, error) {
	k, addr, err := startSink(ctx, sinkSettings{})
	if err != nil {
		return nil, err
	}
	defer k.stop()
	f := &figures{}
	per := func(ms float64) float64 { return ms * 1000 / float64(o.n) }
	for round := range o.rounds {
		r, err := roundRaw(ctx, o, k, addr)
		if err != nil {
			return nil, err
		}
		p, counts, used, err := roundSender(ctx, o, k, addr)
		if err != nil {
			return nil, err
		}
		raw, product, ratio := float64(o.n)/r.Seconds, float64(o.n)/p.Seconds, r.Seconds/p.Seconds
		f.whole("raw_per_s", raw)
		f.whole("delivered_per_s", product)
		f.sample("ratio", ratio)
		f.sample("sender_cpu_us", per(p.CPUMS))
		f.sample("raw_cpu_us", per(r.CPUMS))
		f.sample("redis_cpu_us", float64(used.Microseconds())/float64(o.n))
		f.sample("redis_commands_per_delivery", float64(p.Commands)/float64(o.n))
		f.count("lost", o.n-counts.Events)
		f.count("duplicates", counts.Duplicates)
		progress("round %d of %d: raw %.0f/s, delivered %.0f/s, ratio %.2f", round+1, o.rounds, raw, product, ratio)
	}
	return f, nil
}

func roundRaw(ctx context.Context, o options, k *child, addr string) (r spent, err error) {
	urls := make([]string, hooks)
	for i := range urls {
		urls[i] = "http://" + addr + "/" + strconv.Itoa(i)
	}
	c, err := start(ctx, "raw", rawSettings{URLs: urls, N: o.n, C: o.c, Size: o.size, Profile: o.profile}, nil)
	if err != nil {
		return r, err
	}
	defer c.stop()
	if err := c.say("go"); err != nil {
		return r, err
	}
	if err := c.ask("end", &r); err != nil {
		return r, err
	}
	return r, k.ask("reset", nil)
}

func roundSender(ctx context.Context, o options, k *child, addr string) (p spent, counts sinkCounts, used time.Duration, err error) {
	s, err := newStageWith(ctx, o.aof, senderConfig(o.c), addr)
	if err != nil {
		return p, counts, 0, err
	}
	defer s.close()
	if err := preload(ctx, s.sender, o.n, o.size); err != nil {
		return p, counts, 0, err
	}
	c, err := startSender(ctx, s.senders(o))
	if err != nil {
		return p, counts, 0, err
	}
	defer c.stop()
	s.rest(ctx)
	s.c.ConfigResetStat(ctx)
	before := s.cpu(ctx)
	if err := c.say("go"); err != nil {
		return p, counts, 0, err
	}
	if _, err = waitFor(ctx, k, o.n); err != nil {
		return p, counts, 0, err
	}
	if err := c.ask("spent", &p); err != nil {
		return p, counts, 0, err
	}
	used = s.cpu(ctx) - before
	s.statsTo(ctx, o.profile, "sender")
	return p, counts, used, k.ask("reset", &counts)
}
