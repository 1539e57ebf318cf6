package receiver

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redistest"
	"github.com/videocloud/webhooks/internal/signature"
)

// fakeQueue is an Enqueuer that keeps jobs in memory.
type fakeQueue struct {
	jobs   []*Job
	claims []*Claim
	result EnqueueResult
	err    error
}

func (q *fakeQueue) Enqueue(_ context.Context, c *Claim, j *Job) (EnqueueResult, error) {
	if q.err == nil && q.result == Enqueued {
		q.jobs, q.claims = append(q.jobs, j), append(q.claims, c)
	}
	return q.result, q.err
}

func newQueueGateway(t *testing.T, q *fakeQueue, change ...func(*Options)) *gateway {
	return newGateway(t, append(change, func(o *Options) {
		o.Config.Queue = &config.Queue{}
		o.Enqueuer = q
		o.Store = untouchable{t}
	})...)
}

func TestQueue(t *testing.T) {
	t.Parallel()
	t.Run("accepted", func(t *testing.T) {
		t.Parallel()
		q := &fakeQueue{}
		var outcome Outcome
		g := newQueueGateway(t, q, func(o *Options) { o.Observe = func(o Outcome) { outcome = o } })
		r := delivery(`{"event":"video.uploaded"}`, "evt_1")
		r.Header.Set("X-Webhook-Verified", "forged")
		r.Header.Set("Authorization", "Bearer secret")
		r.Header.Set("Cookie", "session=secret")
		r.Header.Set("Connection", "keep-alive, X-Hop")
		r.Header.Set("X-Hop", "by hop")
		w := g.serve(r)
		requireAccepted(t, w)
		require.Empty(t, w.Body.String())
		require.Zero(t, g.app.count())
		require.Equal(t, ResultQueued, outcome.Result)
		require.Equal(t, http.StatusOK, outcome.Status)
		require.Equal(t, EventKey("videos", "videocloud", "evt_1"), q.claims[0].ID)

		job, err := DecodeJob(q.jobs[0].Append(nil))
		require.NoError(t, err)
		out, err := job.Request(context.Background(), 3)
		require.NoError(t, err)
		body, err := io.ReadAll(out.Body)
		require.NoError(t, err)
		require.Equal(t, `{"event":"video.uploaded"}`, string(body))
		require.Equal(t, int64(len(body)), out.ContentLength)
		require.Equal(t, "hooks.example.com", out.Host)
		require.Equal(t, http.MethodPost, out.Method)
		require.Equal(t, "/webhooks", out.URL.Path)
		require.Equal(t, http.Header{
			"Content-Type": {"application/json"}, "Content-Length": {"26"},
			"X-Videocloud-Event": {"video.uploaded"}, "X-Videocloud-Event-Id": {"evt_1"}, "X-Videocloud-Signature": {sign(string(body))},
			"X-Webhook-Verified": {"videocloud"}, "X-Webhook-Id": {"evt_1"}, "X-Webhook-Event": {"video.uploaded"}, "X-Webhook-Attempt": {"3"},
		}, out.Header)
	})
	t.Run("answers", func(t *testing.T) {
		t.Parallel()
		tests := map[string]struct {
			queue  fakeQueue
			status int
			reason string
			retry  string
		}{
			"store down": {fakeQueue{err: io.ErrClosedPipe}, http.StatusServiceUnavailable, ReasonStore, "5"},
			"full":       {fakeQueue{result: EnqueueFull}, http.StatusServiceUnavailable, ReasonQueueFull, "60"},
			"in flight":  {fakeQueue{result: EnqueueInFlight}, http.StatusConflict, ReasonInFlight, "5"},
		}
		for name, test := range tests {
			t.Run(name, func(t *testing.T) {
				g := newQueueGateway(t, &test.queue)
				w := g.deliver("body", "evt_1")
				require.Equal(t, test.status, w.Code)
				require.Equal(t, test.retry, w.Header().Get("Retry-After"))
				require.Empty(t, w.Body.String(), "who is refused is not told why")
			})
		}
		g := newQueueGateway(t, &fakeQueue{result: EnqueueDuplicate})
		requireDuplicate(t, g.deliver("body", "evt_1"))
	})
	t.Run("a dry run queues what is good and passes the rest on", func(t *testing.T) {
		t.Parallel()
		q := &fakeQueue{}
		g := newQueueGateway(t, q, func(o *Options) { o.Config.DryRun = true })
		requireAccepted(t, g.deliver("body", "evt_1"))
		require.Len(t, q.jobs, 1)
		q.result = EnqueueDuplicate
		requireAccepted(t, g.deliver("body", "evt_1"))
		r := delivery("body", "evt_2")
		r.Header.Del("X-VideoCloud-Signature")
		requireAccepted(t, g.serve(r))
		require.Len(t, q.jobs, 1)
		require.Equal(t, 2, g.app.count())
	})
	t.Run("a queue needs an enqueuer", func(t *testing.T) {
		t.Parallel()
		_, err := New(Options{Config: config.Receiver{Name: "a", Secrets: []string{testSecret}, Queue: &config.Queue{}}})
		require.ErrorContains(t, err, "queue")
	})
}

