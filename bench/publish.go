package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/sender"
)

func init() {
	roles["publisher"] = runPublisher
	benchmarks["publish"] = benchmark{"events stored a second, each with one delivery, beside SET of the same payload", 20_000, 64, benchPublish}
}

// publisherSettings of a process that stores events.
type publisherSettings struct {
	Redis      config.Redis
	N, C, Size int
	Set        bool // the yardstick: SET of the payload
	Limits     config.Sender
	Profile    string
}

// runPublisher stores events through the library, or by the yardstick, with as many of them under way at once.
func runPublisher(ctx context.Context, arg string, t *talk) error {
	var o publisherSettings
	if err := json.Unmarshal([]byte(arg), &o); err != nil {
		return err
	}
	s, store, err := openSender(o.Redis, o.Limits)
	if err != nil {
		return err
	}
	defer store.Close()
	publish := func(first, n int) error { return publishAll(ctx, s, first, n, o.C, o.Size) }
	if o.Set {
		publish = func(first, n int) error { return setAll(ctx, store.Client(), first, n, o.C, o.Size) }
	}
	warm := max(o.N/10, o.C)
	if err := publish(o.N, warm); err != nil {
		return err
	}
	t.say("ready")
	var question string
	if !t.hear(&question) {
		return nil
	}
	defer profileTo(o.Profile, "publisher")()
	began, used := time.Now(), cpu()
	if err := publish(0, o.N); err != nil {
		return err
	}
	t.say(spent{Seconds: time.Since(began).Seconds(), CPUMS: float64((cpu() - used).Microseconds()) / 1000})
	return nil
}

// publishAll calls Publish from c goroutines, n times.
func publishAll(ctx context.Context, s *sender.Sender, first, n, c, size int) error {
	var next atomic.Int64
	var workers sync.WaitGroup
	var failed atomic.Pointer[error]
	for range c {
		workers.Go(func() {
			for failed.Load() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				i += first
				_, err := s.Publish(ctx, config.DefaultAccount, sender.Event{Type: "bench.e" + strconv.Itoa(i%hooks), Data: numbered(size, i)})
				if err != nil {
					failed.Store(&err)
				}
			}
		})
	}
	workers.Wait()
	if err := failed.Load(); err != nil {
		return fmt.Errorf("publishing: %w", *err)
	}
	return nil
}

// setAll stores the same payloads by SET, in two pipelines that together hold c of them.
func setAll(ctx context.Context, client redis.UniversalClient, first, n, c, size int) error {
	const pipelines = 2
	var workers sync.WaitGroup
	errs := make([]error, pipelines)
	depth := max(1, c/pipelines)
	var next atomic.Int64
	for k := range errs {
		workers.Go(func() {
			for errs[k] == nil {
				from := int(next.Add(int64(depth))) - depth
				if from >= n {
					return
				}
				pipe := client.Pipeline()
				for i := first + from; i < first+min(from+depth, n); i++ {
					pipe.Set(ctx, fmt.Sprintf("evt_%032x", i), string(numbered(size, i)), time.Hour)
				}
				_, errs[k] = pipe.Exec(ctx)
			}
		})
	}
	workers.Wait()
	for _, err := range errs {
		if err != nil {
			return fmt.Errorf("setting: %w", err)
		}
	}
	return nil
}

// benchPublish measures api_per_s, POST /events to a Caddy; library_per_s, Publish of the Go library; and set_per_s, the
// yardstick. The ratio is the library's to the yardstick: both are Go clients of the same Redis with as much under way.
func benchPublish(ctx context.Context, o options) (*figures, error) {
	load, err := startLoad(ctx, loadSettings{N: o.n, C: o.c, Size: o.size, Warm: max(o.n/10, o.c), API: true})
	if err != nil {
		return nil, err
	}
	defer load.stop()
	var api, library, set, ratio []float64
	for round := range o.rounds {
		a, err := roundAPI(ctx, o, load)
		if err != nil {
			return nil, err
		}
		l, err := roundPublisher(ctx, o, false)
		if err != nil {
			return nil, err
		}
		s, err := roundPublisher(ctx, o, true)
		if err != nil {
			return nil, err
		}
		api, library, set, ratio = append(api, a), append(library, l), append(set, s), append(ratio, l/s)
		progress("round %d of %d: API %.0f/s, library %.0f/s, SET %.0f/s", round+1, o.rounds, a, l, s)
	}
	f := &figures{}
	f.add("api_per_s", int(median(api)))
	f.add("library_per_s", int(median(library)))
	f.add("set_per_s", int(median(set)))
	f.add("ratio", round3(median(ratio)))
	return f, nil
}

// withHooks starts a Redis with the webhooks of a round in it; they are never delivered to.
func withHooks(ctx context.Context, aof string) (*redisServer, error) {
	server, err := startRedis(ctx, aof)
	if err != nil {
		return nil, err
	}
	s, store, err := openSender(config.Redis{URL: server.url()}, senderConfig(1))
	if err == nil {
		err = register(ctx, s, "127.0.0.1:9")
		store.Close()
	}
	if err != nil {
		server.stop()
		return nil, err
	}
	return server, nil
}

func roundPublisher(ctx context.Context, o options, set bool) (perSecond float64, err error) {
	server, err := withHooks(ctx, o.aof)
	if err != nil {
		return 0, err
	}
	defer server.stop()
	c, err := start(ctx, "publisher", publisherSettings{
		Redis: config.Redis{URL: server.url()}, N: o.n, C: o.c, Size: o.size, Set: set, Limits: senderConfig(1), Profile: o.profile,
	})
	if err != nil {
		return 0, err
	}
	defer c.stop()
	var ready string
	var used spent
	if err := c.hear(&ready); err != nil {
		return 0, err
	}
	before := server.cpu(ctx)
	if err := c.ask("go", &used); err != nil {
		return 0, err
	}
	each := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(o.n) }
	what := "library"
	if set {
		what = "SET"
	}
	progress("%s: CPU %.1f µs an event, Redis %.1f", what, used.CPUMS*1000/float64(o.n), each(server.cpu(ctx)-before))
	if !set {
		server.statsTo(ctx, o.profile, "publisher")
	}
	return float64(o.n) / used.Seconds, nil
}

func roundAPI(ctx context.Context, o options, load *child) (perSecond float64, err error) {
	server, err := withHooks(ctx, o.aof)
	if err != nil {
		return 0, err
	}
	defer server.stop()
	types := ""
	for _, t := range eventTypes() {
		types += " " + t.Name
	}
	c, addr, err := startCaddy(ctx, caddySettings{
		Name: "api", Profile: o.profile,
		Webhooks: "webhooks {\n redis " + server.url() + "\n sender {\n deliver off\n allow_http\n allow_networks 127.0.0.0/8\n max_pending 2000000\n event_types" + types + "\n }\n }",
		Site:     "webhook_api {\n api_key " + benchKey + "\n }",
	})
	if err != nil {
		return 0, err
	}
	defer c.stop()
	var answer string
	var used, caddy spent
	if err := load.ask(loadRun{Addr: addr, Status: 202}, &answer); err != nil {
		return 0, err
	}
	if err := c.ask("start", &answer); err != nil {
		return 0, err
	}
	if err := load.ask("go", &used); err != nil {
		return 0, err
	}
	return float64(o.n) / used.Seconds, c.ask("spent", &caddy)
}
