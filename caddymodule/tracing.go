package caddymodule

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/contrib/exporters/autoexport"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// tracer exports the spans of deliveries, whose work belongs to no request. It lives in the pool. The provider is
// there from the beginning; the exporter, which connects and has a goroutine, comes with the first start.
type tracer struct {
	sdk   *sdktrace.TracerProvider
	start sync.Once
	err   error
}

func (l *leases) tracer() (*tracer, error) {
	return take(l, "tracer", nil, func() (*tracer, error) {
		return &tracer{sdk: sdktrace.NewTracerProvider()}, nil
	})
}

// provider is what spans are made by; a nil tracer makes none.
func (t *tracer) provider() trace.TracerProvider {
	if t == nil {
		return noop.NewTracerProvider()
	}
	return t.sdk
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

// Destruct sends what is left.
func (t *tracer) Destruct() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second) // the process may be exiting: no other context is left
	defer cancel()
	return t.sdk.Shutdown(ctx)
}
