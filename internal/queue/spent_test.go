package queue

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/internal/redistest"
)

// keptFor is how much longer payloads are kept where spent says so, as of now.
func (b *bundle) keptFor(kept time.Duration, now time.Time) map[string]time.Duration {
	left := map[string]time.Duration{}
	for _, e := range b.store.Client().XRange(b.Context(), b.key("spent"), "-", "+").Val() {
		ms, _, _ := strings.Cut(e.ID, "-")
		ended, err := strconv.ParseInt(ms, 10, 64)
		require.NoError(b, err)
		for jobs := e.Values["j"].(string); jobs != ""; jobs = jobs[JobIDLength:] {
			job := jobs[:JobIDLength]
			resent, err := b.store.Client().ZScore(b.Context(), b.key("resent"), job).Result()
			if err != nil || int64(resent) < ended {
				left[job] = time.UnixMilli(ended).Add(kept).Sub(now)
			}
		}
	}
	return left
}

// payloadTTL is how much longer a payload is kept.
func (b *bundle) payloadTTL(job string) time.Duration {
	ttl := b.store.Client().PTTL(b.Context(), b.key("body:"+job)).Val()
	if left, ok := b.keptFor(testLimits.Kept, b.store.Client().Time(b.Context()).Val())[job]; ok {
		ttl = min(ttl, left)
	}
	return ttl
}

// A delivered payload goes when its time is over, at the next claim, and wakes a dispatcher for it.
func TestPayloadGoesAfterItsTime(t *testing.T) {
	t.Parallel()
	s := redistest.Open(t, config.Redis{URL: config.Memory})
	b := newBundle(t, s, nil)
	b.lane("one")
	now := time.UnixMilli(1_700_000_000_000)
	s.SetTime(now)
	e, other := to("one", 1), to("one", 2)
	b.push(e)
	b.settle(Outcome{Kind: Succeeded}, b.claim(10).jobs...)
	pass := func(d time.Duration) claimed {
		now = now.Add(d)
		s.SetTime(now)
		return b.claim(10)
	}
	there := func(e *Event) bool { return s.Client().Exists(t.Context(), b.key("body:"+e.Job)).Val() == 1 }

	c := pass(time.Minute)
	require.True(t, there(e))
	require.Equal(t, testLimits.Kept-time.Minute, c.untilExpiry)
	b.push(other)
	b.settle(Outcome{Kind: Succeeded}, b.claim(10).jobs...)
	pass(testLimits.Kept - time.Minute)
	require.False(t, there(e))
	require.True(t, there(other), "its minute is not over")
	require.Equal(t, "done", b.standing("one", e.Job).word(), "the event is still known")
	pass(time.Minute)
	require.False(t, there(other))
	require.Zero(t, s.Client().Exists(t.Context(), b.key("spent")).Val(), "an empty stream would look like something to do")
}

// A delivery that is sent again needs its payload, however long ago its first end was.
func TestResentPayloadStays(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, func(l *Limits) { l.Kept = 0 })
		b.lane("one")
		e := to("one", 1)
		b.push(e)
		b.settle(Outcome{Kind: Succeeded}, b.claim(10).jobs...)
		r, err := b.Resend(t.Context(), 0, "one", e.Job)
		require.NoError(t, err)
		require.Equal(t, []Resent{ResentQueued}, r)
		b.claim(0) // looks after what is spent: nothing is to go
		again := b.claim(10).jobs
		require.Len(t, again, 1)
		require.Equal(t, "payload 1", again[0].Payload)
		eventually(t, "a later millisecond: the end of this one counts", func() bool {
			return s.Client().Time(t.Context()).Val().UnixMilli() > int64(s.Client().ZScore(t.Context(), b.key("resent"), e.Job).Val())
		})
		b.settle(Outcome{Kind: Succeeded}, again...)
		b.claim(0)
		require.Zero(t, s.Client().Exists(t.Context(), b.key("body:"+e.Job), b.key("resent")).Val())
	})
}

