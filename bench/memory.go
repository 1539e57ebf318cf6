package main

import (
	"context"
	"time"
)

func init() {
	benchmarks["memory"] = benchmark{"bytes of Redis for a delivery, waiting and done", 10_000, 256, benchMemory}
}

const fanOut = 10 // webhooks of an event

// benchMemory measures three figures: bytes_per_delivery, an event that waits for one webhook, its payload included;
// bytes_per_delivery_fanout_10, the whole of an event that waits for ten webhooks, its payload and its ten deliveries, so that
// it compares with the payload as the first does; and bytes_after_done, what is left of a delivered event once its
// payload's retention is over: its attempt in the log, and what GET /events needs. payload_bytes is the yardstick.
func benchMemory(ctx context.Context, o options) *figures {
	f := o.eachRoundWithSink(ctx, func(k sinkProcess, f *figures) {
		waiting, left := roundMemory(ctx, o, k, 1)
		waiting10, _ := roundMemory(ctx, o, k, fanOut)
		f.sampleInt("bytes_per_delivery", waiting)
		f.sampleInt("bytes_per_delivery_fanout_10", waiting10)
		f.sampleInt("bytes_after_done", left)
	})
	f.add("payload_bytes", len(`{"event":"bench.e0","timestamp":"2024-03-31T12:00:00Z","data":}`)+len(eventData(o.size, 0)))
	return f
}

// roundMemory publishes events while nobody delivers, and returns the bytes of each. Where each has a single webhook, it then
// delivers them, and returns the bytes of each that are left.
func roundMemory(ctx context.Context, o options, k sinkProcess, fan int) (waiting, left float64) {
	conf := senderConfig(o.c)
	conf.RetentionSucceeded = time.Second
	x := newFixture(ctx, o.aof, conf)
	defer x.close()
	for range fan {
		register(ctx, x.sender, k.url)
	}
	types, n := typeNames(webhookCount), max(1, o.n/fan)
	// One event for each webhook, for what a webhook has once and not for each event.
	publishBacklog(ctx, x.sender, types, webhookCount, o.size)
	before := x.dataBytes(ctx)
	publishBacklog(ctx, x.sender, types, n, o.size)
	waiting = (x.dataBytes(ctx) - before) / float64(n)
	if fan == 1 {
		left = bytesAfterDelivery(ctx, o, k, x, n+webhookCount)
	}
	return waiting, left
}

// bytesAfterDelivery delivers the n events that wait and returns the bytes of each that are left.
func bytesAfterDelivery(ctx context.Context, o options, k sinkProcess, x *fixture, n int) float64 {
	empty := bytesWithoutEvents(ctx, o)
	c := must(x.startDelivering(ctx, o))
	defer c.stop()
	must(k.waitAndReset(ctx, n))
	check(x.waitForExpiry(ctx, 15*time.Second))
	return (x.dataBytes(ctx) - empty) / float64(n)
}

// bytesWithoutEvents are those of a Redis that has the webhooks of a round alone.
func bytesWithoutEvents(ctx context.Context, o options) float64 {
	x := newFixtureFor(ctx, o.aof, senderConfig(1), closedURL)
	defer x.close()
	return x.dataBytes(ctx)
}
