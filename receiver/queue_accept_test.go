package receiver

import (
	"bytes"
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
			a := &accept{targets: []target{{q.queue.Tag(0), (id + "00000000000000000000000000")[:26]}}, ttl: time.Hour.Milliseconds(),
				payload: j.append([]byte{oneLane}, isAny)}
			if claimed {
				a.claim(q.queue.Tag(0), c)
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
		require.Eventually(t, func() bool { return app.count() == 4 && depth() == 0 }, time.Minute, time.Millisecond)
		require.Equal(t, "0000", call(first...), "delivered meanwhile")
		require.Zero(t, depth())
		require.Equal(t, "02", call(event("more", true), event("known", true)), "a copy comes with another claim")
		require.Eventually(t, func() bool { return app.count() == 5 }, time.Minute, time.Millisecond)
	})
}

// TestQueueKeepsBodiesApart: the buffers that requests share mix no event's bytes into another's, whatever their lengths.
func TestQueueKeepsBodiesApart(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		var mu sync.Mutex
		bodies := map[string]string{}
		q := patientQueue(t, QueueOptions{Store: redistest.Public(s), Name: "videos", Deliver: func(w http.ResponseWriter, r *http.Request) error {
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
				if code := g.deliver(body(i), "evt_"+strconv.Itoa(i)).Code; code != http.StatusOK {
					t.Errorf("event %d: %d", i, code)
				}
			})
		}
		senders.Wait()
		require.Eventually(t, func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(bodies) == events
		}, time.Minute, time.Millisecond)
		for i := range events {
			require.Equal(t, body(i), bodies["evt_"+strconv.Itoa(i)], i)
		}
	})
}

// TestAFullQueueTellsEqualBodiesApart: two events with signed IDs of their own are two, also where there is no room.
func TestAFullQueueTellsEqualBodiesApart(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		q := newQueue(t, s, &queueApp{}, config.Queue{MaxLength: 1})
		put := func(id string, signed bool) EnqueueResult {
			c, j := queueJob(id)
			c.Signed, c.Digest = signed, hashKey(kindDigest, "app", "videocloud", "", []byte("equal"))
			result, err := q.Enqueue(t.Context(), c, j)
			require.NoError(t, err)
			return result
		}
		require.Equal(t, Enqueued, put("one", true))
		require.Equal(t, EnqueueFull, put("two", true))
		require.Equal(t, EnqueueDuplicate, put("one", true))
		require.Equal(t, EnqueueDuplicate, put("three", false))
	})
}

// TestLesson62_EachEventOfARequestIsClaimed: a list of events that are signed one by one can be put together anew.
func TestLesson62_EachEventOfARequestIsClaimed(t *testing.T) {
	t.Parallel()
	claims := func(items ...string) *Claim {
		var first *Claim
		for _, item := range items {
			c := NewClaim(Claim{Digest: hashKey(kindDigest, "app", "adyen", "", []byte(item)), Lease: time.Minute, TTL: time.Hour, At: time.Now()})
			if first == nil {
				first = c
			} else {
				first.Others = append(first.Others, c)
			}
		}
		return first
	}
	t.Run("in a queue", func(t *testing.T) {
		t.Parallel()
		redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
			q := newQueue(t, s, &queueApp{}, config.Queue{MaxLength: 3})
			put := func(items ...string) EnqueueResult {
				_, j := queueJob("none")
				result, err := q.Enqueue(t.Context(), claims(items...), j)
				require.NoError(t, err)
				return result
			}
			require.Equal(t, Enqueued, put("a"))
			require.Equal(t, EnqueueDuplicate, put("a"))
			require.Equal(t, Enqueued, put("a", "b"), "one of them is new")
			require.Equal(t, EnqueueDuplicate, put("b", "a"))
			require.Equal(t, EnqueueDuplicate, put("b"))

			inWork := claims("c")
			store := newRedis(s.Client(), s.Prefix(), "app", RedisOptions{})
			t.Cleanup(func() { require.NoError(t, store.Close()) })
			requireClaim(t, Claimed, store, inWork)
			require.Equal(t, EnqueueInFlight, put("d", "a", "c"))
			require.NoError(t, store.Release(t.Context(), inWork))
			require.Equal(t, Enqueued, put("d", "c"), "given back, all of them")
			require.Equal(t, EnqueueFull, put("e", "a"))
			require.Equal(t, EnqueueDuplicate, put("c", "d", "a"), "known events need no room")
		})
	})
	t.Run("in front of an app", func(t *testing.T) {
		t.Parallel()
		eachBackend(t, func(t *testing.T, b backend) {
			g := newGateway(t, func(o *Options) {
				o.Store = b.open(t, "app")
				o.Config.Name = "app"
				o.Verifier = listVerifier{}
			})
			requireAccepted(t, g.deliver("a", ""))
			requireDuplicate(t, g.deliver("a,a", ""))
			g.app.answer(http.StatusInternalServerError)
			require.Equal(t, http.StatusInternalServerError, g.deliver("a,b,c", "").Code)
			g.app.answer(0)
			requireAccepted(t, g.deliver("c", "")) // given back
			requireAccepted(t, g.deliver("c,b", ""))
			requireDuplicate(t, g.deliver("b,a,c", ""))
			g.app.work = func(http.ResponseWriter, *http.Request) {
				g.app.work = nil
				require.Equal(t, http.StatusConflict, g.deliver("e,d", "").Code)
			}
			requireAccepted(t, g.deliver("d", ""))
			requireAccepted(t, g.deliver("e", "")) // the refused one kept nothing
		})
	})
}

// listVerifier takes a body for a list of events, each signed by itself.
type listVerifier struct{}

func (listVerifier) Check(http.Header, time.Time) error { return nil }

func (listVerifier) Verify(r *SignedRequest, _ time.Time) (Verified, error) {
	return Verified{BodySigned: true, Items: bytes.Split(r.Body, []byte(","))}, nil
}
