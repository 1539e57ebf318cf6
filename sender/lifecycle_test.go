package sender

import (
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redistest"
)

// TestLesson21_ShutdownIsNotAnAttempt: a delivery whose attempt a stop cuts off is handed back as it was, wherever the
// attempt stood, and the next sender makes that same attempt.
func TestLesson21_ShutdownIsNotAnAttempt(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		for name, hang := range map[string]func(w http.ResponseWriter){
			"before the answer": func(http.ResponseWriter) {},
			"within the answer": func(w http.ResponseWriter) {
				_, _ = w.Write([]byte("half"))
				_ = http.NewResponseController(w).Flush()
			},
			"within an error": func(w http.ResponseWriter) {
				w.WriteHeader(500)
				_ = http.NewResponseController(w).Flush()
			},
		} {
			t.Run(name, func(t *testing.T) {
				a := newBundle(t, store, func(o *Options) { o.Config.Retry = []time.Duration{0, 0, time.Hour} }).quick(10*time.Second, time.Millisecond)
				require.NoError(t, a.Start(t.Context()))
				hanging := make(chan struct{}, 1)
				to := newSink(t, func(n int, w http.ResponseWriter, r *http.Request) {
					switch n {
					case 1:
						w.WriteHeader(500)
					case 2:
						hang(w)
						hanging <- struct{}{}
						<-r.Context().Done()
					}
				})
				w := a.webhook(to.URL)
				p := a.publish(guideData)
				<-hanging
				require.NoError(t, a.Stop(t.Context()))
				d := a.delivery(p)
				require.Equal(t, StateRetrying, d.State)
				require.Len(t, d.Attempts, 1, "the attempt that was cut off is none")
				require.NotNil(t, d.NextAttemptAt, "handed back")
				require.Equal(t, StatusActive, a.hook(w).Status)

				b := newBundle(t, store, nil).start()
				b.reaches(p, StateSucceeded)
				got := to.got()
				require.Len(t, got, 3)
				require.Equal(t, []string{"1", "2", "2"}, []string{attemptOf(got[0]), attemptOf(got[1]), attemptOf(got[2])})
				require.NoError(t, a.DeleteWebhook(t.Context(), "default", w.ID))
			})
		}
	})
}

func attemptOf(r received) string { return r.header.Get("X-VideoCloud-Attempt") }

// TestStopWaitsForAttempts: an attempt that ends within the grace counts.
func TestStopWaitsForAttempts(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, nil)
		require.NoError(t, b.Start(t.Context()))
		under, goOn := make(chan struct{}), make(chan struct{})
		to := newSink(t, func(int, http.ResponseWriter, *http.Request) {
			under <- struct{}{}
			<-goOn
		})
		b.webhook(to.URL)
		p := b.publish(guideData)
		<-under
		stopped, stopping := make(chan error), make(chan struct{})
		stop := b.stop
		b.stop = func() {
			stop()
			close(stopping)
		}
		go func() { stopped <- b.Stop(t.Context()) }()
		<-stopping
		close(goOn)
		require.NoError(t, <-stopped)
		require.Equal(t, StateSucceeded, b.delivery(p).State)
		require.Len(t, to.got(), 1)
		require.Error(t, b.Start(t.Context()), "a sender starts once")
	})
}

// TestDeliverOff: a process that serves the API only takes everything, and delivers nothing.
func TestDeliverOff(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		api := newBundle(t, store, func(o *Options) { o.Config.DeliverOff = true }).start()
		to := newSink(t, nil)
		api.webhook(to.URL)
		p := api.publish(guideData)
		worker := newBundle(t, store, nil).start()
		worker.reaches(p, StateSucceeded)
		// The worker hears of what the other process publishes at once, not with its next poll.
		p = api.publish(guideData)
		worker.reaches(p, StateSucceeded)
		require.Len(t, to.got(), 2)
	})
}

// TestGone: 410 is a failure like any other, unless it disables.
func TestGone(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, func(o *Options) { o.Config.Retry = []time.Duration{0, time.Hour} }).start()
		w := b.webhook(newSink(t, status(410)).URL)
		d := b.attempts(b.publish(guideData), 1)
		require.Equal(t, StateRetrying, d.State)
		require.Equal(t, StatusActive, b.hook(w).Status)
	})
}

func TestGoneDisables(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, func(o *Options) { o.Config.GoneDisable = true }).start()
		code := answering(410)
		to, owner := newSink(t, code.answer), newSink(t, nil)
		w := b.webhook(to.URL, "video.*")
		b.webhook(owner.URL, "system.error", "system.warning")
		p := b.publish(guideData)
		d := b.reaches(p, StateFailed)
		require.Equal(t, ReasonGone, d.Reason)
		require.Len(t, d.Attempts, 1)
		require.Equal(t, StatusDisabled, b.hook(w).Status)
		eventually(t, "the owner is told", func() bool { return len(owner.got()) == 1 })
		n := readNoticeBody(t, owner.got()[0])
		require.Equal(t, "system.error", n.Event)
		require.Equal(t, "webhook_failed", n.Data["kind"])
		require.Equal(t, p.ID, n.Data["eventId"])
		require.Equal(t, 410.0, n.Data["lastStatusCode"])

		late := b.publish(guideData)
		require.Len(t, late.Deliveries, 1, "kept, and resendable")
		d = b.delivery(late)
		require.Equal(t, StateFailed, d.State)
		require.Equal(t, ReasonDisabled, d.Reason)
		require.Len(t, to.got(), 1)

		code.set(200)
		require.Equal(t, StatusActive, b.update(w, WebhookUpdate{Status: ptr(StatusActive)}).Status)
		_, err := b.RetryDelivery(t.Context(), "default", d.ID)
		require.NoError(t, err)
		b.reaches(late, StateSucceeded)
		_, err = b.RetryDelivery(t.Context(), "default", p.Deliveries[0].ID)
		require.NoError(t, err)
		b.reaches(p, StateSucceeded)
		require.Equal(t, StatusActive, b.hook(w).Status)
		require.Len(t, owner.got(), 1, "the owner ended it, and need not be told of a recovery")
	})
}

