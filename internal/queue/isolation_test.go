package queue

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/internal/redistest"
)

// Lesson 26: sixteen hanging endpoints at once do not fill every slot, even with windows that were full before.
func TestLesson26HangingLanesDoNotFillEverySlot(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		concurrency, perLane int
		window               []any
	}{
		"full windows":              {256, 16, []any{"w", 16}},
		"new lanes":                 {32, 16, nil},
		"half as many as the lanes": {64, 8, []any{"w", 8}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
				b := newBundle(t, s, nil)
				for i := range 16 {
					lane := fmt.Sprint("hangs", i)
					b.lane(lane, test.window...)
					b.push(many(lane, 50)...)
				}
				b.lane("healthy", "w", 16)
				got := make(chan *Job, 1000)
				d := b.dispatch(Options{Concurrency: test.concurrency, PerLane: test.perLane, Handler: func(ctx context.Context, j *Job) Outcome {
					if strings.HasPrefix(j.Lane, "hangs") {
						return hang(ctx, j)
					}
					got <- j
					return Outcome{Kind: Succeeded}
				}})
				eventually(t, "the hanging ones hang", func() bool { return d.InFlight() >= 16 })
				b.quiet(d)
				require.Less(t, d.InFlight(), test.concurrency)
				b.push(many("healthy", 40)...)
				for range 40 {
					receive(t, got, "a job of the healthy lane")
				}
			})
		})
	}
}

// Attempts that take long hold half of the slots at most: beyond that only lanes without such attempts are served.
func TestSlowLanesHoldHalfOfTheSlots(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		const lanes, slots = 16, 64
		for i := range lanes {
			b.lane(fmt.Sprint("hangs", i))
			b.push(to(fmt.Sprint("hangs", i), 0), to(fmt.Sprint("hangs", i), 1))
		}
		b.lane("healthy", "w", 16)
		got := make(chan *Job, 1000)
		d := b.dispatch(Options{Concurrency: slots, PerLane: 16, Handler: func(ctx context.Context, j *Job) Outcome {
			if strings.HasPrefix(j.Lane, "hangs") {
				return hang(ctx, j)
			}
			got <- j
			return Outcome{Kind: Succeeded}
		}})
		eventually(t, "two attempts of each hang", func() bool { return d.InFlight() == slots/2 })
		slow := time.Now().Add(slowAfter + 2*slowCheckInterval)
		eventually(t, "they count as slow", func() bool { return time.Now().After(slow) })
		b.looksAgain(d)        // a round that began before would not know
		for i := range lanes { // their windows and their shares would let more in
			b.setConf(fmt.Sprint("hangs", i), "w", 16)
			b.push(to(fmt.Sprint("hangs", i), 2))
		}
		for n := range 30 {
			b.push(to("healthy", 1000+n))
			receive(t, got, "a healthy job")
		}
		eventually(t, "these have ended", func() bool { return b.conf("healthy", "fl") == "0" })
		require.Equal(t, slots/2, d.InFlight())
		require.EqualValues(t, lanes, b.waitingCount())
	})
}

// A dispatcher of one lane gives it every slot, slow or not: there is nobody to leave any for.
func TestOneLaneGetsEverySlot(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, func(l *Limits) { l.InFlight = 20 })
		b.lane("app", "fix", 1, "w", 1_000_000)
		b.push(many("app", 15)...)
		d := b.dispatch(Options{Concurrency: 20, PerLane: 20, OneLane: true, Handler: hang})
		eventually(t, "most slots", func() bool { return d.InFlight() == 15 })
		slow := time.Now().Add(slowAfter + 2*slowCheckInterval)
		eventually(t, "they count as slow", func() bool { return time.Now().After(slow) })
		b.push(many("app", 40)[15:]...)
		eventually(t, "every slot", func() bool { return d.InFlight() == 20 })
	})
}

// With thousands of slots and hundreds of lanes, one of which has half of all work and some of which hang, the others' jobs are all under way long
// before the large one's are: it has no more slots than its own bound.
func TestOneLaneWithHalfOfAllWork(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		const lanes, each, hanging, perLane = 200, 4, 4, 16
		b := newBundle(t, s, func(l *Limits) { l.InFlight = perLane })
		b.lane("large", "w", perLane)
		for some := range slices.Chunk(many("large", lanes*each), 100) {
			b.push(some...)
		}
		name := func(i int) string { return fmt.Sprint("small", i) }
		for i := range lanes {
			b.lane(name(i), "w", perLane)
			b.push(many(name(i), each)...)
		}
		hangs := map[string]bool{}
		for i := range hanging {
			hangs[name(i*lanes/hanging)] = true
		}
		var large, small atomic.Int64
		goOn := make(chan struct{})
		d := b.dispatch(Options{Concurrency: 4096, PerLane: perLane, Handler: func(ctx context.Context, j *Job) Outcome {
			switch {
			case hangs[j.Lane]:
				return hang(ctx, j)
			case j.Lane != "large":
				small.Add(1)
				return Outcome{Kind: Succeeded}
			}
			large.Add(1)
			defer large.Add(-1)
			select {
			case <-goOn:
			case <-ctx.Done():
			}
			return Outcome{Kind: Succeeded}
		}})
		eventually(t, "the small lanes' jobs have ended beside the large lane's first", func() bool { return small.Load() == (lanes-hanging)*each })
		eventually(t, "it has as many slots as it may", func() bool { return large.Load() == perLane })
		b.looksAgain(d)
		require.EqualValues(t, perLane, large.Load(), "and no more")
		close(goOn)
		eventually(t, "all but those that hang have ended", func() bool { return b.waitingCount() == 0 && d.InFlight() == hanging*each })
	})
}
