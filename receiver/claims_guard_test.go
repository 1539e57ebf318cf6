package receiver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redistest"
)

// moody is a store that can hang, fail, and lose answers.
type moody struct {
	*Memory
	mood  atomic.Int32
	calls atomic.Int32
}

const (
	fine    = iota
	hanging // never answers
	failed  // answers with an error
	mute    // does what it is told, and loses the answer
)

var errMood = errors.New("not in the mood")

func (m *moody) act(ctx context.Context, f func() error) error {
	m.calls.Add(1)
	switch m.mood.Load() {
	case hanging:
		<-ctx.Done()
		return ctx.Err()
	case failed:
		return errMood
	case mute:
		_ = f()
		return errMood
	}
	return f()
}

func (m *moody) Claim(ctx context.Context, c *Claim) (s State, err error) {
	err = m.act(ctx, func() error {
		s, err = m.Memory.Claim(ctx, c)
		return err
	})
	return s, err
}

func (m *moody) Renew(ctx context.Context, c *Claim) error {
	return m.act(ctx, func() error { return m.Memory.Renew(ctx, c) })
}

func (m *moody) Done(ctx context.Context, c *Claim) error {
	return m.act(ctx, func() error { return m.Memory.Done(ctx, c) })
}

func (m *moody) Release(ctx context.Context, c *Claim) error {
	return m.act(ctx, func() error { return m.Memory.Release(ctx, c) })
}

func (m *moody) probe(ctx context.Context) error {
	return m.act(ctx, func() error { return nil })
}

func local(c *Claim) { c.Local = true }

func newMoody() *moody { return &moody{Memory: NewMemory(MemoryOptions{})} }

func TestLesson49_AStoreThatHangsCostsATimeoutOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMoody()
		guard := NewGuard(m, GuardOptions{})
		defer func() { require.NoError(t, guard.Close()) }()
		g := newGateway(t, func(o *Options) { o.Store = guard })
		m.mood.Store(hanging)
		for i := range 20 {
			start := time.Now()
			w := g.deliver(fmt.Sprint("body ", i), "")
			took := time.Since(start)
			requireAccepted(t, w)
			require.LessOrEqual(t, took, 500*time.Millisecond)
			if i > 0 {
				require.Zero(t, took, "the breaker spares the store")
			}
			requireDuplicate(t, g.deliver(fmt.Sprint("body ", i), ""))
		}
		m.mood.Store(fine)
		time.Sleep(3 * time.Second)
		require.False(t, guard.Down())
		other := newGateway(t, func(o *Options) { o.Store = m.Memory })
		for i := range 20 {
			requireDuplicate(t, other.deliver(fmt.Sprint("body ", i), ""))
		}
		require.Zero(t, guard.memory.Len(), "what was written back is not kept")
	})
}

func TestGuardRejectsWhereToldTo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMoody()
		guard := NewGuard(m, GuardOptions{})
		defer func() { require.NoError(t, guard.Close()) }()
		g := newGateway(t, func(o *Options) {
			o.Store = guard
			o.Config.Dedup.OnStoreError = config.OnStoreErrorReject
		})
		m.mood.Store(mute) // it claims, but nobody learns of it
		for range 3 {
			w := g.deliver("body", "evt_1")
			require.Equal(t, http.StatusServiceUnavailable, w.Code)
			require.Equal(t, "5", w.Header().Get("Retry-After"))
			require.Empty(t, w.Body.String(), "who is refused is not told why")
		}
		require.Zero(t, g.app.count())
		m.mood.Store(fine)
		time.Sleep(3 * time.Second)
		requireAccepted(t, g.deliver("body", "evt_1"))
	})
}

