package receiver

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
)

func TestLesson47_SlowApps(t *testing.T) {
	t.Parallel()
	t.Run("slower than the lease", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			g := newGateway(t)
			g.app.work = func(http.ResponseWriter, *http.Request) { time.Sleep(3 * time.Minute) }
			first := make(chan *httptest.ResponseRecorder)
			go func() { first <- g.deliver("body", "evt_1") }()
			for range 17 {
				time.Sleep(10 * time.Second)
				require.Equal(t, http.StatusConflict, g.deliver("body", "evt_1").Code)
			}
			requireAccepted(t, <-first)
			require.Equal(t, 1, g.app.count())
		})
	})
	t.Run("one that never answers", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			g := newGateway(t)
			start := time.Now()
			g.app.work = func(w http.ResponseWriter, r *http.Request) {
				<-r.Context().Done()
				if r.Context().Err() != context.DeadlineExceeded {
					t.Errorf("ended by %v", r.Context().Err())
				}
				w.WriteHeader(http.StatusGatewayTimeout)
			}
			require.Equal(t, http.StatusGatewayTimeout, g.deliver("body", "evt_1").Code)
			require.Equal(t, 5*time.Minute, time.Since(start))
			g.app.work = nil
			requireAccepted(t, g.deliver("body", "evt_1"))
		})
	})
	t.Run("one that ignores the end of its time holds the event no longer than a lease", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			g := newGateway(t)
			stuck := make(chan struct{})
			g.app.work = func(http.ResponseWriter, *http.Request) { <-stuck }
			first := make(chan *httptest.ResponseRecorder)
			go func() { first <- g.deliver("body", "evt_1") }()
			time.Sleep(5*time.Minute + 2*time.Minute + time.Second)
			g.app.mu.Lock()
			g.app.work = nil
			g.app.mu.Unlock()
			requireAccepted(t, g.deliver("body", "evt_1"))
			close(stuck)
			<-first
			requireDuplicate(t, g.deliver("body", "evt_1"))
		})
	})
	t.Run("a panic", func(t *testing.T) {
		t.Parallel()
		eachBackend(t, func(t *testing.T, b backend) {
			var outcomes []Outcome
			g := newGateway(t, func(o *Options) {
				o.Store = b.open(t, "videos")
				o.Observe = func(o Outcome) { outcomes = append(outcomes, o) }
			})
			g.app.work = func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusOK)
				panic(http.ErrAbortHandler)
			}
			require.PanicsWithValue(t, http.ErrAbortHandler, func() { g.deliver("body", "evt_1") })
			require.Equal(t, ResultFailed, outcomes[0].Result)
			g.app.work = nil
			requireAccepted(t, g.deliver("body", "evt_1"))
		})
	})
}

func TestAClientThatLeavesCancelsNothing(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	ctx, cancel := context.WithCancel(context.Background())
	g.app.work = func(w http.ResponseWriter, r *http.Request) {
		cancel()
		require.NoError(t, r.Context().Err())
		_, err := io.WriteString(w, "nobody reads this")
		require.NoError(t, err)
	}
	w := &brokenWriter{ResponseRecorder: httptest.NewRecorder()}
	g.ServeHTTP(w, delivery("body", "evt_1").WithContext(ctx))
	requireDuplicate(t, g.deliver("body", "evt_1"))
}

// brokenWriter is a connection whose other end is gone.
type brokenWriter struct{ *httptest.ResponseRecorder }

func (*brokenWriter) Write([]byte) (int, error)       { return 0, io.ErrClosedPipe }
func (*brokenWriter) WriteString(string) (int, error) { return 0, io.ErrClosedPipe }

