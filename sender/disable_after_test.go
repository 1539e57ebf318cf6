package sender

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/redistest"
)

// TestDisableAfter: a webhook whose attempts have all failed for that long gets nothing more, and its owner is told.
func TestDisableAfter(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, func(o *Options) {
			o.Config.Retry, o.Config.DisableAfter = []time.Duration{0, 20 * time.Millisecond, 20 * time.Millisecond, time.Hour}, 30*time.Millisecond
		}).start()
		to, owner := newSink(t, status(500)), newSink(t, nil)
		w := b.webhook(to.URL, "video.*")
		b.webhook(owner.URL, "system.error", "system.warning")
		p := b.publish(guideData)
		eventually(t, "it is disabled", func() bool { return b.hook(w).Status == StatusDisabled })
		d := b.delivery(p)
		require.Equal(t, StateRetrying, d.State, "what waits is its owner's to resume")
		require.Nil(t, d.NextAttemptAt)
		eventually(t, "the owner is told", func() bool { return len(owner.got()) == 1 })
		n := readNoticeBody(t, owner.got()[0])
		require.Equal(t, "system.error", n.Event)
		require.Equal(t, "webhook_failed", n.Data["kind"])
		require.Equal(t, p.ID, n.Data["eventId"])
		require.Equal(t, 500.0, n.Data["lastStatusCode"])
		require.NotContains(t, n.Data, "failedDeliveries", "none has failed yet")

		late := b.publish(guideData)
		d = b.delivery(late)
		require.Equal(t, StateFailed, d.State)
		require.Equal(t, ReasonDisabled, d.Reason)
	})
}

// TestDisableAfterStartsAnewWithItsOwner: another URL or status begins a new count.
func TestDisableAfterStartsAnewWithItsOwner(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, func(o *Options) { o.Config.Retry, o.Config.DisableAfter = []time.Duration{0, time.Hour}, time.Hour }).start()
		to := newSink(t, status(500))
		w := b.webhook(to.URL, "video.*")
		shard, err := b.shard(t.Context(), "default")
		require.NoError(t, err)
		counts := func() bool {
			return store.Client().HExists(t.Context(), b.queue.Tag(shard)+"conf:"+laneOf(w.ID), "bs").Val()
		}
		for _, u := range []WebhookUpdate{
			{Change: func(w *Webhook) error { w.URL += "/elsewhere"; return nil }},
			{Status: ptr(StatusPaused)},
		} {
			b.attempts(b.publish(guideData), 1)
			eventually(t, "it counts", counts)
			b.update(w, WebhookUpdate{Change: func(w *Webhook) error { w.Description += "."; return nil }})
			require.True(t, counts(), "what else changes leaves it as it is")
			b.update(w, u)
			require.False(t, counts())
		}
	})
}
