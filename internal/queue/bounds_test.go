package queue

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/internal/redistest"
)

// Lesson 25: a lane that is full takes no more; what is too much is kept as failed, resendable, and bounded too.
func TestLesson25BacklogIsBounded(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, func(l *Limits) { l.Pending = 10 })
		b.lane("one")
		events := many("one", 40)
		b.push(events...)
		require.EqualValues(t, 10, b.waitingCount())
		require.EqualValues(t, 10, s.Client().ZCard(t.Context(), b.key("lane:one")).Val())
		require.EqualValues(t, 10, s.Client().ZCard(t.Context(), b.key("dead:one")).Val(), "the dead are bounded as the living")
		counts := map[string]int{}
		for _, e := range events {
			st := b.standing("one", e.Job)
			counts[st.State]++
			if st.State != "waiting" {
				require.Equal(t, "backlog", st.Reason)
				require.True(t, st.Payload)
			}
		}
		require.Equal(t, map[string]int{"waiting": 10, "dead": 10, "dropped": 20}, counts)

		for _, e := range events { // what was dropped for good takes its payload along, soon, and its record after its ID's time
			body, record := s.Client().PTTL(t.Context(), b.key("body:"+e.Job)).Val(), s.Client().PTTL(t.Context(), b.key("event:"+e.Job)).Val()
			switch b.state("one", e.Job) {
			case "dead":
				require.Greater(t, body, testLimits.IDLifetime)
				require.Greater(t, record, testLimits.IDLifetime)
			case "dropped":
				require.LessOrEqual(t, body, testLimits.Kept)
				require.LessOrEqual(t, record, testLimits.IDLifetime)
				require.Zero(t, s.Client().Exists(t.Context(), b.key("job:one"+e.Job)).Val())
			}
		}

		resent, err := b.Resend(t.Context(), 0, "one", events[39].Job, events[0].Job)
		require.NoError(t, err)
		require.Equal(t, []Resent{ResentBacklog, ResentQueued}, resent)
	})
}

func TestDisabledLaneTakesNothing(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		b.lane("off", "st", "disabled")
		b.lane("on")
		e := event(1)
		require.Equal(t, []string{"off", "on"}, b.push(e)[0].Lanes)
		st := b.standing("off", e.Job)
		require.Equal(t, "dead", st.State)
		require.Equal(t, "disabled", st.Reason)
		require.Zero(t, st.Attempts)
		require.EqualValues(t, 1, b.waitingCount())
		j := b.claim(10).jobs
		require.Equal(t, []string{"on"}, lanesOf(j))
		b.settle(Outcome{Kind: Succeeded}, j...)
		require.Greater(t, s.Client().PTTL(t.Context(), b.key("body:"+e.Job)).Val(), testLimits.IDLifetime, "kept for the failed one")

		b.setStatus("off", "active")
		resent, err := b.Resend(t.Context(), 0, "off", e.Job)
		require.NoError(t, err)
		require.Equal(t, []Resent{ResentQueued}, resent)
		b.settle(Outcome{Kind: Succeeded}, b.claim(10).jobs...)
		require.LessOrEqual(t, s.Client().PTTL(t.Context(), b.key("body:"+e.Job)).Val(), testLimits.Kept, "nobody needs it any more")
	})
}

// Lesson 15: a deleted lane's jobs end, wherever they are, and nothing wedges on them.
func TestLesson15DeletedLane(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		b.lane("one", "w", 16)
		b.lane("two", "w", 16)
		events := []*Event{event(0), event(1), event(2), event(3), event(4), event(5)}
		b.push(events...)
		var mine []*Job
		for _, j := range b.claimQuantum(time.Minute, 4, 4, "two").jobs {
			if j.Lane == "one" {
				mine = append(mine, j)
			}
		}
		require.Len(t, mine, 4)
		stale := b.claimQuantum(0, 2, 2, "two").jobs // one's last two, under a lease that is over
		require.Equal(t, []string{"one", "one"}, lanesOf(stale))
		b.deleteLane("one")

		for i, kind := range []Kind{Succeeded, Retry, Failed, Back} {
			notices, lost := b.settle(Outcome{Kind: kind, Reason: "exhausted", Detail: "{}"}, mine[i])
			require.Zero(t, lost)
			require.Zero(t, notices, "nobody is left to be told")
		}
		b.claim(0) // reaps
		require.Zero(t, s.Client().ZCard(t.Context(), b.key("leases")).Val())
		states := map[string]int{}
		for _, e := range events {
			states[b.state("one", e.Job)]++
		}
		require.Equal(t, map[string]int{"done": 1, "gone": 5}, states)
		require.EqualValues(t, 6, b.waitingCount(), "two's")
		require.Equal(t, "deleted", b.conf("one", "st"))

		b.setStatus("two", "active")
		for range 3 {
			b.settle(Outcome{Kind: Succeeded}, b.claim(16).jobs...)
		}
	})
}

// An event that was on its way to a lane while that went is cancelled, not kept for ever.
func TestLesson15PushToALaneThatIsGone(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		b.lane("deleted", "st", "deleted")
		for _, lane := range []string{"deleted", "unknown"} {
			e := to(lane, 1)
			b.push(e)
			require.Equal(t, "gone", b.state(lane, e.Job))
			require.Zero(t, b.waitingCount())
			require.Zero(t, s.Client().Exists(t.Context(), b.key("lane:"+lane), b.key("conf:unknown"), b.key("ages")).Val())
			require.LessOrEqual(t, s.Client().PTTL(t.Context(), b.key("body:"+e.Job)).Val(), testLimits.Kept)
		}
	})
}

