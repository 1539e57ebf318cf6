package queue

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/internal/redistest"
)

// succeedTo is a handler that tells of each job.
func succeedTo(ch chan<- *Job) Handler {
	return func(ctx context.Context, j *Job) Outcome {
		select {
		case ch <- j:
		case <-ctx.Done(): // the test has seen enough
		}
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

// comesToWait returns once a dispatcher waits for something to do, having done what it was at.
func (b *bundle) comesToWait(d *started) {
	b.Helper()
	d.signal()
	eventually(b, "it waits", func() bool { return len(d.wakeup) == 0 })
}

// stopping cancels a dispatcher with an attempt in flight, and returns when it claims nothing any more.
func (b *bundle) stopping(d *started) {
	b.Helper()
	d.cancel()
	b.comesToWait(d) // perhaps as one that runs, for the last time
	b.comesToWait(d) // as one that stops
	eventually(b, "no claim is under way", func() bool { return d.underWay.Load() == 0 })
}

// looksAgain returns once a dispatcher has looked at its first shard once more, and found nothing to do.
func (b *bundle) looksAgain(d *started) {
	b.Helper()
	for range 2 { // the first of them may have begun before
		before := d.LastRound()
		eventually(b, "another round", func() bool {
			d.Wake(0)
			return d.LastRound().After(before)
		})
	}
	for range 3 { // the last wake-up may have come while a round was under way
		b.comesToWait(d)
		eventually(b, "no round is under way", func() bool { return d.underWay.Load() == 0 })
	}
	b.comesToWait(d)
}

// asleep returns once a dispatcher knows of nothing that will be due: its poll apart, only a wake-up has it look again. The tick at which lanes
// are looked at is taken away: it would come within half a minute.
func (b *bundle) asleep(d *started) {
	b.Helper()
	b.idle(d)
	eventually(b, "nothing is in flight", func() bool { return d.InFlight() == 0 })
	require.NoError(b, b.redis().Del(b.Context(), b.key("ages")).Err())
	b.looksAgain(d)
}

// byHand is a dispatcher whose rounds a test makes.
func (b *bundle) byHand(o Options, shards int) *Dispatcher {
	o.Queue, o.Store, o.poll = b.Queue, b.store, time.Hour
	if o.Lease == 0 {
		o.Lease = time.Hour
	}
	d := NewDispatcher(o)
	d.shards, d.settling, d.health = make([]shardState, shards), make([][]*outcome, shards), make([]health, shards)
	return d
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
		b.stopping(d)
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

// Lesson 21: an attempt that ends within the grace is not aborted.
func TestLesson21GraceIsForAttempts(t *testing.T) {
	t.Parallel()
	b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), nil)
	b.lane("one")
	e := event(1)
	b.push(e)
	running, finish := make(chan *Job, 1), make(chan struct{})
	d := b.dispatch(Options{Grace: time.Hour, Handler: func(ctx context.Context, j *Job) Outcome {
		running <- j
		select {
		case <-finish:
			return Outcome{Kind: Succeeded}
		case <-ctx.Done():
			return Outcome{Kind: Back}
		}
	}})
	receive(t, running, "an attempt")
	b.stopping(d)
	close(finish)
	d.stop()
	require.Equal(t, "done", b.state("one", e.Job))
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
		b := newBundle(t, redistest.Open(t, config.Redis{URL: server.URL()}), nil)
		b.lane("one")
		b.push(event(1))
		running := make(chan *Job, 100)
		d := b.dispatch(Options{Grace: 50 * time.Millisecond, Lease: 500 * time.Millisecond, Handler: func(ctx context.Context, j *Job) Outcome {
			select {
			case running <- j:
			default: // its lease ran out, more than once
			}
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
	d := b.byHand(Options{Handler: hang, Concurrency: 8, PerLane: 8, Grace: time.Hour}, 1)
	d.settling[0], d.unsettled = []*outcome{{Job: j, Outcome: Outcome{Kind: Succeeded}}}, 1
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
	case <-time.After(soon):
		t.Fatal("it waits for its grace to end")
	}
	helpers.Wait()
	require.Equal(t, "done", b.state("one", j.ID))
}

func TestStopLeavesNoGoroutines(t *testing.T) {
	before := goleak.IgnoreCurrent()
	s, err := redisstore.Open(config.Redis{URL: config.Memory, Timeout: redistest.Patience}, "", nil)
	require.NoError(t, err)
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
	require.NoError(t, s.Close())
	eventually(t, "nothing is left", func() bool { return goleak.Find(before) == nil })
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
		began := b.redis().Time(t.Context()).Val().Truncate(time.Millisecond)
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
		require.False(t, st.Due.Before(began.Add(time.Minute)))
	})
}

// Attempts that take longer than a lease keep it. The store's time goes on only once a renewal was seen, so no stall ends the lease.
func TestRenewKeepsLongAttempts(t *testing.T) {
	t.Parallel()
	c := newClock(t, nil)
	c.lane("one")
	c.push(event(1))
	got, finish := make(chan *Job, 10), make(chan struct{})
	lease := 300 * time.Millisecond
	c.dispatch(Options{Lease: lease, Handler: func(ctx context.Context, j *Job) Outcome {
		got <- j
		select {
		case <-finish:
		case <-ctx.Done():
		}
		return Outcome{Kind: Succeeded}
	}})
	j := receive(t, got, "the job")
	other := c.dispatch(Options{Queue: New(c.store, testLimits, ShardTags("webhooks")), Lease: lease, Handler: succeedTo(got)})
	for range 5 {
		c.advance(lease * 3 / 4)
		until := float64(c.now.Add(lease).UnixMilli())
		eventually(t, "it is renewed", func() bool { return c.redis().ZScore(t.Context(), c.key("leases"), j.lease()).Val() == until })
		c.looksAgain(other)
	}
	require.Empty(t, got, "nobody else got it")
	require.Zero(t, other.InFlight())
	close(finish)
	eventually(t, "it is settled", func() bool { return c.state("one", j.ID) == "done" })
}

// A round renews what has been in flight for a while, and is made when that is to be.
func TestRoundsRenew(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		b.lane("one")
		b.push(event(1))
		ctx, cancel := context.WithCancel(t.Context())
		d := b.byHand(Options{Handler: hang, Concurrency: 1, PerLane: 1, Lease: 3 * time.Hour}, 1)
		var helpers sync.WaitGroup
		d.roundTrip(ctx, &helpers)
		require.Equal(t, 1, d.InFlight())
		require.LessOrEqual(t, d.pause(), time.Hour)
		var lease string
		for j := range d.inFlight {
			lease = j.lease()
			j.began = j.began.Add(-d.o.Lease / 4)
		}
		now := s.Client().Time(t.Context()).Val()
		require.NoError(t, s.Client().ZAddXX(t.Context(), b.key("leases"), redis.Z{Member: lease, Score: float64(now.Add(time.Hour).UnixMilli())}).Err())
		d.renewed = d.renewed.Add(-time.Hour)
		require.LessOrEqual(t, d.pause(), time.Duration(0))
		d.roundTrip(ctx, &helpers)
		require.GreaterOrEqual(t, s.Client().ZScore(t.Context(), b.key("leases"), lease).Val(), float64(now.Add(3*time.Hour).UnixMilli()))
		cancel()
		close(d.work)
		helpers.Wait()
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
		d.finishRound(<-d.answers)
	}
}
