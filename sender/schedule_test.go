package sender

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redistest"
)

// lengths is a retry table.
func lengths(table ...time.Duration) []config.Duration {
	list := make([]config.Duration, len(table))
	for i, d := range table {
		list[i] = config.Duration(d)
	}
	return list
}

// having registers a webhook with these settings.
func (b *bundle) having(url string, change func(v *Settings)) Webhook {
	b.t.Helper()
	v := Settings{URL: url, Events: []string{"video.*"}}
	change(&v)
	w, _, err := b.CreateWebhook(b.t.Context(), "default", NewWebhook{Settings: v, Secret: "your_webhook_secret"})
	require.NoError(b.t, err)
	return w
}

func (b *bundle) change(w Webhook, change func(v *Settings)) {
	b.t.Helper()
	b.update(w, WebhookUpdate{Change: func(to *Webhook) error { change(&to.Settings); return nil }})
}

func TestAWebhooksOwnTableDecides(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		down := newSink(t, status(500))
		b := newBundle(t, store, nil).start()
		own := b.having(down.URL+"/own", func(v *Settings) { v.Retry = lengths(0, time.Millisecond, time.Millisecond) })
		usual := b.having(down.URL+"/usual", func(v *Settings) {})
		b.publish(guideData)
		eventually(t, "failed after three", func() bool { return b.only(own).State == StateFailed })
		require.Len(t, b.only(own).Attempts, 3)
		require.Equal(t, StatusFailed, b.hook(own).Status)
		eventually(t, "the other waits for a minute", func() bool { return b.only(usual).State == StateRetrying })
		x, err := b.Explain(t.Context(), "default", b.only(usual).ID)
		require.NoError(t, err)
		require.Contains(t, x.Deliveries[0].Says[0], "attempt 1 of 5")

		b.change(usual, func(v *Settings) { v.Retry = lengths(0, time.Hour) })
		x, err = b.Explain(t.Context(), "default", b.only(usual).ID)
		require.NoError(t, err)
		require.Contains(t, x.Deliveries[0].Says[0], "attempt 1 of 2")
	})
}

// What is changed while deliveries wait counts from the next attempt on: it comes with the claim.
func TestAChangedTableCountsFromTheNextAttemptOn(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		var b *bundle
		var w Webhook
		down := newSink(t, func(n int, rw http.ResponseWriter, _ *http.Request) {
			if n == 2 { // this attempt was claimed with the table of before
				_, err := b.UpdateWebhook(t.Context(), "default", w.ID, WebhookUpdate{Change: func(to *Webhook) error { to.Retry = lengths(0, 0); return nil }})
				if err != nil {
					t.Error(err)
				}
			}
			rw.WriteHeader(500)
		})
		b = newBundle(t, store, func(o *Options) { o.Config.Timeout = 0 }) // the default
		w = b.having(down.URL, func(v *Settings) { v.Retry = lengths(0, 0, 0, 0, 0, 0) })
		b.start()
		b.publish(guideData)
		eventually(t, "failed", func() bool { return b.only(w).State == StateFailed })
		require.Len(t, b.only(w).Attempts, 3, "the third was the first with two in the table")

		b.change(w, func(v *Settings) { v.Retry = nil })
		require.Nil(t, b.hook(w).Retry)
		e, err := b.endpoint(laneOf(w.ID), b.metaOf(w))
		require.NoError(t, err)
		require.Equal(t, config.DefaultRetry(), e.retry)
		require.Equal(t, 15*time.Second, e.timeout)
	})
}

func TestAWebhooksOwnTimeoutDecides(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		hanging := newSink(t, func(_ int, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		b := newBundle(t, store, func(o *Options) { o.Config.Timeout = time.Hour; o.Config.Retry = []time.Duration{0} }).start()
		w := b.having(hanging.URL, func(v *Settings) { v.Timeout = config.Duration(time.Second) })
		b.publish(guideData)
		eventually(t, "timed out", func() bool { return b.only(w).State == StateFailed })
		d := b.only(w)
		require.Len(t, d.Attempts, 1)
		require.Contains(t, d.Attempts[0].Error, "in time")
	})
}

// metaOf is what a claim would hand out of a webhook now.
func (b *bundle) metaOf(w Webhook) string {
	b.t.Helper()
	_, r, err := b.record(b.t.Context(), "default", w.ID)
	require.NoError(b.t, err)
	return r.Meta
}

func TestATimeoutMustLeaveRoomForTheTable(t *testing.T) {
	t.Parallel()
	b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), func(o *Options) {
		o.Config.DeliverOff, o.Config.MaxAge, o.Config.Timeout = true, time.Hour, 15*time.Second
	})
	w := b.having("http://127.0.0.1:1/", func(v *Settings) { v.Retry = lengths(0, 59*time.Minute) })
	_, err := b.UpdateWebhook(t.Context(), "default", w.ID, WebhookUpdate{Change: func(to *Webhook) error {
		to.Timeout = config.Duration(time.Minute)
		return nil
	}})
	requireError(t, err, CodeInvalidField, "timeout")
	_, err = b.UpdateWebhook(t.Context(), "default", w.ID, WebhookUpdate{Change: func(to *Webhook) error {
		to.Timeout, to.Retry = config.Duration(time.Minute), lengths(0, 58*time.Minute)
		return nil
	}})
	require.NoError(t, err, "together they fit")
}

// only is the one delivery to a webhook.
func (b *bundle) only(w Webhook) Delivery {
	b.t.Helper()
	items, _, err := b.Deliveries(b.t.Context(), "default", w.ID, DeliveryFilter{})
	require.NoError(b.t, err)
	require.Len(b.t, items, 1)
	return items[0]
}
