package queue

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Lesson 78: an attempt that began later than the one that asked for a pause, and succeeds, ends the pause. It does so whichever is
// settled first, and no attempt that began earlier, or at the same time, does.
func TestLesson78HoldEndsWithALaterSuccess(t *testing.T) {
	t.Parallel()
	asks, succeeds := Outcome{Kind: Retry, Delay: time.Minute, Hold: time.Hour}, Outcome{Kind: Succeeded}
	for name, tc := range map[string]struct {
		first, second int // which of the two claims' attempts is settled first, and with what
		one, two      Outcome
		served        bool
	}{
		"later success, afterwards":    {0, 1, asks, succeeds, true},
		"later success, before":        {1, 0, succeeds, asks, true},
		"earlier success, afterwards":  {1, 0, asks, succeeds, false},
		"earlier success, before":      {0, 1, succeeds, asks, false},
		"asked twice, later by longer": {0, 1, asks, asks, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClock(t, nil)
			c.lane("one", "w", 16)
			c.push(many("one", 10)...)
			jobs := c.claimQuantum(time.Hour, 1, 1).jobs
			c.advance(time.Second)
			jobs = append(jobs, c.claimQuantum(time.Hour, 1, 1).jobs...)
			require.Len(t, jobs, 2)
			c.settle(tc.one, jobs[tc.first])
			c.settle(tc.two, jobs[tc.second])
			require.Equal(t, tc.served, len(c.claimQuantum(time.Hour, 1, 1).jobs) == 1)
			if !tc.served {
				c.advance(time.Hour)
				require.Len(t, c.claimQuantum(time.Hour, 1, 1).jobs, 1, "the time is over")
			}
		})
	}
}

// Lesson 78: attempts of one claim began together, so the success of one is no news for the pause that the other asked for.
func TestLesson78HoldStaysWithAttemptsOfOneClaim(t *testing.T) {
	t.Parallel()
	for _, asking := range []int{0, 1} {
		c := newClock(t, nil)
		c.lane("one", "w", 16)
		c.push(many("one", 10)...)
		jobs := c.claimQuantum(time.Hour, 2, 2).jobs
		for i, j := range jobs {
			if i == asking {
				c.settle(Outcome{Kind: Retry, Delay: time.Minute, Hold: time.Minute}, j)
			} else {
				c.settle(Outcome{Kind: Succeeded}, j)
			}
		}
		require.Empty(t, c.claimQuantum(time.Hour, 1, 1).jobs)
		c.push(many("one", 1)...)
		require.Empty(t, c.claimQuantum(time.Hour, 1, 1).jobs, "a new event does not open it")
		c.advance(time.Minute)
		require.Len(t, c.claimQuantum(time.Hour, 1, 1).jobs, 1)
	}
}
