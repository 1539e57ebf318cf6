package receiver

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/videocloud/webhooks/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testSecret = "a-secret-for-tests-only"

// app is the handler behind the receiver: it notes what it gets and answers what it is told to.
type app struct {
	mu       sync.Mutex
	requests []*http.Request
	bodies   []string
	status   int
	work     func(http.ResponseWriter, *http.Request) // instead of answering the status
}

func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	a.mu.Lock()
	a.requests = append(a.requests, r)
	a.bodies = append(a.bodies, string(body))
	status, work := a.status, a.work
	a.mu.Unlock()
	switch {
	case err != nil:
		w.WriteHeader(http.StatusTeapot)
	case work != nil:
		work(w, r)
	case status != 0:
		w.WriteHeader(status)
	default:
		_, _ = io.WriteString(w, "from the app")
	}
}

func (a *app) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.requests)
}

func (a *app) last() *http.Request {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.requests[len(a.requests)-1]
}

func (a *app) answer(status int) {
	a.mu.Lock()
	a.status = status
	a.mu.Unlock()
}

// gateway is a receiver with an app behind it.
type gateway struct {
	*Receiver
	http.Handler
	app *app
}

func newGateway(t *testing.T, change ...func(*Options)) *gateway {
	t.Helper()
	g := &gateway{app: &app{}}
	o := Options{Config: config.Receiver{Name: "videos", Secrets: []string{testSecret}}}
	for _, f := range change {
		f(&o)
	}
	r, err := New(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	g.Receiver = r
	g.Handler = r.Handler(g.app)
	return g
}

func (g *gateway) serve(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	return w
}

// deliver sends a body with the documented signature, and the event ID in its header where there is one.
func (g *gateway) deliver(body, id string) *httptest.ResponseRecorder {
	return g.serve(delivery(body, id))
}

// delivery is a request as the documentation has it: only the body is signed.
func delivery(body, id string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "https://hooks.example.com/webhooks", bytes.NewReader([]byte(body)))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-VideoCloud-Event", "video.uploaded")
	if id != "" {
		r.Header.Set("X-VideoCloud-Event-Id", id)
	}
	r.Header.Set("X-VideoCloud-Signature", sign(body))
	return r
}

// signedID adds the Standard Webhooks headers, which sign the ID.
func signedID(body, id string) *http.Request {
	r := delivery(body, id)
	at := strconv.FormatInt(time.Now().Unix(), 10)
	m := hmac.New(sha256.New, []byte(testSecret))
	_, _ = io.WriteString(m, id+"."+at+"."+body)
	r.Header.Set("webhook-id", id)
	r.Header.Set("webhook-timestamp", at)
	r.Header.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(m.Sum(nil)))
	return r
}

func sign(body string) string {
	m := hmac.New(sha256.New, []byte(testSecret))
	_, _ = io.WriteString(m, body)
	return hex.EncodeToString(m.Sum(nil))
}

func requireDuplicate(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, "true", w.Header().Get("X-Webhook-Duplicate"))
	require.Empty(t, w.Body.String())
}

func requireAccepted(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	require.Empty(t, w.Header().Get("X-Webhook-Duplicate"))
}

func TestForwardsAVerifiedEventOnce(t *testing.T) {
	t.Parallel()
	var outcomes []Outcome
	g := newGateway(t, func(o *Options) {
		o.Observe = func(o Outcome) { outcomes = append(outcomes, o) }
	})
	w := g.deliver(`{"event":"video.uploaded"}`, "evt_1")
	requireAccepted(t, w)
	require.Equal(t, "from the app", w.Body.String())
	got := g.app.last()
	require.Equal(t, "videocloud", got.Header.Get("X-Webhook-Verified"))
	require.Equal(t, "evt_1", got.Header.Get("X-Webhook-Id"))
	require.Equal(t, "video.uploaded", got.Header.Get("X-Webhook-Event"))
	require.Equal(t, "hooks.example.com", got.Host)
	require.Equal(t, []string{`{"event":"video.uploaded"}`}, g.app.bodies)

	requireDuplicate(t, g.deliver(`{"event":"video.uploaded"}`, "evt_1"))
	require.Equal(t, 1, g.app.count())

	require.Len(t, outcomes, 2)
	first, second := outcomes[0], outcomes[1]
	require.Equal(t, ResultAccepted, first.Result)
	require.Equal(t, http.StatusOK, first.Status)
	require.Equal(t, "videos", first.Name)
	require.Equal(t, "videocloud", first.Scheme)
	require.Equal(t, EventKey("videos", "videocloud", "evt_1").String(), first.Key)
	require.True(t, first.Verified)
	require.Equal(t, ResultDuplicate, second.Result)
	require.True(t, second.Duplicate)
	require.Empty(t, second.Error)
}

func TestNextSeesTheOutcomeBeforeItRuns(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	var seen Outcome
	g.app.work = func(_ http.ResponseWriter, r *http.Request) { seen = *FromContext(r.Context()) }
	requireAccepted(t, g.deliver(`{}`, "evt_1"))
	require.Equal(t, "evt_1", seen.ID)
	require.Equal(t, ResultAccepted, seen.Result)
	require.Nil(t, FromContext(context.Background()))
}