// TestLesson68_AQueueKeepsNoSecretHeader: a header that is the scheme's secret has no place in a store.
func TestLesson68_AQueueKeepsNoSecretHeader(t *testing.T) {
	t.Parallel()
	tokens := 0
	for _, s := range signature.Schemes() {
		if len(s.SecretHeaders) == 0 || s.Algorithm != "none: a shared token" {
			continue
		}
		tokens++
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			use := func(o *Options) { o.Config.Scheme = s.Name }
			foreign := &fakeQueue{}
			app := &queueApp{status: http.StatusOK}
			own := newQueue(t, redistest.Open(t, config.Redis{URL: config.Memory}), app, config.Queue{})
			startQueue(t, own)
			for _, enqueuer := range []Enqueuer{foreign, own} {
				g := newGateway(t, use, func(o *Options) { o.Config.Queue, o.Enqueuer = &config.Queue{}, enqueuer })
				r := httptest.NewRequest(http.MethodPost, "https://hooks.example.com/webhooks", strings.NewReader("{}"))
				for _, name := range s.SecretHeaders {
					r.Header.Set(name, testSecret)
				}
				r.Header.Set("X-Other", "kept")
				requireAccepted(t, g.serve(r))
			}
			require.Eventually(t, func() bool { return app.count() == 1 }, time.Minute, time.Millisecond)
			for _, h := range []http.Header{foreign.jobs[0].Header, app.got[0].Header} {
				require.Equal(t, "kept", h.Get("X-Other"))
				for _, name := range s.SecretHeaders {
					require.NotContains(t, h, http.CanonicalHeaderKey(name))
				}
			}
		})
	}
	require.Positive(t, tokens)
}

// TestLesson68_AQueueKeepsNoSecretHeaderOfAnOption: also where an option names the header.
func TestLesson68_AQueueKeepsNoSecretHeaderOfAnOption(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]config.Receiver{
		"token": {Scheme: "token", Secrets: []string{testSecret}, SchemeOptions: map[string]string{"header": "X-Own"}},
		"jwt":   {Scheme: "jwt", Secrets: []string{testSecret}, SchemeOptions: map[string]string{"header": "x-own", "audience": "us"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, err := signature.New(signature.Config{Scheme: c.Scheme, Secrets: c.Secrets, Options: c.SchemeOptions})
			require.NoError(t, err)
			c.Queue = &config.Queue{}
			queue := &fakeQueue{}
			g := newGateway(t, func(o *Options) { o.Config, o.Enqueuer = c, queue; o.Config.Name = "videos" })
			r := httptest.NewRequest(http.MethodPost, "https://hooks.example.com/webhooks", strings.NewReader("{}"))
			signed, err := v.Sign(&signature.Request{Method: r.Method, Header: r.Header, Body: []byte("{}")}, "", time.Now())
			require.NoError(t, err)
			for name, values := range signed {
				r.Header[http.CanonicalHeaderKey(name)] = values
			}
			require.NotEmpty(t, r.Header.Get("X-Own"))
			requireAccepted(t, g.serve(r))
			require.Empty(t, queue.jobs[0].Header.Get("X-Own"))
		})
	}
}
