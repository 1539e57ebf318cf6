package queue

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/internal/redistest"
)

// succeedTo is a handler that tells of each job.
func succeedTo(ch chan<- *Job) Handler {
	return func(_ context.Context, j *Job) Outcome {
		ch <- j
		return Outcome{Kind: Succeeded}
	}
}

// hang is a handler that makes no end before its context's.
func hang(ctx context.Context, _ *Job) Outcome {
	<-ctx.Done()
	return Outcome{Kind: Back}
}

// idle waits until a dispatcher has looked and sleeps.
func (b *bundle) idle(d *started) {
	eventually(b, "a first round, and the subscription", func() bool {
		return !d.LastRound().IsZero() && (b.store.InMemory() || b.subscribers() > 0)
	})
	b.quiet(d)
}

func (b *bundle) subscribers() int64 {
	n := b.redis().PubSubNumSub(b.Context(), b.key("wake")).Val()
	return n[b.key("wake")]
}

// quiet waits until a dispatcher makes no more rounds.
func (b *bundle) quiet(d *started) {
	last := d.LastRound()
	since := time.Now()
	eventually(b, "quiet", func() bool {
		if l := d.LastRound(); l != last {
			last, since = l, time.Now()
		}
		return time.Since(since) > 50*time.Millisecond
	})
}

// Lesson 21: a stop lets attempts in flight end, hands back those that don't, and leaves nothing behind.
func TestLesson21Shutdown(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		for _, l := range []string{"ends", "hangs", "waits"} {
			b.lane(l)
			b.push(to(l, 1))
		}
		b.setStatus("waits", "paused")
		running, finish := make(chan string, 10), make(chan struct{})
		d := b.dispatch(Options{Grace: 200 * time.Millisecond, Handler: func(ctx context.Context, j *Job) Outcome {
			running <- j.Lane
			if j.Lane == "hangs" {
				return hang(ctx, j)
			}
			<-finish
			return Outcome{Kind: Succeeded}
		}})
		receive(t, running, "an attempt")
		receive(t, running, "another attempt")
		d.cancel()
		b.quiet(d) // a round may have been under way
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			d.stop()
		}()
		b.setStatus("waits", "active")
		b.push(to("ends", 2))
		close(finish)
		receive(t, stopped, "the end")
		require.Empty(t, running, "nothing was claimed after the stop")
		require.Zero(t, d.InFlight())
		require.Zero(t, s.Client().ZCard(t.Context(), b.key("leases")).Val(), "nothing waits for a lease to end")
		require.Equal(t, "0", b.conf("hangs", "fl"))
		require.EqualValues(t, 3, b.waitingCount())
		for _, j := range b.claim(10).jobs {
			require.Zero(t, j.Attempts, "a shutdown is not a failed attempt")
			require.Zero(t, j.Expiries)
		}
	})
}

// A dispatcher stops whatever state it is in.
func TestStopAtAnyTime(t *testing.T) {
	t.Parallel()
	t.Run("while it asks for the shards", func(t *testing.T) {
		t.Parallel()
		b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), nil)
		asked := make(chan struct{}, 100)
		d := b.dispatch(Options{Handler: hang, Shards: func(context.Context) (int, error) {
			asked <- struct{}{}
			return 0, redisstore.ErrUnreachable
		}})
		receive(t, asked, "a question")
		d.stop()
	})
	t.Run("while Redis is down, with attempts that can't be settled", func(t *testing.T) {
		t.Parallel()
		server := redistest.Start(t)
		b := newBundle(t, redistest.Open(t, config.Redis{URL: server.URL(), Timeout: 100 * time.Millisecond}), nil)
		b.lane("one")
		b.push(event(1))
		running := make(chan *Job, 1)
		d := b.dispatch(Options{Grace: 50 * time.Millisecond, Lease: 500 * time.Millisecond, Handler: func(ctx context.Context, j *Job) Outcome {
			running <- j
			return hang(ctx, j)
		}})
		receive(t, running, "an attempt")
		server.Kill()
		d.stop()
	})
}

// A stop takes the answers of rounds under way, also where an outcome that they have no room for is to be tried again.
func TestStopDuringRounds(t *testing.T) {
	t.Parallel()
	b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), nil)
	b.lane("one")
	b.push(event(1))
	j := b.claim(1).jobs[0]
	d := NewDispatcher(Options{Queue: b.Queue, Store: b.store, Handler: hang, Concurrency: 8, PerLane: 8, Grace: soon})
	d.shards, d.settling, d.health = make([]shardState, 1), make([][]*outcome, 1), make([]health, 1)
	d.settling[0], d.unsent = []*outcome{{Job: j, Outcome: Outcome{Kind: Succeeded}}}, 1
	d.underWay.Store(rounds)
	for range rounds {
		d.answers <- &batch{began: time.Now()}
	}
	var helpers sync.WaitGroup
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		d.drain(context.WithoutCancel(t.Context()), func() {}, &helpers)
	}()
	select {
	case <-stopped:
	case <-time.After(soon / 2):
		t.Fatal("it waits for its grace to end")
	}
	helpers.Wait()
	require.Equal(t, "done", b.state("one", j.ID))
}

