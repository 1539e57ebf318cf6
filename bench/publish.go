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
	Limits     config.Sender
	N, C, Size int    // events, how many at once, and bytes of an event's body
	Set        bool   // the yardstick: SET of the payload
	Profile    string // folder for its CPU profile; "" for none
}

// runPublisher stores events, by the library or by the yardstick. Some come before those that count.
func runPublisher(ctx context.Context, o publisherSettings, parent *pipe) error {
	s, store, err := openSender(o.Redis, o.Limits)
	if err != nil {
		return err
	}
	defer store.Close()
	publish := func(first, n int) error { return publishAll(ctx, s, first, n, o.C, o.Size) }
	if o.Set {
		publish = func(first, n int) error { return setAll(ctx, store.Client(), first, n, o.C, o.Size) }
	}
	if err := publish(o.N, max(o.N/10, o.C)); err != nil {
		return err
	}
	if !parent.waitForGo() {
		return nil
	}
	defer profileTo(o.Profile, "publisher")()
	clock := startClock()
	if err := publish(0, o.N); err != nil {
		return err
	}
	return parent.send(clock.usage())
}

// publishAll calls Publish from c goroutines, n times. The events have the numbers from first on.
func publishAll(ctx context.Context, s *sender.Sender, first, n, c, size int) error {
	return parallel(n, c, func(_, i int) error {
		_, err := s.Publish(ctx, config.DefaultAccount, sender.Event{Type: typeName((first + i) % webhookCount), Data: numberedData(size, first+i)})
		return wrap("publishing", err)
	})
}

// setAll stores the same payloads by SET, in two pipelines that together hold c of them.
func setAll(ctx context.Context, client redis.UniversalClient, first, n, c, size int) error {
	const pipelines = 2
	depth := max(1, c/pipelines)
	return parallel((n+depth-1)/depth, pipelines, func(_, k int) error {
		pipe := client.Pipeline()
		for i := first + k*depth; i < first+min((k+1)*depth, n); i++ {
			pipe.Set(ctx, fmt.Sprintf("evt_%032x", i), string(numberedData(size, i)), time.Hour)
		}
		_, err := pipe.Exec(ctx)
		return wrap("setting", err)
	})
}

// benchPublish measures api_per_s, POST /events to a Caddy; library_per_s, Publish of the Go library; and set_per_s, the
// yardstick. The ratio is the library's to the yardstick: both are Go clients of the same Redis with as much under way.
func benchPublish(ctx context.Context, o options) *figures {
	load := must(start(ctx, "load", loadSettings{N: o.n, C: o.c, Size: o.size, Warm: max(o.n/10, o.c), API: true}, nil))
	defer load.stop()
	return o.eachRound(func(f *figures, _ int) {
		api, library, set := roundAPI(ctx, o, load), roundPublisher(ctx, o, false), roundPublisher(ctx, o, true)
		f.sampleInt("api_per_s", api)
		f.sampleInt("library_per_s", library)
		f.sampleInt("set_per_s", set)
		f.sample("ratio", library/set)
	})
}

// closedURL is an endpoint that nobody serves, for webhooks that are never delivered to.
func closedURL(path any) string { return fmt.Sprintf("http://127.0.0.1:9/%v", path) }

func roundPublisher(ctx context.Context, o options, set bool) (perSecond float64) {
	x := newFixtureFor(ctx, o.aof, senderConfig(1), closedURL)
	defer x.close()
	c := must(start(ctx, "publisher", publisherSettings{
		Redis: x.Redis(), N: o.n, C: o.c, Size: o.size, Set: set, Limits: x.conf, Profile: o.profile,
	}, nil))
	defer c.stop()
	var u usage
	redisUS := x.startCPU(ctx)
	check(c.ask("go", &u))
	name := "library"
	if set {
		name = "SET"
	} else {
		x.writeStats(ctx, o.profile, "publisher")
	}
	progress("%s: CPU %.1f µs an event, Redis %.1f", name, u.cpuUS(o.n), redisUS(o.n))
	return u.perSecond(o.n)
}

func roundAPI(ctx context.Context, o options, load *child) (perSecond float64) {
	x := newFixtureFor(ctx, o.aof, senderConfig(1), closedURL)
	defer x.close()
	c := must(startCaddy(ctx, caddySettings{
		Name: "api", Profile: o.profile,
		Webhooks: senderBlock(x.Redis().URL, "deliver off\n max_pending 2000000\n event_types "+strings.Join(typeNames(webhookCount), " ")),
		Site:     apiBlock,
	}))
	defer c.stop()
	check(load.ask(loadRun{Addr: c.addr, Status: 202}, nil))
	check(c.ask("start", nil))
	var u usage
	check(load.ask("go", &u))
	check(c.ask("usage", nil))
	return u.perSecond(o.n)
}
