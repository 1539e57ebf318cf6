package receiver

import (
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

// orderedApp notes the attempts, and fails some.
type orderedApp struct {
	mu        sync.Mutex
	attempts  []string
	now, most int
	fails     func(id string, attempt string) bool
}

func (a *orderedApp) deliver(w http.ResponseWriter, r *http.Request) error {
	a.mu.Lock()
	id, attempt := r.Header.Get(config.HeaderID), r.Header.Get(config.HeaderAttempt)
	a.attempts = append(a.attempts, id+"/"+attempt)
	a.now++
	a.most = max(a.most, a.now)
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.now--
	}()
	if a.fails(id, attempt) {
		w.WriteHeader(http.StatusInternalServerError)
	}
	return nil
}

func (a *orderedApp) seen() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string(nil), a.attempts...)
}

// TestOrderedQueue: events reach the app one at a time in the order in which they came, over two gateways; one that fails is tried again
// before those behind it, and one that is dead lets them pass.
func TestOrderedQueue(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		app := &orderedApp{fails: func(id, attempt string) bool {
			return id == "e03" || id == "e05" && attempt == "1"
		}}
		gateway := func() *Queue {
			return patientQueue(t, QueueOptions{Config: config.Queue{Ordered: true, Retry: []time.Duration{0, 5 * time.Millisecond, 5 * time.Millisecond}},
				Store: redistest.Public(s), Name: "app", Deliver: app.deliver})
		}
		one, two := gateway(), gateway()
		var want []string
		for i := range 12 {
			id := fmt.Sprintf("e%02d", i)
			one.put(t, id)
			// The score of the next one is the store's next millisecond at least.
			at := time.Now()
			require.Eventually(t, func() bool { return time.Since(at) > 3*time.Millisecond }, time.Minute, time.Millisecond)
			switch i {
			case 3:
				want = append(want, id+"/1", id+"/2", id+"/3")
			case 5:
				want = append(want, id+"/1", id+"/2")
			default:
				want = append(want, id+"/1")
			}
		}
		startQueue(t, one)
		startQueue(t, two)
		require.Eventually(t, func() bool { return len(app.seen()) == len(want) }, time.Minute, time.Millisecond)
		require.Equal(t, want, app.seen())
		require.Equal(t, 1, app.most)
		require.Eventually(t, func() bool { d, err := one.Depth(t.Context()); return err == nil && d.Dead == 1 && d.InFlight == 0 }, time.Minute, time.Millisecond)
	})
}

// TestOrderedQueueKeepsAHeldHead: while the first event waits for its time nobody overtakes it, and retrying it by hand keeps its turn.
func TestOrderedQueueKeepsAHeldHead(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		var mu sync.Mutex
		down := true
		app := &orderedApp{fails: func(string, string) bool {
			mu.Lock()
			defer mu.Unlock()
			return down
		}}
		q := patientQueue(t, QueueOptions{Config: config.Queue{Ordered: true, Retry: []time.Duration{0, time.Hour}},
			Store: redistest.Public(s), Name: "app", Deliver: app.deliver})
		startQueue(t, q)
		q.put(t, "first")
		require.Eventually(t, func() bool {
			attempted := len(app.seen()) == 1 // before the queue is asked, or it may be as it was before the attempt
			d, err := q.Depth(t.Context())
			return err == nil && attempted && d.Waiting == 1 && d.InFlight == 0
		}, time.Minute, time.Millisecond)
		q.put(t, "second")
		waiting := q.all(t, Selection{State: PlaceWaiting})
		require.Len(t, waiting, 2)
		require.Equal(t, "first", waiting[0].ID)
		for _, item := range waiting {
			require.Greater(t, time.Until(*item.Due), 50*time.Minute, "nothing is due before the head")
		}
		require.Equal(t, []string{"first/1"}, app.seen())

		mu.Lock()
		down = false
		mu.Unlock()
		n, err := q.Retry(t.Context(), waiting[0].Job)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.Eventually(t, func() bool { return len(app.seen()) == 3 }, time.Minute, time.Millisecond)
		require.Equal(t, []string{"first/1", "first/1", "second/1"}, app.seen())
	})
}

// TestOrderedQueueAfterACrash: what a gateway was delivering when it died comes first.
func TestOrderedQueueAfterACrash(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		app := &orderedApp{fails: func(string, string) bool { return false }}
		q := patientQueue(t, QueueOptions{Config: config.Queue{Ordered: true}, Store: redistest.Public(s), Name: "app", Deliver: app.deliver})
		require.NoError(t, q.prepare(t.Context()))
		q.put(t, "first")
		first := q.all(t, Selection{State: PlaceWaiting})[0].Job
		tag, c := q.queue.Tag(0), s.Client()
		require.NoError(t, c.ZRem(t.Context(), tag+"lane:app", first).Err())
		require.NoError(t, c.HSet(t.Context(), tag+"conf:app", "fl", 1).Err())
		require.NoError(t, c.Do(t.Context(), "ZADD", tag+"leases", time.Now().Add(-time.Second).UnixMilli(), "app:"+first+":token").Err())
		q.put(t, "second")
		startQueue(t, q)
		require.Eventually(t, func() bool { return len(app.seen()) == 2 }, time.Minute, time.Millisecond)
		require.Equal(t, []string{"first/1", "second/1"}, app.seen())
	})
}
