package receiver

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/sample"
)

// A flood of strangers fills no disk, and a line says how many it stands for.
func TestFloodOfRefusalsIsThinnedOut(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	seen := 0
	c := newClock() // all in one second, however long that takes
	r, err := New(Options{
		Now:     c.now,
		Config:  config.Receiver{Secrets: []string{"your_webhook_secret"}},
		Logger:  slog.New(slog.NewJSONHandler(&log, nil)),
		Observe: func(Outcome) { seen++ },
	})
	require.NoError(t, err)
	const requests = 2000
	for range requests {
		req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("{}"))
		_, err := r.Serve(httptest.NewRecorder(), req, nil)
		require.Error(t, err)
	}
	require.Equal(t, requests, seen, "each is counted")

	written, accounted := 0, 0
	for line := range strings.Lines(log.String()) {
		var l struct {
			Level, Msg, Error string
			Outcome           string `json:"webhook_outcome"`
			LeftOut           int    `json:"left_out"`
		}
		require.NoError(t, json.Unmarshal([]byte(line), &l))
		require.Equal(t, "WARN", l.Level)
		require.Equal(t, "webhook.received", l.Msg)
		require.Equal(t, ReasonMissing, l.Outcome)
		require.NotEmpty(t, l.Error)
		written++
		accounted += 1 + l.LeftOut
	}
	require.Equal(t, sample.First+(requests-sample.First)/sample.Every, written)
	require.Greater(t, accounted, requests-sample.Every)
}

// What the app answered is logged beside what became of the event.
func TestLevels(t *testing.T) {
	t.Parallel()
	for result, want := range map[string]slog.Level{
		ResultAccepted: slog.LevelInfo, ResultDuplicate: slog.LevelInfo, ResultQueued: slog.LevelInfo, ResultFailed: slog.LevelWarn,
	} {
		require.Equal(t, want, (&Outcome{Result: result}).level(), result)
	}
	for reason, want := range map[string]slog.Level{
		ReasonInFlight: slog.LevelInfo, ReasonMismatch: slog.LevelWarn, ReasonIP: slog.LevelWarn,
		ReasonStore: slog.LevelError, ReasonQueueFull: slog.LevelError,
	} {
		require.Equal(t, want, (&Outcome{Result: reason, Error: reason}).level(), reason)
	}
}

// logged is a gateway that logs into the text that comes with it.
func logged(t *testing.T, change func(*Options)) (*gateway, *logText) {
	log := new(logText)
	return newGateway(t, func(o *Options) {
		o.Logger = slog.New(slog.NewJSONHandler(log, nil))
		change(o)
	}), log
}

func TestRefusalSaysItsReasonOnce(t *testing.T) {
	t.Parallel()
	g, log := logged(t, func(*Options) {})
	_, err := g.Serve(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", strings.NewReader("{}")), nil)
	const text = "refusing the request: signature_missing: X-Videocloud-Signature is missing"
	require.EqualError(t, err, text)
	require.Equal(t, text, log.lines(t, "webhook.received")[0]["error"])
}

// A dry run is there to show what would be refused, and why.
func TestDryRunLogsTheCause(t *testing.T) {
	t.Parallel()
	const cause = "refusing the request: signature_mismatch: no configured secret makes this signature for this request"
	for name, test := range map[string]struct {
		app  error
		want string
	}{
		"let through":         {nil, cause},
		"and the app fails":   {&Failure{Status: 502}, cause + "; the handlers behind the receiver: status 502"},
		"and the app says no": {errors.New("no"), cause + "; the handlers behind the receiver: no"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, log := logged(t, func(o *Options) { o.Config.DryRun = true })
			r := delivery("body", "evt_1")
			r.Header.Set("X-VideoCloud-Signature", strings.Repeat("0", 64))
			_, err := g.Serve(httptest.NewRecorder(), r, func(http.ResponseWriter, *http.Request) error { return test.app })
			require.Equal(t, test.app, err, "what the app's handlers said, and no more")
			lines := log.lines(t, "webhook.received")
			require.Len(t, lines, 1)
			require.Equal(t, "WARN", lines[0]["level"])
			require.Equal(t, test.want, lines[0]["error"])
		})
	}
}

// Handlers that fail before they answer say which status that is, as those of Caddy do.
func TestFailureHasAStatus(t *testing.T) {
	t.Parallel()
	cause := errors.New("dial tcp: refused")
	g, log := logged(t, func(*Options) {})
	out, err := g.Serve(httptest.NewRecorder(), delivery("body", "evt_1"), func(http.ResponseWriter, *http.Request) error {
		return &Failure{http.StatusBadGateway, cause}
	})
	require.ErrorIs(t, err, cause)
	require.Equal(t, ResultFailed, out.Result)
	require.Equal(t, http.StatusBadGateway, out.Status)
	line := log.lines(t, "webhook.received")[0]
	require.EqualValues(t, http.StatusBadGateway, line["status"])
	require.Equal(t, "status 502: dial tcp: refused", line["error"])
}
