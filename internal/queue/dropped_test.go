package queue

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/internal/redistest"
)

// A failed job that the cap drops must not pass for delivered, and is sent again while its payload is there.
func TestDroppedFailuresStayFailures(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, func(l *Limits) { l.Pending = 1 })
		b.lane("one")
		var jobs []string
		for i := range 3 {
			e := event(i)
			b.push(e)
			b.settle(Outcome{Kind: Failed, Reason: "broken"}, b.claim(1).jobs...)
			jobs = append(jobs, e.Job)
		}
		require.EqualValues(t, 1, s.Client().ZCard(t.Context(), b.Tag(0)+"dead:one").Val())
		all, err := b.Inspect(t.Context(), 0, "one", jobs...)
		require.NoError(t, err)
		require.Equal(t, []string{"dropped", "dropped", "dead"}, []string{all[0].word(), all[1].word(), all[2].word()})
		for _, st := range all {
			require.Equal(t, "broken", st.Reason)
		}
		resent, err := b.Resend(t.Context(), 0, "one", jobs[0])
		require.NoError(t, err)
		require.Equal(t, ResentQueued, resent[0])
		b.settle(Outcome{Kind: Succeeded}, b.claim(1).jobs...)
		require.NoError(t, s.Client().Del(t.Context(), b.Tag(0)+"body:"+jobs[1]).Err())
		all, err = b.Inspect(t.Context(), 0, "one", jobs...)
		require.NoError(t, err)
		require.Equal(t, []string{"done", "dropped", "dead"}, []string{all[0].word(), all[1].word(), all[2].word()})
		require.False(t, all[1].Payload)
	})
}
