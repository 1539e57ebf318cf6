package sender

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/internal/redistest"
)

// TestLesson04_StoreDown: while the store is down nothing is promised, and what was promised is delivered afterwards.
func TestLesson04_StoreDown(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	store := redistest.Open(t, config.Redis{URL: server.URL(), Timeout: redistest.Patience})
	// What was claimed may not have been heard of: then its lease has to end.
	b := newBundle(t, store, func(o *Options) { o.Config.Retry = []time.Duration{0, 100 * time.Millisecond} }).quick(0, 0).start()
	to := newSink(t, nil)
	w := b.webhook(to.URL)
	before := b.publishes("default", Event{ID: "before"})
	b.reaches(before, StateSucceeded)
	b.update(w, WebhookUpdate{Status: ptr(StatusPaused)})
	waiting := b.publishes("default", Event{ID: "waiting"})
	b.update(w, WebhookUpdate{Change: func(to *Webhook) error { to.Description = "x"; return nil }, Status: ptr(StatusActive)})
	server.Kill()

	_, err := b.Publish(t.Context(), "default", Event{ID: "lost-1", Type: "video.uploaded", Data: json.RawMessage(guideData)})
	requireError(t, err, CodeUnavailable, "")
	for _, r := range b.PublishBatch(t.Context(), "default", []Event{{ID: "lost-2", Type: "video.uploaded", Data: json.RawMessage(guideData)}}) {
		requireError(t, r.Err, CodeUnavailable, "")
	}
	var e *Error
	require.ErrorAs(t, err, &e)
	require.Error(t, e.Err, "the operator finds the cause")
	require.NotContains(t, e.Message, "127.0.0.1", "the caller doesn't")
	_, err = b.Webhook(t.Context(), "default", w.ID)
	requireError(t, err, CodeUnavailable, "")
	_, _, err = b.Deliveries(t.Context(), "default", w.ID, DeliveryFilter{})
	requireError(t, err, CodeUnavailable, "")
	_, err = b.StartReplay(t.Context(), "default", w.ID, ReplayRequest{Since: time.Now()})
	requireError(t, err, CodeUnavailable, "")
	_, _, err = b.CreateWebhook(t.Context(), "default", NewWebhook{Settings: Settings{URL: to.URL, Events: []string{"*"}}})
	requireError(t, err, CodeUnavailable, "")
	requireError(t, b.DeleteWebhook(t.Context(), "default", w.ID), CodeUnavailable, "")

	server.Up()
	for _, id := range []string{"lost-1", "lost-2"} {
		var p Published
		eventually(t, "the publisher's retry is taken", func() bool {
			p, err = b.Publish(t.Context(), "default", Event{ID: id, Type: "video.uploaded", Data: json.RawMessage(guideData)})
			return err == nil
		})
		b.reaches(p, StateSucceeded)
	}
	b.reaches(waiting, StateSucceeded)
	count := map[string]int{}
	for _, r := range to.got() {
		count[r.header.Get("webhook-id")]++
	}
	require.Equal(t, map[string]int{"before": 1, "waiting": 1, "lost-1": 1, "lost-2": 1}, count)
}

// TestLesson04_StoreRefusesWrites: a full Redis is no promise either.
func TestLesson04_StoreRefusesWrites(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	store := redistest.Open(t, config.Redis{URL: server.URL()})
	b := newBundle(t, store, nil)
	b.webhook("http://127.0.0.1:1/")
	require.NoError(t, store.Client().ConfigSet(t.Context(), "maxmemory", "1").Err())
	_, err := b.Publish(t.Context(), "default", Event{ID: "x", Type: "video.uploaded", Data: json.RawMessage(guideData)})
	requireError(t, err, CodeUnavailable, "")
	require.NoError(t, store.Client().ConfigSet(t.Context(), "maxmemory", "0").Err())
	eventually(t, "taken again", func() bool {
		p, err := b.Publish(t.Context(), "default", Event{ID: "x", Type: "video.uploaded", Data: json.RawMessage(guideData)})
		return err == nil && !p.Duplicate
	})
}

