package queue

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const disableAfter = time.Hour

// failing is an attempt that failed where lanes are disabled after an hour of such.
var failing = Outcome{Kind: Retry, Delay: 10 * time.Minute, Detail: "{}", DisableAfter: disableAfter}

// TestDisableAfter: a lane whose attempts have all failed for that long is disabled, which its owner is told once.
func TestDisableAfter(t *testing.T) {
	t.Parallel()
	c := newClock(t, nil)
	c.lane("one")
	c.push(to("one", 1), to("one", 2))
	since := c.now
	c.settle(failing, c.claim(1).jobs...)
	for range 5 {
		c.advance(10 * time.Minute)
		c.settle(failing, c.claim(1).jobs...)
		require.Equal(t, "active", c.conf("one", "st"))
	}
	require.Empty(t, c.outbox())
	c.advance(10 * time.Minute)
	job := c.claim(1).jobs[0]
	c.settle(failing, job)
	require.Equal(t, "disabled", c.conf("one", "st"))
	require.Equal(t, []string{"disabled one 0"}, c.outbox(), "no delivery has failed")
	require.Equal(t, strconv.FormatInt(since.UnixMilli(), 10), c.outboxField("s", 0), "since the first failure")
	require.Empty(t, c.claim(16).jobs)
	require.Equal(t, "waiting", c.standing("one", job.ID).word(), "what waits is its owner's to resume")
	require.Equal(t, "disabled", c.push(to("one", 3))[0].Refused[0].Reason)

	c.setStatus("one", "active")
	c.advance(10 * time.Minute)
	require.NotEmpty(t, c.claim(16).jobs)
}

// TestDisableAfterWithTheLastAttempt: the attempt that ends its delivery is told of in the same notice.
func TestDisableAfterWithTheLastAttempt(t *testing.T) {
	t.Parallel()
	c := newClock(t, nil)
	c.lane("one")
	c.push(to("one", 1), to("one", 2))
	c.settle(failing, c.claim(1).jobs...)
	c.advance(disableAfter)
	ends := failing
	ends.Kind, ends.Reason = Failed, ""
	c.settle(ends, c.claim(1).jobs...)
	require.Equal(t, "disabled", c.conf("one", "st"))
	require.Equal(t, []string{"disabled one 1"}, c.outbox())
}

// TestDisableAfterANotice: a failing notice makes no other notice, but a webhook is never switched off silently.
func TestDisableAfterANotice(t *testing.T) {
	t.Parallel()
	for name, last := range map[string]Outcome{
		"outlasted": {Kind: Failed, Detail: "-{}", DisableAfter: disableAfter},
		"gone":      {Kind: Gone, Reason: "gone", Detail: "-{}"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClock(t, nil)
			c.lane("one")
			c.push(to("one", 1), to("one", 2))
			c.settle(Outcome{Kind: Failed, Detail: "-{}", DisableAfter: disableAfter}, c.claim(1).jobs...)
			require.Empty(t, c.outbox())
			c.advance(disableAfter)
			c.settle(last, c.claim(1).jobs...)
			require.Equal(t, "disabled", c.conf("one", "st"))
			require.Equal(t, []string{"disabled one 1"}, c.outbox())
			require.Equal(t, "{}", c.outboxField("d", 0))
		})
	}
}

// TestDisableAfterStartsAnew: a success, or an owner who changes something, begins a new count.
func TestDisableAfterStartsAnew(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(c *clock){
		"success": func(c *clock) { c.settle(Outcome{Kind: Succeeded}, c.claim(1).jobs...) },
		"success of an attempt that took long": func(c *clock) {
			c.settle(Outcome{Kind: Succeeded, Slow: true}, c.claim(1).jobs...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClock(t, nil)
			c.lane("one")
			c.push(many("one", 10)...)
			once := failing
			once.Delay = 100 * time.Hour
			c.settle(once, c.claim(1).jobs...)
			c.advance(disableAfter - time.Minute)
			change(c)
			require.Empty(t, c.conf("one", "bs"))
			c.advance(time.Minute)
			c.settle(once, c.claim(1).jobs...)
			require.Equal(t, "active", c.conf("one", "st"))
			c.advance(disableAfter)
			c.settle(once, c.claim(1).jobs...)
			require.Equal(t, "disabled", c.conf("one", "st"))
		})
	}
}

// TestDisableAfterCountsWhatBeganSince: an attempt that began before the latest success says nothing, nor does one that was not made.
func TestDisableAfterCountsWhatBeganSince(t *testing.T) {
	t.Parallel()
	c := newClock(t, nil)
	c.lane("one", "w", 16)
	c.push(many("one", 10)...)
	late := c.claim(4).jobs
	c.advance(time.Minute)
	c.settle(Outcome{Kind: Succeeded}, c.claim(1).jobs...)
	c.settle(failing, late[0])
	require.Empty(t, c.conf("one", "bs"))
	c.advance(2 * disableAfter)
	c.settle(failing, late[1])
	require.Equal(t, "active", c.conf("one", "st"), "the success came after it began")

	c.settle(Outcome{Kind: Back}, late[2])
	c.settle(Outcome{Kind: Failed, Reason: ReasonExpired}, late[3])
	require.Empty(t, c.conf("one", "bs"))
}

// TestDisableAfterLeavesAPause: only the owner ends a pause.
func TestDisableAfterLeavesAPause(t *testing.T) {
	t.Parallel()
	c := newClock(t, nil)
	c.lane("one", "w", 16)
	c.push(many("one", 3)...)
	jobs := c.claim(2).jobs
	c.settle(failing, jobs[0])
	c.setStatus("one", "paused")
	c.advance(2 * disableAfter)
	c.settle(failing, jobs[1])
	require.Equal(t, "paused", c.conf("one", "st"))
	require.Empty(t, c.outbox())
}
