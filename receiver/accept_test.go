package receiver

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/internal/redistest"
)

// TestAcceptIsSafeToRepeat: a client tries a call again whose answer got lost. What it queued stays queued once, also where
// it was delivered meanwhile, or where the queue is full now.
func TestAcceptIsSafeToRepeat(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		app := &queueApp{status: 200}
		q := newQueue(t, s, app, config.Queue{MaxLength: 4})
		at := &acceptor{q: q}
		call := func(events ...*accept) string {
			at.carry(t.Context(), events)
			require.NoError(t, at.err)
			return at.answers
		}
		event := func(id string, claimed bool) *accept {
			c, j := queueJob(id)
			a := &accept{job: (id + "00000000000000000000000000")[:26], ttl: time.Hour.Milliseconds(), id: q.none, digest: q.none,
				payload: j.append([]byte{oneLane}, isAny)}
			if claimed {
				a.id, a.digest, a.held = c.inRedis(q.queue.Tag(0), stateDone)
			}
			return a
		}
		first := []*accept{event("known", true), event("nameless", false), event("another", true), event("last", false)}
		require.Equal(t, "0000", call(first...))
		require.Equal(t, "0000", call(first...), "the queue is full of them")
		require.Equal(t, "3", call(event("more", true)))
		depth := func() int {
			d, err := q.Depth(t.Context())
			require.NoError(t, err)
			return d.Waiting
		}
		require.Equal(t, 4, depth())
		startQueue(t, q)
		require.Eventually(t, func() bool { return app.count() == 4 && depth() == 0 }, 10*time.Second, time.Millisecond)
		require.Equal(t, "0000", call(first...), "delivered meanwhile")
		require.Zero(t, depth())
		require.Equal(t, "02", call(event("more", true), event("known", true)), "a copy comes with another claim")
		require.Eventually(t, func() bool { return app.count() == 5 }, 10*time.Second, time.Millisecond)
	})
}

// TestQueueKeepsBodiesApart: the buffers that requests share mix no event's bytes into another's, whatever their lengths.
func TestQueueKeepsBodiesApart(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		var mu sync.Mutex
		bodies := map[string]string{}
		q, err := NewQueue(QueueOptions{Store: s, Name: "videos", Deliver: func(w http.ResponseWriter, r *http.Request) error {
			body, err := io.ReadAll(r.Body)
			if err != nil || int64(len(body)) != r.ContentLength {
				return errors.New("the body is not as long as its header says")
			}
			mu.Lock()
			defer mu.Unlock()
			bodies[r.Header.Get("X-Webhook-Id")] = string(body)
			w.WriteHeader(http.StatusOK)
			return nil
		}})
		require.NoError(t, err)
		startQueue(t, q)
		g := newGateway(t, func(o *Options) {
			o.Config.Queue = &config.Queue{}
			o.Enqueuer, o.Store = q, untouchable{t}
		})
		body := func(i int) string { return strings.Repeat(string(rune('a'+i%26)), i*i%3000) + strconv.Itoa(i) }
		const events = 300
		var senders sync.WaitGroup
		for i := range events {
			senders.Go(func() {
				w := g.deliver(body(i), "evt_"+strconv.Itoa(i))
				if w.Code != http.StatusOK {
					t.Errorf("event %d: %d", i, w.Code)
				}
			})
		}
		senders.Wait()
		require.Eventually(t, func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(bodies) == events
		}, 20*time.Second, time.Millisecond)
		for i := range events {
			require.Equal(t, body(i), bodies["evt_"+strconv.Itoa(i)], i)
		}
	})
}
