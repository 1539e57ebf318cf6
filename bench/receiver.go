package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"
)

func init() {
	benchmarks["receiver"] = benchmark{"the gateway in Caddy beside Caddy's plain reverse_proxy", 10_000, 32, benchReceiver}
}

// phase is one of the things that a Caddy does with the same requests.
type phase struct {
	name  string
	redis bool
	// The two parts of a Caddyfile. $hang is an app that does not answer, $c the option -c.
	webhooks, site string
	app            func(n int) int // how many of n requests reach the app before the clock stops
}

func all(n int) int  { return n }
func none(n int) int { return 0 }

const (
	benchReceiverBlock = "webhook_receiver videocloud " + benchSecret + " {\n name bench\n %s }\n"
	inMemory           = "webhooks {\n redis memory\n }"
	inRedis            = "webhooks {\n redis $redis\n }"
)

// phases in the order in which people read them. In all of them the site is nothing but what is named.
var phases = []phase{
	{name: "proxy", site: "reverse_proxy $app", app: all},
	{name: "respond", site: "respond 200", app: none},
	{name: "memory", webhooks: inMemory, site: fmt.Sprintf(benchReceiverBlock, "") + "reverse_proxy $app", app: all},
	{name: "redis", redis: true, webhooks: inRedis, site: fmt.Sprintf(benchReceiverBlock, "") + "reverse_proxy $app", app: all},
	// The burst: the one delivery that may be under way hangs in the app, all others wait behind it.
	{name: "queue", redis: true, webhooks: inRedis, app: none,
		site: fmt.Sprintf(benchReceiverBlock, "queue {\n concurrency 1\n timeout 1h\n max_length 10000000\n deliver {\n reverse_proxy $hang\n }\n }\n")},
	// As many deliveries as requests at once: the proxy keeps 32 idle connections to an app.
	{name: "queue_through", redis: true, webhooks: inRedis, app: all,
		site: fmt.Sprintf(benchReceiverBlock, "queue {\n concurrency $c\n max_length 10000000\n deliver {\n reverse_proxy $app\n }\n }\n")},
}

// receiverBench is what all its phases share.
type receiverBench struct {
	o    options
	warm int
	load *child
	app  *child
	addr string // of the app

	hanging *child // an app that does not answer
	hang    string // its address
}

// openReceiverBench starts the app, one that does not answer, and the load.
func openReceiverBench(ctx context.Context, o options) (b *receiverBench, err error) {
	b = &receiverBench{o: o, warm: max(o.n/5, o.c)}
	b.app, b.addr, err = startSink(ctx, sinkSettings{})
	if err == nil {
		b.hanging, b.hang, err = startSink(ctx, sinkSettings{HangMS: 3_600_000, HangAll: true})
	}
	if err == nil {
		b.load, err = startLoad(ctx, loadSettings{N: o.n, C: o.c, Size: o.size, Warm: b.warm})
	}
	if err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (b *receiverBench) close() {
	b.load.stop()
	b.hanging.stop()
	b.app.stop()
}

func benchReceiver(ctx context.Context, o options) (*figures, error) {
	b, err := openReceiverBench(ctx, o)
	if err != nil {
		return nil, err
	}
	defer b.close()
	f := &figures{}
	for round := range o.rounds {
		line, speeds := "", map[string]float64{}
		for i := range phases {
			// Each round begins with another phase, so that none is always the first or behind the same one.
			p := &phases[(i+round)%len(phases)]
			speed, caddy, redis, err := b.run(ctx, p)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", p.name, err)
			}
			speeds[p.name] = speed
			line += fmt.Sprintf(" %s %.0f/s (%.0f + %.0f µs)", p.name, speed, caddy, redis)
		}
		for _, p := range phases {
			f.whole(p.name+"_per_s", speeds[p.name])
		}
		for _, p := range phases[1:] {
			f.sample(p.name+"_ratio", speeds[p.name]/speeds["proxy"])
		}
		progress("round %d of %d, with the CPU time of Caddy and Redis for a request:%s", round+1, o.rounds, line)
	}
	return f, nil
}

// run makes one phase in a Caddy, and a Redis, of its own. It returns the requests a second and the CPU time of
// Caddy and Redis for one.
func (b *receiverBench) run(ctx context.Context, p *phase) (speed, caddyUS, redisUS float64, err error) {
	url := ""
	var server *redisServer
	if p.redis {
		if server, err = startRedis(ctx, b.o.aof); err != nil {
			return 0, 0, 0, err
		}
		defer server.Close()
		url = server.Redis().URL
	}
	fill := func(text string) string {
		return os.Expand(text, func(word string) string {
			return map[string]string{"redis": url, "app": b.addr, "hang": b.hang, "c": strconv.Itoa(b.o.c)}[word]
		})
	}
	c, addr, err := startCaddy(ctx, caddySettings{Name: p.name, Webhooks: fill(p.webhooks), Site: fill(p.site), Profile: b.o.profile})
	if err != nil {
		return 0, 0, 0, err
	}
	defer c.kill() // its queue may hold what hangs

	if err := b.load.ask(loadRun{Addr: addr, Status: 200}, nil); err != nil {
		return 0, 0, 0, err
	}
	if _, err := waitFor(ctx, b.app, p.app(b.warm)); err != nil {
		return 0, 0, 0, err
	}
	if err := b.app.ask("reset", nil); err != nil {
		return 0, 0, 0, err
	}
	if err := c.ask("start", nil); err != nil {
		return 0, 0, 0, err
	}
	var before time.Duration
	if server != nil {
		server.c.ConfigResetStat(ctx)
		before = server.cpu(ctx)
	}
	began := time.Now()
	var load, caddy spent
	if err := b.load.ask("go", &load); err != nil {
		return 0, 0, 0, err
	}
	took := load.Seconds
	counts, err := waitFor(ctx, b.app, p.app(b.o.n))
	if err != nil {
		return 0, 0, 0, err
	}
	if p.name == "queue_through" {
		took = time.Since(began).Seconds()
	}
	if err := c.ask("spent", &caddy); err != nil {
		return 0, 0, 0, err
	}
	if server != nil {
		redisUS = float64((server.cpu(ctx) - before).Microseconds()) / float64(b.o.n)
		server.statsTo(ctx, b.o.profile, p.name)
	}
	if counts.Events != p.app(b.o.n) || counts.Duplicates > 0 {
		return 0, 0, 0, fmt.Errorf("of %d events %d reached the app, and %d more than once", p.app(b.o.n), counts.Events, counts.Duplicates)
	}
	return float64(b.o.n) / took, caddy.CPUMS * 1000 / float64(b.o.n), redisUS, b.app.ask("reset", nil)
}
