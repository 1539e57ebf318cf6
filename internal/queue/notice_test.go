package queue

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Lesson 20: one notice at once, then at most one an hour with the count of what came since.
func TestLesson20OneNoticeAnHour(t *testing.T) {
	t.Parallel()
	c := newClock(t, nil)
	c.lane("one")
	for n := range 40 {
		c.push(to("one", n))
	}
	c.fail("{}")
	require.Equal(t, []string{"failed one 1"}, c.outbox(), "at once")
	since := c.conf("one", "fs")
	for range 5 {
		c.advance(10 * time.Minute)
		c.fail("{}")
	}
	require.Equal(t, []string{"failed one 1"}, c.outbox())
	got := c.claim(0)
	require.Equal(t, 10*time.Minute, c.until("notices"), "the dispatcher comes back for it")
	require.LessOrEqual(t, got.wait, 10*time.Minute)
	c.advance(10 * time.Minute)
	require.EqualValues(t, 2, c.claim(0).notices)
	require.Equal(t, []string{"failed one 1", "failed one 5"}, c.outbox(), "the count of what came since")
	require.Equal(t, since, c.outboxField("s", 1))
	c.advance(time.Hour)
	c.claim(0)
	require.Len(t, c.outbox(), 2, "nothing came since")
	c.fail("{}")
	require.Equal(t, "failed one 1", c.outbox()[2], "an hour is over")
	require.Equal(t, since, c.outboxField("s", 2), "it failed since the first failure")
}

// until is how long it is to the first entry of a set.
func (c *clock) until(set string) time.Duration {
	first := c.redis().ZRangeWithScores(c.Context(), c.key(set), 0, 0).Val()
	require.Len(c, first, 1)
	return time.Duration(int64(first[0].Score)-c.now.UnixMilli()) * time.Millisecond
}

func (c *clock) outboxField(name string, i int) string {
	entries := c.redis().XRange(c.Context(), c.key("outbox"), "-", "+").Val()
	require.Greater(c, len(entries), i)
	return entries[i].Values[name].(string)
}

// Lesson 20: the recovery is told once, and only by an attempt that started after the failure.
func TestLesson20Recovery(t *testing.T) {
	t.Parallel()
	c := newClock(t, nil)
	c.lane("one", "w", 16)
	c.push(many("one", 10)...)
	jobs := c.claimQuantum(time.Hour, 3, 3).jobs
	c.advance(time.Second)
	c.settle(Outcome{Kind: Failed, Reason: "exhausted", Detail: "{}"}, jobs[0])
	require.Equal(t, "failed", c.conf("one", "st"))
	c.advance(2 * time.Second)
	c.settle(Outcome{Kind: Succeeded}, jobs[1])
	require.Equal(t, "failed", c.conf("one", "st"), "it started before the failure")
	c.succeed()
	require.Equal(t, "active", c.conf("one", "st"))
	require.Equal(t, []string{"failed one 1", "recovered one 0"}, c.outbox())
	require.Equal(t, c.outboxField("s", 0), c.outboxField("s", 1))
	c.succeed()
	require.Len(t, c.outbox(), 2, "once")
}

// Lesson 27: a lane that fails now and then tells of it once an hour, and a recovery follows what was told.
func TestLesson27FlappingLane(t *testing.T) {
	t.Parallel()
	c := newClock(t, func(l *Limits) { l.Pending = 10_000 })
	c.lane("one")
	for n := range 120 {
		c.push(to("one", 2*n), to("one", 2*n+1))
		c.fail("{}")
		c.advance(30 * time.Second)
		c.succeed()
		c.looks(30*time.Second - time.Millisecond)
		c.advance(time.Millisecond)
	}
	box := c.outbox()
	require.Equal(t, []string{"failed one 1", "recovered one 0"}, box[:2])
	failed, told := 0, 0
	state := ""
	for i, n := range box {
		kind := n[:6]
		require.NotEqual(t, state, kind, "failed and recovered alternate")
		state = kind
		if kind == "failed" {
			failed++
			count, err := strconv.Atoi(n[len("failed one "):])
			require.NoError(t, err)
			told += count
		}
		ms, err := strconv.ParseInt(c.outboxField("s", i), 10, 64)
		require.NoError(t, err, "every notice says since when")
		require.Positive(t, ms)
	}
	require.Equal(t, "active", c.conf("one", "st"))
	require.Equal(t, "recove", state, "what was told last is how it stands")
	require.LessOrEqual(t, failed, 3)
	pending, _ := strconv.Atoi(c.conf("one", "nc"))
	require.Equal(t, 120, told+pending, "none is left out")
}

