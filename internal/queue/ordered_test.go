package queue

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// next claims what may be attempted of all lanes: one job at most, where there is one ordered lane.
func (c *clock) next() string {
	jobs := c.claim(16).jobs
	if len(jobs) == 0 {
		return ""
	}
	require.Len(c, jobs, 1, "one attempt at a time")
	c.settle(Outcome{Kind: Succeeded}, jobs...)
	return jobs[0].ID
}

// TestOrderedHeadHoldsTheLane: nobody overtakes what failed, until it has ended; and it is attempted when its time has come.
func TestOrderedHeadHoldsTheLane(t *testing.T) {
	t.Parallel()
	c := newClock(t, nil)
	c.orderedLane("one")
	c.lane("other")
	events := many("one", 3)
	c.push(events...)
	first := c.claim(16).jobs
	require.Len(t, first, 1)
	require.Empty(t, c.claim(16).jobs)
	c.settle(Outcome{Kind: Retry, Delay: time.Hour}, first...)
	require.Empty(t, c.claim(16).jobs)
	for _, e := range events {
		require.Equal(t, c.now.Add(time.Hour).UnixMilli(), c.standing("one", e.Job).Next.UnixMilli(), "none is due before the head")
	}
	require.Empty(t, c.conf("one", "hu"), "its endpoint has not asked for that")
	c.push(to("other", 1))
	beside := c.claim(16).jobs
	require.Equal(t, []string{"other"}, lanesOf(beside), "others go on")
	c.settle(Outcome{Kind: Succeeded}, beside...)
	c.advance(time.Hour - time.Millisecond)
	require.Empty(t, c.claim(16).jobs)
	c.advance(time.Millisecond)
	again := c.claim(16).jobs
	require.Len(t, again, 1)
	require.Equal(t, first[0].ID, again[0].ID)
	require.Equal(t, 1, again[0].Attempts)
	c.settle(Outcome{Kind: Failed, Reason: "exhausted"}, again...)
	require.Equal(t, events[1].Job, c.next())
	require.Equal(t, events[2].Job, c.next())
}

// TestOrderedWhereTheClockGoesBack: a lane keeps its order where the store's clock goes back, as after a failover.
func TestOrderedWhereTheClockGoesBack(t *testing.T) {
	t.Parallel()
	c := newClock(t, nil)
	c.orderedLane("one")
	var want []string
	for n := range 5 {
		e := to("one", n)
		c.push(e)
		want = append(want, e.Job)
		c.advance(-time.Minute)
	}
	c.advance(10 * time.Minute)
	for _, job := range want {
		require.Equal(t, job, c.next())
	}
}

// TestOrderedByPublishing: jobs of one millisecond go out as they were pushed, whatever their IDs.
func TestOrderedByPublishing(t *testing.T) {
	t.Parallel()
	c := newClock(t, nil)
	c.orderedLane("one")
	events := many("one", 40)
	slices.Reverse(events)
	c.push(events...)
	for _, e := range events {
		require.Equal(t, e.Job, c.next())
	}
}

// TestOrderedMaxAge: only the head grows old, so one that fails for long takes no other with it.
func TestOrderedMaxAge(t *testing.T) {
	t.Parallel()
	c := newClock(t, func(l *Limits) { l.MaxAge = time.Hour })
	c.orderedLane("one")
	events := many("one", 3)
	c.push(events...)
	c.setStatus("one", "paused")
	c.looks(50 * time.Minute)
	require.Equal(t, "waiting", c.state("one", events[0].Job))
	c.looks(11 * time.Minute)
	require.Equal(t, "expired", c.standing("one", events[0].Job).Reason)
	for range 5 { // a look late at most, each
		require.Equal(t, "waiting", c.state("one", events[1].Job))
		c.looks(10 * time.Minute)
	}
	c.looks(11 * time.Minute)
	require.Equal(t, "expired", c.standing("one", events[1].Job).Reason)
	require.Equal(t, "waiting", c.state("one", events[2].Job))
	c.setStatus("one", "active")
	require.Equal(t, events[2].Job, c.next())
}

// TestOrderedKeepsPayloads: what waits behind heads that fail for days is there when its turn comes.
func TestOrderedKeepsPayloads(t *testing.T) {
	t.Parallel()
	c := newClock(t, nil)
	c.orderedLane("one")
	events := many("one", 9)
	c.push(events...)
	for n := range events[:8] {
		j := c.claim(1).jobs[0]
		require.Equal(t, events[n].Job, j.ID)
		require.NotEmpty(t, j.Payload)
		c.settle(Outcome{Kind: Retry, Delay: 23 * time.Hour}, j)
		for range 23 * 4 { // as often as a process would look, or nearly
			c.advance(15 * time.Minute)
			c.claim(0)
		}
		j = c.claim(1).jobs[0]
		require.Equal(t, events[n].Job, j.ID)
		require.Equal(t, 1, j.Attempts)
		c.settle(Outcome{Kind: Failed, Reason: "exhausted"}, j)
	}
	j := c.claim(1).jobs[0]
	require.Equal(t, events[8].Job, j.ID)
	require.NotEmpty(t, j.Payload)
	st := c.standing("one", events[8].Job)
	require.Equal(t, "leased", st.word())
	found := c.redis().XRange(t.Context(), c.key("old:one"), "-", "+").Val()
	found = append(found, c.redis().XRange(t.Context(), c.key("idx:one"), "-", "+").Val()...)
	require.Len(t, found, 9, "it is still in the list of its lane")
}

