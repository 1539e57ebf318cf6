package queue

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/internal/redistest"
)

// Lesson 18: immediate means immediate. Nothing but a wake-up can be behind it: the poll is longer than this test waits, and nothing is due.
func TestLesson18PushWakesAtOnce(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		for name, push := range map[string]func(b *bundle) *Queue{
			"this process":    func(b *bundle) *Queue { return b.Queue },
			"another process": func(b *bundle) *Queue { return New(b.store, testLimits, ShardTags("webhooks")) },
		} {
			b := newBundle(t, s, nil)
			b.lane("one")
			got := make(chan *Job, 10)
			d := b.dispatch(Options{Handler: succeedTo(got)})
			q := push(b)
			for range 3 {
				b.asleep(d)
				_, err := q.Push(t.Context(), 0, event(int(time.Now().UnixNano())))
				require.NoError(t, err)
				receive(t, got, "the job, after a push of "+name)
			}
			d.stop()
		}
	})
}

// A job that becomes due is attempted then, without a poll.
func TestLesson18DueTimeWakes(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		b.lane("one")
		b.push(event(1))
		var n atomic.Int32
		got := make(chan time.Time, 10)
		b.dispatch(Options{Handler: func(context.Context, *Job) Outcome {
			got <- time.Now()
			if n.Add(1) < 4 {
				return Outcome{Kind: Retry, Delay: 100 * time.Millisecond}
			}
			return Outcome{Kind: Succeeded}
		}})
		last := receive(t, got, "the first attempt")
		for range 3 {
			at := receive(t, got, "another attempt")
			require.GreaterOrEqual(t, at.Sub(last), 100*time.Millisecond, "never early")
			last = at
		}
	})
}

// Lesson 18: an idle dispatcher costs next to nothing, counted as Redis counts: a script's commands too.
func TestLesson18IdleCost(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	b := newBundle(t, redistest.Open(t, config.Redis{URL: server.URL()}), nil)
	b.lane("one") // a lane with a history is no work, nor is a payload that is kept for a while
	b.push(event(0))
	b.settle(Outcome{Kind: Succeeded}, b.claim(1).jobs...)
	b.push(event(1))
	j := b.claim(1).jobs
	b.settle(Outcome{Kind: Failed, Reason: "exhausted", Detail: "{}", Log: "{}"}, j...)
	require.NoError(t, b.redis().XTrimMaxLen(t.Context(), b.key("outbox"), 0).Err(), "the notice was sent")
	d := b.byHand(Options{Handler: hang, Concurrency: 8, PerLane: 4}, 16)
	var helpers sync.WaitGroup
	asleep := func() bool {
		d.roundTrip(t.Context(), &helpers)
		for _, s := range d.shards {
			if !s.next.After(time.Now().Add(d.o.poll / 2)) {
				return false
			}
		}
		return true
	}
	eventually(t, "all shards sleep, once what there was to look after is looked after", func() bool {
		b.store.Client().Del(t.Context(), b.key("ages")) // would be looked at within half a minute
		return asleep()
	})

	client := server.Client()
	require.NoError(t, client.Ping(t.Context()).Err())
	commands := func() int {
		text := client.InfoMap(t.Context(), "stats").Item("Stats", "total_commands_processed")
		n, err := strconv.Atoi(text)
		require.NoError(t, err)
		return n
	}
	before := commands()
	for i := range d.shards {
		d.shards[i].next = time.Time{} // the poll
	}
	require.True(t, asleep())
	polled := commands() - before - 1 // the count itself
	require.LessOrEqual(t, polled, 16, "one command a shard")
	require.Less(t, float64(polled)/defaultPoll.Seconds()+1/healthCheck.Seconds(), 2.0)

	b.push(event(2))
	for i := range d.shards {
		d.shards[i].next = time.Time{}
	}
	d.woken.Clear() // as if the wake-up was lost
	asleep()
	require.Equal(t, 1, d.InFlight(), "the poll finds what was missed")
	for j := range d.inFlight {
		d.release(j)
	}
}

// A process that has no room for what is due wakes the others: nobody else tells them of jobs that came back.
func TestFullProcessHandsOn(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		b.lane("one", "w", 16)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		connected, told := make(chan struct{}, 1), make(chan string, 10)
		var helpers sync.WaitGroup
		helpers.Go(func() {
			s.SubscribeChannels(ctx, time.Hour, func() { connected <- struct{}{} }, func(_ string, by []byte) { told <- string(by) }, b.key("wake"))
		})
		receive(t, connected, "the subscription")
		full := b.byHand(Options{Handler: hang, Concurrency: 1, PerLane: 1}, 1)
		b.backlog("one", 2) // told to nobody
		full.roundTrip(ctx, &helpers)
		require.Equal(t, 1, full.InFlight())
		require.Equal(t, full.id, receive(t, told, "that it leaves a job"))
		cancel()
		close(full.work)
		helpers.Wait()
	})
}

