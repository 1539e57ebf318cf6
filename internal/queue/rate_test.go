package queue

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A rate is never exceeded over any second, is reached nearly, and never starves.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	for _, rate := range []int{1, 3, 10, 20, 50, 100, 1000} {
		for name, look := range map[string]time.Duration{"eager": time.Millisecond, "every 7 ms": 7 * time.Millisecond} {
			if rate == 1000 && name == "eager" {
				continue // takes long
			}
			t.Run(fmt.Sprintf("%d a second, %s", rate, name), func(t *testing.T) {
				t.Parallel()
				c := newClock(t, func(l *Limits) { l.Pending, l.InFlight = 10_000, 10_000 })
				c.lane("one", "rate", rate, "fix", 1, "w", 1_000_000)
				c.backlog("one", 3*rate+4)
				var at []time.Duration
				for elapsed := time.Duration(0); elapsed < 2*time.Second; {
					got := c.claimQuantum(time.Hour, 10_000, 10_000)
					for range got.jobs {
						at = append(at, elapsed)
					}
					step := max(look, got.wait.Truncate(look)) // it is worth no look before
					elapsed += step
					c.advance(step)
				}
				for i := range at {
					n := 0
					for _, other := range at[i:] {
						if other < at[i]+time.Second {
							n++
						}
					}
					require.LessOrEqual(t, n, rate, "in the second from %s", at[i])
				}
				require.GreaterOrEqual(t, len(at), rate*2*9/10, "the rate is nearly reached")
			})
		}
	}
}

// A lane at its rate is not in the way of others, and the claim says when it is due.
func TestRateLimitedLaneIsNotInTheWay(t *testing.T) {
	t.Parallel()
	c := newClock(t, nil)
	c.lane("slow", "rate", 1)
	c.lane("fast", "w", 16)
	c.push(many("slow", 10)...)
	c.push(many("fast", 10)...)
	require.Len(t, c.claim(16).jobs, 11)
	got := c.claim(16)
	require.Empty(t, got.jobs)
	require.Equal(t, time.Second, got.wait)
	c.push(to("slow", 11))
	c.advance(999 * time.Millisecond)
	require.Empty(t, c.claim(16).jobs, "a push does not lift the limit")
	c.advance(time.Millisecond)
	require.Len(t, c.claim(16).jobs, 1)
}

// After a time without jobs a lane may not make up for it.
func TestRateLimitSavesNothingUp(t *testing.T) {
	t.Parallel()
	c := newClock(t, nil)
	c.lane("one", "rate", 10, "w", 16)
	c.push(to("one", 0))
	require.Len(t, c.claim(16).jobs, 1)
	c.advance(time.Minute)
	c.push(many("one", 50)[1:]...)
	require.Len(t, c.claim(16).jobs, 1)
}
