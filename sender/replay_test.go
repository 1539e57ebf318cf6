package sender

import (
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

// fastPace lets tests replay thousands.
var fastPace = pace{step: 20, pause: time.Millisecond, hold: time.Second}

// newFast is newBundle with replays at fastPace.
func newFast(t *testing.T, store *Store, change func(*Options)) *bundle {
	b := newBundle(t, store, change)
	b.pace = fastPace
	return b
}

// fill publishes n events and returns their IDs.
func (b *bundle) fill(n int) map[string]bool {
	b.t.Helper()
	ids := make(map[string]bool, n)
	for done := 0; done < n; done += 1000 {
		events := make([]Event, min(1000, n-done))
		for i := range events {
			events[i] = Event{Type: "video.uploaded", Data: json.RawMessage(`{"n":` + strconv.Itoa(done+i) + `}`)}
		}
		for _, r := range b.PublishBatch(b.t.Context(), "default", events) {
			require.NoError(b.t, r.Err)
			ids[r.Published.ID] = true
		}
	}
	require.Len(b.t, ids, n)
	return ids
}

func (b *bundle) replay(w Webhook, r ReplayRequest) Replay {
	b.t.Helper()
	if r.Since.IsZero() {
		r.Since = time.Now().Add(-time.Hour)
	}
	out, err := b.StartReplay(b.t.Context(), "default", w.ID, r)
	require.NoError(b.t, err)
	return out
}

// replayed waits until a replay is done and returns it.
func (b *bundle) replayed(id string) (r Replay) {
	b.t.Helper()
	require.Eventually(b.t, func() bool {
		var err error
		r, err = b.Replay(b.t.Context(), "default", id)
		return err == nil && r.State != replayRunning
	}, 2*time.Minute, 5*time.Millisecond)
	return r
}

// tally counts what reaches it by event.
type tally struct {
	mu    sync.Mutex
	count map[string]int
	total int
}

func (c *tally) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.count == nil {
		c.count = map[string]int{}
	}
	c.count[r.Header.Get("webhook-id")]++
	c.total++
}

func (c *tally) all() (count map[string]int, total int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	count = make(map[string]int, len(c.count))
	for id, n := range c.count {
		count[id] = n
	}
	return count, c.total
}

// disable has a webhook's deliveries fail at once.
func (b *bundle) disable(w Webhook) {
	b.t.Helper()
	key := b.queue.Tag(mustShard(b.t, b)) + "conf:" + laneOf(w.ID)
	require.NoError(b.t, b.store.Client().HSet(b.t.Context(), key, "st", string(StatusDisabled)).Err())
}

// TestLesson17_OldFailures: failed deliveries can be listed and replayed for as long as they are kept, which is longer
// than the history of all.
func TestLesson17_OldFailures(t *testing.T) {
	t.Parallel()
	b := newFast(t, redistest.Open(t, config.Redis{URL: config.Memory}), once)
	c := stopClock(b)
	b.start()
	code := answering(200)
	to := newSink(t, code.answer)
	w := b.webhook(to.URL)
	began := c.at
	var failed []Published
	for range 5 {
		code.set(500)
		for range 3 {
			failed = append(failed, b.publish(guideData))
			b.reaches(failed[len(failed)-1], StateFailed)
		}
		code.set(200)
		for range 50 {
			b.reaches(b.publish(guideData), StateSucceeded)
		}
		c.advance(24 * time.Hour)
	}
	idx := b.queue.Tag(mustShard(t, b)) + "idx:" + laneOf(w.ID)
	eventually(t, "the history of all is trimmed", func() bool {
		c.advance(time.Minute)
		n, err := b.store.Client().XLen(t.Context(), idx).Result()
		return err == nil && n < 250
	})
	var listed []string
	for f := (DeliveryFilter{State: StateFailed, Limit: 4}); ; {
		list, next, err := b.Deliveries(t.Context(), "default", w.ID, f)
		require.NoError(t, err)
		for _, d := range list {
			listed = append([]string{d.ID}, listed...)
		}
		if f.Cursor = next; next == "" {
			break
		}
	}
	var want []string
	for _, p := range failed {
		want = append(want, p.Deliveries[0].ID)
	}
	require.Equal(t, want, listed, "newest first, none missing")

	dry := b.replay(w, ReplayRequest{Since: began.Add(-time.Second), DryRun: true})
	require.Equal(t, len(failed), dry.Matched)
	r := b.replayed(b.replay(w, ReplayRequest{Since: began.Add(-time.Second)}).ID)
	require.Equal(t, len(failed), r.Sent)
	for _, p := range failed {
		b.reaches(p, StateSucceeded)
	}
}