// TestOrderedSentAgain: what is retried by hand goes to the end; what has yet to be attempted keeps its turn.
func TestOrderedSentAgain(t *testing.T) {
	t.Parallel()
	c := newClock(t, nil)
	c.orderedLane("one")
	events := many("one", 4)
	c.push(events...)
	resend := func(job string) {
		r, err := c.Resend(t.Context(), 0, "one", job)
		require.NoError(t, err)
		require.Equal(t, []Resent{ResentQueued}, r)
	}
	c.settle(Outcome{Kind: Failed, Reason: "exhausted"}, c.claim(1).jobs...)
	resend(events[0].Job)
	c.settle(Outcome{Kind: Retry, Delay: time.Hour}, c.claim(1).jobs...)
	resend(events[1].Job)
	resend(events[3].Job)
	var got []string
	for range 4 {
		got = append(got, c.next())
	}
	require.Equal(t, []string{events[2].Job, events[3].Job, events[0].Job, events[1].Job}, got)
}

// TestOrderedFromNowOn: what waits when a lane becomes ordered goes out in the order of publishing as well, what is to be tried again among
// it; the other way round nobody waits for a head any more, and what waited behind one has not grown old.
func TestOrderedFromNowOn(t *testing.T) {
	t.Parallel()
	c := newClock(t, func(l *Limits) { l.MaxAge = 3 * time.Hour })
	c.lane("one", "w", 16, "a", "a")
	var events []*Event
	for n := range 6 {
		events = append(events, to("one", n))
		c.push(events[n])
		c.advance(time.Second)
	}
	jobs := c.claim(4).jobs
	require.Len(t, jobs, 4)
	c.settle(Outcome{Kind: Retry, Delay: time.Hour}, jobs[0])
	c.settle(Outcome{Kind: Retry, Delay: time.Minute}, jobs[2])
	c.setOrdered("one", true)
	late := to("one", 10)
	c.push(late)
	require.Empty(t, c.claim(16).jobs, "two are under way")
	c.settle(Outcome{Kind: Retry, Delay: time.Minute}, jobs[3])
	c.settle(Outcome{Kind: Back}, jobs[1])
	require.Empty(t, c.claim(16).jobs, "the first has an hour to wait")
	c.advance(time.Hour)
	for _, e := range events[:3] {
		require.Equal(t, e.Job, c.next())
	}

	// Back again: the head waits for its time, the others don't.
	c.settle(Outcome{Kind: Retry, Delay: 2 * time.Hour}, c.claim(1).jobs...)
	require.Empty(t, c.claim(16).jobs)
	c.advance(time.Hour + 55*time.Minute)
	c.setOrdered("one", false)
	c.claim(0)
	c.looks(time.Minute)
	got := []string{}
	for len(got) < 3 {
		jobs := c.claim(16).jobs
		require.NotEmpty(t, jobs, "those behind go out at once: %v", got)
		for _, j := range jobs {
			got = append(got, j.ID)
		}
		c.settle(Outcome{Kind: Succeeded}, jobs...)
	}
	require.ElementsMatch(t, []string{events[4].Job, events[5].Job, late.Job}, got)
	require.Empty(t, c.claim(16).jobs, "nothing is early")
	c.looks(4 * time.Minute)
	head := c.claim(16).jobs
	require.Len(t, head, 1)
	require.Equal(t, events[3].Job, head[0].ID)
	require.Equal(t, 2, head[0].Attempts)
}

// TestOrderedAfterMany: a lane with many jobs that are to be tried again is put in order in steps that others don't notice.
func TestOrderedAfterMany(t *testing.T) {
	t.Parallel()
	c := newClock(t, nil)
	c.lane("one", "w", 16, "a", "a")
	var want []string
	for n := range 250 {
		e := to("one", n)
		c.push(e)
		c.advance(time.Millisecond)
		want = append(want, e.Job)
		if n%3 > 0 {
			c.settle(Outcome{Kind: Retry, Delay: time.Duration(300-n) * time.Second}, c.claim(1).jobs...)
		}
	}
	c.setOrdered("one", true)
	c.advance(time.Hour)
	first := true
	for _, job := range want {
		var jobs []*Job
		for range 10 {
			if jobs = c.claim(16).jobs; len(jobs) > 0 {
				break
			}
			require.True(t, first, "once it is in order, it stays so")
		}
		first = false
		require.Len(t, jobs, 1)
		require.Equal(t, job, jobs[0].ID, fmt.Sprint("of ", len(want)))
		c.settle(Outcome{Kind: Succeeded}, jobs...)
	}
}

// TestOrderedHeadIsExpunged: what waits behind an event that is taken out of the store does not wait for its time.
func TestOrderedHeadIsExpunged(t *testing.T) {
	t.Parallel()
	c := newClock(t, nil)
	c.orderedLane("one")
	events := many("one", 2)
	c.push(events...)
	c.settle(Outcome{Kind: Retry, Delay: time.Hour}, c.claim(1).jobs...)
	_, err := c.Expunge(t.Context(), 0, "a", events[0].ID, "")
	require.NoError(t, err)
	require.Equal(t, events[1].Job, c.next())
}
