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
	redis bool // with a Redis
	// The two parts of a Caddyfile. $app is the app's address, $hang that of one that does not answer, $redis the URL of the
	// Redis, and $c the option -c.
	webhooks, site string
	noneToApp      bool // no request reaches the app before the clock stops; otherwise all do
	timedToApp     bool // the clock stops when all requests have reached the app; otherwise when they are answered
}

const (
	inMemory = "webhooks {\n redis memory\n }"
	inRedis  = "webhooks {\n redis $redis\n }"
	toApp    = "reverse_proxy $app"
)

// receiverBlock is a receiver with further options.
func receiverBlock(options string) string {
	return "webhook_receiver videocloud " + benchSecret + " {\n name bench\n " + options + "}\n"
}

// receiverQueue is a receiver with a queue of some options, which delivers by a proxy.
func receiverQueue(options, proxy string) string {
	return receiverBlock("queue {\n " + options + "\n max_length 10000000\n deliver {\n " + proxy + "\n }\n }\n")
}

// phases in the order in which people read them. In all of them the site is nothing but what is named.
var phases = []phase{
	{name: "proxy", site: toApp},
	{name: "respond", site: "respond 200", noneToApp: true},
	{name: "memory", webhooks: inMemory, site: receiverBlock("") + toApp},
	{name: "redis", redis: true, webhooks: inRedis, site: receiverBlock("") + toApp},
	// The burst: the one delivery that may be under way hangs in the app, all others wait behind it.
	{name: "queue", redis: true, webhooks: inRedis, noneToApp: true, site: receiverQueue("concurrency 1\n timeout 1h", "reverse_proxy $hang")},
	// As many deliveries as requests at once: the proxy keeps 32 idle connections to an app.
	{name: "queue_through", redis: true, webhooks: inRedis, timedToApp: true, site: receiverQueue("concurrency $c", toApp)},
}

// receiverBench is what all its phases share.
type receiverBench struct {
	options
	warm         int // requests before those that count
	load         *child
	app, hanging sinkProcess // hanging does not answer
}

// openReceiverBench starts the app, one that does not answer, and the load.
func openReceiverBench(ctx context.Context, o options) *receiverBench {
	b := &receiverBench{options: o, warm: max(o.n/5, o.c)}
	err := errorOf(func() {
		b.app = must(startSink(ctx, sinkSettings{}))
		b.hanging = must(startSink(ctx, sinkSettings{HangMS: 3_600_000, HangAll: true}))
		b.load = must(start(ctx, "load", loadSettings{N: o.n, C: o.c, Size: o.size, Warm: b.warm}, nil))
	})
	if err != nil {
		b.close()
	}
	check(err)
	return b
}

func (b *receiverBench) close() {
	b.load.stop()
	b.hanging.stop()
	b.app.stop()
}

func benchReceiver(ctx context.Context, o options) *figures {
	b := openReceiverBench(ctx, o)
	defer b.close()
	return o.eachRound(func(f *figures, round int) {
		results := b.runEach(ctx, phases, round)
		for _, p := range phases {
			r := results[p.name]
			f.sampleInt(p.name+"_per_s", r.perSecond)
			progress("%s: CPU time of Caddy and Redis for a request: %.0f and %.0f µs", p.name, r.caddyUS, r.redisUS)
		}
		for _, p := range phases[1:] {
			f.sample(p.name+"_ratio", results[p.name].perSecond/results["proxy"].perSecond)
		}
	})
}

// phaseResult is what a phase did in a second, and the CPU time of a request.
type phaseResult struct{ perSecond, caddyUS, redisUS float64 }

// runEach runs phases, and returns their results by name. Each round begins with another phase, so that none is always the first
// or behind the same one.
func (b *receiverBench) runEach(ctx context.Context, phases []phase, round int) map[string]phaseResult {
	results := map[string]phaseResult{}
	for i := range phases {
		p := phases[(i+round)%len(phases)]
		check(errorOf(func() { results[p.name] = b.run(ctx, p) }), p.name)
	}
	return results
}

// run runs one phase in a Caddy, and a Redis, of its own.
func (b *receiverBench) run(ctx context.Context, p phase) phaseResult {
	words := map[string]string{"app": b.app.addr, "hang": b.hanging.addr, "c": strconv.Itoa(b.c)}
	var server *redisServer
	if p.redis {
		server = must(startRedis(ctx, b.aof))
		defer server.Close()
		words["redis"] = server.Redis().URL
	}
	fill := func(text string) string { return os.Expand(text, func(word string) string { return words[word] }) }
	c := must(startCaddy(ctx, caddySettings{Name: p.name, Webhooks: fill(p.webhooks), Site: fill(p.site), Profile: b.profile}))
	defer c.kill() // its queue may hold what hangs

	warm, n := b.warm, b.n // events that reach the app
	if p.noneToApp {
		warm, n = 0, 0
	}
	check(b.load.ask(loadRun{Addr: c.addr, Status: 200}, nil))
	must(b.app.waitAndReset(ctx, warm))
	check(c.ask("start", nil))
	redisUS := server.startCPU(ctx)
	began := time.Now()
	var load, caddy usage
	check(b.load.ask("go", &load))
	counts := must(b.app.waitFor(ctx, n))
	if p.timedToApp {
		load.Seconds = time.Since(began).Seconds()
	}
	check(c.ask("usage", &caddy))
	r := phaseResult{load.perSecond(b.n), caddy.cpuUS(b.n), redisUS(b.n)}
	server.writeStats(ctx, b.profile, p.name)
	if counts.Events != n || counts.Duplicates > 0 {
		check(fmt.Errorf("of %d events %d reached the app, and %d more than once", n, counts.Events, counts.Duplicates))
	}
	must(b.app.reset())
	return r
}