// TestPausedAndResumed: what is published meanwhile waits and goes out on resume; attempts under way finish.
func TestPausedAndResumed(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, func(o *Options) { o.Config.MaxPending = 3 }).start()
		under, goOn := make(chan struct{}), make(chan struct{})
		to := newSink(t, func(n int, _ http.ResponseWriter, _ *http.Request) {
			if n == 1 {
				under <- struct{}{}
				<-goOn
			}
		})
		w := b.webhook(to.URL)
		first := b.publish(guideData)
		<-under
		require.Equal(t, StatusPaused, b.update(w, WebhookUpdate{Status: ptr(StatusPaused)}).Status)
		close(goOn)
		b.reaches(first, StateSucceeded)
		require.Equal(t, StatusPaused, b.hook(w).Status, "only the owner ends it")
		var waiting []Published
		for range 3 {
			waiting = append(waiting, b.publish(guideData))
		}
		over := b.publish(guideData)
		d := b.delivery(over)
		require.Equal(t, StateFailed, d.State)
		require.Equal(t, ReasonBacklog, d.Reason)
		test, err := b.TestWebhook(t.Context(), "default", w.ID)
		require.NoError(t, err)
		require.Equal(t, ReasonBacklog, b.delivery(test).Reason)
		for _, p := range waiting {
			require.Equal(t, StatePending, b.delivery(p).State)
		}
		require.Len(t, to.got(), 1)
		b.update(w, WebhookUpdate{Status: ptr(StatusActive)})
		for _, p := range waiting {
			b.reaches(p, StateSucceeded)
		}
		require.Equal(t, StateFailed, b.delivery(over).State)
	})
}

// TestMaxAge: what waits longer than max_age ends as expired.
func TestMaxAge(t *testing.T) {
	t.Parallel()
	b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), func(o *Options) { o.Config.MaxAge = time.Hour })
	c := stopClock(b)
	b.start()
	to := newSink(t, nil)
	w := b.webhook(to.URL)
	b.update(w, WebhookUpdate{Status: ptr(StatusPaused)})
	old := b.publish(guideData)
	c.advance(59 * time.Minute)
	young := b.publish(guideData)
	require.Equal(t, StatePending, b.delivery(old).State)
	c.advance(time.Minute + time.Second)
	require.Equal(t, ReasonExpired, b.reaches(old, StateFailed).Reason)
	require.Equal(t, StatePending, b.delivery(young).State)

	// Sent again it has its time anew, also where that is retried.
	b.update(w, WebhookUpdate{Status: ptr(StatusActive)})
	b.reaches(young, StateSucceeded)
	_, err := b.RetryDelivery(t.Context(), "default", old.Deliveries[0].ID)
	require.NoError(t, err)
	b.reaches(old, StateSucceeded)
}

// TestResentIsNotExpiredAtOnce: a delivery that is sent again long after its event has max_age anew.
func TestResentIsNotExpiredAtOnce(t *testing.T) {
	t.Parallel()
	b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), func(o *Options) {
		o.Config.MaxAge, o.Config.Retry = time.Hour, []time.Duration{0, time.Minute}
	})
	c := stopClock(b)
	b.start()
	code := answering(500)
	b.webhook(newSink(t, code.answer).URL)
	p := b.publish(guideData)
	b.attempts(p, 1)
	c.advance(time.Minute)
	b.reaches(p, StateFailed)
	c.advance(2 * time.Hour)
	_, err := b.RetryDelivery(t.Context(), "default", p.Deliveries[0].ID)
	require.NoError(t, err)
	b.attempts(p, 3)
	require.Equal(t, StateRetrying, b.delivery(p).State)
	c.advance(40 * time.Second) // a look for what waited too long comes by, with the claim of what another account of the shard published later
	b.settles(sameShard(t, b, "default"))
	require.Equal(t, StateRetrying, b.delivery(p).State)
	code.set(200)
	c.advance(20 * time.Second)
	b.reaches(p, StateSucceeded)
}

// TestLesson22_Connections: one connection serves many deliveries, and none stays open when the sender has stopped.
func TestLesson22_Connections(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	opened, open := 0, map[net.Conn]bool{}
	count := func(c net.Conn, state http.ConnState) {
		mu.Lock()
		defer mu.Unlock()
		switch state {
		case http.StateNew:
			opened++
			open[c] = true
		case http.StateClosed:
			delete(open, c)
		}
	}
	server := func(code int) string {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			_, _ = w.Write(make([]byte, 10<<10)) // read to its end, or the connection is of no further use
		}))
		s.Config.ConnState = count
		s.Start()
		t.Cleanup(s.Close)
		return s.URL
	}
	b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), func(o *Options) {
		once(o)
		o.Config.NotifyURL, o.Config.NotifySecret = server(200), "the_operators_secret"
	}).start()
	b.webhook(server(200), "video.uploaded")
	for range 50 {
		b.reaches(b.publish(guideData), StateSucceeded)
	}
	mu.Lock()
	require.Equal(t, 1, opened)
	mu.Unlock()
	b.webhook(server(500), "video.deleted")
	b.reaches(b.publishes("default", Event{Type: "video.deleted"}), StateFailed)
	eventually(t, "the operator is told", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return opened == 3
	})
	require.NoError(t, b.Stop(t.Context()))
	eventually(t, "all are closed", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(open) == 0
	})
}
