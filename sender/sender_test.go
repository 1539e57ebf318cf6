package sender

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redistest"
)

func TestDelivery(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, nil).start()
		to := newSink(t, nil)
		w, _, err := b.CreateWebhook(t.Context(), "default", NewWebhook{Settings: Settings{URL: to.URL + "/hook", Events: []string{"video.*"}}, Secret: "your_webhook_secret", Headers: map[string]string{"Authorization": "Bearer token"}})
		require.NoError(t, err)
		const data = `{"n": 12345678901234567890123, "esc":"\u00e9<>&",   "b":1.0e5}`
		p := b.publish(data)
		require.Len(t, p.Deliveries, 1)
		require.Equal(t, w.ID, p.Deliveries[0].WebhookID)
		eventually(t, "delivered", func() bool { return len(to.got()) == 1 })
		r := to.got()[0]

		require.Equal(t, `{"event":"video.uploaded","timestamp":"`+p.Timestamp.Format(time.RFC3339)+`","data":`+data+`}`, string(r.body))
		mac := hmac.New(sha256.New, []byte("your_webhook_secret"))
		mac.Write(r.body)
		require.Equal(t, hex.EncodeToString(mac.Sum(nil)), r.header.Get("X-VideoCloud-Signature"))
		mac.Reset()
		mac.Write([]byte(p.ID + "." + r.header.Get("webhook-timestamp") + "."))
		mac.Write(r.body)
		require.Equal(t, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)), r.header.Get("webhook-signature"))
		require.Equal(t, p.ID, r.header.Get("webhook-id"))
		require.Equal(t, p.ID, r.header.Get("X-VideoCloud-Event-Id"))
		require.Equal(t, "video.uploaded", r.header.Get("X-VideoCloud-Event"))
		require.Equal(t, "1", r.header.Get("X-VideoCloud-Attempt"))
		installation, err := b.Installation(t.Context())
		require.NoError(t, err)
		require.Equal(t, installation, r.header.Get("X-VideoCloud-Installation"))
		require.Equal(t, "application/json", r.header.Get("Content-Type"))
		require.Equal(t, "VideoCloud-Webhooks/1.0.0", r.header.Get("User-Agent"))
		require.Equal(t, "Bearer token", r.header.Get("Authorization"))
		require.Empty(t, r.header.Get("traceparent"))

		eventually(t, "succeeded", func() bool {
			d, err := b.Delivery(t.Context(), "default", p.Deliveries[0].ID)
			return err == nil && d.State == StateSucceeded && len(d.Attempts) == 1 && d.Attempts[0].StatusCode == 200
		})
		w, err = b.Webhook(t.Context(), "default", w.ID)
		require.NoError(t, err)
		require.True(t, w.LastDelivery.Success)
		e, err := b.Event(t.Context(), "default", p.ID)
		require.NoError(t, err)
		require.JSONEq(t, data, string(e.Data))
		list, next, err := b.Deliveries(t.Context(), "default", w.ID, DeliveryFilter{})
		require.NoError(t, err)
		require.Empty(t, next)
		require.Len(t, list, 1)
		require.Equal(t, p.ID, list[0].EventID)
	})
}

