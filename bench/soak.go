package main

import (
	"context"
	"time"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/sender"
)

func init() {
	role("pacer", runPacer)
	benchmarks["soak"] = benchmark{"a million deliveries at -rate: memory and goroutines before, during and after", 1_000_000, 256, benchSoak}
}

const (
	soakRate      = 4_000
	soakRetention = 5 * time.Second
	soakEvery     = 5 * time.Second // between two lines of what it looks like
)

// pacerSettings of a process that publishes at a steady rate.
type pacerSettings struct {
	Redis         config.Redis
	N, Rate, Size int
	Limits        config.Sender
}

// runPacer publishes what has become due every few milliseconds, as one batch.
func runPacer(ctx context.Context, o pacerSettings, t *talk) error {
	s, store, err := openSender(o.Redis, o.Limits)
	if err != nil {
		return err
	}
	defer store.Close()
	t.say("ready")
	var question string
	if !t.hear(&question) {
		return nil
	}
	data := dataOf(o.Size, 0)
	began := time.Now()
	for done := 0; done < o.N; {
		due := min(o.N, int(time.Since(began).Seconds()*float64(o.Rate)), done+1000)
		if due <= done {
			time.Sleep(5 * time.Millisecond)
			continue
		}
		batch := make([]sender.Event, due-done)
		for i := range batch {
			batch[i] = sender.Event{Type: typeName((done + i) % hooks), Data: data}
		}
		if err := publishBatch(ctx, s, config.DefaultAccount, batch); err != nil {
			return err
		}
		done = due
	}
	t.say(spent{Seconds: time.Since(began).Seconds()})
	return nil
}

// soakSample is what a soak looks like at one moment.
type soakSample struct {
	sender     float64 // MiB
	redis      float64 // MiB
	goroutines int
	keys       int64
}

const mib = 1 << 20

func lookAt(ctx context.Context, c *child, server *redisServer) (l soakSample, err error) {
	var s spent
	if err := c.ask("spent", &s); err != nil {
		return l, err
	}
	keys, err := server.c.DBSize(ctx).Result()
	return soakSample{sender: float64(s.Resident) / mib, redis: server.used(ctx) / mib, goroutines: s.Goroutines, keys: keys}, err
}

// benchSoak delivers n events at a rate, with a retention short enough to reach a steady state. The figures "during" are
// the largest seen in the second half; "before" and "after" are those of an idle sender, after also without payloads. What is
// left in Redis then is what 72 hours of GET /events need: redis_bytes_left of each event, the same however many there are.
func benchSoak(ctx context.Context, o options) (*figures, error) {
	if o.rate == 0 {
		o.rate = soakRate
	}
	k, addr, err := startSink(ctx, sinkSettings{})
	if err != nil {
		return nil, err
	}
	defer k.stop()
	conf := senderConfig(o.c)
	conf.RetentionSucceeded = soakRetention
	s, err := newStageWith(ctx, o.aof, conf, addr)
	if err != nil {
		return nil, err
	}
	defer s.close()
	c, err := startDelivering(ctx, s.senders(o))
	if err != nil {
		return nil, err
	}
	defer c.stop()
	p, err := start(ctx, "pacer", pacerSettings{Redis: s.Redis(), N: o.n, Rate: o.rate, Size: o.size, Limits: conf}, nil)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	before, err := lookAt(ctx, c, s.redisServer)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := p.say("go"); err != nil {
		return nil, err
	}
	during, counts, err := watchSoak(ctx, o, k, c, s.redisServer)
	if err != nil {
		return nil, err
	}
	took := time.Since(began)
	if err := p.hear(nil); err != nil {
		return nil, err
	}
	if err := s.settled(ctx, 2*soakRetention+20*time.Second); err != nil {
		return nil, err
	}
	after, err := lookAt(ctx, c, s.redisServer)
	if err != nil {
		return nil, err
	}
	if err := k.ask("count", &counts); err != nil {
		return nil, err
	}
	f := &figures{}
	f.add("delivered", counts.Events)
	f.add("delivered_per_s", int(float64(counts.Events)/took.Seconds()))
	f.add("lost", o.n-counts.Events)
	f.add("duplicates", counts.Duplicates)
	for _, part := range []struct {
		name string
		soakSample
	}{{"before", before}, {"during", during}, {"after", after}} {
		f.add("sender_mib_"+part.name, round3(part.sender))
		f.add("redis_mib_"+part.name, round3(part.redis))
		f.add("goroutines_"+part.name, part.goroutines)
		f.add("keys_"+part.name, part.keys)
	}
	f.add("redis_bytes_left", int((after.redis-before.redis)*mib/float64(o.n)))
	return f, nil
}

// watchSoak prints what it looks like until all events arrived, or none does any more.
func watchSoak(ctx context.Context, o options, k, c *child, server *redisServer) (during soakSample, counts sinkCounts, err error) {
	const patience = time.Minute
	next, last, moved := time.Now(), 0, time.Now()
	for ctx.Err() == nil {
		if err := k.ask("count", &counts); err != nil {
			return during, counts, err
		}
		if counts.Events > last {
			last, moved = counts.Events, time.Now()
		}
		finished := counts.Events >= o.n || time.Since(moved) > patience
		if finished || !time.Now().Before(next) {
			l, err := lookAt(ctx, c, server)
			if err != nil {
				return during, counts, err
			}
			progress("%8d delivered, sender %.1f MiB and %d goroutines, Redis %.1f MiB and %d keys", counts.Events, l.sender, l.goroutines, l.redis, l.keys)
			if counts.Events >= o.n/2 {
				during = soakSample{max(during.sender, l.sender), max(during.redis, l.redis), max(during.goroutines, l.goroutines), max(during.keys, l.keys)}
			}
			next = time.Now().Add(soakEvery)
		}
		if finished {
			return during, counts, nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return during, counts, ctx.Err()
}