func TestDryRunRefusesAndDropsNothing(t *testing.T) {
	t.Parallel()
	var outcomes []Outcome
	g := newGateway(t, func(o *Options) {
		o.Config.DryRun = true
		o.Config.MaxSize = 20
		o.Observe = func(o Outcome) { outcomes = append(outcomes, o) }
	})
	long := strings.Repeat("0123456789", 5)
	unsigned := delivery("unsigned", "")
	unsigned.Header.Del("X-VideoCloud-Signature")
	chunked := delivery(long, "")
	chunked.ContentLength = -1
	get := delivery("get", "")
	get.Method = http.MethodGet
	steps := []struct {
		request   *http.Request
		body      string
		result    string
		err       string
		verified  bool
		duplicate bool
	}{
		{delivery("good", "evt_1"), "good", ResultAccepted, "", true, false},
		{delivery("good", "evt_1"), "good", ResultDuplicate, "", true, true},
		{unsigned, "unsigned", ReasonMissing, ReasonMissing, false, false},
		{delivery(long, ""), long, ReasonTooLarge, ReasonTooLarge, false, false},
		{chunked, long, ReasonTooLarge, ReasonTooLarge, false, false},
		{get, "get", ReasonMethod, ReasonMethod, false, false},
	}
	for i, step := range steps {
		requireAccepted(t, g.serve(step.request))
		require.Equal(t, i+1, g.app.count())
		require.Equal(t, step.body, g.app.bodies[i])
		require.Equal(t, step.verified, g.app.last().Header.Get(config.HeaderVerified) != "")
		o := outcomes[i]
		require.Equal(t, step.result, o.Result)
		require.Equal(t, step.err, o.Error)
		require.Equal(t, step.duplicate, o.Duplicate)
		require.True(t, o.DryRun)
		require.Equal(t, http.StatusOK, o.Status)
	}
}

func TestDedupOffLetsEveryCopyThrough(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(o *Options) {
		o.Config.Dedup.Off = true
		o.Store = untouchable{t}
	})
	for range 3 {
		requireAccepted(t, g.deliver("body", "evt_1"))
	}
	require.Equal(t, "evt_1", g.app.last().Header.Get("X-Webhook-Id"))
}

// TestLesson50_AnHTTPHandlerThatWritesNothingDidItsWork: net/http answers 200 for it. Only a Next that says so had nobody behind it.
func TestLesson50_AnHTTPHandlerThatWritesNothingDidItsWork(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	g.app.work = func(http.ResponseWriter, *http.Request) {}
	requireAccepted(t, g.deliver("silent", "evt_1"))
	requireDuplicate(t, g.deliver("silent", "evt_1"))

	for range 2 {
		w := httptest.NewRecorder()
		out, err := g.Serve(w, delivery("nobody", "evt_2"), func(http.ResponseWriter, *http.Request) error { return ErrNoApp })
		var refusal *Refusal
		require.ErrorAs(t, err, &refusal)
		require.Equal(t, http.StatusBadGateway, refusal.Status)
		require.Equal(t, ReasonNoApp, out.Result)
		require.Equal(t, ReasonNoApp, out.Error)
	}
	requireAccepted(t, g.deliver("nobody", "evt_2"))

	// Somebody did answer: then it counts.
	out, err := g.Serve(httptest.NewRecorder(), delivery("answered", "evt_3"), func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusNoContent)
		return ErrNoApp
	})
	require.NoError(t, err)
	require.Equal(t, ResultAccepted, out.Result)
	requireDuplicate(t, g.deliver("answered", "evt_3"))
}

// TestLesson50_OneReceiverTwice: a snippet imported by a site and again by its handle claims the event once, and the app gets it.
func TestLesson50_OneReceiverTwice(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, b backend) {
		store := b.open(t, "videos")
		shared := func(o *Options) { o.Store = store }
		inner := newGateway(t, shared)
		outer := newGateway(t, shared)
		chain := outer.Receiver.Handler(inner)
		serve := func() *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			chain.ServeHTTP(w, delivery("twice", "evt_1"))
			return w
		}
		inner.app.answer(http.StatusInternalServerError)
		require.Equal(t, http.StatusInternalServerError, serve().Code)
		inner.app.answer(http.StatusOK)
		require.Equal(t, http.StatusOK, serve().Code)
		requireDuplicate(t, serve())
		require.Equal(t, 2, inner.app.count())
	})
}
