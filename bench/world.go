package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/sender"
)

func init() {
	benchmarks["world"] = benchmark{"what a sender meets outside: many https hosts that are far away, some of which hang", 8_000, 0, benchWorld}
}

const (
	worldHosts   = 1_000
	worldDelay   = 200 * time.Millisecond
	worldHanging = 50 // one host in so many hangs
	// worldWarm is the part of a round's deliveries before those that count: connections, certificates, and how many
	// attempts in flight pay.
	worldWarm = 1.0
)

// hangs says which hosts never answer.
func hangs(host int) bool { return host%worldHanging == worldHanging-1 }

// world is one side of a comparison, over the part of the round that counts.
type world struct {
	perSecond, cpu, redis float64
	inFlight              int
	counts                worldCounts
	resident              uint64
	kib                   float64
}

func benchWorld(ctx context.Context, o options) (*figures, error) {
	if o.hosts == 0 {
		o.hosts = worldHosts
	}
	if o.delay == 0 {
		o.delay = worldDelay
	}
	var products, raws []world
	var ratio []float64
	lost, duplicates := 0, 0
	for round := range o.rounds {
		p, err := worldProduct(ctx, o)
		if err != nil {
			return nil, err
		}
		plain := o
		if plain.c == 0 {
			plain.c = max(p.inFlight, 1)
		}
		r, err := worldRaw(ctx, plain)
		if err != nil {
			return nil, err
		}
		products, raws, ratio = append(products, p), append(raws, r), append(ratio, p.perSecond/r.perSecond)
		lost += p.counts.Lost
		duplicates += p.counts.Duplicates
		progress("round %d of %d: raw %.0f/s with %d in flight, delivered %.0f/s with %d, ratio %.2f; CPU %.0f and %.0f µs", round+1, o.rounds,
			r.perSecond, plain.c, p.perSecond, p.inFlight, ratio[round], p.cpu, r.cpu)
	}
	of := func(side []world, f func(world) float64) float64 {
		values := make([]float64, len(side))
		for i, w := range side {
			values[i] = f(w)
		}
		return round3(median(values))
	}
	f := &figures{}
	f.add("delivered_per_s", int(of(products, func(w world) float64 { return w.perSecond })))
	f.add("raw_per_s", int(of(raws, func(w world) float64 { return w.perSecond })))
	f.add("ratio", round3(median(ratio)))
	f.add("sender_cpu_us", of(products, func(w world) float64 { return w.cpu }))
	f.add("raw_cpu_us", of(raws, func(w world) float64 { return w.cpu }))
	f.add("redis_cpu_us", of(products, func(w world) float64 { return w.redis }))
	f.add("in_flight_p50", int(of(products, func(w world) float64 { return float64(w.inFlight) })))
	f.add("connections_per_host", of(products, func(w world) float64 { return w.counts.PerHost }))
	f.add("raw_connections_per_host", of(raws, func(w world) float64 { return w.counts.PerHost }))
	f.add("connections_per_host_least", of(products, func(w world) float64 { return w.counts.Least }))
	f.add("handshakes", int(of(products, func(w world) float64 { return float64(w.counts.Handshakes) })))
	f.add("handshakes_resumed", int(of(products, func(w world) float64 { return float64(w.counts.Resumed) })))
	f.add("handshakes_once_warm", int(of(products, func(w world) float64 { return float64(w.counts.Late) })))
	f.add("rss_mib", of(products, func(w world) float64 { return float64(w.resident) / (1 << 20) }))
	f.add("kib_per_attempt_in_flight", of(products, func(w world) float64 { return w.kib }))
	f.add("raw_kib_per_attempt_in_flight", of(raws, func(w world) float64 { return w.kib }))
	f.add("lost", lost)
	f.add("duplicates", duplicates)
	return f, nil
}

// worldProduct delivers a backlog. What counts begins once the sender is warm, and ends before its backlog does.
func worldProduct(ctx context.Context, o options) (w world, err error) {
	k, place, err := startEndpoints(ctx, endpointSettings{Hosts: o.hosts, DelayMS: int(o.delay.Milliseconds())})
	if err != nil {
		return w, err
	}
	defer k.stop()
	server, err := startRedis(ctx, o.aof)
	if err != nil {
		return w, err
	}
	defer server.stop()
	conf := senderConfig(o.c)
	conf.EventTypes = make([]config.EventType, o.hosts)
	for i := range conf.EventTypes {
		conf.EventTypes[i] = config.EventType{Name: "bench.e" + strconv.Itoa(i), Group: "bench"}
	}
	publisher, store, err := openSender(config.Redis{URL: server.url()}, conf)
	if err != nil {
		return w, err
	}
	defer store.Close()
	if err := registerWorld(ctx, publisher, conf.EventTypes, place); err != nil {
		return w, err
	}
	warm, rest := int(float64(o.n)*worldWarm), o.n/4
	answering, hanging := worldTypes(conf.EventTypes)
	if err := backlog(ctx, publisher, answering, warm+o.n+rest, o.size); err != nil {
		return w, err
	}
	if err := backlog(ctx, publisher, hanging, (warm+o.n+rest)/worldHanging, o.size); len(hanging) > 0 && err != nil {
		return w, err
	}
	c, err := startSender(ctx, senderSettings{Redis: config.Redis{URL: server.url()}, Limits: conf, Profile: o.profile}, place.trust()...)
	if err != nil {
		return w, err
	}
	defer func() {
		if o.profile == "" {
			c.kill() // a stop would give those that hang their grace
		} else {
			c.stop()
		}
	}()
	server.rest(ctx)
	return w, w.over(ctx, k, c, o, warm, func() time.Duration { return server.cpu(ctx) }, warm+o.n+rest)
}

