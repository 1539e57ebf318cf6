package receiver

import (
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/queue"
	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/internal/redistest"
)

func largeJob(id string) (*Claim, *Job) {
	c, j := queueJob(id)
	j.Body = []byte(strings.Repeat(id+" ", 8<<10))
	return c, j
}

func largeAccept(q *Queue, id string) *accept {
	c, j := largeJob(id)
	a := &accept{targets: []target{{q.queue.Tag(0), (id + "00000000000000000000000000")[:26]}}, ttl: time.Hour.Milliseconds(),
		payload: j.append([]byte{oneLane}, isAny)}
	a.claim(q.queue.Tag(0), c)
	return a
}

// TestLargePayloadsOfSeveralApps: what goes beside the script is there for each app as it came, with no end where it waits, and nothing of it
// is left on its way.
func TestLargePayloadsOfSeveralApps(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		full, first, second := &queueApp{}, &queueApp{}, &queueApp{}
		c := config.Queue{MaxLength: 3}
		queues := []*Queue{appQueue(t, s, "full", full, c), appQueue(t, s, "first", first, c), appQueue(t, s, "second", second, c)}
		d, err := NewDeliveries(queues...)
		require.NoError(t, err)
		for _, id := range []string{"before", "it"} {
			c, j := largeJob(id)
			r, err := queues[0].Enqueue(t.Context(), c, j)
			require.NoError(t, err)
			require.Equal(t, Enqueued, r)
		}
		for i := range 3 {
			c, j := largeJob("evt" + strconv.Itoa(i))
			j.Deliveries = []string{"full", "first", "second"}
			r, err := d.Enqueue(t.Context(), c, j)
			require.NoError(t, err)
			require.Equal(t, Enqueued, r)
			copied, _ := largeJob("evt" + strconv.Itoa(i))
			r, err = d.Enqueue(t.Context(), copied, j)
			require.NoError(t, err)
			require.Equal(t, EnqueueDuplicate, r)
		}
		keys := s.Client().Keys(t.Context(), "*}:*:*").Val()
		bodies := 0
		for _, key := range keys {
			require.NotContains(t, key, string(queue.KeyPut))
			if strings.Contains(key, string(queue.KeyBody)) {
				bodies++
			}
		}
		require.Equal(t, 2+9, bodies)
		for _, q := range queues[1:] {
			for _, key := range s.Client().Keys(t.Context(), q.queue.Tag(0)+string(queue.KeyBody)+"*").Val() {
				require.Negative(t, s.Client().PTTL(t.Context(), key).Val(), "what waits has no end")
			}
		}
		for _, key := range s.Client().Keys(t.Context(), queues[0].queue.Tag(0)+string(queue.KeyBody)+"*").Val() {
			require.Greater(t, s.Client().StrLen(t.Context(), key).Val(), int64(8<<10))
		}
		for _, q := range queues {
			startQueue(t, q)
		}
		require.Eventually(t, func() bool { return first.count() == 3 && second.count() == 3 && full.count() == 3 }, time.Minute, time.Millisecond)
		n, err := queues[0].RetryAll(t.Context(), Selection{})
		require.NoError(t, err)
		require.Equal(t, 2, n, "dead, as the queue was full")
		require.Eventually(t, func() bool { return full.count() == 5 }, time.Minute, time.Millisecond)
		for _, app := range []*queueApp{full, first, second} {
			for _, r := range app.got {
				_, j := largeJob(r.Header.Get(config.HeaderID))
				body, err := io.ReadAll(r.Body)
				require.NoError(t, err)
				require.True(t, string(j.Body) == string(body))
			}
		}
	})
}

// TestLargePayloadsAreSafeToRepeat: a call whose answer got lost is made again, with its payloads.
func TestLargePayloadsAreSafeToRepeat(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		app := &queueApp{}
		q := newQueue(t, s, app, config.Queue{MaxLength: 2})
		at := &acceptor{q: q}
		call := func(events ...*accept) string {
			at.carry(t.Context(), events)
			require.NoError(t, at.err)
			require.Empty(t, s.Client().Keys(t.Context(), q.queue.Tag(0)+string(queue.KeyPut)+"*").Val())
			return at.answers
		}
		both := []*accept{largeAccept(q, "one"), largeAccept(q, "two")}
		require.Equal(t, "00", call(both...))
		require.Equal(t, "00", call(both...), "the queue is full of them")
		require.Equal(t, "3", call(largeAccept(q, "more")))
		startQueue(t, q)
		require.Eventually(t, func() bool { d, err := q.Depth(t.Context()); return err == nil && d.Waiting+d.InFlight == 0 }, time.Minute, time.Millisecond)
		require.Equal(t, "00", call(both...), "delivered meanwhile")
		require.Equal(t, 2, app.count())
	})
}

// TestLargePayloadThatIsNotThere: nobody hears yes for an event whose payload did not reach the store, and none of its keys is taken.
func TestLargePayloadThatIsNotThere(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		app := &queueApp{}
		q := newQueue(t, s, app, config.Queue{})
		at := &acceptor{q: q}
		refused := errors.New("full")
		for _, why := range []error{nil, refused} {
			events := []*accept{largeAccept(q, "gone"), largeAccept(q, "there")}
			for _, a := range events {
				a.ready = make(chan struct{}, 1)
			}
			at.carry(t.Context(), events[1:])
			require.NoError(t, at.err)
			v, err := q.queue.Run(t.Context(), 0, acceptScript, "app", "nothing", "", &events[0].ttl, plainShape, &events[0].targets[0].tag, &events[0].targets[0].job,
				&events[0].claims[0].held, &events[0].claims[0].id, &events[0].claims[0].digest)
			require.NoError(t, err)
			require.Equal(t, "4", v)
			at.answers, at.beside = "4", []*redisstore.Value{{Err: why}}
			at.answer(events[:1])
			require.ErrorIs(t, events[0].err, ErrStore)
			if why == nil {
				require.ErrorIs(t, events[0].err, queue.ErrUnsaved)
			} else {
				require.ErrorIs(t, events[0].err, why)
			}
		}
		at.carry(t.Context(), []*accept{largeAccept(q, "gone")})
		require.Equal(t, "0", at.answers, "its sender tries again")
		startQueue(t, q)
		require.Eventually(t, func() bool { return app.count() == 2 }, time.Minute, time.Millisecond)
		require.Equal(t, map[string]int{"gone": 1, "there": 1}, app.ids)
	})
}
