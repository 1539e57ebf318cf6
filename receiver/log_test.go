package receiver

import (
	"bytes"
	"encoding/json"
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
	r, err := New(Options{
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
	require.GreaterOrEqual(t, written, sample.First)
	require.Less(t, written, requests/2)
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