func TestPausedLaneWaitsAndResumes(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		b.lane("one")
		b.push(event(1))
		under := b.claim(1).jobs
		b.setStatus("one", "paused")
		b.push(event(2), event(3))
		require.Empty(t, b.claim(10).jobs)
		b.settle(Outcome{Kind: Retry}, under...)
		require.Empty(t, b.claim(10).jobs, "an attempt under way ended; the lane is paused all the same")
		b.settle(Outcome{Kind: Failed, Reason: "exhausted", Detail: "{}"}, b.forced("one")...)
		require.Equal(t, "paused", b.conf("one", "st"), "only its owner ends it")
		require.EqualValues(t, 2, b.waitingCount())
		b.setStatus("one", "active")
		require.Len(t, b.claimQuantum(time.Minute, 10, 10).jobs, 1, "the window is down to one")
	})
}

// forced takes a job out of a lane that is not served.
func (b *bundle) forced(lane string) []*Job {
	st := b.conf(lane, "st")
	b.setStatus(lane, "active")
	jobs := b.claim(1).jobs
	b.setStatus(lane, st)
	return jobs
}

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
				require.Equal(t, "dead", st.State)
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

// looks claims as a dispatcher would, as time goes on.
func (c *clock) looks(d time.Duration) {
	end := c.now.Add(d)
	for {
		got := c.claim(0)
		if got.wait < 0 || c.now.Add(got.wait).After(end) {
			c.advance(end.Sub(c.now))
			return
		}
		c.advance(max(got.wait, 50*time.Millisecond)) // what is due stays so here
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
	for i := range 300 {
		c.push(to("one", 100+i))
		c.settleOne(Outcome{Kind: Succeeded})
		c.advance(time.Second)
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
	require.Less(t, c.redis().XLen(t.Context(), c.key("idx:one")).Val(), int64(400))
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

// Payloads go with the last delivery: an hour later where all succeeded, much later where one failed.
func TestPayloadLifetime(t *testing.T) {
	t.Parallel()
	const kept, dead = time.Hour, 720 * time.Hour
	for name, test := range map[string]struct {
		ends []Kind
		want time.Duration
	}{
		"one success":           {[]Kind{Succeeded}, kept},
		"all succeeded":         {[]Kind{Succeeded, Succeeded, Succeeded}, kept},
		"the first failed":      {[]Kind{Failed, Succeeded, Succeeded}, dead},
		"the last failed":       {[]Kind{Succeeded, Succeeded, Failed}, dead},
		"one is still retrying": {[]Kind{Succeeded, Retry, Failed}, testLimits.MaxAge + testLimits.RetrySpan + openSlack},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
				b := newBundle(t, s, nil)
				for i := range test.ends {
					b.lane(fmt.Sprint("lane", i))
				}
				e := event(1)
				b.push(e)
				for _, j := range b.claim(16).jobs {
					kind := test.ends[j.Lane[4]-'0']
					b.settle(Outcome{Kind: kind, Reason: "exhausted", Delay: time.Hour}, j)
				}
				ttl := s.Client().PTTL(t.Context(), b.key("body:"+e.Job)).Val()
				require.LessOrEqual(t, ttl, test.want)
				require.Greater(t, ttl, test.want-time.Minute)
				require.GreaterOrEqual(t, s.Client().PTTL(t.Context(), b.key("event:"+e.Job)).Val(), ttl-time.Second)
			})
		})
	}
}

// A job can be sent again to a lane that it was for, and to no other.
func TestResendOnlyWhereItWentBefore(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		b.lane("one")
		b.lane("on")
		e := to("one", 1)
		b.push(e)
		for _, lane := range []string{"on", "ne", "other"} {
			resent, err := b.Resend(t.Context(), 0, lane, e.Job)
			require.NoError(t, err)
			require.Equal(t, []Resent{ResentUnknown}, resent, lane)
		}
		require.EqualValues(t, 1, b.waitingCount())
		j := b.claim(1).jobs
		resent, err := b.Resend(t.Context(), 0, "one", e.Job, "unknown")
		require.NoError(t, err)
		require.Equal(t, []Resent{ResentUnderWay, ResentUnknown}, resent)
		b.settle(Outcome{Kind: Succeeded}, j...)
		require.NoError(t, s.Client().Del(t.Context(), b.key("body:"+e.Job)).Err())
		resent, err = b.Resend(t.Context(), 0, "one", e.Job)
		require.NoError(t, err)
		require.Equal(t, []Resent{ResentUnavailable}, resent)
	})
}

// A job whose payload is gone still comes to the handler, which ends it.
func TestClaimWithoutPayload(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		b.lane("one")
		e := to("one", 1)
		b.push(e)
		require.NoError(t, s.Client().Del(t.Context(), b.key("body:"+e.Job), b.key("event:"+e.Job)).Err())
		j := b.claim(1).jobs
		require.Len(t, j, 1)
		require.Empty(t, j[0].Payload)
		b.settle(Outcome{Kind: Failed, Reason: ReasonExpired}, j...)
		require.Zero(t, s.Client().Exists(t.Context(), b.key("event:"+e.Job)).Val(), "no record without a time of its own")
	})
}
