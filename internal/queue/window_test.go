package queue

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/internal/redistest"
)

// A lane starts with two attempts in flight, doubles with each round of successes up to its cap, and halves down to one.
func TestWindow(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		conf   []any
		limit  int
		steps  []Outcome
		window []int // how many are claimed at each step, the last one after the last step
	}{
		"doubles up to the process' cap": {limit: 16, steps: repeat(Outcome{Kind: Succeeded}, 5), window: []int{2, 4, 8, 16, 16, 16}},
		"doubles up to its own cap":      {limit: 16, conf: []any{"cap", 5}, steps: repeat(Outcome{Kind: Succeeded}, 4), window: []int{2, 4, 5, 5, 5}},
		"its cap can't pass the process'": {
			limit: 3, conf: []any{"cap", 50}, steps: repeat(Outcome{Kind: Succeeded}, 3), window: []int{2, 3, 3, 3},
		},
		"an empty cap is none":         {limit: 4, conf: []any{"cap", ""}, steps: repeat(Outcome{Kind: Succeeded}, 2), window: []int{2, 4, 4}},
		"a cap of one":                 {limit: 4, conf: []any{"cap", 1}, steps: repeat(Outcome{Kind: Succeeded}, 2), window: []int{1, 1, 1}},
		"slow attempts shrink it":      {limit: 16, conf: []any{"w", 2}, steps: repeat(Outcome{Kind: Succeeded, Slow: true}, 3), window: []int{2, 1, 1, 1}},
		"failures shrink it":           {limit: 16, conf: []any{"w", 2}, steps: repeat(Outcome{Kind: Retry, Delay: time.Hour}, 2), window: []int{2, 1, 1}},
		"failed deliveries shrink it":  {limit: 16, conf: []any{"w", 2}, steps: repeat(Outcome{Kind: Failed, Reason: "exhausted"}, 2), window: []int{2, 1, 1}},
		"expired ones say nothing":     {limit: 16, conf: []any{"w", 4}, steps: repeat(Outcome{Kind: Failed, Reason: ReasonExpired}, 2), window: []int{4, 4, 4}},
		"a fixed lane has its process": {limit: 9, conf: []any{"fix", 1, "w", 1_000_000}, steps: []Outcome{{Kind: Retry, Delay: time.Hour}, {Kind: Succeeded, Slow: true}}, window: []int{9, 9, 9}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
				b := newBundle(t, s, func(l *Limits) { l.InFlight = test.limit })
				b.lane("one", test.conf...)
				b.push(many("one", 128)...)
				for i, want := range test.window {
					jobs := b.claimQuantum(time.Hour, 100, 100).jobs
					require.Len(t, jobs, want, "step %d", i)
					require.Empty(t, b.claimQuantum(time.Hour, 100, 100).jobs, "the window is full")
					if i < len(test.steps) {
						b.settle(test.steps[i], jobs...)
					}
				}
			})
		})
	}
}

func repeat(o Outcome, n int) (out []Outcome) {
	for range n {
		out = append(out, o)
	}
	return out
}

// From sixteen, failures one by one halve the window, and one success in between does not open it.
func TestWindowHalvesOneByOne(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		b.lane("one", "w", 16)
		b.push(many("one", 64)...)
		jobs := b.claimQuantum(time.Hour, 100, 100).jobs
		require.Len(t, jobs, 16)
		for i, want := range []string{"8", "4", "2", "1", "1"} {
			b.settle(Outcome{Kind: Retry, Delay: time.Hour}, jobs[i])
			require.Equal(t, want, b.conf("one", "w"))
		}
		b.settle(Outcome{Kind: Succeeded}, jobs[5])
		require.Equal(t, "2", b.conf("one", "w"), "one success is a whole round of a window of one")
		require.Equal(t, "10", b.conf("one", "fl"))
		require.Empty(t, b.claim(100).jobs, "ten are in flight and two may be")
		b.setConf("one", "w", 8)
		b.settle(Outcome{Kind: Succeeded}, jobs[6:9]...)
		b.settle(Outcome{Kind: Retry, Delay: time.Hour}, jobs[9])
		b.settle(Outcome{Kind: Succeeded}, jobs[10])
		require.Equal(t, "4", b.conf("one", "w"), "a failure begins a new round")
	})
}

