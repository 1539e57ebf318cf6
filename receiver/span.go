package receiver

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

const tracerName = "github.com/videocloud/webhooks/receiver"

// startSpan begins the request's span. Without a provider, and without a span in the context that is recorded, there is
// none: what isn't sampled costs nothing, and the trace of the context stays what the app sees.
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

// endReceive ends it with what came out. Neither the headers nor the body have a place here.
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

// span begins a step of the request.
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
		span.RecordError(err) // of the verifier or the store: neither says anything of the body, a secret or a signature
		span.SetStatus(codes.Error, err.Error())
	}
	span.End()
}
