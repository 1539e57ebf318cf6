package sender

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/queue"
	"github.com/videocloud/webhooks/internal/redistest"
)

// childPace is that of processes that are to be killed in the middle.
var childPace = pace{step: 10, pause: 10 * time.Millisecond, hold: time.Second}

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

// failing registers a webhook with n failed deliveries, which can be sent again.
func (b *bundle) failing(to string, n int) (Webhook, map[string]bool) {
	b.t.Helper()
	w := b.webhook(to)
	b.disable(w)
	ids := b.fill(n)
	return b.update(w, WebhookUpdate{Status: ptr(StatusActive)}), ids
}

// exactly checks that each event was counted so many times.
func exactly(t *testing.T, ids map[string]bool, count map[string]int, times int) {
	t.Helper()
	require.Len(t, count, len(ids))
	for id := range ids {
		require.Equal(t, times, count[id], id)
	}
}

// newHandler serves h and returns its URL.
func newHandler(t *testing.T, h http.Handler) string {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// TestReplaySelects: by time, by event type, by outcome; a dry run only counts.
func TestReplaySelects(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newFast(t, store, once)
		var got tally
		w := b.webhook(newHandler(t, &got))
		b.disable(w)
		publish := func(kind string) string { return b.publishes("default", Event{Type: kind}).ID }
		failed := []string{publish("video.uploaded"), publish("video.deleted"), publish("video.uploaded")}
		var middle time.Time
		eventually(t, "Redis' clock goes on", func() bool {
			e, err := b.Event(t.Context(), "default", failed[2])
			require.NoError(t, err)
			now, err := store.Client().Time(t.Context()).Result()
			middle = e.Deliveries[0].CreatedAt.Add(20 * time.Millisecond)
			return err == nil && now.After(middle.Add(20*time.Millisecond))
		})
		late := publish("user.created")
		b.update(w, WebhookUpdate{Status: ptr(StatusActive)})
		b.start()
		succeeded := b.publishes("default", Event{Type: "user.updated"})
		b.reaches(succeeded, StateSucceeded)
		waiting := b.webhook("http://127.0.0.1:1/") // another webhook's deliveries are not its
		b.disable(waiting)
		b.publish(guideData)
		require.NoError(t, b.DeleteWebhook(t.Context(), "default", waiting.ID))
		b.reaches(b.publish(guideData), StateSucceeded)
		eventually(t, "all that arrived is settled", func() bool {
			list, _, err := b.Deliveries(t.Context(), "default", w.ID, DeliveryFilter{})
			require.NoError(t, err)
			succeeded := slices.DeleteFunc(list, func(d Delivery) bool { return d.State != StateSucceeded })
			_, arrived := got.all()
			return arrived == 3 && len(succeeded) == 3
		})
		hour := time.Now().Add(-time.Hour)
		for name, c := range map[string]struct {
			r       ReplayRequest
			matched int
		}{
			"all failed":       {ReplayRequest{Since: hour}, 4},
			"named":            {ReplayRequest{Since: hour, State: "failed"}, 4},
			"until":            {ReplayRequest{Since: hour, Until: middle}, 3},
			"since":            {ReplayRequest{Since: middle}, 1},
			"one type":         {ReplayRequest{Since: hour, Events: []string{"video.uploaded"}}, 2},
			"two types":        {ReplayRequest{Since: hour, Events: []string{"video.uploaded", "user.created"}}, 3},
			"a group":          {ReplayRequest{Since: hour, Events: []string{"video.*"}}, 3},
			"a group and type": {ReplayRequest{Since: hour, Events: []string{"video.*", "user.created"}}, 4},
			"every type":       {ReplayRequest{Since: hour, Events: []string{"*"}}, 4},
			"another type":     {ReplayRequest{Since: hour, Events: []string{"comment.created"}}, 0},
			"all":              {ReplayRequest{Since: hour, State: "all"}, 7},
			"all of one type":  {ReplayRequest{Since: hour, State: "all", Events: []string{"user.updated"}}, 1},
			"in the future":    {ReplayRequest{Since: time.Now().Add(time.Hour)}, 0},
			"before the world": {ReplayRequest{Since: time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC), Until: time.Unix(1, 0)}, 0},
		} {
			c.r.DryRun = true
			r := b.replay(w, c.r)
			require.Equal(t, c.matched, r.Matched, name)
			require.Equal(t, Replay{WebhookID: w.ID, State: replayDryRun, Matched: c.matched, CreatedAt: r.CreatedAt}, r, name)
		}
		keys, err := store.Client().Keys(t.Context(), "*"+string(queue.KeyReplay)+"*").Result()
		require.NoError(t, err)
		require.Empty(t, keys, "a dry run leaves nothing")
		before, _ := got.all()
		require.NotContains(t, before, late)

		r := b.replayed(b.replay(w, ReplayRequest{Since: hour, Until: middle, Events: []string{"video.uploaded"}}).ID)
		require.Equal(t, 2, r.Sent)
		eventually(t, "sent", func() bool {
			count, _ := got.all()
			return count[failed[0]] == 1 && count[failed[2]] == 1
		})
		count, _ := got.all()
		require.NotContains(t, count, failed[1])
		require.NotContains(t, count, late)
		require.Equal(t, 1, count[succeeded.ID])

		for name, c := range map[string]struct {
			r     ReplayRequest
			code  Code
			field string
		}{
			"no since":        {ReplayRequest{}, CodeInvalidField, "since"},
			"until too early": {ReplayRequest{Since: middle, Until: hour}, CodeInvalidField, "until"},
			"state":           {ReplayRequest{Since: hour, State: "succeeded"}, CodeInvalidField, "state"},
			"unknown event":   {ReplayRequest{Since: hour, Events: []string{"video.uploaded", "nothing"}}, CodeUnknownEventType, "events"},
		} {
			_, err := b.StartReplay(t.Context(), "default", w.ID, c.r)
			require.Error(t, err, name)
			requireError(t, err, c.code, c.field)
		}
	})
}

