package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/sender"
)

func init() {
	role("publisher", runPublisher)
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
func runPublisher(ctx context.Context, o publisherSettings, t *talk) error {
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
	clock := startClock()
	if err := publish(0, o.N); err != nil {
		return err
	}
	t.say(clock.spent())
	return nil
}

// publishAll calls Publish from c goroutines, n times.
func publishAll(ctx context.Context, s *sender.Sender, first, n, c, size int) error {
	return parallel(n, c, func(i int) error {
		if _, err := s.Publish(ctx, config.DefaultAccount, sender.Event{Type: typeName((first + i) % hooks), Data: numbered(size, first+i)}); err != nil {
			return fmt.Errorf("publishing: %w", err)
		}
		return nil
	})
}

// setAll stores the same payloads by SET, in two pipelines that together hold c of them.
func setAll(ctx context.Context, client redis.UniversalClient, first, n, c, size int) error {
	const pipelines = 2
	depth := max(1, c/pipelines)
	return parallel((n+depth-1)/depth, pipelines, func(k int) error {
		pipe := client.Pipeline()
		for i := first + k*depth; i < first+min((k+1)*depth, n); i++ {
			pipe.Set(ctx, fmt.Sprintf("evt_%032x", i), string(numbered(size, i)), time.Hour)
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return fmt.Errorf("setting: %w", err)
		}
		return nil
	})
}

// benchPublish measures api_per_s, POST /events to a Caddy; library_per_s, Publish of the Go library; and set_per_s, the
// yardstick. The ratio is the library's to the yardstick: both are Go clients of the same Redis with as much under way.
func benchPublish(ctx context.Context, o options) (*figures, error) {
	load, err := startLoad(ctx, loadSettings{N: o.n, C: o.c, Size: o.size, Warm: max(o.n/10, o.c), API: true})
	if err != nil {
		return nil, err
	}
	defer load.stop()
	f := &figures{}
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
		f.whole("api_per_s", a)
		f.whole("library_per_s", l)
		f.whole("set_per_s", s)
		f.sample("ratio", l/s)
		progress("round %d of %d: API %.0f/s, library %.0f/s, SET %.0f/s", round+1, o.rounds, a, l, s)
	}
	return f, nil
}

// nowhere is a sink's address that nobody has, for webhooks that are never delivered to.
const nowhere = "127.0.0.1:9"

func roundPublisher(ctx context.Context, o options, set bool) (perSecond float64, err error) {
	s, err := newStageWith(ctx, o.aof, senderConfig(1), nowhere)
	if err != nil {
		return 0, err
	}
	defer s.close()
	c, err := start(ctx, "publisher", publisherSettings{
		Redis: s.Redis(), N: o.n, C: o.c, Size: o.size, Set: set, Limits: s.conf, Profile: o.profile,
	}, nil)
	if err != nil {
		return 0, err
	}
	defer c.stop()
	var used spent
	before := s.cpu(ctx)
	if err := c.ask("go", &used); err != nil {
		return 0, err
	}
	each := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(o.n) }
	what := "library"
	if set {
		what = "SET"
	}
	progress("%s: CPU %.1f µs an event, Redis %.1f", what, used.CPUMS*1000/float64(o.n), each(s.cpu(ctx)-before))
	if !set {
		s.statsTo(ctx, o.profile, "publisher")
	}
	return float64(o.n) / used.Seconds, nil
}

func roundAPI(ctx context.Context, o options, load *child) (perSecond float64, err error) {
	s, err := newStageWith(ctx, o.aof, senderConfig(1), nowhere)
	if err != nil {
		return 0, err
	}
	defer s.close()
	c, addr, err := startCaddy(ctx, caddySettings{
		Name: "api", Profile: o.profile,
		Webhooks: "webhooks {\n redis " + s.Redis().URL + "\n sender {\n deliver off\n allow_http\n allow_networks 127.0.0.0/8\n max_pending 2000000\n event_types " + strings.Join(namesOf(eventTypes()), " ") + "\n }\n }",
		Site:     "webhook_api {\n api_key " + benchKey + "\n }",
	})
	if err != nil {
		return 0, err
	}
	defer c.stop()
	var used spent
	if err := load.ask(loadRun{Addr: addr, Status: 202}, nil); err != nil {
		return 0, err
	}
	if err := c.ask("start", nil); err != nil {
		return 0, err
	}
	if err := load.ask("go", &used); err != nil {
		return 0, err
	}
	return float64(o.n) / used.Seconds, c.ask("spent", nil)
}