func TestStopLeavesNoGoroutines(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	s, err := redisstore.Open(config.Redis{URL: config.Memory}, "", nil)
	require.NoError(t, err)
	defer s.Close()
	b := newBundle(t, s, nil)
	b.lane("one")
	got := make(chan *Job, 100)
	d := b.dispatch(Options{Handler: succeedTo(got)})
	for n := range 20 {
		b.push(event(n))
	}
	for range 20 {
		receive(t, got, "a job")
	}
	d.stop()
}

// A handler that panics costs its attempt, not the process, and its job is tried again later.
func TestHandlerPanics(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		b.lane("one")
		b.lane("two")
		e := event(1)
		b.push(e)
		got := make(chan *Job, 10)
		d := b.dispatch(Options{Handler: func(_ context.Context, j *Job) Outcome {
			got <- j
			if j.Lane == "one" {
				panic("of the handler")
			}
			return Outcome{Kind: Succeeded}
		}})
		receive(t, got, "a job")
		receive(t, got, "the other job")
		eventually(t, "both are settled", func() bool { return b.conf("one", "fl") == "0" && b.conf("two", "fl") == "0" })
		require.Zero(t, d.InFlight())
		st := b.standing("one", e.Job)
		require.Equal(t, "waiting", st.word())
		require.Equal(t, 1, st.Attempts)
		require.True(t, st.Due.After(time.Now().Add(30*time.Second)))
	})
}

// Attempts that take longer than a lease keep it.
func TestRenewKeepsLongAttempts(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		b.lane("one")
		b.push(event(1))
		got, finish := make(chan *Job, 10), make(chan struct{})
		lease := 300 * time.Millisecond
		b.dispatch(Options{Lease: lease, Handler: func(_ context.Context, j *Job) Outcome {
			got <- j
			<-finish
			return Outcome{Kind: Succeeded}
		}})
		other := b.dispatch(Options{Queue: New(s, testLimits, ShardTags("webhooks")), Lease: lease, Handler: succeedTo(got)})
		j := receive(t, got, "the job")
		over := time.Now().Add(4 * lease)
		eventually(t, "several leases' time", func() bool { return time.Now().After(over) })
		require.Empty(t, got, "nobody else got it")
		require.Zero(t, other.InFlight())
		close(finish)
		eventually(t, "it is settled", func() bool { return b.state("one", j.ID) == "done" })
	})
}

// Lesson 1: what a process was at when it died comes back when its leases end.
func TestLesson01KilledProcess(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		b.lane("one", "w", 16)
		b.push(many("one", 10)...)
		died := b.claimFor(500*time.Millisecond, 10).jobs
		require.Len(t, died, 10)
		got := make(chan *Job, 20)
		b.dispatch(Options{Handler: succeedTo(got)})
		for range 10 {
			j := receive(t, got, "a job of the dead process")
			require.Equal(t, 1, j.Expiries)
			require.Zero(t, j.Attempts)
		}
		eventually(t, "all is settled", func() bool { return b.conf("one", "fl") == "0" })
	})
}

// Shards are claimed from in turn, and all of them.
func TestManyShards(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		const shards = 16
		var mu sync.Mutex
		seen := map[string]int{}
		b.dispatch(Options{Concurrency: 3, PerLane: 2, Shards: func(context.Context) (int, error) { return shards, nil },
			Handler: func(_ context.Context, j *Job) Outcome {
				mu.Lock()
				defer mu.Unlock()
				seen[fmt.Sprint(j.Shard, j.Lane, j.Payload)]++
				return Outcome{Kind: Succeeded}
			}})
		for shard := range shards {
			lane := fmt.Sprint("lane", shard)
			require.NoError(t, s.Client().HSet(t.Context(), b.Tag(shard)+"conf:"+lane, "st", "active").Err())
			_, errs := b.PushAll(t.Context(), shard, many(lane, 20))
			require.NoError(t, errs[0])
		}
		eventually(t, "all of them", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(seen) == 20*shards
		})
		for k, n := range seen {
			require.Equal(t, 1, n, k)
		}
	})
}

// A queue is used while its dispatcher is made.
func TestDispatcherOfAQueueInUse(t *testing.T) {
	t.Parallel()
	b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), nil)
	b.lane("one")
	var pushes sync.WaitGroup
	pushes.Add(1)
	go func() {
		defer pushes.Done()
		for n := range 50 {
			_, _ = b.Push(b.Context(), 0, event(n))
		}
	}()
	got := make(chan *Job, 100)
	b.dispatch(Options{Handler: succeedTo(got)})
	pushes.Wait()
	for range 50 {
		receive(t, got, "a job")
	}
}

// roundTrip makes a round and takes its answers.
func (d *Dispatcher) roundTrip(ctx context.Context, helpers *sync.WaitGroup) {
	d.round(ctx, helpers, true)
	for d.underWay.Load() > 0 {
		d.take(<-d.answers)
	}
}