// Redis' clock may go back, as where a replica takes over whose clock is behind: what was sent again stays all the same.
func TestResentPayloadStaysWhereTheClockGoesBack(t *testing.T) {
	t.Parallel()
	s := redistest.Open(t, config.Redis{URL: config.Memory})
	b := newBundle(t, s, nil)
	b.lane("one")
	now := time.UnixMilli(1_700_000_000_000)
	s.SetTime(now)
	e := to("one", 1)
	b.push(e)
	b.settle(Outcome{Kind: Succeeded}, b.claim(1).jobs...)
	s.SetTime(now.Add(-5 * time.Second))
	_, err := b.Resend(t.Context(), 0, "one", e.Job)
	require.NoError(t, err)
	b.setStatus("one", "paused")
	s.SetTime(now.Add(testLimits.Kept + time.Second))
	b.claim(0)
	b.setStatus("one", "active")
	again := b.claim(1).jobs
	require.Len(t, again, 1)
	require.Equal(t, "payload 1", again[0].Payload)
}

// What was sent again is noted only as long as something takes the note away again.
func TestResentDoesNotGrow(t *testing.T) {
	t.Parallel()
	s := redistest.Open(t, config.Redis{URL: config.Memory})
	b := newBundle(t, s, nil)
	b.lane("one", "fix", 1, "w", 16)
	b.lane("two", "fix", 1, "w", 16)
	now := time.UnixMilli(1_700_000_000_000)
	for n := range 100 {
		s.SetTime(now.Add(time.Duration(n) * time.Minute))
		both, failed := event(n), to("one", n)
		b.push(both)
		b.settle(Outcome{Kind: Succeeded}, b.claim(10).jobs...)
		b.push(failed)
		b.settle(Outcome{Kind: Failed, Reason: "exhausted"}, b.claim(10).jobs...)
		r, err := b.Resend(t.Context(), 0, "one", both.Job, failed.Job)
		require.NoError(t, err)
		require.Equal(t, []Resent{ResentQueued, ResentQueued}, r)
		b.settle(Outcome{Kind: Succeeded, Slow: true}, b.claim(10).jobs...)
	}
	require.Zero(t, s.Client().Exists(t.Context(), b.key("resent")).Val())
}

// A payload may have to be kept for longer than any job can wait.
func TestPayloadKeptLong(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		const kept = 720 * time.Hour
		b := newBundle(t, s, func(l *Limits) { l.Kept = kept })
		b.lane("one")
		e := to("one", 1)
		b.push(e)
		b.settle(Outcome{Kind: Succeeded}, b.claim(1).jobs...)
		for _, key := range []string{"body:", "event:"} {
			require.InDelta(t, kept, s.Client().PTTL(t.Context(), b.key(key+e.Job)).Val(), float64(time.Minute))
		}
	})
}

// Payloads go as fast as they come, however many slots there are: a claim looks after as many as are settled for it.
func TestPayloadsDoNotGather(t *testing.T) {
	t.Parallel()
	s := redistest.Open(t, config.Redis{URL: config.Memory})
	const jobs = 3 * settleBatch
	b := newBundle(t, s, func(l *Limits) { l.InFlight, l.Pending = jobs, jobs })
	b.lane("one", "w", jobs)
	now := time.UnixMilli(1_700_000_000_000)
	s.SetTime(now)
	b.push(many("one", jobs)...)
	for some := range slices.Chunk(b.claimQuantum(time.Minute, jobs, jobs).jobs, settleBatch) {
		b.settle(Outcome{Kind: Succeeded}, some...)
	}
	require.EqualValues(t, jobs/settleBatch, s.Client().XLen(t.Context(), b.key("spent")).Val())
	s.SetTime(now.Add(testLimits.Kept))
	b.claimQuantum(time.Minute, jobs, jobs)
	require.Zero(t, s.Client().Exists(t.Context(), b.key("spent")).Val())
	require.Empty(t, s.Client().Keys(t.Context(), b.key("body:*")).Val())
}
