package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/sender"
)

func init() {
	benchmarks["latency"] = benchmark{"the time from publish to the sink, at 200 events a second", 1_600, 256, benchLatency}
}

const latencyRate = 200

// benchLatency publishes in this process and delivers in another, as where API and sender run on different machines: what
// wakes the sender comes through Redis.
func benchLatency(ctx context.Context, o options) (*figures, error) {
	k, addr, err := startSink(ctx, sinkSettings{})
	if err != nil {
		return nil, err
	}
	defer k.stop()
	if o.rate == 0 {
		o.rate = latencyRate
	}
	var p50, p99 []float64
	for round := range o.rounds {
		times, err := roundLatency(ctx, o, k, addr)
		if err != nil {
			return nil, err
		}
		p50, p99 = append(p50, percentile(times, 50)), append(p99, percentile(times, 99))
		progress("round %d of %d: p50 %.2f ms, p99 %.2f ms", round+1, o.rounds, p50[round], p99[round])
	}
	f := &figures{}
	f.add("p50_ms", round3(median(p50)))
	f.add("p99_ms", round3(median(p99)))
	return f, nil
}

func roundLatency(ctx context.Context, o options, k *child, addr string) ([]float64, error) {
	server, err := startRedis(ctx, o.aof)
	if err != nil {
		return nil, err
	}
	defer server.stop()
	conf := senderConfig(o.c)
	s, store, err := openSender(config.Redis{URL: server.url()}, conf)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	if err := register(ctx, s, addr); err != nil {
		return nil, err
	}
	c, err := startSender(ctx, senderSettings{Redis: config.Redis{URL: server.url()}, Limits: conf, Profile: o.profile})
	if err != nil {
		return nil, err
	}
	defer c.stop()
	names := make([]string, hooks)
	for i := range names {
		names[i] = "bench.e" + strconv.Itoa(i)
	}
	return steady(ctx, s, k, names, o.n, o.rate, o.size)
}

// startSender runs a sender that delivers.
func startSender(ctx context.Context, o senderSettings, environment ...string) (*child, error) {
	c, err := start(ctx, "sender", o, environment...)
	if err != nil {
		return nil, err
	}
	var ready string
	if err = c.hear(&ready); err == nil {
		err = c.say("go")
	}
	if err != nil {
		c.stop()
		return nil, err
	}
	return c, nil
}

// steady publishes n events at a rate, round the event types, and returns how long each took to the sink. The first event
// of each type only opens the way. Each is published by a goroutine of its own, so that a slow one holds up no other.
func steady(ctx context.Context, s *sender.Sender, k *child, types []string, n, rate, size int) ([]float64, error) {
	var errs errorOnce
	publish := func(name string) {
		_, err := s.Publish(ctx, config.DefaultAccount, sender.Event{Type: name, Data: dataOf(size, time.Now().UnixMicro())})
		errs.set(err)
	}
	for _, name := range types {
		publish(name)
	}
	if _, err := waitFor(ctx, k, len(types)); err != nil {
		return nil, err
	}
	var counts sinkCounts
	if err := k.ask("reset", &counts); err != nil {
		return nil, err
	}
	var publishers sync.WaitGroup
	began := time.Now()
	for i := range n {
		pause := time.Until(began.Add(time.Duration(i) * time.Second / time.Duration(rate)))
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
		publishers.Go(func() { publish(types[i%len(types)]) })
	}
	publishers.Wait()
	if errs.err != nil {
		return nil, fmt.Errorf("publishing: %w", errs.err)
	}
	// The times are told once; so they are gathered over all questions.
	times := make([]float64, 0, n)
	for deadline := time.Now().Add(30 * time.Second); len(times) < n; {
		if err := k.ask("count", &counts); err != nil {
			return nil, err
		}
		times = append(times, counts.LatencyMS...)
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("of %d events %d arrived", n, len(times))
		}
		counts.LatencyMS = nil
		time.Sleep(5 * time.Millisecond)
	}
	return times, k.ask("reset", &counts)
}

// errorOnce keeps the first error.
type errorOnce struct {
	mu  sync.Mutex
	err error
}

func (e *errorOnce) set(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err == nil {
		e.err = err
	}
}

// percentile is the smallest value that p percent of the values do not exceed.
func percentile(values []float64, p float64) float64 {
	values = slices.Clone(values)
	slices.Sort(values)
	return values[max(0, int(math.Ceil(p/100*float64(len(values))))-1)]
}
