package main

import (
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
	f := &figures{}
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
		ratio := p.perSecond / r.perSecond
		f.whole("delivered_per_s", p.perSecond)
		f.whole("raw_per_s", r.perSecond)
		f.sample("ratio", ratio)
		f.sample("sender_cpu_us", p.cpu)
		f.sample("raw_cpu_us", r.cpu)
		f.sample("redis_cpu_us", p.redis)
		f.whole("in_flight_p50", float64(p.inFlight))
		f.sample("connections_per_host", p.counts.PerHost)
		f.sample("raw_connections_per_host", r.counts.PerHost)
		f.sample("connections_per_host_least", p.counts.Least)
		f.whole("handshakes", float64(p.counts.Handshakes))
		f.whole("handshakes_resumed", float64(p.counts.Resumed))
		f.whole("handshakes_once_warm", float64(p.counts.Late))
		f.sample("rss_mib", float64(p.resident)/mib)
		f.sample("kib_per_attempt_in_flight", p.kib)
		f.sample("raw_kib_per_attempt_in_flight", r.kib)
		f.count("lost", p.counts.Lost)
		f.count("duplicates", p.counts.Duplicates)
		progress("round %d of %d: raw %.0f/s with %d in flight, delivered %.0f/s with %d, ratio %.2f; CPU %.0f and %.0f µs", round+1, o.rounds,
			r.perSecond, plain.c, p.perSecond, p.inFlight, ratio, p.cpu, r.cpu)
	}
	return f, nil
}

// worldProduct delivers a backlog. What counts begins once the sender is warm, and ends before its backlog does.
func worldProduct(ctx context.Context, o options) (w world, err error) {
	k, place, err := startEndpoints(ctx, endpointSettings{Hosts: o.hosts, DelayMS: int(o.delay.Milliseconds())})
	if err != nil {
		return w, err
	}
	defer k.stop()
	conf := senderConfig(o.c)
	conf.EventTypes = typesOf(o.hosts)
	s, err := newStage(ctx, o.aof, conf)
	if err != nil {
		return w, err
	}
	defer s.close()
	for i, t := range conf.EventTypes {
		if _, err := createWebhook(ctx, s.sender, config.DefaultAccount, place.url(i), t.Name); err != nil {
			return w, err
		}
	}
	warm, rest := int(float64(o.n)*worldWarm), o.n/4
	answering, hanging := worldTypes(conf.EventTypes)
	if err := backlog(ctx, s.sender, answering, warm+o.n+rest, o.size); err != nil {
		return w, err
	}
	if err := backlog(ctx, s.sender, hanging, (warm+o.n+rest)/worldHanging, o.size); len(hanging) > 0 && err != nil {
		return w, err
	}
	c, err := startDelivering(ctx, s.senders(o), place.trust()...)
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
	s.rest(ctx)
	return w, w.over(ctx, k, c, o, warm, func() time.Duration { return s.cpu(ctx) }, warm+o.n+rest)
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

// worldRaw makes the same requests to the hosts that answer, by plain net/http.
func worldRaw(ctx context.Context, o options) (w world, err error) {
	k, place, err := startEndpoints(ctx, endpointSettings{Hosts: o.hosts, DelayMS: int(o.delay.Milliseconds())})
	if err != nil {
		return w, err
	}
	defer k.stop()
	warm, rest := int(float64(o.n)*worldWarm), o.n/4
	var urls []string
	for i := range o.hosts {
		if !hangs(i) {
			urls = append(urls, place.url(i))
		}
	}
	c, err := start(ctx, "raw", rawSettings{URLs: urls, N: warm + o.n + rest, C: o.c, Size: o.size, Profile: o.profile}, nil, place.trust()...)
	if err != nil {
		return w, err
	}
	defer c.stop()
	if err := c.say("go"); err != nil {
		return w, err
	}
	return w, w.over(ctx, k, c, o, warm, func() time.Duration { return 0 }, warm+o.n+rest)
}
