package receiver

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/internal/redistest"
)

// text is a log that may be read while it is written.
type text struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *text) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *text) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// announcing is a gateway of a process of its own, not started.
func announcing(t *testing.T, s *redisstore.Store, process, scheme string, log *text, names ...string) *Deliveries {
	var queues []*Queue
	for _, name := range names {
		app := &queueApp{}
		queues = append(queues, patientQueue(t, QueueOptions{Config: config.Queue{}, Store: redistest.Public(s), Name: "app", Scheme: scheme, Delivery: name,
			Deliver: app.deliver, Logger: slog.New(slog.NewTextHandler(log, nil))}))
	}
	d, err := NewDeliveries(queues...)
	require.NoError(t, err)
	queues[0].announcer.process = process
	return d
}

func (d *Deliveries) start(t *testing.T) (stop func()) {
	for _, q := range d.queues {
		q.Start(t.Context())
	}
	var once sync.Once
	stop = func() {
		once.Do(func() {
			for _, q := range d.queues {
				require.NoError(t, q.Stop(context.Background()))
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

// TestLesson53_GatewaysWhoseQueuesDifferKnow: two gateways on one store whose queues of one name differ would swap events. Both say so, in
// the log and when they are asked, until they agree.
func TestLesson53_GatewaysWhoseQueuesDifferKnow(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		scheme  string
		names   []string
		differs string
	}{
		"alike":            {"github", []string{"a", "b"}, ""},
		"in another order": {"github", []string{"b", "a"}, ""},
		"another scheme":   {"stripe", []string{"a", "b"}, "stripe and the delivers a, b"},
		"another deliver":  {"github", []string{"a", "c"}, "github and the delivers a, c"},
		"one deliver less": {"github", []string{"a"}, "github and the delivers a"},
		"the only one":     {"github", []string{""}, "github and one deliver without a name"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
				var logs [2]text
				first := announcing(t, s, "one", "github", &logs[0], "a", "b")
				second := announcing(t, s, "two", c.scheme, &logs[1], c.names...)
				first.start(t)
				require.Eventually(t, func() bool { // both are noted, whichever was first
					mine, err := first.Differing(t.Context())
					require.NoError(t, err)
					return len(mine) == 0
				}, time.Minute, time.Millisecond)
				stop := second.start(t)
				others, err := second.Differing(t.Context())
				require.NoError(t, err)
				if c.differs == "" {
					require.Empty(t, others)
					others, err = first.Differing(t.Context())
					require.NoError(t, err)
					require.Empty(t, others)
					require.NotContains(t, logs[1].String(), "differs")
					return
				}
				require.Len(t, others, 1)
				require.Contains(t, others[0].String(), "the scheme github and the delivers a, b")
				others, err = first.Differing(t.Context())
				require.NoError(t, err)
				require.Len(t, others, 1)
				require.Contains(t, others[0].String(), c.differs)
				require.Eventually(t, func() bool {
					return bytes.Contains([]byte(logs[1].String()), []byte("another gateway's queue of this name differs"))
				}, time.Minute, time.Millisecond)

				stop() // and with it the trouble
				others, err = first.Differing(t.Context())
				require.NoError(t, err)
				require.Empty(t, others)
			})
		})
	}
}

// TestGatewaysOfOneProcess: a reload has the old configuration and the new one for a moment, and is no trouble.
func TestGatewaysOfOneProcess(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		var log text
		before := announcing(t, s, "one", "github", &log, "a")
		after := announcing(t, s, "one", "github", &log, "a", "b")
		for _, d := range []*Deliveries{before, after} {
			others, err := d.Differing(t.Context())
			require.NoError(t, err)
			require.Empty(t, others)
		}
		third := announcing(t, s, "two", "github", &log, "a", "b")
		others, err := third.Differing(t.Context())
		require.NoError(t, err)
		require.Len(t, others, 1)
	})
}

// TestGatewaysThatEndAreForgotten: the note of one that was killed ends by itself.
func TestGatewaysThatEndAreForgotten(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		var log text
		killed, other := announcing(t, s, "one", "github", &log, "a"), announcing(t, s, "two", "stripe", &log, "a")
		_, err := killed.queues[0].announcer.announce(t.Context(), time.Millisecond)
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			others, err := other.Differing(t.Context())
			require.NoError(t, err)
			return len(others) == 0
		}, time.Minute, time.Millisecond)
		notes, err := s.Client().HLen(t.Context(), killed.queues[0].tag+"gateways").Result()
		require.NoError(t, err)
		require.EqualValues(t, 1, notes, "and leaves nothing behind")
	})
}

// TestQueueWithoutASchemeNotesNothing: a program that does not say which scheme its queue belongs to.
func TestQueueWithoutASchemeNotesNothing(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		q := newQueue(t, s, &queueApp{}, config.Queue{})
		require.Nil(t, q.announcer)
		d, err := NewDeliveries(q)
		require.NoError(t, err)
		others, err := d.Differing(t.Context())
		require.NoError(t, err)
		require.Empty(t, others)
	})
}