// TestReplayOfExpiredPayloads: they are counted as unavailable, and do not stop the others.
func TestReplayOfExpiredPayloads(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newFast(t, store, nil).start()
		var got tally
		w, ids := b.failing(newHandler(t, &got), 50)
		expired := map[string]bool{}
		for id := range ids {
			if len(expired) < 20 {
				expired[id] = true
				require.NoError(t, store.Client().Del(t.Context(), b.queue.Tag(mustShard(t, b))+"body:"+jobOfEventID(id)).Err())
			}
		}
		dry := b.replay(w, ReplayRequest{DryRun: true})
		require.Equal(t, []int{50, 20}, []int{dry.Matched, dry.Unavailable})
		r := b.replay(w, ReplayRequest{})
		require.Equal(t, []int{50, 20}, []int{r.Matched, r.Unavailable})
		r = b.replayed(r.ID)
		require.Equal(t, []int{50, 20, 30}, []int{r.Matched, r.Unavailable, r.Sent})
		eventually(t, "the others are sent", func() bool { _, total := got.all(); return total == 30 })
		count, _ := got.all()
		for id := range expired {
			require.NotContains(t, count, id)
		}
	})
}

// TestReplayAgainstAFailingEndpoint: what fails again is not taken up again by the same replay.
func TestReplayAgainstAFailingEndpoint(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newFast(t, store, once).start()
		to := newSink(t, status(500))
		w, ids := b.failing(to.URL, 40)
		r := b.replayed(b.replay(w, ReplayRequest{}).ID)
		require.Equal(t, len(ids), r.Sent)
		eventually(t, "all have failed again", func() bool { return b.failed(w) == len(ids) })
		require.Len(t, to.got(), len(ids))
	})
}