// 410 disables a lane with one notice, however many attempts were under way.
func TestGoneDisablesWithOneNotice(t *testing.T) {
	t.Parallel()
	c := newClock(t, nil)
	c.lane("one", "w", 16)
	c.push(many("one", 20)...)
	jobs := c.claim(16).jobs
	require.Len(t, jobs, 16)
	c.settle(Outcome{Kind: Failed, Reason: "exhausted", Detail: "{}"}, jobs[0])
	c.settle(Outcome{Kind: Gone, Reason: "gone", Detail: "{}"}, jobs[1])
	require.Equal(t, "disabled", c.conf("one", "st"))
	c.settle(Outcome{Kind: Gone, Reason: "gone", Detail: "{}"}, jobs[2:8]...)
	c.settle(Outcome{Kind: Failed, Reason: "exhausted", Detail: "{}"}, jobs[8:12]...)
	c.settle(Outcome{Kind: Succeeded}, jobs[12:]...)
	require.Equal(t, "disabled", c.conf("one", "st"), "only its owner ends it")
	require.Empty(t, c.claim(16).jobs)
	c.advance(2 * time.Hour)
	c.claim(0)
	require.Equal(t, []string{"failed one 1", "disabled one 1"}, c.outbox())
	require.Equal(t, c.outboxField("s", 0), c.outboxField("s", 1), "it failed since the first failure")
}

// 410 of an attempt under way does not end a pause, nor does its notice say so.
func TestGoneOfAPausedLane(t *testing.T) {
	t.Parallel()
	c := newClock(t, nil)
	c.lane("one")
	c.push(many("one", 3)...)
	jobs := c.claim(1).jobs
	c.setStatus("one", "paused")
	c.settle(Outcome{Kind: Gone, Reason: "gone", Detail: "{}"}, jobs...)
	require.Equal(t, "paused", c.conf("one", "st"), "only its owner ends it")
	require.Equal(t, []string{"failed one 1"}, c.outbox())
	c.setStatus("one", "active")
	c.settleOne(Outcome{Kind: Gone, Reason: "gone", Detail: "{}"})
	require.Equal(t, "disabled", c.conf("one", "st"))
	require.Equal(t, []string{"failed one 1", "disabled one 1"}, c.outbox())
}

// A failing notice never makes another notice; it marks the lane all the same.
func TestFailureWithoutNotice(t *testing.T) {
	t.Parallel()
	c := newClock(t, nil)
	c.lane("one")
	c.push(many("one", 3)...)
	c.fail("")
	require.Equal(t, "active", c.conf("one", "st"))
	c.fail("-")
	require.Equal(t, "failed", c.conf("one", "st"))
	c.advance(time.Second)
	c.succeed()
	require.Equal(t, "active", c.conf("one", "st"))
	require.Empty(t, c.outbox(), "nor is a recovery told of what was not told")
}

// A notice that an hour held back does not outlive its lane.
func TestNoNoticeOfADeletedLane(t *testing.T) {
	t.Parallel()
	c := newClock(t, nil)
	c.lane("one")
	c.push(many("one", 3)...)
	c.fail("{}")
	c.fail("{}")
	c.deleteLane("one")
	c.advance(2 * time.Hour)
	c.claim(0)
	require.Len(t, c.outbox(), 1)
	require.Zero(t, c.redis().Exists(t.Context(), c.key("notices")).Val())
}

// Lesson 21: jitter, rounding and clocks only delay: a retry never comes before its time, which counts from when its
// outcome was recorded.
func TestLesson21NeverEarly(t *testing.T) {
	t.Parallel()
	for name, delay := range map[string]time.Duration{"a minute": time.Minute, "a millisecond": time.Millisecond, "parts of one": 1500 * time.Microsecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClock(t, nil)
			c.lane("one")
			c.push(to("one", 1))
			c.advance(999 * time.Microsecond) // Redis counts in whole milliseconds
			j := c.settleOne(Outcome{Kind: Retry, Delay: delay})
			settled := c.now
			c.advance(delay - 500*time.Microsecond)
			for len(c.claim(1).jobs) == 0 {
				require.Less(t, c.now.Sub(settled), delay+3*time.Millisecond, "nor much too late")
				c.advance(100 * time.Microsecond)
			}
			require.GreaterOrEqual(t, c.now.Sub(settled), delay)
			require.Equal(t, "leased", c.state("one", j.ID))
		})
	}
}

// A success in the same millisecond as the failure before it is no recovery: it can't have started after it.
func TestRecoveryNeedsALaterStart(t *testing.T) {
	t.Parallel()
	c := newClock(t, nil)
	c.lane("one")
	c.push(many("one", 3)...)
	c.fail("{}")
	c.succeed()
	require.Equal(t, "failed", c.conf("one", "st"))
	c.advance(time.Millisecond)
	c.succeed()
	require.Equal(t, "active", c.conf("one", "st"))
}
