package sender

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
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
		kills[i] = startChild(t, server.URL(), childLease+"=3s")
	}
	var want []string
	var last Published
	for n := range events {
		last = api.publish(fmt.Sprintf(`{"n":%d}`, n))
		want = append(want, last.ID)
		if n%15 == 14 {
			kills[n/15%senders]()
			kills[n/15%senders] = startChild(t, server.URL(), childLease+"=3s")
		}
	}
	api.reaches(last, StateSucceeded)
	require.Equal(t, want, firsts(to))
}

// firsts are the events of a sink in the order in which each of them came for the first time.
func firsts(to *sink) (ids []string) {
	for _, r := range to.got() {
		if id := r.header.Get(config.HeaderWebhookID); !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// TestOrderedWhileTheStoreIsKilled: Redis dies while an attempt is under way and others wait behind it, at times a sender with it. What was
// promised comes, in the order in which it was published.
func TestOrderedWhileTheStoreIsKilled(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	api := newBundle(t, redistest.Open(t, config.Redis{URL: server.URL()}), func(o *Options) { o.Config.DeliverOff = true })
	const senders, rounds, events = 2, 6, 10
	answers := map[string]chan struct{}{} // of the events whose first attempt waits
	for round := range rounds {
		answers[fmt.Sprintf("%d-2", round)] = make(chan struct{})
	}
	came := make(chan string, rounds)
	var first sync.Map
	to := newSink(t, func(_ int, _ http.ResponseWriter, r *http.Request) {
		id := r.Header.Get(config.HeaderWebhookID)
		if _, again := first.LoadOrStore(id, true); again || answers[id] == nil {
			return
		}
		came <- id
		select {
		case <-answers[id]:
		case <-t.Context().Done():
		}
	})
	_, _, err := api.CreateWebhook(t.Context(), "default", NewWebhook{Settings: Settings{URL: to.URL, Events: []string{"*"}, Ordered: true}})
	require.NoError(t, err)
	kills := make([]func(), senders)
	for i := range kills {
		kills[i] = startChild(t, server.URL(), childLease+"=3s")
	}
	var want []string
	publish := func(id string) (p Published) {
		want = append(want, id)
		eventually(t, "the event is taken", func() bool {
			p, err = api.Publish(t.Context(), "default", Event{ID: id, Type: "video.uploaded", Data: json.RawMessage(guideData)})
			return err == nil
		})
		return p
	}
	var last Published
	for round := range rounds {
		for n := range events {
			last = publish(fmt.Sprintf("%d-%d", round, n))
		}
		var held string
		eventually(t, "an attempt is under way", func() bool {
			select {
			case held = <-came:
				return true
			default:
				return false
			}
		})
		server.Kill()
		which := round % senders
		if round%3 > 0 {
			kills[which]()
		}
		if round%2 > 0 {
			close(answers[held]) // the sender can't tell anybody
		}
		server.Up()
		if round%3 > 0 {
			kills[which] = startChild(t, server.URL(), childLease+"=3s")
		}
		if round%2 == 0 {
			close(answers[held])
		}
	}
	api.reaches(last, StateSucceeded)
	require.Equal(t, want, firsts(to))
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
