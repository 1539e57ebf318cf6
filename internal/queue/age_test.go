package queue

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/internal/redistest"
)

// What waits too long ends, soon after its time, also in a lane that is paused.
func TestMaxAge(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ age, within time.Duration }{
		"two seconds": {2 * time.Second, 300 * time.Millisecond},
		"a minute":    {time.Minute, 7 * time.Second},
		"a day":       {24 * time.Hour, 31 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClock(t, func(l *Limits) { l.MaxAge = test.age })
			c.lane("one", "w", 16)
			first := many("one", 450) // more than one look of the scripts
			c.push(first...)
			c.setStatus("one", "paused")
			c.advance(test.age / 2)
			second := to("one", 1000)
			c.push(second)
			c.advance(test.age/2 - time.Millisecond)
			c.looks(0)
			require.Equal(t, "waiting", c.state("one", first[0].Job))
			c.looks(test.within)
			for _, e := range first {
				st := c.standing("one", e.Job)
				require.Equal(t, "dead", st.word())
				require.Equal(t, "expired", st.Reason)
			}
			require.Equal(t, "waiting", c.state("one", second.Job))
			require.EqualValues(t, 1, c.waitingCount())
			c.advance(test.age/2 - test.within)
			c.looks(test.within + 2*time.Millisecond)
			require.Equal(t, "dead", c.state("one", second.Job))
			require.Zero(t, c.waitingCount())
			next := time.UnixMilli(int64(c.redis().ZScore(t.Context(), c.key("ages"), "one").Val()))
			require.Greater(t, next.Sub(c.now), 24*time.Hour, "nothing is left to look at but the history, in three days")
		})
	}
}

// looks claims as a dispatcher without free slots would, as time goes on: what is due stays so here.
func (c *clock) looks(d time.Duration) {
	end := c.now.Add(d)
	for {
		c.claim(0)
		next := end.Add(time.Millisecond)
		for _, set := range []string{"leases", "ages", "notices"} {
			for _, first := range c.redis().ZRangeWithScores(c.Context(), c.key(set), 0, 0).Val() {
				if at := time.UnixMilli(int64(first.Score)); at.Before(next) {
					next = at
				}
			}
		}
		if next.After(end) {
			c.advance(end.Sub(c.now))
			return
		}
		c.advance(max(next.Sub(c.now), housekeeping))
	}
}

// A job that is under way when its time is over ends when it comes back, not never.
func TestMaxAgeOfJobsUnderWay(t *testing.T) {
	t.Parallel()
	c := newClock(t, func(l *Limits) { l.MaxAge = time.Minute })
	c.lane("one", "w", 16)
	events := many("one", 4)
	c.push(events...)
	jobs := c.claimFor(2*time.Minute, 3).jobs
	require.Len(t, jobs, 3)
	c.advance(70 * time.Second) // the fourth one's time is over as well
	c.looks(time.Second)
	require.Equal(t, "dead", c.state("one", events[3].Job))
	require.Equal(t, "leased", c.state("one", jobs[0].ID))
	c.setStatus("one", "paused")
	c.settle(Outcome{Kind: Retry, Delay: time.Hour}, jobs[0])
	c.settle(Outcome{Kind: Back}, jobs[1])
	c.looks(7 * time.Second)
	require.Equal(t, "dead", c.state("one", jobs[0].ID))
	require.Equal(t, "dead", c.state("one", jobs[1].ID))
	c.advance(time.Minute) // the third one's lease runs out
	c.looks(7 * time.Second)
	require.Equal(t, "dead", c.state("one", jobs[2].ID))
	require.Zero(t, c.waitingCount())
	require.EqualValues(t, 4, c.redis().ZCard(t.Context(), c.key("dead:one")).Val())
}

