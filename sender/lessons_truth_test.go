package sender

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/queue"
	"github.com/videocloud/webhooks/internal/redistest"
)

// TestLesson52_NobodyDelivers: work that no process will do is not healthy, in whichever process one asks.
func TestLesson52_NobodyDelivers(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		api := newBundle(t, store, func(o *Options) { o.Config.DeliverOff = true }).start()
		health := func() Health {
			api.stats = statsCache{} // don't give out old figures
			return api.Health(t.Context())
		}
		h := health()
		require.True(t, h.Healthy(), "nothing to do")
		to := newSink(t, nil)
		api.webhook(to.URL)
		p := api.publish(guideData)
		h = health()
		require.True(t, h.Abandoned())
		require.False(t, h.Healthy())
		require.Zero(t, h.Queue.Senders)

		sender := newBundle(t, store, nil)
		require.NoError(t, sender.Start(t.Context()))
		api.reaches(p, StateSucceeded)
		eventually(t, "a process delivers", func() bool { return health().Queue.Senders == 1 })
		h = health()
		require.True(t, h.Healthy())
		require.NoError(t, sender.Stop(t.Context()))
		eventually(t, "it said goodbye", func() bool { return health().Queue.Senders == 0 })
	})
}

// TestInstallation: all processes on a store know one name, and another store has another.
func TestInstallation(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		one, two := newBundle(t, store, nil), newBundle(t, store, nil)
		name, err := one.Installation(t.Context())
		require.NoError(t, err)
		require.Regexp(t, `^[a-z0-9]{26}$`, name)
		again, err := two.Installation(t.Context())
		require.NoError(t, err)
		require.Equal(t, name, again)
		other, err := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), nil).Installation(t.Context())
		require.NoError(t, err)
		require.NotEqual(t, name, other)
	})
}

// TestLesson54_StateIsWritten: a failed delivery stays failed when the record of its failure has expired.
func TestLesson54_StateIsWritten(t *testing.T) {
	t.Parallel()
	for _, hooks := range []int{1, 3} {
		redistest.Each(t, func(t *testing.T, store *Store) {
			b := newBundle(t, store, func(o *Options) {
				o.Config.Retry, o.Config.RetentionFailed = []time.Duration{0}, 50*time.Millisecond
			}).start()
			to := newSink(t, status(500))
			for range hooks {
				b.webhook(to.URL)
			}
			p := b.publish(guideData)
			for _, d := range p.Deliveries {
				b.reaches(Published{Deliveries: []DeliveryRef{d}}, StateFailed)
			}
			shard := mustShard(t, b)
			_, job, _ := parseDeliveryID(p.Deliveries[0].ID)
			payload := b.queue.Tag(shard) + "body:" + job
			eventually(t, "all that was kept of the failure is gone", func() bool {
				return store.Client().Exists(t.Context(), payload).Val() == 0
			})
			d := b.delivery(p)
			require.Equal(t, StateFailed, d.State)
			e, err := b.Event(t.Context(), "default", p.ID)
			require.NoError(t, err)
			require.Len(t, e.Deliveries, hooks)
			for _, d := range e.Deliveries {
				require.Equal(t, StateFailed, d.State)
			}
		})
	}
}

// TestLesson55_OneReading: no answer shows a delivery as pending beside an attempt that succeeded.
func TestLesson55_OneReading(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, nil).start()
		to := newSink(t, nil)
		w := b.webhook(to.URL)
		consistent := func(d Delivery) bool {
			if d.State == StateSucceeded {
				require.Len(t, d.Attempts, 1, "%+v", d)
				require.Equal(t, 200, d.Attempts[0].StatusCode)
				return true
			}
			require.Equal(t, StatePending, d.State)
			require.Empty(t, d.Attempts, "%+v", d)
			return false
		}
		for range 100 {
			p := b.publish(guideData)
			for done := false; !done; {
				e, err := b.Event(t.Context(), "default", p.ID)
				require.NoError(t, err)
				done = consistent(e.Deliveries[0])
				page, _, err := b.Deliveries(t.Context(), "default", w.ID, DeliveryFilter{Limit: 1})
				require.NoError(t, err)
				done = consistent(page[0]) && done
				done = consistent(b.delivery(p)) && done
			}
		}
	})
}

