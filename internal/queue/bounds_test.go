package queue

import (
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
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
			counts[st.word()]++
			if st.word() != "waiting" {
				require.Equal(t, "backlog", st.Reason)
				require.True(t, st.Payload)
			}
		}
		require.Equal(t, map[string]int{"waiting": 10, "dead": 10, "dropped": 20}, counts)

		for _, e := range events { // what was dropped for good takes its payload along, soon, and its record after its ID's time
			body, record := b.payloadTTL(e.Job), s.Client().PTTL(t.Context(), b.key("event:"+e.Job)).Val()
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
		require.Equal(t, "dead", st.word())
		require.Equal(t, "disabled", st.Reason)
		require.Zero(t, st.Attempts)
		require.EqualValues(t, 1, b.waitingCount())
		j := b.claim(10).jobs
		require.Equal(t, []string{"on"}, lanesOf(j))
		b.settle(Outcome{Kind: Succeeded}, j...)
		require.Greater(t, b.payloadTTL(e.Job), testLimits.IDLifetime, "kept for the failed one")

		b.setStatus("off", "active")
		resent, err := b.Resend(t.Context(), 0, "off", e.Job)
		require.NoError(t, err)
		require.Equal(t, []Resent{ResentQueued}, resent)
		b.settle(Outcome{Kind: Succeeded}, b.claim(10).jobs...)
		require.LessOrEqual(t, b.payloadTTL(e.Job), testLimits.Kept, "nobody needs it any more")
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
		for _, j := range b.claimQuantum(time.Hour, 4, 4, "two").jobs {
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
			require.LessOrEqual(t, b.payloadTTL(e.Job), testLimits.Kept)
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
		require.Len(t, b.claimQuantum(time.Hour, 10, 10).jobs, 1, "the window is down to one")
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
				record := s.Client().PTTL(t.Context(), b.key("event:"+e.Job)).Val()
				ttl := b.payloadTTL(e.Job)
				require.LessOrEqual(t, ttl, test.want)
				require.Greater(t, ttl, test.want-time.Minute)
				require.GreaterOrEqual(t, record, ttl-time.Second)
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

// What is to be kept for ever, which some write as a century, began before 1970.
func TestLimitsOfACentury(t *testing.T) {
	t.Parallel()
	const century = 100 * 365 * 24 * time.Hour
	for name, change := range map[string]func(*Limits){
		"Kept": func(l *Limits) { l.Kept = century }, "KeptDead": func(l *Limits) { l.KeptDead = century }, "MaxAge": func(l *Limits) { l.MaxAge = century },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
				b := newBundle(t, s, change)
				b.lane("one", "fix", 1, "w", 1)
				b.push(many("one", 3)...)
				for _, kind := range []Kind{Failed, Succeeded, Succeeded} {
					require.NoError(t, s.Client().ZAdd(t.Context(), b.key("ages"), redis.Z{Score: 1, Member: "one"}).Err(), "it is looked at")
					b.settle(Outcome{Kind: kind}, b.claim(1).jobs...)
				}
				require.Zero(t, b.waitingCount())
			})
		})
	}
}
