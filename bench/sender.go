package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/internal/signature"
	"github.com/videocloud/webhooks/sender"
	"github.com/videocloud/webhooks/store"
)

func init() {
	roles["raw"] = runRaw
	roles["sender"] = runSender
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

// spent is what a process used for what it did.
type spent struct {
	Seconds  float64 `json:"seconds"`
	CPUMS    float64 `json:"cpu_ms"`
	Commands int64   `json:"commands"`
	Memory   uint64  `json:"memory"`

	Resident   uint64 `json:"resident"`
	Goroutines int    `json:"goroutines"`
	InFlight   int    `json:"in_flight"`

	KiB float64 `json:"kib"` // for each attempt in flight, where it was weighed
}

// eventTypes are the bench's own, one for each webhook.
func eventTypes() []config.EventType {
	types := make([]config.EventType, hooks)
	for i := range types {
		types[i] = config.EventType{Name: "bench.e" + strconv.Itoa(i), Group: "bench"}
	}
	return types
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
	return s, redisstore.Inside(face), err
}

// runSender delivers from the moment it is told to until it is told to stop.
func runSender(ctx context.Context, arg string, t *talk) error {
	var settings senderSettings
	if err := json.Unmarshal([]byte(arg), &settings); err != nil {
		return err
	}
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
	empty := live()
	began, used := time.Now(), cpu()
	if err := s.Start(ctx); err != nil {
		return err
	}
	for t.hear(&question) {
		inFlight, _ := s.Slots()
		answer := spent{
			Seconds: time.Since(began).Seconds(), CPUMS: float64((cpu() - used).Microseconds()) / 1000, Commands: counter.n.Load(),
			Memory: memory(), Resident: resident(), Goroutines: runtime.NumGoroutine(), InFlight: inFlight,
		}
		if question == "weigh" {
			answer.KiB = kibEach(empty, inFlight)
		}
		t.say(answer)
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer cancel()
	return s.Stop(stop)
}

// rawSettings of the yardstick.
type rawSettings struct {
	Sink       string
	N, C, Size int
	Profile    string
}

// runRaw makes the sender's requests - headers, both signatures, body - by plain net/http, without a queue.
func runRaw(_ context.Context, arg string, t *talk) error {
	var o rawSettings
	if err := json.Unmarshal([]byte(arg), &o); err != nil {
		return err
	}
	body := []byte(`{"event":"bench.e0","timestamp":"2024-03-31T12:00:00Z","data":` + string(dataOf(o.Size, 0)) + `}`)
	transport := &http.Transport{MaxIdleConnsPerHost: o.C, DisableCompression: true, DialContext: (&net.Dialer{}).DialContext}
	video, err := signature.NewVideoCloudSigner(benchSecret)
	if err != nil {
		return err
	}
	standard, err := signature.NewStandardSigner(benchSecret)
	if err != nil {
		return err
	}
	defer profileTo(o.Profile, "raw")()
	t.say("ready")
	var question string
	t.hear(&question)
	began, used := time.Now(), cpu()
	var next atomic.Int64
	var workers sync.WaitGroup
	failed := make(chan error, o.C)
	for range o.C {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for {
				n := next.Add(1)
				if n > int64(o.N) {
					return
				}
				id, now := fmt.Sprintf("evt_%032x", n), time.Now()
				r, err := http.NewRequest(http.MethodPost, "http://"+o.Sink+"/"+strconv.Itoa(int(n)%hooks), bytes.NewReader(body))
				if err == nil {
					r.Header = http.Header{
						"Content-Type": {"application/json"}, "User-Agent": {"VideoCloud-Webhooks/bench"},
						"X-VideoCloud-Signature": {string(video.Append(nil, body))}, "X-VideoCloud-Event": {"bench.e0"},
						"X-VideoCloud-Event-Id": {id}, "X-VideoCloud-Attempt": {"1"}, "webhook-id": {id},
						"webhook-timestamp": {strconv.FormatInt(now.Unix(), 10)}, "webhook-signature": {string(standard.Append(nil, id, now.Unix(), body))},
					}
					ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
					var answer *http.Response
					if answer, err = transport.RoundTrip(r.WithContext(ctx)); err == nil {
						_, err = io.Copy(io.Discard, answer.Body)
						answer.Body.Close()
					}
					cancel()
				}
				if err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	workers.Wait()
	select {
	case err := <-failed:
		return err
	default:
	}
	t.say(spent{Seconds: time.Since(began).Seconds(), CPUMS: float64((cpu() - used).Microseconds()) / 1000})
	return nil
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

// register makes the webhooks of a round: the events of type bench.e<i> go to the sink's /<i>.
func register(ctx context.Context, s *sender.Sender, sinkAddr string) error {
	for i := range hooks {
		_, _, err := s.CreateWebhook(ctx, config.DefaultAccount, sender.NewWebhook{Settings: sender.Settings{URL: "http://" + sinkAddr + "/" + strconv.Itoa(i), Events: []string{"bench.e" + strconv.Itoa(i)}}, Secret: benchSecret})
		if err != nil {
			return fmt.Errorf("registering: %w", err)
		}
	}
	return nil
}

// preload publishes n events, round the webhooks.
func preload(ctx context.Context, s *sender.Sender, n, size int) error {
	types := make([]string, hooks)
	for i := range types {
		types[i] = "bench.e" + strconv.Itoa(i)
	}
	return backlog(ctx, s, types, n, size)
}

// backlog publishes n events, round the types.
func backlog(ctx context.Context, s *sender.Sender, types []string, n, size int) error {
	data := dataOf(size, 0)
	for done := 0; done < n; {
		batch := make([]sender.Event, min(1000, n-done))
		for i := range batch {
			batch[i] = sender.Event{Type: types[(done+i)%len(types)], Data: data}
		}
		for _, r := range s.PublishBatch(ctx, config.DefaultAccount, batch) {
			if r.Err != nil {
				return fmt.Errorf("publishing: %w", r.Err)
			}
		}
		done += len(batch)
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
	var raw, product, ratio, senderCPU, rawCPU, redisCPU, commands []float64
	lost, duplicates := 0, 0
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
		raw, product = append(raw, float64(o.n)/r.Seconds), append(product, float64(o.n)/p.Seconds)
		ratio = append(ratio, r.Seconds/p.Seconds)
		senderCPU, rawCPU = append(senderCPU, per(p.CPUMS)), append(rawCPU, per(r.CPUMS))
		redisCPU = append(redisCPU, float64(used.Microseconds())/float64(o.n))
		commands = append(commands, float64(p.Commands)/float64(o.n))
		lost += o.n - counts.Events
		duplicates += counts.Duplicates
		progress("round %d of %d: raw %.0f/s, delivered %.0f/s, ratio %.2f", round+1, o.rounds, raw[round], product[round], ratio[round])
	}
	f := &figures{}
	f.add("raw_per_s", int(median(raw)))
	f.add("delivered_per_s", int(median(product)))
	f.add("ratio", round3(median(ratio)))
	f.add("sender_cpu_us", round3(median(senderCPU)))
	f.add("raw_cpu_us", round3(median(rawCPU)))
	f.add("redis_cpu_us", round3(median(redisCPU)))
	f.add("redis_commands_per_delivery", round3(median(commands)))
	f.add("lost", lost)
	f.add("duplicates", duplicates)
	return f, nil
}

func roundRaw(ctx context.Context, o options, k *child, addr string) (r spent, err error) {
	c, err := start(ctx, "raw", rawSettings{Sink: addr, N: o.n, C: o.c, Size: o.size, Profile: o.profile})
	if err != nil {
		return r, err
	}
	defer c.stop()
	var ready string
	if err := c.hear(&ready); err != nil {
		return r, err
	}
	if err := c.ask("go", &r); err != nil {
		return r, err
	}
	var counts sinkCounts
	return r, k.ask("reset", &counts)
}

func roundSender(ctx context.Context, o options, k *child, addr string) (p spent, counts sinkCounts, used time.Duration, err error) {
	server, err := startRedis(ctx, o.aof)
	if err != nil {
		return p, counts, 0, err
	}
	defer server.stop()
	conf := senderConfig(o.c)
	publisher, store, err := openSender(config.Redis{URL: server.url()}, conf)
	if err != nil {
		return p, counts, 0, err
	}
	defer store.Close()
	if err := register(ctx, publisher, addr); err != nil {
		return p, counts, 0, err
	}
	if err := preload(ctx, publisher, o.n, o.size); err != nil {
		return p, counts, 0, err
	}
	c, err := start(ctx, "sender", senderSettings{Redis: config.Redis{URL: server.url()}, Limits: conf, Profile: o.profile, Observed: o.observed})
	if err != nil {
		return p, counts, 0, err
	}
	defer c.stop()
	var ready string
	if err := c.hear(&ready); err != nil {
		return p, counts, 0, err
	}
	server.rest(ctx)
	server.c.ConfigResetStat(ctx)
	before := server.cpu(ctx)
	if err := c.say("go"); err != nil {
		return p, counts, 0, err
	}
	if _, err = waitFor(ctx, k, o.n); err != nil {
		return p, counts, 0, err
	}
	if err := c.ask("spent", &p); err != nil {
		return p, counts, 0, err
	}
	used = server.cpu(ctx) - before
	server.statsTo(ctx, o.profile, "sender")
	return p, counts, used, k.ask("reset", &counts)
}