// A failed delivery that is sent again has its own time, however old its event is.
func TestMaxAgeOfResentJobs(t *testing.T) {
	t.Parallel()
	c := newClock(t, func(l *Limits) { l.MaxAge = time.Hour })
	c.lane("one")
	c.push(to("one", 1))
	j := c.fail("")
	c.advance(48 * time.Hour)
	resent, err := c.Resend(t.Context(), 0, "one", j.ID)
	require.NoError(t, err)
	require.Equal(t, []Resent{ResentQueued}, resent)
	c.settleOne(Outcome{Kind: Retry, Delay: time.Minute})
	c.looks(50 * time.Second)
	require.Equal(t, "waiting", c.state("one", j.ID), "not too old at once")
	c.advance(11 * time.Second)
	c.settleOne(Outcome{Kind: Retry, Delay: 50 * time.Minute})
	c.setStatus("one", "paused")
	c.looks(58 * time.Minute)
	require.Equal(t, "waiting", c.state("one", j.ID))
	c.looks(3 * time.Minute)
	require.Equal(t, "dead", c.state("one", j.ID), "an hour after it was sent again")
}

// A lane with steady traffic and always something waiting is looked at at its ticks only, a day later too.
func TestAgesCostLittle(t *testing.T) {
	t.Parallel()
	c := newClock(t, func(l *Limits) { l.MaxAge = time.Minute })
	c.lane("one", "w", 16)
	c.push(many("one", 20)...)
	for i := range 100 {
		c.push(to("one", 100+i))
		c.settleOne(Outcome{Kind: Succeeded})
		c.advance(3 * time.Second)
		c.claim(0)
	}
	c.setStatus("one", "paused")
	c.push(to("one", 10_000))
	looks := 0
	for end := c.now.Add(50 * time.Second); ; looks++ {
		got := c.claim(0)
		if c.now.Add(got.wait).After(end) {
			break
		}
		c.advance(max(got.wait, time.Millisecond))
	}
	require.Less(t, looks, 15)
	require.Less(t, c.redis().XLen(t.Context(), c.key("idx:one")).Val(), int64(200))
}

// Lesson 19: a lane's history does not outlive its time, with or without further traffic.
func TestLesson19HistoryIsTrimmed(t *testing.T) {
	t.Parallel()
	c := newClock(t, func(l *Limits) { l.MaxAge, l.IDLifetime = time.Minute, time.Hour })
	c.lane("one", "w", 16)
	for hour := range 3 {
		for i := range 100 {
			c.push(to("one", 1000*hour+i))
			c.succeed()
		}
		c.looks(time.Minute)
		c.advance(time.Hour)
	}
	c.push(to("one", 99_999))
	c.looks(time.Minute)
	require.LessOrEqual(t, c.redis().XLen(t.Context(), c.key("idx:one")).Val(), int64(101))
	require.Positive(t, c.redis().PTTL(t.Context(), c.key("idx:one")).Val(), "it goes with its last job")
}

// The history of a busy lane is trimmed as fast as it grows: Redis itself trims no more than some thousands at once.
func TestLesson19HistoryOfABusyLane(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		b.lane("one")
		entries := 30_000
		if s.InMemory() {
			entries = 300 // it trims all at once, and is slow
		}
		_, err := b.Queue.Run(t.Context(), 0, Script(`
for i = 1, tonumber(ARGV[10]) do call('XADD', base .. 'idx:one', int(now - IDX_TTL - 100000 + i) .. '-0', 'j', 'job' .. i) end
call('ZADD', base .. 'ages', now, 'one')
return 1`), entries)
		require.NoError(t, err)
		eventually(t, "it is trimmed", func() bool {
			b.claim(0)
			return s.Client().XLen(t.Context(), b.key("idx:one")).Val() < 200
		})
	})
}

// A lane that lost its place among the ready ones, such as by an abort while a cluster moved its slot, is found again.
func TestLostLaneIsFound(t *testing.T) {
	t.Parallel()
	c := newClock(t, nil)
	c.lane("one")
	c.push(event(1))
	require.NoError(t, c.redis().ZRem(t.Context(), c.key("ready"), "one").Err())
	require.Empty(t, c.claim(1).jobs)
	c.advance(30 * time.Second)
	require.Len(t, c.claim(1).jobs, 1)
}