// TestReplayWithABacklog: a replay waits while its webhook takes no more, also one that takes less than a step.
func TestReplayWithABacklog(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newFast(t, store, func(o *Options) { o.Config.MaxPending = 7 })
		b.pace.hold = 20 * time.Millisecond
		b.start()
		var got tally
		w := b.webhook(newHandler(t, &got))
		b.update(w, WebhookUpdate{Status: ptr(StatusPaused)})
		ids := map[string]bool{}
		for range 7 {
			ids[b.publish(guideData).ID] = true
		}
		r := b.replay(w, ReplayRequest{State: "all"})
		require.Zero(t, r.Matched, "what waits is not replayed")
		require.Zero(t, b.replayed(r.ID).Sent)
		b.update(w, WebhookUpdate{Status: ptr(StatusActive)})
		eventually(t, "delivered", func() bool { _, total := got.all(); return total == 7 })
		for id := range ids {
			b.reaches(b.publishes("default", Event{ID: id}), StateSucceeded)
		}
		b.update(w, WebhookUpdate{Status: ptr(StatusPaused)})
		b.publish(guideData)
		r = b.replay(w, ReplayRequest{State: "all"})
		require.Equal(t, 7, r.Matched)
		eventually(t, "it has come to its step", func() bool {
			n, err := b.Replay(t.Context(), "default", r.ID)
			return err == nil && n.State == replayRunning && n.Sent == 0
		})
		b.update(w, WebhookUpdate{Status: ptr(StatusActive)})
		require.Equal(t, 7, b.replayed(r.ID).Sent)
		eventually(t, "delivered again", func() bool { _, total := got.all(); return total == 15 })
	})
}

// TestReplaysShareTheirPace: all replays of one webhook together send at most 100 deliveries a second.
func TestReplaysShareTheirPace(t *testing.T) {
	t.Parallel()
	require.InDelta(t, 100, float64(replayPace.step)/replayPace.pause.Seconds(), 1e-9)
	b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), nil)
	c := stopClock(b)
	w, _ := b.failing("http://127.0.0.1:1/", 400)
	v, _ := b.failing("http://127.0.0.1:1/", 200)
	one, two := b.replay(w, ReplayRequest{Since: c.at.Add(-time.Hour)}), b.replay(w, ReplayRequest{Since: c.at.Add(-time.Hour)})
	other := b.replay(v, ReplayRequest{Since: c.at.Add(-time.Hour)})
	steps := func() (made int) {
		for _, r := range []Replay{one, two} {
			if _, err := b.stepReplay(t.Context(), mustShard(t, b), r.ID, r.ID); err == nil {
				made++
			} else {
				require.ErrorIs(t, err, queue.ErrTooSoon)
			}
		}
		return made
	}
	total := 0
	for range 40 { // a second
		total += steps()
		c.advance(25 * time.Millisecond)
	}
	require.InDelta(t, 10, total, 1)
	_, err := b.stepReplay(t.Context(), mustShard(t, b), other.ID, "other")
	require.NoError(t, err, "another webhook has a pace of its own")
	for range 10 { // a ticker that comes a little early now and then gets every turn
		c.advance(replayPace.pause - 3*time.Millisecond)
		require.Equal(t, 1, steps())
		c.advance(3 * time.Millisecond)
	}
}

// TestReplayFindsFewAmongMany: a step goes on until it has found something to do.
func TestReplayFindsFewAmongMany(t *testing.T) {
	t.Parallel()
	store := redistest.Open(t, config.Redis{URL: redistest.Start(t).URL()})
	b := newBundle(t, store, nil) // at the real pace
	var got tally
	w := b.webhook(newHandler(t, &got))
	b.start()
	b.fill(3000)
	eventually(t, "delivered", func() bool { _, total := got.all(); return total == 3000 })
	b.rests("default")
	b.disable(w)
	failed := b.fill(1)
	b.update(w, WebhookUpdate{Status: ptr(StatusActive)})
	r := b.replayed(b.replay(w, ReplayRequest{}).ID)
	require.Equal(t, 1, r.Sent)
	eventually(t, "the one", func() bool { _, total := got.all(); return total == 3001 })
	count, _ := got.all()
	for id := range failed {
		require.Equal(t, 1, count[id])
	}
}
