package queue

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/internal/redistest"
)

// Whatever is done in whatever order: every job is in exactly one place, everything counted is counted right, nothing
// is lost, and nothing is kept without an end.
func TestRandomSteps(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Limits){
		"roomy": nil,
		"tight": func(l *Limits) { l.Pending, l.InFlight, l.MaxAge = 12, 3, 2*time.Minute },
	} {
		for seed := range uint64(2) {
			t.Run(fmt.Sprintf("%s %d", name, seed), func(t *testing.T) {
				t.Parallel()
				redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
					limits, lease := testLimits, 20*time.Second
					if change != nil {
						change(&limits)
					}
					if !s.InMemory() { // its clock runs: nothing ends, or grows too old, between two steps
						limits.MaxAge, lease = testLimits.MaxAge, time.Hour
					}
					m := &model{bundle: newBundle(t, s, func(l *Limits) { *l = limits }), Rand: rand.New(rand.NewPCG(seed, 7)), limits: limits, lease: lease,
						lanes: map[string]string{}, fates: map[delivery]*fate{}, events: map[string][]string{}, first: map[string]string{}, payloads: map[string]string{},
						order: map[string]bool{}, mixed: map[string]bool{}}
					if s.InMemory() {
						m.now = time.UnixMilli(1_800_000_000_000)
						s.SetTime(m.now)
					}
					m.pushLanes = 2 // so that an event takes several parts
					for i := range 6 {
						m.lanes[fmt.Sprint("lane", i)] = "active"
						m.lane(fmt.Sprint("lane", i), "a", "a")
						if i%2 == 1 {
							m.setOrder(fmt.Sprint("lane", i), true)
						}
					}
					for n := range 300 {
						m.step()
						m.reaped()
						m.dropped()
						if n%10 == 0 {
							m.check()
						}
					}
					m.finish()
				})
			})
		}
	}
}

// finish lets everything succeed that still can.
func (m *model) finish() {
	for m.finishPush() {
	}
	for lane, status := range m.lanes {
		if status != "deleted" {
			m.setStatus(lane, "active")
			m.lanes[lane] = "active"
		}
	}
	m.pass(30 * time.Second) // leases run out, retries are due
	if m.now.IsZero() {
		for _, j := range m.held {
			m.settle(Outcome{Kind: Back}, j)
		}
	}
	for range 1000 {
		c := m.bundle.claim(16)
		m.expired(c)
		if len(c.jobs) == 0 && m.waitingCount() == 0 {
			break
		}
		m.settle(Outcome{Kind: Succeeded}, c.jobs...)
	}
	m.pass(time.Minute)
	require.Zero(m, m.waitingCount())
	for _, key := range []string{"ready", "leases"} {
		require.Zero(m, m.redis().Exists(m.Context(), m.key(key)).Val(), key)
	}
	for lane := range m.lanes {
		fl := m.conf(lane, "fl")
		require.True(m, m.lanes[lane] == "deleted" || fl == "0" || fl == "", "%s: %s", lane, fl)
	}
}
