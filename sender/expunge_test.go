package sender

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redistest"
)

// contents is all that the store holds, a line for each key.
func (b *bundle) contents() string {
	b.t.Helper()
	ctx, c := b.t.Context(), b.store.Client()
	keys, err := c.Keys(ctx, "*").Result()
	require.NoError(b.t, err)
	var all strings.Builder
	for _, key := range keys {
		var value any
		switch kind := c.Type(ctx, key).Val(); kind {
		case "string":
			value = c.Get(ctx, key).Val()
		case "hash":
			value = c.HGetAll(ctx, key).Val()
		case "list":
			value = c.LRange(ctx, key, 0, -1).Val()
		case "set":
			value = c.SMembers(ctx, key).Val()
		case "zset":
			value = c.ZRangeWithScores(ctx, key, 0, -1).Val()
		case "stream":
			value = c.XRange(ctx, key, "-", "+").Val()
		case "none": // it ended meanwhile
		default:
			b.t.Fatalf("a key of the type %s", kind)
		}
		fmt.Fprintf(&all, "%s %q\n", key, fmt.Sprint(value))
	}
	return all.String()
}

const (
	markOfPayload = "Zq7-payload"
	markOfAnswer  = "Zq7-answer"
)

// TestAnExpungedEventLeavesNothingBehind: whatever has become of its deliveries, and also where one is under way.
func TestAnExpungedEventLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, func(o *Options) { o.Config.Retry = []time.Duration{0, time.Hour} }).start()
		under, goOn := make(chan string, 3), make(chan struct{})
		let := sync.OnceFunc(func() { close(goOn) })
		answer := func(code int, wait bool) string {
			return newSink(t, func(_ int, w http.ResponseWriter, r *http.Request) {
				if wait {
					under <- r.URL.Path
					<-goOn
				}
				w.WriteHeader(code)
				_, _ = io.WriteString(w, markOfAnswer)
			}).URL
		}
		succeeded, retrying := b.webhook(answer(200, false)), b.webhook(answer(500, false))
		paused := b.webhook(answer(200, false))
		b.update(paused, WebhookUpdate{Status: new(StatusPaused)})
		b.webhook(answer(200, true) + "/succeeds")
		b.webhook(answer(500, true) + "/fails")
		b.in("alone", answer(200, true)+"/alone")
		t.Cleanup(let) // before the endpoints end, which wait for what they answer

		event := Event{ID: "order-1", Type: "video.uploaded", Data: json.RawMessage(`{"v":"` + markOfPayload + `"}`)}
		p, err := b.Publish(t.Context(), "default", event)
		require.NoError(t, err)
		_, err = b.Publish(t.Context(), "alone", event)
		require.NoError(t, err)
		for range 3 {
			<-under
		}
		for _, d := range p.Deliveries {
			for id, state := range map[string]State{succeeded.ID: StateSucceeded, retrying.ID: StateRetrying} {
				if d.WebhookID == id {
					b.reaches(Published{Deliveries: []DeliveryRef{d}}, state)
				}
			}
		}
		require.Contains(t, b.contents(), markOfAnswer)

		require.NoError(t, b.DeleteEvent(t.Context(), "default", "order-1"))
		require.NoError(t, b.DeleteEvent(t.Context(), "alone", "order-1"))
		gone := func() {
			t.Helper()
			all := b.contents()
			require.NotContains(t, all, markOfPayload)
			require.NotContains(t, all, markOfAnswer)
			for _, account := range []string{"default", "alone"} {
				_, err := b.Event(t.Context(), account, "order-1")
				requireError(t, err, CodeNotFound, "")
				requireError(t, b.DeleteEvent(t.Context(), account, "order-1"), CodeNotFound, "")
				_, err = b.Publish(t.Context(), account, event)
				requireError(t, err, CodeConflict, "id")
				list, _, err := b.Events(t.Context(), account, EventFilter{})
				require.NoError(t, err)
				require.Empty(t, list)
			}
			for _, d := range p.Deliveries {
				_, err := b.Delivery(t.Context(), "default", d.ID)
				requireError(t, err, CodeNotFound, "")
				_, err = b.RetryDelivery(t.Context(), "default", d.ID)
				requireError(t, err, CodeNotFound, "")
				list, _, err := b.Deliveries(t.Context(), "default", d.WebhookID, DeliveryFilter{})
				require.NoError(t, err)
				require.Empty(t, list)
			}
		}
		gone()
		let()
		b.rests("default")
		b.rests("alone")
		gone()
		require.NotContains(t, b.contents(), "job:", "nothing waits or is kept as failed")
		require.NotContains(t, b.contents(), "lane:")
		require.NotContains(t, b.contents(), "expunge:")
		// The webhooks go on.
		b.update(paused, WebhookUpdate{Status: new(StatusActive)})
		for _, d := range b.publish(guideData).Deliveries {
			if d.WebhookID == paused.ID {
				b.reaches(Published{Deliveries: []DeliveryRef{d}}, StateSucceeded)
			}
		}
	})
}

// TestExpungingGoesOnAfterARestart: its steps are bounded, and whoever comes next does the rest.
func TestExpungingGoesOnAfterARestart(t *testing.T) {
	t.Parallel()
	b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), once)
	for range 250 {
		b.webhook("http://127.0.0.1:1/")
	}
	p, err := b.Publish(t.Context(), "default", Event{Type: "video.uploaded", Data: json.RawMessage(`{"v":"` + markOfPayload + `"}`)})
	require.NoError(t, err)
	step, err := b.queue.Expunge(t.Context(), mustShard(t, b), "default", p.ID, jobOfEventID(p.ID))
	require.NoError(t, err)
	require.Equal(t, 150, step.Left)
	require.NotContains(t, b.contents(), markOfPayload, "the first step takes the payload")
	require.Contains(t, b.contents(), "expunge:"+step.Job)
	require.Contains(t, b.contents(), "lane:")
	_, err = b.Event(t.Context(), "default", p.ID)
	requireError(t, err, CodeNotFound, "")

	b.start()
	eventually(t, "the rest is done", func() bool { return !strings.Contains(b.contents(), "expunge:") })
	b.rests("default") // what was under way when its payload was taken
	require.NotContains(t, b.contents(), "lane:")
}
