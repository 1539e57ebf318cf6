package receiver

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redistest"
)

// logText is a log that can be read while it is written.
type logText struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// lines returns the lines with a message.
func (l *logText) lines(t *testing.T, message string) (found []map[string]any) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.b.String()) {
		var fields map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &fields))
		if fields["msg"] == message {
			found = append(found, fields)
		}
	}
	return found
}

func TestQueueLogsEachAttempt(t *testing.T) {
	t.Parallel()
	log := new(logText)
	q := patientQueue(t, QueueOptions{
		Config: config.Queue{Retry: []time.Duration{0, time.Millisecond}}, Name: "shop",
		Store:  redistest.Public(redistest.Open(t, config.Redis{URL: config.Memory})),
		Logger: slog.New(slog.NewJSONHandler(log, nil)),
		Deliver: func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(http.StatusBadGateway)
			return nil
		},
	})
	require.False(t, q.Alive(), "it was not started")
	q.Start(t.Context())
	t.Cleanup(func() { require.NoError(t, q.Stop(context.Background())) })
	require.True(t, q.Alive())
	const trace = "0af7651916cd43dd8448eb211c80319c"
	result, err := q.Enqueue(t.Context(), nil, &Job{
		Method: http.MethodPost, URI: "/", ID: "evt_1", Event: "video.uploaded", Body: []byte("not to be told"),
		Header: http.Header{"Traceparent": {"00-" + trace + "-b7ad6b7169203331-01"}},
	})
	require.NoError(t, err)
	require.Equal(t, Enqueued, result)
	require.Eventually(t, func() bool { return len(log.lines(t, "delivery.failed")) == 1 }, 2*time.Minute, 2*time.Millisecond)

	attempts := log.lines(t, "delivery.attempted")
	require.Len(t, attempts, 2)
	for i, outcome := range []string{"retrying", "failed"} {
		a := attempts[i]
		require.Equal(t, "WARN", a["level"])
		require.Equal(t, "shop", a["webhook_name"])
		require.Equal(t, "evt_1", a["event_id"])
		require.EqualValues(t, i+1, a["attempt"])
		require.Equal(t, outcome, a["outcome"])
		require.Equal(t, trace, a["trace_id"])
		require.Equal(t, "the app answered 502", a["error"])
	}
	require.EqualValues(t, 2, log.lines(t, "delivery.failed")[0]["attempts"])
	log.mu.Lock()
	require.NotContains(t, log.b.String(), "not to be told")
	log.mu.Unlock()

	q.began.Store(time.Now().Add(-time.Hour).UnixMilli())
	require.True(t, q.Alive(), "the store answered a moment ago")
}
