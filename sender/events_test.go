package sender

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/redistest"
)

// listed goes through all pages of a list of events and returns their IDs.
func (b *bundle) listed(account string, f EventFilter) (ids []string) {
	b.t.Helper()
	for {
		items, next, err := b.Events(b.t.Context(), account, f)
		require.NoError(b.t, err)
		require.LessOrEqual(b.t, len(items), max(f.Limit, 1))
		if next != "" && f.Type == "" {
			require.Len(b.t, items, f.Limit, "a page without a filter is full")
		}
		for _, e := range items {
			ids = append(ids, e.ID)
		}
		if next == "" {
			return ids
		}
		f.Cursor = next
	}
}

// The list of events is newest first, each event once, while others come and go, and an account sees its own.
func TestEventsAreListed(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, nil)
		b.webhook("http://127.0.0.1:9/", "video.uploaded")
		publish := func(account string, n int) string {
			kind := "video.uploaded"
			if n%3 == 0 {
				kind = "video.deleted"
			}
			p, err := b.Publish(t.Context(), account, Event{ID: fmt.Sprint("event-", n), Type: kind, Data: json.RawMessage(`{}`)})
			require.NoError(t, err)
			return p.ID
		}
		require.Empty(t, b.listed("default", EventFilter{Limit: 3}))
		var want []string
		for n := range 10 {
			want = append([]string{publish("default", n)}, want...)
		}
		publish("other", 1)
		publish("default", 4) // again: it is listed once
		require.Equal(t, want, b.listed("default", EventFilter{Limit: 3}))
		require.Equal(t, want, b.listed("default", EventFilter{Limit: 10}), "no empty page at the end")
		require.Equal(t, []string{"event-1"}, b.listed("other", EventFilter{Limit: 100}))
		require.Equal(t, []string{"event-9", "event-6", "event-3", "event-0"}, b.listed("default", EventFilter{Limit: 2, Type: "video.deleted"}))
		require.Empty(t, b.listed("default", EventFilter{Limit: 2, Type: "comment.created"}))

		all, _, err := b.Events(t.Context(), "default", EventFilter{Limit: 100})
		require.NoError(t, err)
		require.Equal(t, map[State]int{StatePending: 1, StateRetrying: 0, StateSucceeded: 0, StateFailed: 0, StateCancelled: 0}, all[1].Deliveries)
		require.Zero(t, all[0].Deliveries[StatePending], "nobody subscribes to it")
		for _, e := range all {
			one, err := b.Event(t.Context(), "default", e.ID)
			require.NoError(t, err)
			require.Equal(t, one.Type, e.Type)
			require.Equal(t, one.Timestamp, e.Timestamp)
		}
		middle := all[4].CreatedAt
		newer := b.listed("default", EventFilter{Limit: 100, Since: middle})
		older := b.listed("default", EventFilter{Limit: 100, Until: middle})
		require.Contains(t, newer, all[4].ID)
		require.Contains(t, older, all[4].ID)
		require.Equal(t, all[0].ID, newer[0])
		require.Equal(t, all[9].ID, older[len(older)-1])
		require.Empty(t, b.listed("default", EventFilter{Limit: 100, Since: time.Now().Add(time.Hour)}))
		require.Empty(t, b.listed("default", EventFilter{Limit: 100, Until: time.Now().Add(-time.Hour)}))
		require.Empty(t, b.listed("default", EventFilter{Limit: 100, Until: time.Unix(-1, 0)}))

		// Between two pages some come and some go.
		page, next, err := b.Events(t.Context(), "default", EventFilter{Limit: 4})
		require.NoError(t, err)
		require.Equal(t, "event-6", page[3].ID)
		publish("default", 10)
		gone, err := b.Event(t.Context(), "default", "event-5")
		require.NoError(t, err)
		_, job, _ := parseDeliveryID(gone.Deliveries[0].ID)
		require.NoError(t, store.Client().Del(t.Context(), b.queue.Tag(mustShard(t, b))+"event:"+job).Err())
		require.Equal(t, []string{"event-4", "event-3", "event-2", "event-1", "event-0"}, b.listed("default", EventFilter{Limit: 3, Cursor: next}))

		for _, bad := range []string{"x", "MQ"} {
			_, _, err := b.Events(t.Context(), "default", EventFilter{Limit: 1, Cursor: bad})
			requireError(t, err, CodeInvalidField, "cursor")
		}
	})
}

// Counts of an event's deliveries follow their states.
func TestListedEventCountsStates(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		good, bad := newSink(t, nil), newSink(t, status(500))
		b := newBundle(t, store, nil)
		b.webhook(good.URL)
		b.webhook(good.URL)
		b.webhook(bad.URL)
		paused := b.webhook(good.URL)
		b.update(paused, WebhookUpdate{Status: ptr(StatusPaused)})
		removed := b.webhook(good.URL)
		b.update(removed, WebhookUpdate{Status: ptr(StatusPaused)})
		b.publish(guideData)
		require.NoError(t, b.DeleteWebhook(t.Context(), "default", removed.ID))
		b.start()
		want := map[State]int{StatePending: 1, StateRetrying: 1, StateSucceeded: 2, StateFailed: 0, StateCancelled: 1}
		eventually(t, "all have come to their states", func() bool {
			items, _, err := b.Events(t.Context(), "default", EventFilter{})
			require.NoError(t, err)
			require.Len(t, items, 1)
			return fmt.Sprint(items[0].Deliveries) == fmt.Sprint(want)
		})
	})
}
