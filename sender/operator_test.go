package sender

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/queue"
	"github.com/videocloud/webhooks/internal/redistest"
)

func (b *bundle) webhooksOf(account string) (found []WebhookInfo) {
	b.t.Helper()
	require.NoError(b.t, b.EachWebhook(b.t.Context(), account, func(w WebhookInfo) error {
		found = append(found, w)
		return nil
	}))
	return found
}

func TestOperatorSeesEveryAccount(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, nil)
		require.Empty(t, b.webhooksOf(""))
		ctx := t.Context()
		ids := map[string]string{}
		for _, account := range []string{"shop", "blog", "default"} {
			w, _, err := b.CreateWebhook(ctx, account, NewWebhook{Settings: Settings{URL: "http://127.0.0.1:1/", Events: []string{"*"}}})
			require.NoError(t, err)
			ids[account] = w.ID
		}
		p, err := b.Publish(ctx, "shop", Event{Type: "video.uploaded", Data: []byte("{}")})
		require.NoError(t, err)
		given, err := b.Publish(ctx, "blog", Event{Type: "video.uploaded", Data: []byte("{}"), ID: "order-4711"})
		require.NoError(t, err)

		all := b.webhooksOf("")
		require.Len(t, all, 3)
		require.Equal(t, []string{"blog", "default", "shop"}, []string{all[0].Account, all[1].Account, all[2].Account})
		require.Equal(t, ids["shop"], all[2].ID)
		require.Equal(t, 1, all[2].Waiting)
		require.Zero(t, all[1].Waiting)
		require.Len(t, b.webhooksOf("blog"), 1)
		require.Empty(t, b.webhooksOf("nobody"))

		for id, account := range map[string]string{
			ids["shop"]: "shop", p.ID: "shop", p.Deliveries[0].ID: "shop", given.ID: "blog", given.Deliveries[0].ID: "blog",
		} {
			found, err := b.AccountOf(ctx, id)
			require.NoError(t, err, id)
			require.Equal(t, account, found, id)
		}
		for _, id := range []string{"", "nothing", "whk_000000000000", "dlv_" + strings.Repeat("0", 38), "evt_" + strings.Repeat("0", 32), "rpl_x", "not an ID"} {
			_, err := b.AccountOf(ctx, id)
			var e *Error
			require.ErrorAs(t, err, &e, id)
			require.Equal(t, CodeNotFound, e.Code, id)
		}

		require.NoError(t, b.DeleteWebhook(ctx, "shop", ids["shop"]))
		require.Len(t, b.webhooksOf(""), 2)
		accounts, err := b.accountNames(ctx, "", 0)
		require.NoError(t, err)
		require.Equal(t, []string{"blog", "default", "shop"}, accounts, "an account is there until it is deleted itself")
	})
}

func TestExplain(t *testing.T) {
	t.Parallel()
	b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), func(o *Options) {
		o.Config.Retry = []time.Duration{0, time.Hour}
	})
	endpoint := answering(503)
	to := newSink(t, endpoint.answer)
	w := b.webhook(to.URL + "/hook?token=in_the_query")
	p := b.publish(guideData)
	explain := func(id string) (x Explanation, says string) {
		t.Helper()
		x, err := b.Explain(t.Context(), "default", id)
		require.NoError(t, err)
		require.Len(t, x.Deliveries, 1)
		return x, strings.Join(x.Deliveries[0].Says, "\n")
	}
	x, says := explain(p.ID)
	require.Equal(t, p.ID, x.EventID)
	require.Equal(t, "default", x.Account)
	require.Positive(t, x.Size)
	require.Equal(t, w.ID, x.Deliveries[0].Webhook.ID)
	require.Regexp(t, `attempt 1 of 2 has been due for [0-9ms]+\nnobody has taken it yet`, says)

	b.update(w, WebhookUpdate{Status: ptr(StatusPaused)})
	_, says = explain(p.Deliveries[0].ID)
	require.Contains(t, says, "its owner paused the webhook")
	b.update(w, WebhookUpdate{Status: ptr(StatusActive)})

	b.start()
	eventually(t, "attempted", func() bool {
		x, says = explain(p.ID)
		return strings.Contains(says, "attempt 1 of 2 failed: it was answered 503\nattempt 2 of 2 is due in")
	})
	text, err := json.Marshal(x)
	require.NoError(t, err)
	require.NotContains(t, string(text), "vid_123456", "an explanation holds no payload")

	endpoint.set(200)
	_, err = b.RetryDelivery(t.Context(), "default", p.Deliveries[0].ID)
	require.NoError(t, err)
	eventually(t, "delivered", func() bool {
		_, says = explain(p.ID)
		return strings.Contains(says, "delivered: attempt 1 was answered 200 after ")
	})

	require.NoError(t, b.DeleteWebhook(t.Context(), "default", w.ID))
	x, _ = explain(p.ID)
	require.Nil(t, x.Deliveries[0].Webhook)
	_, err = b.Explain(t.Context(), "other", p.ID)
	require.ErrorIs(t, err, errNotFound)
}

// What the history has lost of a delivery makes no difference to when its payload goes.
func TestExplainWithoutHistory(t *testing.T) {
	t.Parallel()
	b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), func(o *Options) { o.Config.HistoryEntries = 1 }).start()
	b.webhook(newSink(t, nil).URL)
	first, second := b.publish(guideData), b.publish(guideData)
	for _, p := range []Published{second, first} {
		eventually(t, "delivered", func() bool {
			x, err := b.Explain(t.Context(), "default", p.ID)
			require.NoError(t, err)
			return x.Deliveries[0].State == StateSucceeded
		})
	}
	lost := false
	for _, p := range []Published{first, second} {
		x, err := b.Explain(t.Context(), "default", p.ID)
		require.NoError(t, err)
		require.NotNil(t, x.KeptUntil)
		require.False(t, x.KeptUntil.After(time.Now().Add(b.c.RetentionSucceeded)), "%s", x.KeptUntil)
		lost = lost || len(x.Deliveries[0].Attempts) == 0
	}
	require.True(t, lost)
}

