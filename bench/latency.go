package main

import (
	"context"
	"fmt"
	"math"
	"slices"
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
	f := &figures{}
	for round := range o.rounds {
		times, err := roundLatency(ctx, o, k, addr)
		if err != nil {
			return nil, err
		}
		p50, p99 := percentile(times, 50), percentile(times, 99)
		f.sample("p50_ms", p50)
		f.sample("p99_ms", p99)
		progress("round %d of %d: p50 %.2f ms, p99 %.2f ms", round+1, o.rounds, p50, p99)
	}
	return f, nil
}

func roundLatency(ctx context.Context, o options, k *child, addr string) ([]float64, error) {
	s, err := newStageWith(ctx, o.aof, senderConfig(o.c), addr)
	if err != nil {
		return nil, err
	}
	defer s.close()
	c, err := startDelivering(ctx, s.senders(o))
	if err != nil {
		return nil, err
	}
	defer c.stop()
	return steady(ctx, s.sender, k, namesOf(s.conf.EventTypes), o.n, o.rate, o.size)
}

// steady publishes n events at a rate, round the event types, and returns how long each took to the sink. The first event
// of each type only opens the way.
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
	if err := k.ask("reset", nil); err != nil {
		return nil, err
	}
	if err := atRate(ctx, n, rate, func(i int) { publish(types[i%len(types)]) }); err != nil {
		return nil, err
	}
	if err := errs.get(); err != nil {
		return nil, fmt.Errorf("publishing: %w", err)
	}
	// The times are told once; so they are gathered over all questions.
	var counts sinkCounts
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
	return times, k.ask("reset", nil)
}

// atRate calls do with 0 to n-1, so many a second, each call by a goroutine of its own, so that a slow one holds up no other.
func atRate(ctx context.Context, n, rate int, do func(i int)) error {
	var calls sync.WaitGroup
	defer calls.Wait()
	began := time.Now()
	for i := range n {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Until(began.Add(time.Duration(i) * time.Second / time.Duration(rate)))):
		}
		calls.Go(func() { do(i) })
	}
	return nil
}

// percentile is the smallest value that p percent of the values do not exceed.
func percentile(values []float64, p float64) float64 {
	values = slices.Clone(values)
	slices.Sort(values)
	return values[max(0, int(math.Ceil(p/100*float64(len(values))))-1)]
}
