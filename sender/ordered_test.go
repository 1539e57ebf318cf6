package sender

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redistest"
)

// TestOrderedWhileSendersAreKilled: first attempts come in the order of publishing, whichever of the senders dies in the middle of one.
func TestOrderedWhileSendersAreKilled(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	store := redistest.Open(t, config.Redis{URL: server.URL()})
	api := newBundle(t, store, func(o *Options) { o.Config.DeliverOff = true })
	to := newSink(t, nil)
	_, _, err := api.CreateWebhook(t.Context(), "default", NewWebhook{Settings: Settings{URL: to.URL, Events: []string{"*"}, Ordered: true}})
	require.NoError(t, err)
	const senders, events = 3, 90
	kills := make([]func(), senders)
	for i := range kills {
		kills[i] = startChild(t, server.URL())
	}
	var want []string
	var last Published
	for n := range events {
		last = api.publish(fmt.Sprintf(`{"n":%d}`, n))
		want = append(want, last.ID)
		if n%15 == 14 {
			kills[n/15%senders]()
			kills[n/15%senders] = startChild(t, server.URL())
		}
	}
	api.reaches(last, StateSucceeded)
	var first []string
	for _, r := range to.got() {
		if id := r.header.Get(config.HeaderWebhookID); !slices.Contains(first, id) {
			first = append(first, id)
		}
	}
	require.Equal(t, want, first)
}

// TestOrderedWhileEventsWait: a webhook that becomes ordered sends what waits in the order of publishing, and says that it is.
func TestOrderedWhileEventsWait(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, nil).start()
		to := newSink(t, nil)
		w := b.webhook(to.URL)
		b.update(w, WebhookUpdate{Status: ptr(StatusPaused)})
		var want []string
		var last Published
		for n := range 30 {
			last = b.publish(fmt.Sprintf(`{"n":%d}`, n))
			want = append(want, last.ID)
		}
		ordered := func(is bool) WebhookUpdate {
			return WebhookUpdate{Change: func(w *Webhook) error { w.Ordered = is; return nil }, Status: ptr(StatusActive)}
		}
		require.True(t, b.update(w, ordered(true)).Ordered)
		require.True(t, b.hook(w).Ordered)
		b.reaches(last, StateSucceeded)
		var got []string
		for _, r := range to.got() {
			got = append(got, r.header.Get(config.HeaderWebhookID))
		}
		require.Equal(t, want, got)
		require.False(t, b.update(w, ordered(false)).Ordered)
		b.reaches(b.publish(guideData), StateSucceeded)
	})
}
