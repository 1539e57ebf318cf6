package main

import (
	"cmp"
	"context"
	"fmt"
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
func benchLatency(ctx context.Context, o options) *figures {
	o.rate = cmp.Or(o.rate, latencyRate)
	return o.eachRoundWithSink(ctx, func(k sinkProcess, f *figures) {
		ms := roundLatency(ctx, o, k)
		f.sample("p50_ms", percentile(ms, 50))
		f.sample("p99_ms", percentile(ms, 99))
	})
}

func roundLatency(ctx context.Context, o options, k sinkProcess) (ms []float64) {
	x := newFixtureFor(ctx, o.aof, senderConfig(o.c), k.url)
	defer x.close()
	c := must(x.startDelivering(ctx, o))
	defer c.stop()
	return latencies(ctx, o, x.sender, k, typeNames(webhookCount))
}

// latencies publishes -n events at -rate, of the types in turn, and returns how many milliseconds each took to the sink. The
// first event of each type does not count, as it opens connections.
func latencies(ctx context.Context, o options, s *sender.Sender, k sinkProcess, types []string) (ms []float64) {
	var failed firstError
	publish := func(name string) {
		_, err := s.Publish(ctx, config.DefaultAccount, sender.Event{Type: name, Data: eventData(o.size, time.Now().UnixMicro())})
		failed.set(err)
	}
	for _, name := range types {
		publish(name)
	}
	must(k.waitAndReset(ctx, len(types)))
	check(atRate(ctx, o.n, o.rate, func(i int) { publish(types[i%len(types)]) }))
	check(failed.get(), "publishing")
	// Each answer has only the times since the last one.
	check(waitUntil(ctx, 30*time.Second, 5*time.Millisecond, func() (bool, error) {
		var counts sinkCounts
		err := k.ask("count", &counts)
		ms = append(ms, counts.LatencyMS...)
		return len(ms) >= o.n, err
	}))
	if len(ms) < o.n {
		check(fmt.Errorf("of %d events %d arrived", o.n, len(ms)))
	}
	must(k.reset())
	return ms
}
