package sender

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/redistest"
)

// The figures are what the sink counted, on both stores, and go with the webhook.
func TestStatsAreWhatTheSinkCounted(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		good := newSink(t, nil)
		var turn atomic.Int64
		bad := newSink(t, func(_ int, w http.ResponseWriter, r *http.Request) { // each delivery fails up to three times, whichever are under way together
			if attempt := r.Header.Get("X-VideoCloud-Attempt"); attempt < "4" && turn.Add(1)%3 > 0 {
				w.WriteHeader(http.StatusInternalServerError)
			}
		})
		b := newBundle(t, store, func(o *Options) { o.Config.Retry = []time.Duration{0, 0, 0, 0} }).start()
		one, two := b.webhook(good.URL), b.webhook(bad.URL)
		for range 40 {
			b.publish(guideData)
		}
		ctx := t.Context()
		stats := func(w Window, id string) Stats {
			s, err := b.WebhookStats(ctx, "default", id, w)
			require.NoError(t, err)
			return s
		}
		eventually(t, "everything is settled", func() bool {
			s, err := b.Stats(ctx, "default", WindowHour)
			require.NoError(t, err)
			return s.Succeeded == 80
		})
		for w, buckets := range map[Window]int{WindowHour: 60, WindowDay: 48, WindowWeek: 56} {
			s := stats(w, one.ID)
			require.Len(t, s.Buckets, buckets)
			require.EqualValues(t, len(good.got()), s.Succeeded)
			require.Zero(t, s.Failed)
			s = stats(w, two.ID)
			require.EqualValues(t, 40, s.Succeeded)
			require.EqualValues(t, len(bad.got()), s.Succeeded+s.Failed)
			for _, account := range []string{"default", AnyAccount} {
				s, err := b.Stats(ctx, account, w)
				require.NoError(t, err)
				require.EqualValues(t, 80, s.Succeeded)
				require.EqualValues(t, len(good.got())+len(bad.got()), s.Succeeded+s.Failed)
				require.Zero(t, s.Waiting)
			}
		}
		s, err := b.Stats(ctx, "other", WindowDay)
		require.NoError(t, err)
		require.Zero(t, s.Succeeded+s.Failed)
		_, err = b.Stats(ctx, "default", "2h")
		var refused *Error
		require.ErrorAs(t, err, &refused)
		require.Equal(t, "window", refused.Field)

		require.NoError(t, b.DeleteWebhook(ctx, "default", one.ID))
		_, err = b.WebhookStats(ctx, "default", one.ID, WindowDay)
		require.ErrorIs(t, err, errNotFound)
		shard, err := b.shard(ctx, "default")
		require.NoError(t, err)
		require.Zero(t, store.Client().Exists(ctx, b.queue.Tag(shard)+"figures:w:"+laneOf(one.ID)).Val())
		s, err = b.Stats(ctx, "default", WindowDay)
		require.NoError(t, err)
		require.EqualValues(t, 80, s.Succeeded, "what the account did stays")
	})
}