// One claim takes no more than its quantum from a lane.
func TestQuantumOfOneLane(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		b.lane("one", "w", 16)
		b.push(many("one", 20)...)
		require.Len(t, b.claimQuantum(time.Hour, 100, 3).jobs, 3)
		require.Len(t, b.claimQuantum(time.Hour, 2, 16).jobs, 2)
		require.Len(t, b.claimQuantum(time.Hour, 100, 100).jobs, 11)
	})
}

// Lesson 7: a newcomer is served by the next claim, whatever stands in the backlogs of others and however fast these are.
func TestLesson07BacklogDoesNotDelayANewcomer(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, func(l *Limits) { l.Pending = 200_000 })
		const hogs = 8
		for i := range hogs {
			b.lane(fmt.Sprint("hog", i), "w", 4)
			b.backlog(fmt.Sprint("hog", i), 8_000/hogs)
		}
		b.lane("newcomer", "w", 4)
		for range 10 { // the hogs' attempts end at once, so they always have more to do, and their jobs are older
			jobs := b.claimQuantum(time.Hour, 16, 4).jobs
			require.Greater(t, len(jobs), 8)
			b.settle(Outcome{Kind: Succeeded}, jobs...)
		}
		b.push(to("newcomer", 1))
		served := 0
		for ; served < hogs/4+1; served++ { // every hog has had its turn by then
			jobs := b.claimQuantum(time.Hour, 16, 4).jobs
			b.settle(Outcome{Kind: Succeeded}, jobs...)
			if slices.Contains(lanesOf(jobs), "newcomer") {
				return
			}
		}
		require.Fail(t, "the newcomer waits behind backlogs that are older")
	})
}

// backlog puts n jobs into a lane that wait for a minute already, without payloads.
func (b *bundle) backlog(lane string, n int) {
	_, err := b.Queue.Run(b.Context(), 0, Script(`
for i = 1, tonumber(ARGV[11]) do call('ZADD', base .. 'lane:' .. ARGV[10], now - 60000, 'job' .. i) end
call('ZADD', base .. 'ages', now, ARGV[10])
count_waiting(tonumber(ARGV[11]))
offer(ARGV[10], 'active', 0, 2, nil, 0)
return 1`), lane, n)
	require.NoError(b, err)
}

// Lanes with a backlog take turns, whatever they have waiting.
func TestLanesTakeTurns(t *testing.T) {
	t.Parallel()
	c := newClock(t, nil)
	for i := range 6 {
		name := fmt.Sprint("lane", i)
		c.lane(name, "w", 1, "cap", 1)
		c.push(many(name, 20)...)
		c.advance(time.Second)
	}
	served := map[string]int{}
	for range 60 {
		c.advance(time.Millisecond)
		j := c.succeed()
		served[j.Lane]++
	}
	for lane, n := range served {
		require.Equal(t, 10, n, lane)
	}
	require.Len(t, served, 6)
}

// More ready lanes than one claim looks at, most of which can't be served: every lane comes up within a few claims.
func TestManyReadyLanes(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		for i := range 200 {
			b.lane(fmt.Sprint("lane", i))
		}
		b.push(event(1))
		for i := range 150 { // full by now, or switched off behind the queue's back
			b.setConf(fmt.Sprint("lane", i), "st", "paused")
		}
		seen := map[string]bool{}
		for range 40 {
			for _, l := range lanesOf(b.claim(4).jobs) {
				require.False(t, seen[l])
				seen[l] = true
			}
		}
		require.Len(t, seen, 50)
		require.EqualValues(t, 150, b.waitingCount())
		require.Zero(t, s.Client().ZCard(t.Context(), b.key("ready")).Val())
	})
}

// A huge claim of a huge window does not overstrain the script.
func TestHugeWindow(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, func(l *Limits) { l.InFlight, l.Pending = 50_000, 50_000 })
		b.lane("one", "fix", 1, "w", 1_000_000)
		b.backlog("one", 5_000)
		n := 0
		for range 100 {
			jobs := b.claimQuantum(time.Hour, 5_000, 5_000).jobs
			if len(jobs) == 0 {
				break
			}
			n += len(jobs)
		}
		require.Equal(t, 5_000, n)
		require.Equal(t, "5000", b.conf("one", "fl"))
	})
}
