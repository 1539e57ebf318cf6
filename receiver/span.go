package receiver

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

const tracerName = "github.com/videocloud/webhooks/receiver"

// startSpan starts the request's span. It returns nil where there is neither a provider nor a recording span in the context:
// a request that is not sampled costs nothing, and the app sees the trace of the context.
func (r *Receiver) startSpan(x *exchange) trace.Span {
	provider := r.tracing
	if provider == nil {
		outer := trace.SpanFromContext(x.parent)
		if !outer.IsRecording() {
			return nil
		}
		provider = outer.TracerProvider()
	}
	x.tracer = provider.Tracer(tracerName)
	ctx, span := x.tracer.Start(x.parent, "webhook.receive")
	x.parent = ctx
	return span
}

// endReceive ends the request's span with the outcome. It adds no headers and no body.
func endReceive(span trace.Span, o *Outcome) {
	if span == nil {
		return
	}
	defer span.End()
	if !span.IsRecording() {
		return
	}
	span.SetAttributes(
		attribute.String("webhook.name", o.Name),
		attribute.String("webhook.scheme", o.Scheme),
		attribute.String("webhook.outcome", o.Result),
		attribute.String("webhook.event", o.Event),
		attribute.String("webhook.event.id", o.ID), // as the sender's spans name it: webhook.id is a webhook's
		attribute.String("webhook.event.type", o.Event),
	)
	if o.Error != "" || o.Result == ResultFailed {
		span.SetStatus(codes.Error, o.Result)
	}
}

// span starts the span of one stage of the request.
func (x *exchange) span(ctx context.Context, name string) (context.Context, trace.Span) {
	if x.tracer == nil {
		return ctx, nil
	}
	return x.tracer.Start(ctx, name)
}

func endSpan(span trace.Span, err error) {
	if span == nil {
		return
	}
	if err != nil {
		span.RecordError(err) // errors of verifier and store contain no body, secret or signature
		span.SetStatus(codes.Error, err.Error())
	}
	span.End()
}
