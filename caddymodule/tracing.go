package caddymodule

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/contrib/propagators/autoprop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.17.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/caddyserver/caddy/v2"
)

// tracer exports the spans of deliveries, whose work belongs to no request. It lives in the pool. The provider is
// there from the beginning; the exporter, which connects and has a goroutine, comes with the first start.
type tracer struct {
	sdk        *sdktrace.TracerProvider
	propagator propagation.TextMapPropagator
	start      sync.Once
	err        error
}

// tracingDisabled is OTEL_SDK_DISABLED, which the SDK leaves to programs.
func tracingDisabled() bool { return strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") }

func (l *leases) tracer() (*tracer, error) {
	return take(l, "tracer", nil, func() (*tracer, func() error, error) {
		version, _ := caddy.Version()
		about, err := resource.Merge(resource.Default(), resource.NewSchemaless(
			semconv.WebEngineName("Caddy"), semconv.WebEngineVersion(version)))
		if err != nil {
			return nil, nil, fmt.Errorf("tracing: describing this process: %w", err)
		}
		t := &tracer{sdk: sdktrace.NewTracerProvider(sdktrace.WithResource(about)), propagator: autoprop.NewTextMapPropagator()}
		return t, t.close, nil
	})
}

// provider is what spans are made by; that of a nil tracer is nil.
func (t *tracer) provider() trace.TracerProvider {
	if t == nil {
		return nil
	}
	return t.sdk
}

// incoming puts the trace that a request belongs to into its context, as OTEL_PROPAGATORS says, unless Caddy's own
// tracing did so already.
func (t *tracer) incoming(r *http.Request) *http.Request {
	if t == nil || trace.SpanContextFromContext(r.Context()).IsValid() {
		return r
	}
	return r.WithContext(t.propagator.Extract(r.Context(), propagation.HeaderCarrier(r.Header)))
}

// export connects the exporter that the OTEL_* variables name. The tracer outlives the configuration, and so ctx.
func (t *tracer) export(ctx context.Context) error {
	if t == nil {
		return nil
	}
	t.start.Do(func() {
		exporter, err := autoexport.NewSpanExporter(context.WithoutCancel(ctx))
		if err != nil {
			t.err = fmt.Errorf("tracing: making the exporter: %w", err)
			return
		}
		t.sdk.RegisterSpanProcessor(sdktrace.NewBatchSpanProcessor(exporter))
	})
	return t.err
}

// close sends what is left.
func (t *tracer) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second) // the process may be exiting: no other context is left
	defer cancel()
	return t.sdk.Shutdown(ctx)
}
