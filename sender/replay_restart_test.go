package sender

import (
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/queue"
	"github.com/videocloud/webhooks/internal/redistest"
)

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

// TestLesson17_ReplayGoesOn: a replay whose sender stops in the middle is gone on with by the next, and a second sender
// beside it does no harm: each delivery is sent again once.
func TestLesson17_ReplayGoesOn(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		var got tally
		to := newHandler(t, &got)
		api := newBundle(t, store, func(o *Options) { o.Config.DeliverOff = true })
		w, ids := api.failing(to, 600)
		r := api.replay(w, ReplayRequest{})
		require.Equal(t, len(ids), r.Matched)
		require.Equal(t, replayRunning, r.State)
		var steps stepping
		store.Client().AddHook(&steps)
		for n := range 3 {
			b := newFast(t, store, nil)
			b.pace = pace{step: 5, pause: 5 * time.Millisecond, hold: 50 * time.Millisecond}
			steps.allow(30 * (n + 1)) // 150 deliveries of each process, of which the last are under way when it is stopped
			require.NoError(t, b.Start(t.Context()))
			eventually(t, "some of it", func() bool { _, total := got.all(); return total > 100*(n+1) })
			require.NoError(t, b.Stop(t.Context()))
		}
		now, err := api.Replay(t.Context(), "default", r.ID)
		require.NoError(t, err)
		require.Equal(t, replayRunning, now.State)
		require.Less(t, now.Sent, len(ids), "it was stopped in the middle")
		steps.allow(len(ids))
		one, _ := newFast(t, store, nil).start(), newFast(t, store, nil).start()
		now = one.replayed(r.ID)
		require.Equal(t, replayDone, now.State)
		require.Equal(t, len(ids), now.Sent)
		eventually(t, "all of it", func() bool { _, total := got.all(); return total >= len(ids) })
		count, _ := got.all()
		exactly(t, ids, count, 1)
		require.Zero(t, one.replay(w, ReplayRequest{DryRun: true}).Matched)
	})
}

// TestLesson17_ReplaySurvivesKills: the same where processes are killed. What was in flight then is sent again, and
// nothing else twice.
func TestLesson17_ReplaySurvivesKills(t *testing.T) {
	t.Parallel()
	n := 1500
	if more, err := strconv.Atoi(os.Getenv("SENDER_TEST_REPLAY")); err == nil {
		n = more
	}
	server := redistest.Start(t)
	store := redistest.Open(t, config.Redis{URL: server.URL(), Timeout: redistest.Patience})
	var got tally
	api := newBundle(t, store, func(o *Options) { o.Config.DeliverOff = true })
	w, ids := api.failing(newHandler(t, &got), n)
	r := api.replay(w, ReplayRequest{})
	const kills = 2
	for k := range kills {
		most := n / (kills + 1) / childPace.step * 6 / 5 // a fifth more than is waited for, so that it dies with deliveries under way
		kill := startChild(t, server.URL(), childLease+"=1h", childSteps+"="+strconv.Itoa(most))
		eventually(t, "some of it", func() bool { _, total := got.all(); return total > n/(kills+1)*(k+1) })
		kill()
		api.leasesEnd("default")
		now, err := api.Replay(t.Context(), "default", r.ID)
		require.NoError(t, err)
		require.Equal(t, replayRunning, now.State, "killed in the middle")
	}
	startChild(t, server.URL(), childLease+"=1h")
	now := api.replayed(r.ID)
	require.Equal(t, replayDone, now.State)
	require.Equal(t, n, now.Sent)
	require.Eventually(t, func() bool { count, _ := got.all(); return len(count) == n }, 2*time.Minute, 5*time.Millisecond, "nothing was skipped")
	eventually(t, "all are settled", func() bool {
		list, _, err := api.Deliveries(t.Context(), "default", w.ID, DeliveryFilter{State: StatePending})
		return err == nil && len(list) == 0
	})
	count, total := got.all()
	for id, times := range count {
		require.True(t, ids[id])
		require.LessOrEqual(t, times, 1+kills)
	}
	require.LessOrEqual(t, total, n+kills*16, "no more twice than were in flight")
	t.Logf("%d deliveries, %d sent twice after %d kills", n, total-n, kills)
}

// TestReplayOfADeletedWebhook: it ends as cancelled.
func TestReplayOfADeletedWebhook(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newFast(t, store, nil)
		w, _ := b.failing("http://127.0.0.1:1/", 100)
		r := b.replay(w, ReplayRequest{})
		require.NoError(t, b.DeleteWebhook(t.Context(), "default", w.ID))
		b.start()
		require.Equal(t, replayCancelled, b.replayed(r.ID).State)
		eventually(t, "no task is left", func() bool {
			n, err := store.Client().Exists(t.Context(), b.queue.Tag(mustShard(t, b))+"chores").Result()
			return err == nil && n == 0
		})
	})
}

// TestReplayEndsAfterACrash: one that made its last step, and died before it said so, ends.
func TestReplayEndsAfterACrash(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newFast(t, store, nil)
		w, _ := b.failing("http://127.0.0.1:1/", 5)
		r := b.replay(w, ReplayRequest{})
		_, err := b.stepReplay(t.Context(), mustShard(t, b), r.ID, "me")
		require.NoError(t, err)
		key := b.queue.Key(mustShard(t, b), queue.KeyReplay, r.ID)
		require.NoError(t, store.Client().HSet(t.Context(), key, "state", replayRunning).Err())
		require.NoError(t, store.Client().Persist(t.Context(), key).Err())
		require.NoError(t, store.Client().SAdd(t.Context(), b.queue.Tag(mustShard(t, b))+"chores", "replay:"+r.ID).Err())
		b.start()
		now := b.replayed(r.ID)
		require.Equal(t, replayDone, now.State)
		require.Equal(t, 5, now.Sent)
		ttl, err := store.Client().PTTL(t.Context(), key).Result()
		require.NoError(t, err)
		require.Positive(t, ttl, "it is forgotten some time")
	})
}

// TestReplayStepsOnlyFromItsPlace: a step that was prepared at a place that another process has moved on from does
// nothing, however late it comes.
func TestReplayStepsOnlyFromItsPlace(t *testing.T) {
	t.Parallel()
	b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), nil)
	c := stopClock(b)
	w, _ := b.failing("http://127.0.0.1:1/", 30)
	r := b.replay(w, ReplayRequest{Since: c.at.Add(-time.Hour)})
	shard := mustShard(t, b)
	before, sel, err := b.readReplay(t.Context(), shard, r.ID)
	require.NoError(t, err)
	prepared, err := b.replayStep(t.Context(), shard, sel, before.Cursor, 10)
	require.NoError(t, err)
	require.Len(t, prepared.jobs, 10)
	_, err = b.stepReplay(t.Context(), shard, r.ID, "one")
	require.NoError(t, err)
	cursor := queue.Cursor{Key: b.registry.ReplayCursor(r.ID), From: before.Cursor, To: prepared.next, Owner: "two", Hold: time.Second}
	for range 2 { // while the other holds it, and after that
		_, err = b.queue.ResendMoving(t.Context(), shard, cursor, sel.Lane, prepared.jobs)
		require.ErrorIs(t, err, queue.ErrCursorMoved)
		c.advance(time.Minute)
	}
	now, err := b.Replay(t.Context(), "default", r.ID)
	require.NoError(t, err)
	require.Equal(t, 10, now.Sent)
}