// TestLesson56_Disabled: nobody hears that something was sent to a webhook that gets nothing.
func TestLesson56_Disabled(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		code := answering(500)
		b := newBundle(t, store, func(o *Options) { o.Config.Retry, o.Config.GoneDisable = []time.Duration{0}, true }).start()
		b.pace.pause = time.Millisecond
		to := newSink(t, code.answer)
		w := b.webhook(to.URL)
		first := b.publish(guideData)
		b.reaches(first, StateFailed)
		code.set(410)
		b.reaches(b.publish(guideData), StateFailed)
		require.Equal(t, StatusDisabled, b.hook(w).Status)
		made := len(to.got())

		_, err := b.RetryDelivery(t.Context(), "default", first.Deliveries[0].ID)
		requireError(t, err, CodeConflict, "")
		_, err = b.StartReplay(t.Context(), "default", w.ID, ReplayRequest{Since: time.Now().Add(-time.Hour)})
		requireError(t, err, CodeConflict, "")
		dry, err := b.StartReplay(t.Context(), "default", w.ID, ReplayRequest{Since: time.Now().Add(-time.Hour), DryRun: true})
		require.NoError(t, err)
		require.Equal(t, 2, dry.Matched)
		require.Len(t, to.got(), made)
	})
}

// TestLesson56_DisabledDuringReplay: a replay says how many it could not send, and why.
func TestLesson56_DisabledDuringReplay(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, func(o *Options) { o.Config.Retry = []time.Duration{0} }).start()
		to := newSink(t, status(500))
		w := b.webhook(to.URL)
		b.reaches(b.publish(guideData), StateFailed)
		other := newBundle(t, store, nil) // not started: the replay waits
		b.wakeTasks(0)
		shard := mustShard(t, b)
		_, job, _ := parseDeliveryID(b.publish(guideData).Deliveries[0].ID)
		eventually(t, "both failed", func() bool { return b.failed(w) == 2 })
		require.NoError(t, store.Client().HSet(t.Context(), b.queue.Tag(shard)+"conf:"+laneOf(w.ID), "st", "disabled").Err())
		key := string(queue.KeyReplay) + "rpl_test"
		require.NoError(t, store.Client().HSet(t.Context(), b.queue.Tag(shard)+key, "cursor", "0").Err())
		_, err := other.queue.ResendMoving(t.Context(), shard, queue.Cursor{Key: key, From: "0", To: "1", Owner: "me"}, laneOf(w.ID), []string{job})
		require.NoError(t, err)
		h := store.Client().HGetAll(t.Context(), b.queue.Tag(shard)+key).Val()
		require.Equal(t, "0", h["sent"])
		require.Equal(t, "1", h["not:disabled"])
	})
}

// TestPausedShowsNoTime: when what waits for a paused webhook goes out, nobody knows.
func TestPausedShowsNoTime(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, nil)
		w := b.webhook("http://127.0.0.1:1/")
		p := b.publish(guideData)
		d := b.delivery(p)
		require.NotNil(t, d.NextAttemptAt)
		b.update(w, WebhookUpdate{Status: ptr(StatusPaused)})
		require.Nil(t, b.delivery(p).NextAttemptAt)
		b.update(w, WebhookUpdate{Status: ptr(StatusActive)})
		require.NotNil(t, b.delivery(p).NextAttemptAt)
	})
}

// TestLesson64_PushStops: one tenant's events to many webhooks are queued in calls between which others have their turn.
func TestLesson64_PushStops(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, nil)
		for range 900 {
			b.webhook("http://127.0.0.1:1/")
		}
		events := make([]Event, 7)
		for i := range events {
			events[i] = Event{ID: fmt.Sprint("e", i), Type: "video.uploaded", Data: json.RawMessage(guideData)}
		}
		for round := range 2 { // the second finds all of it
			for i, r := range b.PublishBatch(t.Context(), "default", events) {
				require.NoError(t, r.Err)
				require.Equal(t, events[i].ID, r.Published.ID)
				require.Len(t, r.Published.Deliveries, 900)
				require.Equal(t, round == 1, r.Published.Duplicate)
			}
		}
		stats, err := b.QueueStats(t.Context())
		require.NoError(t, err)
		require.Equal(t, 6300, stats.Waiting)
	})
}
