package receiver

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/internal/redistest"
)

// app is what a queue delivers to.
type queueApp struct {
	mu     sync.Mutex
	status int
	got    []*http.Request
	ids    map[string]int
}

func (a *queueApp) deliver(w http.ResponseWriter, r *http.Request) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.got = append(a.got, r)
	if a.ids == nil {
		a.ids = map[string]int{}
	}
	a.ids[r.Header.Get(config.HeaderID)]++
	if a.status != 0 {
		w.WriteHeader(a.status)
	}
	return nil
}

func (a *queueApp) set(status int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.status = status
}

func (a *queueApp) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.got)
}

// patientQueue is a queue that waits for its store as long as a loaded machine may need: what a sender does whose event took too
// long to be stored is another matter, and another test's.
func patientQueue(t *testing.T, o QueueOptions) *Queue {
	t.Helper()
	q, err := NewQueue(o)
	require.NoError(t, err)
	q.accepts.timeout = redistest.Patience
	if q.announcer != nil {
		q.announcer.withdrawTimeout = redistest.Patience
	}
	return q
}

func newQueue(t *testing.T, s *redisstore.Store, app *queueApp, c config.Queue) *Queue {
	t.Helper()
	return patientQueue(t, QueueOptions{Config: c, Store: redistest.Public(s), Name: "app", Deliver: app.deliver})
}

func startQueue(t *testing.T, q *Queue) {
	q.Start(t.Context())
	t.Cleanup(func() { require.NoError(t, q.Stop(context.Background())) })
}

func queueJob(id string) (*Claim, *Job) {
	c := NewClaim(Claim{ID: EventKey("app", "videocloud", id), Signed: true, Lease: time.Minute, TTL: time.Hour, At: time.Now()})
	return c, &Job{Method: "POST", URI: "/webhooks?x=1", Host: "hooks.example.com", Received: time.Now(), ID: id, Event: "video.uploaded",
		Header: http.Header{"X-Webhook-Id": {id}, "Content-Type": {"application/json"}}, Body: []byte(`{"id":"` + id + `"}`)}
}

func (q *Queue) put(t *testing.T, id string) EnqueueResult {
	t.Helper()
	c, j := queueJob(id)
	r, err := q.Enqueue(t.Context(), c, j)
	require.NoError(t, err)
	return r
}

func TestQueueDeliversOnce(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		app := &queueApp{status: 204}
		q := newQueue(t, s, app, config.Queue{})
		require.Equal(t, Enqueued, q.put(t, "one"))
		require.Equal(t, EnqueueDuplicate, q.put(t, "one"), "known although not delivered yet")
		startQueue(t, q)
		require.Eventually(t, func() bool { return app.count() == 1 }, time.Minute, time.Millisecond)
		require.Equal(t, "1", app.got[0].Header.Get(config.HeaderAttempt))
		require.Equal(t, "/webhooks", app.got[0].URL.Path)
		require.Equal(t, "hooks.example.com", app.got[0].Host)
		var wg sync.WaitGroup
		for i := range 200 {
			for range 3 {
				wg.Go(func() { q.put(t, fmt.Sprint("many", i)) })
			}
		}
		wg.Wait()
		require.Eventually(t, func() bool { return app.count() == 201 }, time.Minute, time.Millisecond)
		for id, n := range app.ids {
			require.Equal(t, 1, n, id)
		}
		require.Eventually(t, func() bool {
			d, err := q.Depth(t.Context())
			return err == nil && d.Waiting == 0 && d.InFlight == 0 && d.Dead == 0
		}, time.Minute, time.Millisecond)
	})
}

func TestQueueFull(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		q := newQueue(t, s, &queueApp{}, config.Queue{MaxLength: 2})
		require.Equal(t, Enqueued, q.put(t, "one"))
		require.Equal(t, Enqueued, q.put(t, "two"))
		require.Equal(t, EnqueueFull, q.put(t, "three"))
		require.Equal(t, EnqueueFull, q.put(t, "three"), "what was refused is not known")
		require.Equal(t, EnqueueDuplicate, q.put(t, "one"), "what is known needs no room")
	})
}

