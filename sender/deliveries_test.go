package sender

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/redistest"
)

// TestDeliveriesInPages: newest first, each once, also filtered, while others are added.
func TestDeliveriesInPages(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, once)
		w := b.webhook("http://127.0.0.1:1/")
		var ids []string
		for i := range 250 {
			if i == 240 {
				require.NoError(t, b.Start(t.Context()))
				eventually(t, "failed", func() bool { return b.failed(w) == i })
				require.NoError(t, b.Stop(t.Context()))
			}
			ids = append([]string{b.publish(guideData).Deliveries[0].ID}, ids...)
		}
		pages := func(f DeliveryFilter) (seen []string) {
			for {
				list, next, err := b.Deliveries(t.Context(), "default", w.ID, f)
				require.NoError(t, err)
				for _, d := range list {
					seen = append(seen, d.ID)
					require.Equal(t, d.State == StateFailed, len(d.Attempts) == 1, "a listing shows attempts")
				}
				if f.Cursor = next; next == "" {
					return seen
				}
				b.publish(guideData)
			}
		}
		require.Equal(t, ids[:10], pages(DeliveryFilter{State: StatePending, Limit: 100})[:10])
		require.Subset(t, pages(DeliveryFilter{Limit: 50}), ids)
		require.Equal(t, ids[10:], pages(DeliveryFilter{State: StateFailed, Limit: 90}))
		require.Empty(t, pages(DeliveryFilter{State: StateCancelled}))
		require.Empty(t, pages(DeliveryFilter{Since: time.Now().Add(time.Hour)}))
		require.Subset(t, pages(DeliveryFilter{Since: time.Now().Add(-time.Hour), Limit: 100}), ids)
		_, _, err := b.Deliveries(t.Context(), "default", w.ID, DeliveryFilter{State: "lost"})
		requireError(t, err, CodeInvalidField, "state")
	})
}

// TestLesson15_Delete: nothing of a deleted webhook goes on: what waits is cancelled, a backlog longer than one step
// too, what is under way ends with its attempt, and nothing is left behind in the queue.
func TestLesson15_Delete(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, func(o *Options) { o.Config.Retry = []time.Duration{0, time.Hour} }).start()
		under, goOn := make(chan int, 2), make(chan struct{})
		to := newSink(t, func(n int, w http.ResponseWriter, r *http.Request) {
			under <- n
			<-goOn
			if n == 1 {
				w.WriteHeader(500)
			}
		})
		w := b.webhook(to.URL)
		one, two := b.publish(guideData), b.publish(guideData)
		<-under
		<-under
		events := make([]Event, 1200)
		for i := range events {
			events[i] = Event{Type: "video.uploaded", Data: []byte(guideData)}
		}
		var last Published
		for range 2 {
			for _, r := range b.PublishBatch(t.Context(), "default", events) {
				require.NoError(t, r.Err)
				last = r.Published
			}
		}
		require.NoError(t, b.DeleteWebhook(t.Context(), "default", w.ID))
		b.reaches(last, StateCancelled)
		_, err := b.RetryDelivery(t.Context(), "default", last.Deliveries[0].ID)
		requireError(t, err, CodeConflict, "")
		close(goOn)
		// One was answered 500, the other 200.
		eventually(t, "the attempts under way ended", func() bool {
			d, e := b.delivery(one), b.delivery(two)
			return d.State != e.State && (d.State == StateCancelled || e.State == StateCancelled) && (d.State == StateSucceeded || e.State == StateSucceeded)
		})
		require.Len(t, to.got(), 2)
		tag, c := b.queue.Tag(mustShard(t, b)), store.Client()
		eventually(t, "nothing waits", func() bool {
			n, err := c.HGet(t.Context(), tag+"stats", "waiting").Int()
			return err == nil && n == 0
		})
		for _, key := range []string{"ready", "leases", "chores", "ages", "hooks:default", "lane:" + laneOf(w.ID)} {
			eventually(t, key+" is empty", func() bool {
				n, err := c.Exists(t.Context(), tag+key).Result()
				return err == nil && n == 0
			})
		}
		// Everything that is still there ends by itself.
		keys, err := c.Keys(t.Context(), tag+"*"+laneOf(w.ID)+"*").Result()
		require.NoError(t, err)
		require.NotEmpty(t, keys)
		for _, key := range keys {
			ttl, err := c.PTTL(t.Context(), key).Result()
			require.NoError(t, err)
			require.Positive(t, ttl, "%s stays for ever", key)
		}
	})
}

// TestRetryDelivery: due now, with a fresh table; refused where nothing can be sent.
func TestRetryDelivery(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, func(o *Options) { o.Config.Retry, o.Config.MaxPending = []time.Duration{0, time.Hour}, 2 }).start()
		code := answering(500)
		to := newSink(t, code.answer)
		w := b.webhook(to.URL)
		p := b.publish(guideData)
		id := p.Deliveries[0].ID
		b.attempts(p, 1)
		d, err := b.RetryDelivery(t.Context(), "default", id)
		require.NoError(t, err)
		require.Equal(t, id, d.ID)
		b.attempts(p, 2)
		require.Equal(t, "1", attemptOf(to.got()[1]), "a fresh table")
		code.set(200)
		_, err = b.RetryDelivery(t.Context(), "default", id)
		require.NoError(t, err)
		b.reaches(p, StateSucceeded)
		_, err = b.RetryDelivery(t.Context(), "default", id)
		require.NoError(t, err, "a delivery that succeeded can be sent again too")
		eventually(t, "sent again", func() bool { return len(to.got()) == 4 })
		b.reaches(p, StateSucceeded)

		b.update(w, WebhookUpdate{Status: ptr(StatusPaused)})
		full := []Published{b.publish(guideData), b.publish(guideData)}
		_, err = b.RetryDelivery(t.Context(), "default", id)
		requireError(t, err, CodeLimitReached, "")
		b.update(w, WebhookUpdate{Status: ptr(StatusActive)})
		for _, waited := range full {
			b.reaches(waited, StateSucceeded)
		}

		_, job, _ := parseDeliveryID(id)
		require.NoError(t, store.Client().Del(t.Context(), b.queue.Tag(mustShard(t, b))+"body:"+job).Err())
		_, err = b.RetryDelivery(t.Context(), "default", id)
		requireError(t, err, CodeConflict, "")
		require.Equal(t, StateSucceeded, b.delivery(p).State)
		e, err := b.Event(t.Context(), "default", p.ID)
		require.NoError(t, err)
		require.Nil(t, e.Data, "its payload has expired")
		require.Len(t, e.Deliveries, 1)
	})
}
