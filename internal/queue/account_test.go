package queue

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/internal/redistest"
)

// Lesson 64: what an account has waiting is bounded, whatever the number of its lanes. Those with little waiting go on.
func TestLesson64AccountsBacklogIsBounded(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, func(l *Limits) { l.Pending, l.PendingAccount = 10_000, 1300 })
		for _, lane := range []string{"big", "small", "other"} {
			account := "a"
			if lane == "other" {
				account = "b"
			}
			b.lane(lane, "a", account, "st", "paused", "w", 5000)
		}
		n := 0
		push := func(lane string, count int) (refused int) {
			events := make([]*Event, count)
			for i := range events {
				n++
				events[i] = to(lane, n)
			}
			for _, p := range b.push(events...) {
				for _, r := range p.Refused {
					require.Equal(t, "backlog", r.Reason)
					refused++
				}
			}
			return refused
		}
		pending := func(account string) int64 {
			n, _ := s.Client().HGet(t.Context(), b.key("pending"), account).Int64()
			return n
		}
		require.Zero(t, push("big", 900))
		require.Zero(t, push("small", 300))
		require.Zero(t, push("other", 5))
		require.Equal(t, 149, push("big", 250), "it takes 1,001 in any case, and then the account has too many")
		require.EqualValues(t, 1301, pending("a"))
		require.Zero(t, push("small", 20), "it has little waiting")
		require.Zero(t, push("other", 5))
		require.EqualValues(t, 10, pending("b"))
		dead := s.Client().ZRange(t.Context(), b.key("dead:big"), 0, 0).Val()
		resend := func(want Resent) {
			r, err := b.Resend(t.Context(), 0, "big", dead[0])
			require.NoError(t, err)
			require.Equal(t, []Resent{want}, r)
		}
		resend(ResentBacklog)

		b.setStatus("big", "active")
		jobs := b.claim(10).jobs
		require.NotEmpty(t, jobs)
		require.EqualValues(t, 1321-len(jobs), pending("a"))
		b.settle(Outcome{Kind: Retry}, jobs[0])
		b.settle(Outcome{Kind: Succeeded}, jobs[1:]...)
		require.EqualValues(t, 1322-len(jobs), pending("a"))
		b.setStatus("big", "paused")
		resend(ResentQueued)
		require.Equal(t, 3, push("big", len(jobs)+1))
		for _, lane := range []string{"big", "small", "other"} {
			b.deleteLane(lane)
		}
		require.Zero(t, s.Client().Exists(t.Context(), b.key("pending")).Val())
	})
}