func TestQueueDead(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		app := &queueApp{status: 500}
		q := newQueue(t, s, app, config.Queue{Retry: []time.Duration{0, time.Millisecond}})
		startQueue(t, q)
		for i := range 3 {
			q.put(t, fmt.Sprint("e", i))
		}
		dead := func() []Queued {
			all, _, err := q.List(t.Context(), Selection{}, "", 10)
			require.NoError(t, err)
			return all
		}
		require.Eventually(t, func() bool { return len(dead()) == 3 }, time.Minute, time.Millisecond)
		d := dead()[0]
		require.Equal(t, 2, d.Attempts)
		require.Equal(t, "the app answered 500", d.Error)
		require.Equal(t, "video.uploaded", d.Event)
		require.NotEmpty(t, d.ID)

		n, err := q.Purge(t.Context(), d.Job)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		app.set(200)
		n, err = q.RetryAll(t.Context(), Selection{})
		require.NoError(t, err)
		require.Equal(t, 2, n)
		require.Eventually(t, func() bool { return app.count() == 8 && len(dead()) == 0 }, time.Minute, time.Millisecond)
		app.set(500)
		q.put(t, "last")
		require.Eventually(t, func() bool { return len(dead()) == 1 }, time.Minute, time.Millisecond)
		n, err = q.PurgeAll(t.Context(), Selection{})
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.Empty(t, dead())
	})
}

// TestQueueHandsOverAtItsStop: the retry of an attempt that ends while its gateway, or its configuration, stops is made in time
// by another. Polls are further apart than this test waits.
func TestQueueHandsOverAtItsStop(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		started, failed := make(chan struct{}), make(chan struct{})
		table := []time.Duration{0, 200 * time.Millisecond}
		old := patientQueue(t, QueueOptions{Config: config.Queue{Retry: table, Concurrency: 1}, Store: redistest.Public(s), Name: "app",
			Deliver: func(w http.ResponseWriter, _ *http.Request) error {
				close(started)
				<-failed
				w.WriteHeader(http.StatusBadGateway)
				return nil
			}})
		old.put(t, "one")
		old.Start(t.Context())
		<-started

		app := &queueApp{status: 200}
		next := newQueue(t, s, app, config.Queue{Retry: table})
		startQueue(t, next)
		require.Eventually(t, func() bool {
			n := s.Client().PubSubNumSub(t.Context(), next.queue.Tag(0)+"wake").Val()
			return n[next.queue.Tag(0)+"wake"] == 2
		}, time.Minute, time.Millisecond)
		next.put(t, "two") // the old one has no room for it; after it, the next one has nothing to do
		require.Eventually(t, func() bool {
			d, err := next.Depth(t.Context())
			return err == nil && app.count() == 1 && d.Waiting == 0 && d.InFlight == 1
		}, time.Minute, time.Millisecond)

		old.stop() // before the attempt ends, or the old one might find the time to make the next one itself
		close(failed)
		require.NoError(t, old.Stop(t.Context()))
		require.Eventually(t, func() bool { return app.count() == 2 }, 10*time.Second, time.Millisecond)
		require.Equal(t, map[string]int{"one": 1, "two": 1}, app.ids)
	})
}

// TestLesson50_TheLibrarysQueueAndSilence: an http.Handler that writes nothing answered 200, and only who says that nobody was
// there has lost nothing.
func TestLesson50_TheLibrarysQueueAndSilence(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		deliver func(http.ResponseWriter, *http.Request) error
		dead    bool
	}{
		"silence":            {func(http.ResponseWriter, *http.Request) error { return nil }, false},
		"nobody":             {func(http.ResponseWriter, *http.Request) error { return ErrNoApp }, true},
		"nobody, as wrapped": {func(http.ResponseWriter, *http.Request) error { return fmt.Errorf("at the end: %w", ErrNoApp) }, true},
		"an answer all the same": {func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(http.StatusAccepted)
			return ErrNoApp
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := redistest.Open(t, config.Redis{URL: config.Memory})
			ended := make(chan string, 1)
			q := patientQueue(t, QueueOptions{Config: config.Queue{Retry: []time.Duration{0}}, Store: redistest.Public(s), Name: "app", Deliver: test.deliver,
				Observe: func(a QueueAttempt) { ended <- a.Outcome }})
			startQueue(t, q)
			q.put(t, "one")
			require.Equal(t, map[bool]string{false: outcomeDelivered, true: outcomeFailed}[test.dead], <-ended)
		})
	}
}

// TestQueueSurvivesRedisRestart: what was answered 200 is delivered after a crash of Redis and of the gateway.
func TestQueueSurvivesRedisRestart(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	s := redistest.Open(t, config.Redis{URL: server.URL()})
	app := &queueApp{status: 200}
	first := newQueue(t, s, app, config.Queue{})
	for i := range 50 {
		first.put(t, fmt.Sprint("e", i))
	}
	server.Kill()
	c, j := queueJob("while down")
	_, err := first.Enqueue(t.Context(), c, j)
	require.ErrorIs(t, err, ErrStore)
	server.Up()
	startQueue(t, newQueue(t, s, app, config.Queue{}))
	require.Eventually(t, func() bool { return app.count() == 50 }, time.Minute, time.Millisecond)
}