func TestGuardWritesBack(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	tests := map[string]struct {
		before int32 // the store's mood when the event is claimed
		during int32 // and when it is settled
		done   bool
	}{
		"claimed before, done during the outage":      {fine, failed, true},
		"claimed before, released during the outage":  {fine, failed, false},
		"claimed and done during the outage":          {failed, failed, true},
		"claimed and released during the outage":      {failed, failed, false},
		"claimed without an answer, then done":        {mute, failed, true},
		"claimed without an answer, then released":    {mute, failed, false},
		"claimed during the outage, done after it":    {failed, fine, true},
		"claimed during it, released after it":        {failed, fine, false},
		"done without an answer":                      {fine, mute, true},
		"released without an answer":                  {fine, mute, false},
		"claimed during a hang, done during the hang": {hanging, hanging, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := newMoody()
				g := NewGuard(m, GuardOptions{})
				defer func() { require.NoError(t, g.Close()) }()
				m.mood.Store(test.before)
				c := requireClaim(t, Claimed, g, event("1", "body", local))
				m.mood.Store(test.during)
				if test.during == fine {
					time.Sleep(3 * time.Second)
				}
				requireClaim(t, InFlight, g, event("1", "body", local))
				settle, want := g.Release, Claimed
				if test.done {
					settle, want = g.Done, Duplicate
				}
				require.NoError(t, settle(ctx, c))
				if test.during != fine {
					requireClaim(t, want, g, event("2", "body", local))
				}
				m.mood.Store(fine)
				time.Sleep(3 * time.Second)
				requireClaim(t, want, m.Memory, event("1", "body"))
			})
		})
	}
}

func TestGuardRenewsIntoTheStoreWhatWasClaimedWithoutIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMoody()
		g := NewGuard(m, GuardOptions{})
		defer func() { require.NoError(t, g.Close()) }()
		m.mood.Store(failed)
		c := requireClaim(t, Claimed, g, event("1", "body", local))
		require.ErrorIs(t, g.Renew(context.Background(), c), ErrStore)
		m.mood.Store(fine)
		time.Sleep(3 * time.Second)
		require.NoError(t, g.Renew(context.Background(), c))
		requireClaim(t, InFlight, m.Memory, event("1", "body"))
		require.NoError(t, g.Done(context.Background(), c))
		requireClaim(t, Duplicate, m.Memory, event("1", "body"))
	})
}

func TestGuardTellsOfAnOutageOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		var operations []string
		m := newMoody()
		g := NewGuard(m, GuardOptions{
			Logger:  slog.New(slog.NewTextHandler(&log, nil)),
			OnError: func(op string, err error) { operations = append(operations, op) },
		})
		m.mood.Store(failed)
		for i := range 10 {
			requireClaim(t, Claimed, g, event(fmt.Sprint(i), "", local))
		}
		require.Equal(t, []string{"claim"}, operations)
		time.Sleep(10 * time.Second)
		m.mood.Store(fine)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		require.Equal(t, 1, bytes.Count(log.Bytes(), []byte("store of claims is down")))
		require.Equal(t, 1, bytes.Count(log.Bytes(), []byte("store of claims is back")))
		before := m.calls.Load()
		time.Sleep(time.Hour)
		require.Equal(t, before, m.calls.Load(), "an idle guard asks nothing")
		require.NoError(t, g.Close())
	})
}

func TestGuardClosesDuringAnOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMoody()
		g := NewGuard(m, GuardOptions{})
		m.mood.Store(failed)
		c := requireClaim(t, Claimed, g, event("1", "body", local))
		require.NoError(t, g.Done(context.Background(), c))
		m.mood.Store(fine)
		require.NoError(t, g.Close())
		requireClaim(t, Duplicate, m.Memory, event("1", "body"))
		// A request that is still under way finds a store all the same.
		late := requireClaim(t, Claimed, g, event("2", "late", local))
		require.NoError(t, g.Done(context.Background(), late))
	})
}

func TestLesson49_RedisFrozenThawedAndRestarted(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	// The client's own limits are out of reach: what ends a wait for the store is the guard. Its time is what no stall of a
	// loaded machine takes; that a quarter of a second is kept is said by TestLesson49_AStoreThatHangsCostsATimeoutOnce.
	client := redistest.Open(t, config.Redis{URL: server.URL(), Timeout: time.Hour}).Client()
	stores, gateways := make([]*Redis, 2), make([]*gateway, 2)
	for i := range stores {
		stores[i] = newRedis(client, "test", "videos", RedisOptions{Guard: GuardOptions{Timeout: 5 * time.Second}})
		t.Cleanup(func() { require.NoError(t, stores[i].Close()) })
		gateways[i] = newGateway(t, func(o *Options) { o.Store = stores[i] })
	}
	one, two := gateways[0], gateways[1]
	requireAccepted(t, one.deliver("before", ""))

	freeze(t, server)
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			if w := one.deliver(fmt.Sprint("during ", i), ""); w.Code != http.StatusOK {
				t.Errorf("answer %d", w.Code)
			}
		})
	}
	answered := make(chan struct{})
	go func() {
		wg.Wait()
		close(answered)
	}()
	select {
	case <-answered:
	case <-time.After(5 * time.Minute):
		t.Fatal("requests wait for the store as long as its client does")
	}
	require.True(t, stores[0].Down())
	one.app.answer(http.StatusInternalServerError)
	require.Equal(t, http.StatusInternalServerError, one.deliver("refused", "").Code)
	one.app.answer(0)

	thaw(t, server)
	back := func() bool {
		return !stores[0].Down() && !stores[0].Guard.pending.Load() && stores[0].memory.Len() == 0
	}
	require.Eventually(t, back, 2*time.Minute, 5*time.Millisecond)
	for i := range 100 {
		requireDuplicate(t, two.deliver(fmt.Sprint("during ", i), ""))
	}
	requireAccepted(t, two.deliver("refused", ""))
	requireDuplicate(t, one.deliver("before", ""))

	server.Kill()
	requireAccepted(t, one.deliver("while it is down", ""))
	requireDuplicate(t, one.deliver("while it is down", ""))
	server.Up()
	require.Eventually(t, back, 2*time.Minute, 5*time.Millisecond)
	requireDuplicate(t, two.deliver("while it is down", ""))
	requireAccepted(t, two.deliver("after", ""))
	requireDuplicate(t, one.deliver("after", ""))
}

