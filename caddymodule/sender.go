package caddymodule

import (
	"context"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyevents"

	"github.com/videocloud/webhooks/internal/version"
	"github.com/videocloud/webhooks/sender"
)

// service returns the sender of this configuration, making it at the first call. Provision only.
func (a *App) service() (*sender.Sender, error) {
	if a.running != nil {
		return a.running, nil
	}
	app, err := a.ctx.App("events")
	if err != nil {
		return nil, err
	}
	events := app.(*caddyevents.App)
	s, err := sender.New(sender.Options{
		Config:         a.sender,
		Store:          a.store,
		Logger:         slogger(a.ctx),
		Version:        version.Number,
		OnEvent:        func(_ context.Context, name string, data map[string]any) { events.Emit(a.ctx, name, data) },
		Forbidden:      adminPorts(a.ctx),
		TracerProvider: a.tracer.provider(),
		Observer:       senderMetrics{},
		Watcher:        attemptsFeed{},
	})
	if err != nil {
		return nil, err
	}
	a.running = s
	showSenderMetrics()
	return s, nil
}

// senderMetrics counts what a sender does.
type senderMetrics struct{}

func (senderMetrics) Attempt(outcome string, took time.Duration) {
	senderAttempts.WithLabelValues(outcome).Inc()
	senderAttemptDuration.Observe(took.Seconds())
}

func (senderMetrics) Delivery(state sender.State) {
	senderDeliveries.WithLabelValues(string(state)).Inc()
}

func (senderMetrics) StoreError(operation string) { storeErrors.WithLabelValues(operation).Inc() }

// Interface guard
var _ sender.Observer = senderMetrics{}
