package sender

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/queue"
)

var clientSpan = []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindClient)}

// startAttempt starts the span of an attempt, in the trace of the event's publisher.
func (s *Sender) startAttempt(ctx context.Context, e *endpoint, j *queue.Job, p *payload, number int) (context.Context, trace.Span) {
	if p.traceparent != "" {
		ctx = traceContext.Extract(ctx, propagation.MapCarrier{config.HeaderTraceparent: p.traceparent, config.HeaderTracestate: p.tracestate})
	}
	ctx, span := s.tracer.Start(ctx, "webhook.attempt", clientSpan...)
	if span.IsRecording() {
		span.SetAttributes(
			attribute.String("http.request.method", http.MethodPost),
			attribute.String("server.address", e.url.Hostname()),
			attribute.Int("server.port", portOf(e.url)),
			attribute.String("url.full", e.url.Scheme+"://"+e.url.Host+e.url.EscapedPath()), // a query may hold a token
			attribute.Int("http.request.resend_count", number-1),
			attribute.String("webhook.id", webhookPrefix+j.Lane),
			attribute.String("webhook.delivery.id", deliveryID(j.Lane, j.ID)),
			attribute.String("webhook.event.id", p.eventID),
			attribute.String("webhook.event.type", p.eventType),
			attribute.Int("webhook.attempt", number),
		)
	}
	return ctx, span
}

func endAttempt(span trace.Span, r *result) {
	if !span.IsRecording() {
		return
	}
	if r.status != 0 {
		span.SetAttributes(attribute.Int("http.response.status_code", r.status))
	}
	if !r.success() {
		span.SetAttributes(attribute.String("error.type", r.outcome))
		span.RecordError(errors.New(r.err)) // the text for the owner: the cause may hold addresses of ours
		span.SetStatus(codes.Error, r.err)
	}
}

// portOf returns the port of a URL, also where it follows from the scheme.
func portOf(u *url.URL) int {
	if port, err := strconv.Atoi(u.Port()); err == nil {
		return port
	}
	if u.Scheme == "http" {
		return 80
	}
	return 443
}