// over measures from the moment when warm deliveries have come until n more have, then waits for the rest.
func (w *world) over(ctx context.Context, k, c *child, o options, warm int, redis func() time.Duration, all int) error {
	var counts worldCounts
	var before, after, sample spent
	if err := waitWorld(ctx, k, warm, &counts); err != nil {
		return err
	}
	if err := c.ask("weigh", &before); err != nil {
		return err
	}
	if err := k.ask("late", &counts); err != nil {
		return err
	}
	first, began, used := counts.Events, time.Now(), redis()
	if err := c.ask("spent", &before); err != nil {
		return err
	}
	inFlight := []int{before.InFlight}
	for counts.Events < min(first+o.n, all) && ctx.Err() == nil && time.Since(began) < 2*time.Minute {
		time.Sleep(50 * time.Millisecond)
		if err := c.ask("spent", &sample); err != nil {
			return err
		}
		inFlight = append(inFlight, sample.InFlight)
		if err := k.ask("count", &counts); err != nil {
			return err
		}
	}
	took, done := time.Since(began), float64(max(counts.Events-first, 1))
	if err := c.ask("weigh", &after); err != nil {
		return err
	}
	w.perSecond = done / took.Seconds()
	w.cpu = (sample.CPUMS - before.CPUMS) * 1000 / done
	w.redis = float64((redis() - used).Microseconds()) / done
	w.inFlight, w.resident = median(inFlight), after.Resident
	w.kib = after.KiB
	err := waitWorld(ctx, k, all, &counts)
	counts.Lost = all - counts.Events
	w.counts = counts
	return err
}

// waitWorld waits until the endpoints have n events.
func waitWorld(ctx context.Context, k *child, n int, counts *worldCounts) error {
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline) && ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		if err := k.ask("count", counts); err != nil || counts.Events >= n {
			return err
		}
	}
	return ctx.Err()
}

// worldTypes are the events of hosts that answer, and of those that hang.
func worldTypes(types []config.EventType) (answering, hanging []string) {
	for i, t := range types {
		if hangs(i) {
			hanging = append(hanging, t.Name)
		} else {
			answering = append(answering, t.Name)
		}
	}
	return answering, hanging
}

// registerWorld registers one webhook for each host.
func registerWorld(ctx context.Context, s *sender.Sender, types []config.EventType, p *place) error {
	for i, t := range types {
		w := sender.NewWebhook{Settings: sender.Settings{URL: p.url(i), Events: []string{t.Name}}, Secret: benchSecret}
		if _, _, err := s.CreateWebhook(ctx, config.DefaultAccount, w); err != nil {
			return fmt.Errorf("registering: %w", err)
		}
	}
	return nil
}

// worldRaw makes the same requests to the hosts that answer, by plain net/http.
func worldRaw(ctx context.Context, o options) (w world, err error) {
	k, place, err := startEndpoints(ctx, endpointSettings{Hosts: o.hosts, DelayMS: int(o.delay.Milliseconds())})
	if err != nil {
		return w, err
	}
	defer k.stop()
	warm, rest := int(float64(o.n)*worldWarm), o.n/4
	urls := make([]string, o.hosts)
	for i := range urls {
		urls[i] = place.url(i)
	}
	urls = slices.Collect(func(yield func(string) bool) {
		for i, u := range urls {
			if !hangs(i) && !yield(u) {
				return
			}
		}
	})
	c, err := start(ctx, "worldraw", rawWorldSettings{URLs: urls, N: warm + o.n + rest, C: o.c, Size: o.size, Profile: o.profile}, place.trust()...)
	if err != nil {
		return w, err
	}
	defer c.stop()
	var ready string
	if err := c.hear(&ready); err != nil {
		return w, err
	}
	if err := c.say("go"); err != nil {
		return w, err
	}
	return w, w.over(ctx, k, c, o, warm, func() time.Duration { return 0 }, warm+o.n+rest)
}