func TestScriptsAreLoadedAgain(t *testing.T) {
	t.Parallel()
	m := miniredis.RunT(t)
	client := newClient(t, &redis.Options{Addr: m.Addr()})
	s := newRedis(client, "test", "n", RedisOptions{Guard: GuardOptions{Timeout: redistest.Patience}})
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	flush := func() { require.NoError(t, client.ScriptFlush(context.Background()).Err()) }
	c := requireClaim(t, Claimed, s, event("1", "body"))
	flush()
	require.NoError(t, s.claims.Renew(context.Background(), c))
	flush()
	require.NoError(t, s.claims.Done(context.Background(), c))
	flush()
	require.NoError(t, s.claims.Release(context.Background(), c))
	flush()
	n, err := s.Forget(context.Background(), c.ID)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.False(t, s.Down())
}

func TestRedisThatRefusesWritesIsDown(t *testing.T) {
	t.Parallel()
	for _, refusal := range []string{"OOM command not allowed when used memory > 'maxmemory'.", "READONLY You can't write against a read only replica.", "LOADING Redis is loading the dataset in memory"} {
		t.Run(refusal[:8], func(t *testing.T) {
			t.Parallel()
			m := miniredis.RunT(t)
			s := newRedis(newClient(t, &redis.Options{Addr: m.Addr()}), "test", "n", RedisOptions{Guard: GuardOptions{Timeout: redistest.Patience}})
			t.Cleanup(func() { require.NoError(t, s.Close()) })
			requireClaim(t, Claimed, s, event("0", "", local))
			m.SetError(refusal)
			c := requireClaim(t, Claimed, s, event("1", "body", local))
			require.NoError(t, s.Done(context.Background(), c))
			require.True(t, s.Down())
			_, err := s.Claim(context.Background(), event("2", "other"))
			require.ErrorIs(t, err, ErrStore)
			m.SetError("")
			require.Eventually(t, func() bool { return !s.Down() }, 2*time.Minute, 5*time.Millisecond)
			// Looked at before it is claimed: a claim made beside the guard, before what was done is written, would keep it from that.
			id := redisKey(s.claims.tag, keyID, c.ID)
			require.Eventually(t, func() bool {
				held, err := m.Get(id)
				return err == nil && held[0] == stateDone
			}, 2*time.Minute, 5*time.Millisecond)
			state, err := s.claims.Claim(context.Background(), event("1", "body"))
			require.NoError(t, err)
			require.Equal(t, Duplicate, state)
		})
	}
}

func TestClaimsShareASlot(t *testing.T) {
	t.Parallel()
	tag, both := Tag("webhooks", "videos"), event("1", "body")
	id, digest := redisKey(tag, keyID, both.ID), redisKey(tag, keyDigest, both.Digest)
	require.Regexp(t, `^\{webhooks:r:videos\}:i:[A-Za-z0-9_-]{22}$`, id)
	require.Regexp(t, `^\{webhooks:r:videos\}:d:[A-Za-z0-9_-]{22}$`, digest)
	none := redisKey(tag, keyDigest, event("1", "").Digest)
	require.Equal(t, "{webhooks:r:videos}:-", none)
	require.LessOrEqual(t, len("d"+event("1", "body").Value()), 44, "Redis keeps longer values apart from their header")
}