// What a stopping process hands back, such as the old one of a reload, the others take at once.
func TestLesson21HandedBackAtOnce(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		b.lane("one")
		running, got := make(chan *Job, 1), make(chan *Job, 1)
		old := b.dispatch(Options{Lease: time.Hour, Handler: func(ctx context.Context, j *Job) Outcome {
			running <- j
			return hang(ctx, j)
		}})
		b.push(event(1))
		receive(t, running, "an attempt")
		fresh := b.dispatch(Options{Queue: New(s, testLimits, ShardTags("webhooks")), Handler: succeedTo(got)})
		b.asleep(fresh)
		go old.stop()
		receive(t, got, "the job that was handed back")
	})
}

// An answer that was asked for before a wake-up says nothing of what that was for.
func TestWakeDuringARound(t *testing.T) {
	t.Parallel()
	b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), nil)
	b.lane("one")
	d := b.byHand(Options{Handler: hang, Concurrency: 1, PerLane: 1}, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var helpers sync.WaitGroup
	d.roundTrip(ctx, &helpers) // loads the script, after which it looks again
	d.roundTrip(ctx, &helpers)
	d.Wake(0)
	d.round(ctx, &helpers, true)
	first := receive(t, d.answers, "the answer: nothing there")
	b.backlog("one", 1)
	d.Wake(0)
	d.round(ctx, &helpers, true)
	require.EqualValues(t, 1, d.underWay.Load(), "the first may still bring a job: there is no room for another")
	d.finishRound(first)
	require.Zero(t, d.InFlight())
	require.LessOrEqual(t, d.pause(), time.Duration(0), "the wake-up stands")
	d.roundTrip(ctx, &helpers)
	require.Equal(t, 1, d.InFlight())
	cancel()
	close(d.work)
	helpers.Wait()
}

// Attempts that end while a round trip is under way do not wait for it, once they are many, and no more than some go at once.
func TestRoundsOverlap(t *testing.T) {
	t.Parallel()
	b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), func(l *Limits) { l.InFlight = 64 })
	b.lane("one", "w", 64)
	b.backlog("one", 40)
	end := make(chan struct{})
	d := b.byHand(Options{OneLane: true, Concurrency: 32, PerLane: 32, Handler: func(context.Context, *Job) Outcome {
		<-end
		return Outcome{Kind: Succeeded}
	}}, 1)
	var helpers sync.WaitGroup
	d.roundTrip(t.Context(), &helpers)
	require.Equal(t, 32, d.InFlight())
	ends := func(n int) {
		for range n {
			end <- struct{}{}
		}
		eventually(t, "they ended", func() bool { return d.endedCount() == n })
	}
	ends(1)
	d.round(t.Context(), &helpers, true)
	require.EqualValues(t, 1, d.underWay.Load())
	ends(d.overlap() - 1)
	require.Positive(t, d.pause(), "too few")
	end <- struct{}{}
	eventually(t, "another ended", func() bool { return d.endedCount() == d.overlap() })
	require.LessOrEqual(t, d.pause(), time.Duration(0))
	d.round(t.Context(), &helpers, true)
	require.EqualValues(t, 2, d.underWay.Load())
	ends(d.overlap())
	require.Positive(t, d.pause(), "two are enough")
	for d.underWay.Load() > 0 {
		d.finishRound(receive(t, d.answers, "an answer"))
	}
	close(end)
	eventually(t, "all are settled", func() bool {
		d.roundTrip(t.Context(), &helpers)
		return len(d.inFlight) == 0 && d.unsettled == 0
	})
	require.Zero(t, b.waitingCount())
	close(d.work)
	helpers.Wait()
}

// Redis may work on the second of two rounds first: then the first knows more, whichever is back first.
func TestRoundsOutOfOrder(t *testing.T) {
	t.Parallel()
	for name, firstBack := range map[string]int{"first back": 0, "second back": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), nil)
			b.lane("one")
			b.push(event(1))
			j := b.claim(1).jobs
			d := b.byHand(Options{Handler: hang, Concurrency: 1, PerLane: 1}, 1)
			ctx, cancel := context.WithCancel(t.Context())
			var helpers sync.WaitGroup
			d.roundTrip(ctx, &helpers) // loads the script, after which it looks again
			d.roundTrip(ctx, &helpers)
			require.NoError(t, b.redis().Del(ctx, b.key("ages")).Err())
			var bs [2]*batch
			for i := range bs {
				d.Wake(0)
				d.requested = 0 // as if the claim of the one before had left slots
				d.round(ctx, &helpers, true)
				bs[i] = receive(t, d.answers, "an answer")
				if i == 0 {
					b.settle(Outcome{Kind: Retry, Delay: d.o.poll / 2}, j...)
					require.NoError(t, b.redis().Del(ctx, b.key("ages")).Err())
				}
			}
			bs[0].claims[0].claimed, bs[1].claims[0].claimed = bs[1].claims[0].claimed, bs[0].claims[0].claimed
			d.finishRound(bs[firstBack])
			d.finishRound(bs[1-firstBack])
			// Half a poll, and what Redis' milliseconds round up; without the retry it would be a whole one.
			require.Less(t, d.pause(), d.o.poll*3/4, "its time counts")
			cancel()
			close(d.work)
			helpers.Wait()
		})
	}
}
