package queue

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/internal/redistest"
)

// ranOut claims a job with a lease that is over at once.
func (b *bundle) ranOut() *Job {
	var c claimed
	eventually(b, "a claim", func() bool {
		c = b.claimFor(0, 1)
		return len(c.jobs) == 1
	})
	return c.jobs[0]
}

// Lesson 5: a worker that overran its lease cannot settle someone else's claim.
func TestLesson05StaleTokenDoesNothing(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		b.lane("one")
		e := event(1)
		b.push(e)
		stale := b.ranOut()
		require.Empty(t, b.claim(0).jobs, "a claim of nothing reaps all the same")
		mine := b.claim(1).jobs[0]
		require.Equal(t, stale.ID, mine.ID)
		require.Equal(t, "1", b.conf("one", "fl"))

		for _, kind := range []Kind{Succeeded, Retry, Failed, Gone, Back} {
			_, lost := b.settle(Outcome{Kind: kind, Reason: "exhausted", Detail: "{}", Log: "{}"}, stale)
			require.Equal(t, 1, lost, kind)
		}
		cmds := s.RunAll(t.Context(), []redisstore.Call{b.renewCall(0, time.Hour, []*Job{stale, mine})})
		renewed, err := cmds[0].Slice()
		require.NoError(t, err)
		require.Equal(t, []any{int64(0), int64(1)}, renewed)
		require.Equal(t, "leased", b.state("one", e.Job))
		require.Equal(t, "1", b.conf("one", "fl"), "the stale outcomes freed nothing")
		require.Equal(t, "active", b.conf("one", "st"))
		require.Zero(t, s.Client().LLen(t.Context(), b.key("log:one")).Val(), "nor did they log anything")

		_, lost := b.settle(Outcome{Kind: Succeeded}, mine)
		require.Zero(t, lost)
		require.Equal(t, "done", b.state("one", e.Job))
	})
}

// A crash is not an attempt: attempts made stay, expiries are counted in a row and seen by the handler.
func TestLesson06ExpiriesAreCountedAndReset(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		b.lane("one")
		b.push(event(1))
		for n := range 4 {
			j := b.ranOut()
			require.Equal(t, n, j.Expiries)
			require.Zero(t, j.Attempts, "a crash is not an attempt")
		}
		b.claim(0)
		require.Equal(t, "0", b.conf("one", "fl"), "four crashes leave no slot taken")
		j := b.claim(1).jobs[0]
		require.Equal(t, 4, j.Expiries)
		b.settle(Outcome{Kind: Retry, Delay: time.Millisecond}, j)
		j = b.ranOut()
		require.Equal(t, 1, j.Attempts)
		require.Zero(t, j.Expiries, "an attempt that ended begins a new row")
		j = b.ranOut()
		require.Equal(t, 1, j.Expiries)
		b.ranOut()
		b.claim(0)
		j = b.claim(1).jobs[0]
		b.settle(Outcome{Kind: Succeeded}, j)
		require.Zero(t, s.Client().Exists(t.Context(), b.key("job:one"+j.ID)).Val(), "a success takes the job's record along")
	})
}

// A lease in the simulated clock: it is the attempt's until its very end, and renewing moves the end.
func TestLeaseEndsExactly(t *testing.T) {
	t.Parallel()
	c := newClock(t, nil)
	c.lane("one")
	c.push(event(1))
	claim := c.claimFor(10*time.Second, 1)
	require.Len(t, claim.jobs, 1)
	c.advance(9 * time.Second)
	got := c.claim(1)
	require.Empty(t, got.jobs)
	require.LessOrEqual(t, got.wait, time.Second, "it comes back when the lease ends")
	c.store.RunAll(t.Context(), []redisstore.Call{c.renewCall(0, 10*time.Second, claim.jobs)})
	c.advance(9 * time.Second)
	require.Empty(t, c.claim(1).jobs, "renewed")
	c.advance(time.Second)
	require.Len(t, c.claim(1).jobs, 1, "due again at the end of the lease")
	_, lost := c.settle(Outcome{Kind: Succeeded}, claim.jobs...)
	require.Equal(t, 1, lost)
}

// A process that died with more leases than one claim reaps gets all of them back.
func TestReapsManyLeases(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, func(l *Limits) { l.InFlight = 1000 })
		b.lane("one", "w", 1000)
		b.push(many("one", 500)...)
		require.Len(t, b.claimQuantum(0, 500, 500).jobs, 500)
		for range 7 {
			b.claim(0)
		}
		require.Zero(t, s.Client().ZCard(t.Context(), b.key("leases")).Val())
		require.Equal(t, "0", b.conf("one", "fl"))
		require.EqualValues(t, 500, b.waitingCount())
		require.Len(t, b.claimQuantum(time.Hour, 1000, 1000).jobs, 500)
	})
}

func (b *bundle) claimQuantum(lease time.Duration, most, quantum int, skip ...string) claimed {
	token := newToken()
	cmds := b.store.RunAll(b.Context(), []redisstore.Call{b.claimCall(0, most, quantum, lease, token, skip)})
	c, err := readClaimed(cmds[0], 0, token)
	require.NoError(b, err)
	b.readLarge(b.Context(), c.jobs)
	return c
}

// Handing back is no attempt, and does not touch the lane's window.
func TestLesson21BackIsNotAnAttempt(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		b.lane("one", "w", 8)
		b.push(event(1))
		j := b.claim(1).jobs[0]
		b.settle(Outcome{Kind: Back}, j)
		require.Equal(t, "8", b.conf("one", "w"))
		require.Empty(t, b.conf("one", "ls"), "no outcome")
		j = b.claim(1).jobs[0]
		require.Zero(t, j.Attempts)
		require.Zero(t, j.Expiries)
		require.EqualValues(t, 0, b.waitingCount())
	})
}

// A claim whose answer comes so late that the leases may be over is handed back, not attempted.
func TestLateClaimIsHandedBack(t *testing.T) {
	t.Parallel()
	b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), nil)
	b.lane("one")
	d := b.byHand(Options{Handler: hang, Concurrency: 8, PerLane: 8}, 1)
	var helpers sync.WaitGroup
	d.roundTrip(t.Context(), &helpers) // loads the script
	b.backlog("one", 1)
	d.Wake(0)
	d.round(t.Context(), &helpers, true)
	answer := receive(t, d.answers, "the job")
	d.o.Lease = time.Nanosecond // as if it had been under way for long
	d.finishRound(answer)
	require.Zero(t, d.InFlight())
	require.Equal(t, 1, d.unsettled)
	d.o.Lease = time.Hour
	d.round(t.Context(), &helpers, false)
	d.finishRound(receive(t, d.answers, "the settle"))
	require.Zero(t, d.unsettled)
	require.EqualValues(t, 1, b.waitingCount())
	j := b.claim(1).jobs
	require.Len(t, j, 1)
	require.Zero(t, j[0].Attempts+j[0].Expiries, "nothing was attempted, nobody crashed")
}
