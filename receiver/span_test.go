package receiver

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

func TestSpans(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	g := newGateway(t)
	var app trace.SpanContext
	g.app.work = func(_ http.ResponseWriter, r *http.Request) { app = trace.SpanContextFromContext(r.Context()) }

	requireAccepted(t, g.deliver("untraced", ""))
	require.Empty(t, spans.Ended(), "no span in the request, no provider: no tracing")

	ctx, outer := provider.Tracer("test").Start(t.Context(), "request")
	const body = `{"event":"video.uploaded","data":"a body not to be told"}`
	requireAccepted(t, g.serve(delivery(body, "evt_1").WithContext(ctx)))
	outer.End()
	byName := map[string]sdktrace.ReadOnlySpan{}
	for _, s := range spans.Ended() {
		byName[s.Name()] = s
	}
	require.Len(t, byName, 4)
	receive := byName["webhook.receive"]
	require.Equal(t, outer.SpanContext().SpanID(), receive.Parent().SpanID())
	require.Equal(t, receive.SpanContext().SpanID(), byName["webhook.verify"].Parent().SpanID())
	require.Equal(t, receive.SpanContext().SpanID(), byName["webhook.dedup"].Parent().SpanID())
	require.Equal(t, receive.SpanContext().SpanID(), app.SpanID(), "the app's own spans are children of it")
	// The sender's spans name the event in the same way.
	require.Contains(t, receive.Attributes(), attribute.String("webhook.event.id", "evt_1"))
	require.Contains(t, receive.Attributes(), attribute.String("webhook.event.type", "video.uploaded"))
	for _, s := range spans.Ended() {
		for _, a := range s.Attributes() {
			require.NotContains(t, a.Value.String(), "told")
			require.NotContains(t, a.Value.String(), sign(body))
			require.NotContains(t, a.Value.String(), testSecret)
		}
	}
}

func TestSpansOfAQueue(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	g := newQueueGateway(t, &fakeQueue{}, func(o *Options) { o.TracerProvider = provider })
	requireAccepted(t, g.deliver("body", "evt_1"))
	refused := delivery("body", "evt_1")
	refused.Header.Set("X-VideoCloud-Signature", strings.Repeat("0", 64))
	g.serve(refused)
	var names []string
	for _, s := range spans.Ended() {
		names = append(names, s.Name())
	}
	verify := spans.Ended()[4]
	require.Equal(t, codes.Error, verify.Status().Code)
	require.Len(t, verify.Events(), 1)
	require.Equal(t, "exception", verify.Events()[0].Name)
	require.Contains(t, verify.Events()[0].Attributes, attribute.String("exception.message", "signature_mismatch: no configured secret makes this signature for this request"))
	require.Equal(t, []string{"webhook.verify", "webhook.enqueue", "webhook.dedup", "webhook.receive", "webhook.verify", "webhook.receive"}, names)
}

// What the request's own span doesn't record makes no spans, but stays in its trace.
func TestNoSpansWhereNothingIsSampled(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans), sdktrace.WithSampler(sdktrace.NeverSample()))
	g := newGateway(t)
	var app trace.SpanContext
	g.app.work = func(_ http.ResponseWriter, r *http.Request) { app = trace.SpanContextFromContext(r.Context()) }
	ctx, outer := provider.Tracer("test").Start(t.Context(), "request")
	requireAccepted(t, g.serve(delivery("body", "evt_1").WithContext(ctx)))
	require.Equal(t, outer.SpanContext(), app)
	require.Empty(t, spans.Started())
}
