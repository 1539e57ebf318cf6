package main

import (
	"context"
	"errors"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

func init() {
	benchmarks["memory"] = benchmark{"bytes of Redis for a delivery, waiting and done", 10_000, 256, benchMemory}
}

// memory is what this process holds of the operating system's memory, by the runtime's own account.
func memory() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Sys - m.HeapReleased
}

// resident is the memory of this process that the operating system sees, or memory where that can't be asked.
func resident() uint64 {
	text, err := os.ReadFile("/proc/self/statm")
	if fields := strings.Fields(string(text)); err == nil && len(fields) > 1 {
		if pages, err := strconv.ParseUint(fields[1], 10, 64); err == nil {
			return pages * uint64(os.Getpagesize())
		}
	}
	return memory()
}

// used is the memory that Redis uses for its data: without the buffers of the append-only file and of clients, which
// depend on the moment.
func (s *redisServer) used(ctx context.Context) float64 {
	return s.info(ctx, "used_memory") - s.info(ctx, "mem_aof_buffer") - s.info(ctx, "mem_clients_normal")
}

const fanOut = 10

// benchMemory measures three figures: bytes_per_delivery, an event that waits for one webhook, its payload included;
// bytes_per_delivery_fanout_10, the whole of an event that waits for ten webhooks, its payload and its ten deliveries, so that
// it compares with the payload as the first does; and bytes_after_done, what is left of a delivered event once its
// payload's retention is over: its attempt in the log, and what GET /events needs. payload_bytes is the yardstick.
func benchMemory(ctx context.Context, o options) (*figures, error) {
	k, addr, err := startSink(ctx, sinkSettings{})
	if err != nil {
		return nil, err
	}
	defer k.stop()
	f := &figures{}
	for round := range o.rounds {
		waiting, left, err := roundMemory(ctx, o, k, addr, 1)
		if err != nil {
			return nil, err
		}
		waiting10, _, err := roundMemory(ctx, o, k, addr, fanOut)
		if err != nil {
			return nil, err
		}
		f.whole("bytes_per_delivery", waiting)
		f.whole("bytes_per_delivery_fanout_10", waiting10)
		f.whole("bytes_after_done", left)
		progress("round %d of %d: %.0f bytes an event, %.0f with %d deliveries, %.0f left when done", round+1, o.rounds, waiting, waiting10, fanOut, left)
	}
	f.add("payload_bytes", len(`{"event":"bench.e0","timestamp":"2024-03-31T12:00:00Z","data":}`)+len(dataOf(o.size, 0)))
	return f, nil
}

// roundMemory publishes events while nobody delivers, for what they take; with a single webhook each, it then delivers
// them and waits for what is left.
func roundMemory(ctx context.Context, o options, k *child, addr string, fan int) (waiting, left float64, err error) {
	conf := senderConfig(o.c)
	conf.RetentionSucceeded = time.Second
	s, err := newStage(ctx, o.aof, conf)
	if err != nil {
		return 0, 0, err
	}
	defer s.close()
	n := max(1, o.n/fan)
	for range fan {
		if err := register(ctx, s.sender, addr); err != nil {
			return 0, 0, err
		}
	}
	if err := preload(ctx, s.sender, hooks, o.size); err != nil { // what a webhook has once, not for each event
		return 0, 0, err
	}
	before := s.used(ctx)
	if err := preload(ctx, s.sender, n, o.size); err != nil {
		return 0, 0, err
	}
	waiting = (s.used(ctx) - before) / float64(n)
	if fan > 1 {
		return waiting, 0, nil
	}
	left, err = leftAfter(ctx, o, k, s, n)
	return waiting, left, err
}

// leftAfter delivers what waits and returns the bytes of each of the n events that are left.
func leftAfter(ctx context.Context, o options, k *child, s *stage, n int) (float64, error) {
	empty, err := emptyMemory(ctx, o)
	if err != nil {
		return 0, err
	}
	c, err := startDelivering(ctx, s.senders(o))
	if err != nil {
		return 0, err
	}
	defer c.stop()
	if _, err := waitFor(ctx, k, n+hooks); err != nil {
		return 0, err
	}
	if err := k.ask("reset", nil); err != nil {
		return 0, err
	}
	if err := s.settled(ctx, 15*time.Second); err != nil {
		return 0, err
	}
	return (s.used(ctx) - empty) / float64(n+hooks), nil
}

// emptyMemory is the memory of a Redis with the webhooks and without any event.
func emptyMemory(ctx context.Context, o options) (float64, error) {
	s, err := newStageWith(ctx, o.aof, senderConfig(1), nowhere)
	if err != nil {
		return 0, err
	}
	defer s.close()
	return s.used(ctx), nil
}

// settled waits until no more keys expire: their number stays the same for more than a second. It looks at every key,
// which drops the expired ones: by itself Redis leaves up to a tenth of them for later.
func (s *redisServer) settled(ctx context.Context, atMost time.Duration) error {
	last, since := int64(-1), time.Now()
	for deadline := time.Now().Add(atMost); time.Now().Before(deadline); {
		keys := s.c.Scan(ctx, 0, "", 10_000).Iterator()
		for keys.Next(ctx) {
		}
		n, err := s.c.DBSize(ctx).Result()
		if err = errors.Join(err, keys.Err()); err != nil {
			return err
		}
		if n != last {
			last, since = n, time.Now()
		}
		if time.Since(since) > 1500*time.Millisecond {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return errors.New("keys go on expiring; it took too long")
}

// live is the memory that this process holds, what is garbage left out.
func live() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// kibEach is what each of n holds, beside what was held before.
func kibEach(before uint64, n int) float64 {
	return float64(int64(live())-int64(before)) / 1024 / float64(max(n, 1))
}