// TestRetryTable walks the guide's table on a simulated clock: attempts at 0 s, 1 min, 6 min, 21 min and 51 min.
func TestRetryTable(t *testing.T) {
	t.Parallel()
	store := redistest.Open(t, config.Redis{URL: config.Memory})
	clock := time.Now().Truncate(time.Second)
	store.SetTime(clock)
	var events []string
	var mu sync.Mutex
	b := newBundle(t, store, func(o *Options) {
		o.OnEvent = func(_ context.Context, name string, data map[string]any) {
			mu.Lock()
			defer mu.Unlock()
			events = append(events, name+" "+data["kind"].(string))
		}
	}).start()
	fail := true
	bad := newSink(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if fail {
			w.WriteHeader(500)
		}
	})
	owner := newSink(t, nil)
	w := b.webhook(bad.URL, "video.uploaded")
	b.webhook(owner.URL, "system.*")
	p := b.publish(guideData)
	d := func() Delivery {
		d, err := b.Delivery(t.Context(), "default", p.Deliveries[0].ID)
		require.NoError(t, err)
		return d
	}
	at := time.Duration(0)
	advance := func(by time.Duration) {
		at += by
		store.SetTime(clock.Add(at))
		b.dispatcher.Wake(mustShard(t, b))
	}
	for n, pause := range []time.Duration{0, time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute} {
		if pause > 0 {
			advance(pause - time.Millisecond)
			require.Equal(t, clock.Add(at+time.Millisecond).UTC(), *d().NextAttemptAt, "nothing fires early")
			require.Len(t, bad.got(), n)
			advance(time.Millisecond)
		}
		eventually(t, "attempt", func() bool { return len(bad.got()) == n+1 && len(d().Attempts) == n+1 })
		require.Equal(t, strconv.Itoa(n+1), bad.got()[n].header.Get("X-VideoCloud-Attempt"))
	}
	require.Equal(t, 51*time.Minute, at)
	eventually(t, "failed", func() bool { return d().State == StateFailed })
	require.Empty(t, d().Reason)
	hook, err := b.Webhook(t.Context(), "default", w.ID)
	require.NoError(t, err)
	require.Equal(t, StatusFailed, hook.Status)

	eventually(t, "the owner is told", func() bool { return len(owner.got()) == 1 })
	var notice struct {
		Event string
		Data  map[string]any
	}
	require.NoError(t, json.Unmarshal(owner.got()[0].body, &notice))
	require.Equal(t, "system.error", notice.Event)
	require.Equal(t, map[string]any{
		"kind": "webhook_failed", "webhookId": w.ID, "url": bad.URL, "eventId": p.ID, "deliveryId": p.Deliveries[0].ID, "attempts": 5.0,
		"lastStatusCode": 500.0, "lastError": "answered 500", "failedSince": clock.Add(at).UTC().Format(time.RFC3339),
		"failedDeliveries": 1.0, "replay": "POST /webhooks/" + w.ID + "/replay",
	}, notice.Data)

	mu.Lock()
	fail = false
	mu.Unlock()
	advance(time.Second)
	b.publish(guideData)
	eventually(t, "active again", func() bool {
		hook, err := b.Webhook(t.Context(), "default", w.ID)
		return err == nil && hook.Status == StatusActive
	})
	eventually(t, "told of the recovery", func() bool { return len(owner.got()) == 2 })
	require.NoError(t, json.Unmarshal(owner.got()[1].body, &notice))
	require.Equal(t, "system.warning", notice.Event)
	require.Equal(t, "webhook_recovered", notice.Data["kind"])
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, []string{"webhook_failed webhook_failed", "webhook_recovered webhook_recovered"}, events)
}

func TestReplay(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, func(o *Options) { o.Config.Retry = []time.Duration{0} }).start()
		var mu sync.Mutex
		code := 500
		to := newSink(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			w.WriteHeader(code)
		})
		w := b.webhook(to.URL)
		since := time.Now().Add(-time.Minute)
		for range 25 {
			b.publish(guideData)
		}
		failed := func() int {
			list, _, err := b.Deliveries(t.Context(), "default", w.ID, DeliveryFilter{State: StateFailed, Limit: 100})
			require.NoError(t, err)
			return len(list)
		}
		eventually(t, "failed", func() bool { return failed() == 25 })
		dry, err := b.StartReplay(t.Context(), "default", w.ID, ReplayRequest{Since: since, DryRun: true})
		require.NoError(t, err)
		require.Equal(t, 25, dry.Matched)
		require.Empty(t, dry.ID)
		mu.Lock()
		code = 200
		mu.Unlock()
		r, err := b.StartReplay(t.Context(), "default", w.ID, ReplayRequest{Since: since})
		require.NoError(t, err)
		eventually(t, "replayed", func() bool {
			r, err := b.Replay(t.Context(), "default", r.ID)
			return err == nil && r.State == "done" && r.Sent == 25
		})
		eventually(t, "delivered", func() bool { return len(to.got()) == 50 && failed() == 0 })
	})
}

func TestDeleteCancels(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, nil)
		w := b.webhook("http://127.0.0.1:1/")
		p := b.publish(guideData)
		require.NoError(t, b.DeleteWebhook(t.Context(), "default", w.ID))
		d, err := b.Delivery(t.Context(), "default", p.Deliveries[0].ID)
		require.NoError(t, err)
		require.Equal(t, StateCancelled, d.State)
		_, err = b.Webhook(t.Context(), "default", w.ID)
		require.ErrorIs(t, err, errNotFound)
		require.Empty(t, b.publish(guideData).Deliveries)
	})
}