func TestExplainFailed(t *testing.T) {
	t.Parallel()
	b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), func(o *Options) {
		o.Config.Retry = []time.Duration{0}
	}).start()
	b.webhook(newSink(t, status(http.StatusTeapot)).URL)
	p := b.publish(guideData)
	eventually(t, "explained", func() bool {
		x, err := b.Explain(t.Context(), "default", p.ID)
		require.NoError(t, err)
		says := strings.Join(x.Deliveries[0].Says, "\n")
		return strings.Contains(says, "failed: every attempt of the retry table did, the last because it was answered 418") &&
			strings.Contains(says, "caddy webhook retry "+p.Deliveries[0].ID)
	})
}

// What failed without an attempt is counted and logged like the rest.
func TestFailuresWithoutAnAttemptAreSeen(t *testing.T) {
	t.Parallel()
	log, counts := new(logText), new(counter)
	b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), func(o *Options) {
		o.Config.MaxPending = 1
		o.Observer = counts
		o.Logger = log.logger()
	})
	w := b.webhook("http://127.0.0.1:1/")
	b.publish(guideData)
	p := b.publish(guideData)
	require.Equal(t, 1, counts.of(StateFailed))
	lines := log.lines(t, "delivery.failed")
	require.Len(t, lines, 1)
	require.Equal(t, "backlog", lines[0]["reason"])
	require.Equal(t, p.Deliveries[0].ID, lines[0]["delivery_id"])
	require.EqualValues(t, 0, lines[0]["attempts"])

	b.recordExpired(queue.Expired{Lane: laneOf(w.ID), Count: 3})
	require.Equal(t, 4, counts.of(StateFailed))
	require.Equal(t, w.ID, log.lines(t, "delivery.failed")[1]["webhook_id"])

	require.NoError(t, b.DeleteWebhook(t.Context(), "default", w.ID))
	require.Equal(t, 1, counts.of(StateCancelled))
}

func TestHealthAndQueueStats(t *testing.T) {
	t.Parallel()
	b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), nil)
	b.webhook("http://127.0.0.1:1/")
	h := b.Health(t.Context())
	require.True(t, h.Healthy())
	require.False(t, h.Delivers, "it was not started")
	require.Equal(t, &QueueStats{}, h.Queue)
	b.publish(guideData)
	b.Sender.stats.at = time.Now().Add(time.Hour) // they are of these seconds, however long this takes
	stats, err := b.QueueStats(t.Context())
	require.NoError(t, err)
	require.Zero(t, stats.Waiting, "figures of the last seconds are given out again")
	b.Sender.stats.at = time.Time{}
	eventually(t, "late", func() bool {
		b.Sender.stats.at = time.Time{}
		stats, err = b.QueueStats(t.Context())
		return err == nil && stats.Waiting == 1 && stats.OldestDue > 0
	})

	b.start()
	h = b.Health(t.Context())
	require.True(t, h.Delivers)
	require.True(t, h.Alive, "it has just begun")
	b.began.Store(time.Now().Add(-time.Hour).UnixMilli())
	eventually(t, "a round", func() bool { h = b.Health(t.Context()); return h.Alive })
}

func TestHealthWithoutAStore(t *testing.T) {
	t.Parallel()
	store := redistest.Open(t, config.Redis{URL: config.Memory})
	require.NoError(t, store.Client().Close())
	b := newBundle(t, store, nil)
	h := b.Health(t.Context())
	require.Error(t, h.Store)
	require.False(t, h.Healthy())
	require.Nil(t, h.Queue)
}

func TestDeadDispatcherIsNotAlive(t *testing.T) {
	t.Parallel()
	b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), nil)
	b.began.Store(time.Now().Add(-time.Hour).UnixMilli())
	h := b.Health(t.Context())
	require.True(t, h.Delivers)
	require.False(t, h.Alive)
	require.False(t, h.Healthy())
}

func TestWatcher(t *testing.T) {
	t.Parallel()
	watcher := &watcher{attempts: make(chan AttemptInfo, 10)}
	b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), func(o *Options) { o.Watcher = watcher }).start()
	w := b.webhook(newSink(t, nil).URL)
	p := b.publish(guideData)
	a := <-watcher.attempts
	require.Equal(t, "default", a.Account)
	require.Equal(t, w.ID, a.WebhookID)
	require.Equal(t, p.Deliveries[0].ID, a.DeliveryID)
	require.Equal(t, StateSucceeded, a.State)
	require.Equal(t, 200, a.StatusCode)
	require.Contains(t, Outcomes(), a.Outcome)
}

type watcher struct{ attempts chan AttemptInfo }

func (*watcher) Watching() bool            { return true }
func (w *watcher) Attempted(a AttemptInfo) { w.attempts <- a }

// counter counts what an observer is told.
type counter struct {
	mu         sync.Mutex
	deliveries map[State]int
}

func (*counter) Attempt(string, time.Duration) {}
func (*counter) StoreError(string)             {}

func (c *counter) Delivery(state State) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.deliveries == nil {
		c.deliveries = map[State]int{}
	}
	c.deliveries[state]++
}

func (c *counter) of(state State) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.deliveries[state]
}
