package sender

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redistest"
)

// lines returns the log lines with a message.
func (l *logText) lines(t *testing.T, message string) (found []map[string]any) {
	t.Helper()
	for line := range strings.Lines(l.String()) {
		var fields map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &fields))
		if fields["msg"] == message {
			found = append(found, fields)
		}
	}
	return found
}

// One wide line for each outcome, and one trace for all attempts of an event.
func TestLogAndSpansOfADelivery(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	log := new(logText)
	b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), func(o *Options) {
		o.Config.Retry = []time.Duration{0, time.Millisecond}
		o.Config.PropagateTrace = true
		o.TracerProvider = provider
		o.Logger = log.logger()
	}).start()
	to := newSink(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n != 3 {
			w.WriteHeader(http.StatusBadGateway)
			_, _ = io.WriteString(w, "an answer that is kept in the history only")
		}
	})
	w := b.webhook(to.URL)
	p := b.publish(guideData)
	eventually(t, "failed", func() bool { return len(log.lines(t, "webhook.failed")) == 1 })
	p2 := b.publish(guideData)
	eventually(t, "recovered", func() bool { return len(log.lines(t, "webhook.recovered")) == 1 })

	attempts := log.lines(t, "delivery.attempted")
	require.Len(t, attempts, 3)
	first := attempts[0]
	require.Equal(t, "WARN", first["level"])
	require.Equal(t, w.ID, first["webhook_id"])
	require.Equal(t, p.Deliveries[0].ID, first["delivery_id"])
	require.Equal(t, p.ID, first["event_id"])
	require.Equal(t, "video.uploaded", first["event"])
	require.EqualValues(t, 1, first["attempt"])
	require.Equal(t, "status", first["outcome"])
	require.EqualValues(t, 502, first["status"])
	require.Equal(t, "retrying", first["state"])
	require.EqualValues(t, 2, attempts[1]["attempt"])
	require.Equal(t, "failed", attempts[1]["state"])
	require.Equal(t, first["trace_id"], attempts[1]["trace_id"])
	require.Equal(t, "INFO", attempts[2]["level"])
	require.Equal(t, p2.ID, attempts[2]["event_id"])

	ended := log.lines(t, "delivery.failed")
	require.Len(t, ended, 1)
	require.EqualValues(t, 2, ended[0]["attempts"])
	require.Equal(t, first["trace_id"], ended[0]["trace_id"])
	for _, message := range []string{"webhook.failed", "webhook.recovered"} {
		require.Equal(t, w.ID, log.lines(t, message)[0]["webhook_id"])
	}
	require.NotContains(t, log.String(), "vid_123456", "bodies have no place in a log")
	require.NotContains(t, log.String(), "kept in the history only")
	require.NotContains(t, log.String(), "your_webhook_secret")

	byName := map[string]tracetest.SpanStubs{}
	for _, s := range spans.GetSpans() {
		byName[s.Name] = append(byName[s.Name], s)
	}
	require.Len(t, byName["webhook.publish"], 2)
	publish := byName["webhook.publish"][0]
	require.Equal(t, first["trace_id"], publish.SpanContext.TraceID().String())
	require.Len(t, byName["webhook.attempt"], 3)
	for i, s := range byName["webhook.attempt"][:2] {
		require.Equal(t, publish.SpanContext.SpanID(), s.Parent.SpanID())
		require.Equal(t, "Error", s.Status.Code.String())
		require.Contains(t, to.got()[i].header["Traceparent"][0], s.SpanContext.SpanID().String())
	}
}

// A trace leaves only where both tracing and propagate_trace are set, even with one in the publisher's context.
func TestNoTraceLeavesWithoutTracing(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Options){
		"no tracing":     func(o *Options) { o.Config.PropagateTrace = true },
		"no propagation": func(o *Options) { o.TracerProvider = sdktrace.NewTracerProvider() },
		"neither":        func(*Options) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), change).start()
			to := newSink(t, nil)
			b.webhook(to.URL)
			ctx, span := sdktrace.NewTracerProvider().Tracer("").Start(t.Context(), "publisher")
			defer span.End()
			_, err := b.Publish(ctx, "default", Event{Type: "video.uploaded", Data: []byte("{}")})
			require.NoError(t, err)
			eventually(t, "delivered", func() bool { return len(to.got()) == 1 })
			for header := range to.got()[0].header {
				require.NotContains(t, strings.ToLower(header), "trace")
			}
		})
	}
}
