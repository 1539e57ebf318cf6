package main

import (
	"cmp"
	"context"
	"time"

	"github.com/videocloud/webhooks/config"
)

func init() {
	role("pacer", runPacer)
	benchmarks["soak"] = benchmark{"a million deliveries at -rate: memory and goroutines before, during and after", 1_000_000, 256, benchSoak}
}

const (
	soakRate        = 4_000
	soakRetention   = 5 * time.Second
	soakSampleEvery = 5 * time.Second
)

// pacerSettings of a process that publishes at a steady rate.
type pacerSettings struct {
	Redis         config.Redis
	Limits        config.Sender
	N, Rate, Size int // events, how many a second, and bytes of an event's body
}

// runPacer publishes what has become due every few milliseconds, as one batch.
func runPacer(ctx context.Context, o pacerSettings, parent *pipe) error {
	s, store, err := openSender(o.Redis, o.Limits)
	if err != nil {
		return err
	}
	defer store.Close()
	if !parent.waitForGo() {
		return nil
	}
	data, types := eventData(o.Size, 0), typeNames(webhookCount)
	began := time.Now()
	for done := 0; done < o.N; {
		due := min(o.N, int(time.Since(began).Seconds()*float64(o.Rate)), done+1000)
		if due <= done {
			time.Sleep(5 * time.Millisecond)
			continue
		}
		publishBatch(ctx, s, config.DefaultAccount, eventBatch(types, done, due-done, data))
		done = due
	}
	return parent.send("done")
}

// soakSample is what the sender and Redis hold at one moment.
type soakSample struct {
	senderMiB, redisMiB float64
	goroutines          int // of the sender
	keys                int64
}

// soak is a sender that delivers n events from a Redis to a sink.
type soak struct {
	n      int
	redis  *redisServer
	sender *child
	sink   sinkProcess
}

func (s *soak) sample(ctx context.Context) soakSample {
	var u usage
	check(s.sender.ask("usage", &u))
	keys := must(s.redis.c.DBSize(ctx).Result())
	return soakSample{float64(u.Resident) / mib, s.redis.dataBytes(ctx) / mib, u.Goroutines, keys}
}

// benchSoak delivers n events at a rate, with a retention short enough to reach a steady state. The figures "during" are
// the largest seen in the second half; "before" and "after" are those of an idle sender, after also without payloads. What is
// left in Redis then is what 72 hours of GET /events need: redis_bytes_left of each event, the same however many there are.
func benchSoak(ctx context.Context, o options) *figures {
	o.rate = cmp.Or(o.rate, soakRate)
	sink := must(startSink(ctx, sinkSettings{}))
	defer sink.stop()
	conf := senderConfig(o.c)
	conf.RetentionSucceeded = soakRetention
	x := newFixtureFor(ctx, o.aof, conf, sink.url)
	defer x.close()
	c := must(x.startDelivering(ctx, o))
	defer c.stop()
	pacer := must(start(ctx, "pacer", pacerSettings{Redis: x.Redis(), N: o.n, Rate: o.rate, Size: o.size, Limits: conf}, nil))
	defer pacer.stop()
	s := &soak{o.n, x.redisServer, c, sink}
	before := s.sample(ctx)
	began := time.Now()
	check(pacer.send("go"))
	during, counts := s.sampleUntilDelivered(ctx)
	took := time.Since(began)
	check(pacer.receive(nil))
	check(x.waitForExpiry(ctx, 2*soakRetention+20*time.Second))
	after := s.sample(ctx)
	check(sink.ask("count", &counts))
	f := &figures{}
	f.add("delivered", counts.Events)
	f.add("delivered_per_s", int(float64(counts.Events)/took.Seconds()))
	f.add("lost", o.n-counts.Events)
	f.add("duplicates", counts.Duplicates)
	for _, part := range []struct {
		name string
		soakSample
	}{{"before", before}, {"during", during}, {"after", after}} {
		f.add("sender_mib_"+part.name, threeDecimals(part.senderMiB))
		f.add("redis_mib_"+part.name, threeDecimals(part.redisMiB))
		f.add("goroutines_"+part.name, part.goroutines)
		f.add("keys_"+part.name, part.keys)
	}
	f.add("redis_bytes_left", int((after.redisMiB-before.redisMiB)*mib/float64(o.n)))
	return f
}

// sampleUntilDelivered takes samples until all events have arrived, or none has for a minute. during has the largest of the second
// half.
func (s *soak) sampleUntilDelivered(ctx context.Context) (during soakSample, counts sinkCounts) {
	next, last, moved := time.Now(), 0, time.Now()
	for ctx.Err() == nil {
		check(s.sink.ask("count", &counts))
		if counts.Events > last {
			last, moved = counts.Events, time.Now()
		}
		finished := counts.Events >= s.n || time.Since(moved) > time.Minute
		if finished || !time.Now().Before(next) {
			now := s.sample(ctx)
			progress("%8d delivered, sender %.1f MiB and %d goroutines, Redis %.1f MiB and %d keys", counts.Events, now.senderMiB, now.goroutines, now.redisMiB, now.keys)
			if counts.Events >= s.n/2 {
				during = soakSample{
					max(during.senderMiB, now.senderMiB), max(during.redisMiB, now.redisMiB), max(during.goroutines, now.goroutines), max(during.keys, now.keys),
				}
			}
			next = time.Now().Add(soakSampleEvery)
		}
		if finished {
			return during, counts
		}
		time.Sleep(20 * time.Millisecond)
	}
	check(ctx.Err())
	return during, counts
}
