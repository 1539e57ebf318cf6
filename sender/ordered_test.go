package sender

import (
	"fmt"
	"net/http"
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
		if id := r.header.Get(http.CanonicalHeaderKey(config.HeaderWebhookID)); !slices.Contains(first, id) {
			first = append(first, id)
		}
	}
	require.Equal(t, want, first)
}
