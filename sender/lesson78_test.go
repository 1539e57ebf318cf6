package sender

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redistest"
)

// pausing is an endpoint that asks for a pause until it is told to answer 200.
type pausing struct {
	*sink
	open   atomic.Bool
	asks   string // its Retry-After
	answer int
}

func newPausing(t *testing.T, code int, asks string) *pausing {
	p := &pausing{asks: asks, answer: code}
	p.sink = newSink(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		if !p.open.Load() {
			w.Header().Set("Retry-After", p.asks)
			w.WriteHeader(p.answer)
		}
	})
	return p
}

// held starts a sender with a stopped clock whose webhook is held, and returns what holds it.
func held(t *testing.T, asks string) (b *bundle, c *clock, to *pausing, w Webhook, first Published) {
	b = newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), nil)
	c = stopClock(b)
	b.start()
	to = newPausing(t, http.StatusTooManyRequests, asks)
	w = b.webhook(to.URL)
	first = b.publish(guideData)
	d := b.attempts(first, 1)
	require.Equal(t, StateRetrying, d.State)
	to.open.Store(true)
	return b, c, to, w, first
}

// settles waits until what another webhook was sent after it has arrived: what could go before has gone by then.
func (b *bundle) settles(account string) {
	b.t.Helper()
	to := newSink(b.t, nil)
	b.in(account, to.URL)
	_, err := b.Publish(b.t.Context(), account, Event{Type: "video.uploaded", Data: []byte(guideData)})
	require.NoError(b.t, err)
	eventually(b.t, "another account's event arrived", func() bool { return len(to.got()) == 1 })
}

// TestLesson78_RetryAfterHoldsTheWebhook: ten waiting events don't go to an endpoint that has just said "5 seconds".
func TestLesson78_RetryAfterHoldsTheWebhook(t *testing.T) {
	t.Parallel()
	b, c, to, w, _ := held(t, "5")
	until := b.hook(w).HeldUntil
	require.NotNil(t, until)
	require.Equal(t, c.at.Add(5*time.Second).UTC(), *until)
	var waiting []Published
	for range 10 {
		waiting = append(waiting, b.publish(guideData))
	}
	c.advance(4999 * time.Millisecond)
	b.settles("other")
	require.Len(t, to.got(), 1, "not one of them")
	require.Equal(t, until.UTC(), *b.delivery(waiting[0]).NextAttemptAt)
	c.advance(time.Millisecond)
	for _, p := range waiting {
		b.reaches(p, StateSucceeded)
	}
	require.Nil(t, b.hook(w).HeldUntil)
}

// TestLesson78_WaitingEventsAreHeld: those that came before the answer wait as well, on either kind of store.
func TestLesson78_WaitingEventsAreHeld(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, nil).start()
		to := newPausing(t, http.StatusServiceUnavailable, "3600")
		w := b.webhook(to.URL)
		paused, active := StatusPaused, StatusActive
		b.update(w, WebhookUpdate{Status: &paused})
		var all []Published
		for range 10 {
			all = append(all, b.publish(guideData))
		}
		b.update(w, WebhookUpdate{Status: &active})
		eventually(t, "held", func() bool { return b.hook(w).HeldUntil != nil })
		b.rests("default") // what began before the answer has had its own
		b.settles("default2")
		started := len(to.got())
		require.LessOrEqual(t, started, 2, "the first window, which was under way")
		to.open.Store(true)
		_, err := b.RetryDelivery(t.Context(), "default", all[9].Deliveries[0].ID)
		require.NoError(t, err)
		require.Nil(t, b.hook(w).HeldUntil, "its owner asked")
		for _, p := range all[started:] {
			b.reaches(p, StateSucceeded)
		}
	})
}

// TestLesson78_WhatEndsAHold: beside its time.
func TestLesson78_WhatEndsAHold(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(b *bundle, w Webhook, first Published, to *pausing){
		"another URL": func(b *bundle, w Webhook, _ Published, to *pausing) {
			url := to.URL + "/elsewhere"
			b.update(w, WebhookUpdate{Change: func(w *Webhook) error { w.URL = url; return nil }})
		},
		"a retry": func(b *bundle, _ Webhook, first Published, _ *pausing) {
			_, err := b.RetryDelivery(b.t.Context(), "default", first.Deliveries[0].ID)
			require.NoError(b.t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, _, to, w, first := held(t, "60")
			p := b.publish(guideData)
			b.settles("other")
			require.Len(t, to.got(), 1)
			end(b, w, first, to)
			require.Nil(t, b.hook(w).HeldUntil)
			b.reaches(p, StateSucceeded)
		})
	}
}

// TestLesson78_WhatLeavesAHold: changes that say nothing about the endpoint.
func TestLesson78_WhatLeavesAHold(t *testing.T) {
	t.Parallel()
	b, _, to, w, _ := held(t, "60")
	p := b.publish(guideData)
	paused, active := StatusPaused, StatusActive
	b.update(w, WebhookUpdate{Change: func(w *Webhook) error { w.RateLimit = 100; return nil }})
	b.update(w, WebhookUpdate{Status: &paused})
	require.NotNil(t, b.update(w, WebhookUpdate{Status: &active}).HeldUntil)
	b.settles("other")
	require.Len(t, to.got(), 1)
	require.Equal(t, StatePending, b.delivery(p).State)
}

// TestLesson78_LastAttemptHolds: the answer to an attempt that is the last of its delivery holds the others too.
func TestLesson78_LastAttemptHolds(t *testing.T) {
	t.Parallel()
	b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), func(o *Options) { o.Config.Retry = []time.Duration{0} })
	stopClock(b)
	b.start()
	to := newPausing(t, http.StatusTooManyRequests, "60")
	w := b.webhook(to.URL)
	b.reaches(b.publish(guideData), StateFailed)
	require.NotNil(t, b.hook(w).HeldUntil)
	p := b.publish(guideData)
	b.settles("other")
	require.Equal(t, StatePending, b.delivery(p).State)
	require.Len(t, to.got(), 1)
}
