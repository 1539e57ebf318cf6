package main

import (
	"cmp"
	"context"
	"time"

	"github.com/videocloud/webhooks/config"
)

func init() {
	benchmarks["world"] = benchmark{"what a sender meets outside: many https hosts that are far away, some of which hang", 8_000, 0, benchWorld}
}

const (
	worldHosts   = 1_000
	worldDelay   = 200 * time.Millisecond
	worldHanging = 50 // one host in so many hangs
)

// hangs reports whether a host never answers.
func hangs(host int) bool { return host%worldHanging == worldHanging-1 }

// worldResult is one side of the comparison, over the part of the round that counts.
type worldResult struct {
	perSecond      float64
	cpuUS, redisUS float64 // CPU time of a delivery
	inFlight       int     // median
	counts         endpointCounts
	lost           int
	resident       uint64 // bytes of memory
	kib            float64
}

// worldRound is what both sides of a round share.
type worldRound struct {
	options
	endpoints *endpointsProcess
	// warm and rest are the deliveries before and after those that count. In the first, connections are opened and the sender
	// finds out how many attempts in flight pay; in the last, fewer and fewer are in flight.
	warm, rest int
}

func (w *worldRound) all() int { return w.warm + w.n + w.rest }

// worldSide runs one side of the comparison, with endpoints of its own.
func worldSide(ctx context.Context, o options, run func(context.Context, *worldRound) worldResult) worldResult {
	w := &worldRound{
		options: o, warm: o.n, rest: o.n / 4,
		endpoints: must(startEndpoints(ctx, endpointSettings{Hosts: o.hosts, DelayMS: int(o.delay.Milliseconds())})),
	}
	defer w.endpoints.stop()
	return run(ctx, w)
}

func benchWorld(ctx context.Context, o options) *figures {
	o.hosts, o.delay = cmp.Or(o.hosts, worldHosts), cmp.Or(o.delay, worldDelay)
	return o.eachRound(func(f *figures, _ int) {
		product := worldSide(ctx, o, deliverToWorld)
		rawOptions := o
		rawOptions.c = cmp.Or(o.c, max(product.inFlight, 1))
		raw := worldSide(ctx, rawOptions, sendRawToWorld)
		f.sampleInt("delivered_per_s", product.perSecond)
		f.sampleInt("raw_per_s", raw.perSecond)
		f.sample("ratio", product.perSecond/raw.perSecond)
		f.sample("sender_cpu_us", product.cpuUS)
		f.sample("raw_cpu_us", raw.cpuUS)
		f.sample("redis_cpu_us", product.redisUS)
		f.sampleInt("in_flight_p50", float64(product.inFlight))
		f.sample("connections_per_host", product.counts.PerHost)
		f.sample("raw_connections_per_host", raw.counts.PerHost)
		f.sample("connections_per_host_least", product.counts.LeastPerHost)
		f.sampleInt("handshakes", float64(product.counts.Handshakes))
		f.sampleInt("handshakes_resumed", float64(product.counts.Resumed))
		f.sampleInt("handshakes_once_warm", float64(product.counts.OnceWarm))
		f.sample("rss_mib", float64(product.resident)/mib)
		f.sample("kib_per_attempt_in_flight", product.kib)
		f.sample("raw_kib_per_attempt_in_flight", raw.kib)
		f.sum("lost", product.lost)
		f.sum("duplicates", product.counts.Duplicates)
	})
}

// deliverToWorld delivers a backlog by a sender. What counts begins once the sender is warm, and ends before its backlog does.
func deliverToWorld(ctx context.Context, w *worldRound) worldResult {
	var answering, hanging []string
	types := typeNames(w.hosts)
	for i, name := range types {
		if hangs(i) {
			hanging = append(hanging, name)
		} else {
			answering = append(answering, name)
		}
	}
	conf := senderConfig(w.c)
	conf.EventTypes = eventTypes(types)
	x := newFixture(ctx, w.aof, conf)
	defer x.close()
	for i, name := range types {
		createWebhook(ctx, x.sender, config.DefaultAccount, w.endpoints.url(i), name)
	}
	publishBacklog(ctx, x.sender, answering, w.all(), w.size)
	if len(hanging) > 0 {
		publishBacklog(ctx, x.sender, hanging, w.all()/worldHanging, w.size)
	}
	c := must(x.startDelivering(ctx, w.options, w.endpoints.trust()...))
	end := c.kill // stop would wait for the attempts that hang
	if w.profile != "" {
		end = c.stop // writes the profile
	}
	defer end()
	x.rewriteAppendOnly(ctx)
	return w.measure(ctx, c, x.redisServer)
}

// sendRawToWorld makes the same requests to the hosts that answer, by plain net/http.
func sendRawToWorld(ctx context.Context, w *worldRound) worldResult {
	var urls []string
	for i := range w.hosts {
		if !hangs(i) {
			urls = append(urls, w.endpoints.url(i))
		}
	}
	c := must(startRaw(ctx, w.options, urls, w.all(), w.endpoints.trust()...))
	defer c.stop()
	return w.measure(ctx, c, nil)
}

// measure measures a process, and its Redis if it has one, from the moment when the warm deliveries have come until n more have.
// Then it waits for the rest.
func (w *worldRound) measure(ctx context.Context, c *child, server *redisServer) (r worldResult) {
	var before, now usage
	counts := &r.counts
	check(w.waitFor(ctx, w.warm, counts))
	check(c.ask("weigh", nil)) // collects the garbage of before what counts
	check(w.endpoints.ask("warm", counts))
	first, redisUS, began := counts.Events, server.startCPU(ctx), time.Now()
	check(c.ask("usage", &before))
	inFlight := []int{before.InFlight}
	for counts.Events < min(first+w.n, w.all()) && ctx.Err() == nil && time.Since(began) < 2*time.Minute {
		time.Sleep(50 * time.Millisecond)
		check(c.ask("usage", &now))
		inFlight = append(inFlight, now.InFlight)
		check(w.endpoints.ask("count", counts))
	}
	took, delivered := time.Since(began), max(counts.Events-first, 1)
	r.perSecond = float64(delivered) / took.Seconds()
	r.cpuUS = (now.CPUMS - before.CPUMS) * 1000 / float64(delivered)
	check(c.ask("weigh", &now))
	r.redisUS, r.inFlight, r.resident, r.kib = redisUS(delivered), median(inFlight), now.Resident, now.KiB
	check(w.waitFor(ctx, w.all(), counts))
	r.lost = w.all() - counts.Events
	return r
}

// waitFor waits until the endpoints have n events, for two minutes at most.
func (w *worldRound) waitFor(ctx context.Context, n int, counts *endpointCounts) error {
	return waitUntil(ctx, 2*time.Minute, 20*time.Millisecond, func() (bool, error) {
		err := w.endpoints.ask("count", counts)
		return counts.Events >= n, err
	})
}