// TestLostAnswers: where Redis did what it was asked to but its answer was lost, the client asks again, and what was
// done stays done once.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	direct := redistest.Open(t, config.Redis{URL: server.URL()})
	link := redistest.NewProxy(t, server)
	store, err := redisstore.Open(config.Redis{URL: link.URL(), Timeout: redistest.Patience}, "", nil)
	require.NoError(t, err)
	b := newBundle(t, store, nil)
	t.Cleanup(func() { _ = store.Close() }) // before the proxy ends
	require.NoError(t, store.Ready(t.Context()))
	// The scripts have to be loaded, or Redis refuses the first call instead of doing it.
	warm := newBundle(t, direct, nil)
	x := warm.webhook("http://127.0.0.1:1/warm")
	warm.update(x, WebhookUpdate{Change: func(to *Webhook) error { to.Description = "x"; return nil }})
	warm.publishes("warm", Event{ID: "warm"})
	require.NoError(t, warm.DeleteWebhook(t.Context(), "default", x.ID))

	link.LoseAnswer("/registered-once")
	w, _, err := b.CreateWebhook(t.Context(), "default", NewWebhook{Settings: Settings{URL: "http://127.0.0.1:1/registered-once", Events: []string{"*"}}})
	require.NoError(t, err)
	items, _, err := b.ListWebhooks(t.Context(), "default", "", 0)
	require.NoError(t, err)
	require.Len(t, items, 1)
	require.Equal(t, w, items[0])

	link.LoseAnswer("published once")
	p := b.publish(`{"what":"published once"}`)
	require.False(t, p.Duplicate)
	list, _, err := b.Deliveries(t.Context(), "default", w.ID, DeliveryFilter{})
	require.NoError(t, err)
	require.Len(t, list, 1, "one event")
	require.Equal(t, p.ID, list[0].EventID)
	require.Equal(t, p.Deliveries[0].ID, list[0].ID)

	link.LoseAnswer("published with an ID")
	given := b.publishes("default", Event{ID: "given", Data: json.RawMessage(`{"what":"published with an ID"}`)})
	require.Len(t, given.Deliveries, 1)
	list, _, err = b.Deliveries(t.Context(), "default", w.ID, DeliveryFilter{})
	require.NoError(t, err)
	require.Len(t, list, 2)

	link.LoseAnswer("/updated-once")
	w, err = b.UpdateWebhook(t.Context(), "default", w.ID, WebhookUpdate{Change: func(to *Webhook) error { to.URL = "http://127.0.0.1:1/updated-once"; return nil }, Secret: ptr(first16), SecretOverlap: time.Hour})
	require.NoError(t, err)
	require.Equal(t, w, b.hook(w))

	link.LoseAnswer(laneOf(w.ID) + "\r\n$7\r\ndefault\r\n") // of the deletion, which names lane and account
	require.NoError(t, b.DeleteWebhook(t.Context(), "default", w.ID))
	_, err = b.Webhook(t.Context(), "default", w.ID)
	require.ErrorIs(t, err, errNotFound)
	require.Equal(t, 5, link.LostAnswers(), "all those answers were lost")
}

// TestCancelledPublisher: a publisher that gives up gets an error, and its retry finds out.
func TestCancelledPublisher(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, nil).start()
		to := newSink(t, nil)
		b.webhook(to.URL)
		b.reaches(b.publish(guideData), StateSucceeded)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		e := Event{ID: "given-up", Type: "video.uploaded", Data: json.RawMessage(guideData)}
		if _, err := b.Publish(ctx, "default", e); err != nil {
			requireError(t, err, CodeUnavailable, "")
		}
		b.reaches(b.publishes("default", e), StateSucceeded)
		require.Len(t, to.got(), 2)
	})
}
