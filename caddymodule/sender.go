package caddymodule

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2/modules/caddyevents"

	"github.com/videocloud/webhooks/internal/version"
	"github.com/videocloud/webhooks/sender"
)

// stopGrace is how long a sender that stops may take: the attempts in flight get 10 s of it.
const stopGrace = 12 * time.Second

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

// startSender begins to deliver, where deliveries are configured.
func (a *App) startSender(ctx context.Context) error {
	if a.running == nil {
		return nil
	}
	return a.running.Start(ctx)
}

// stopSender lets the attempts in flight end.
func (a *App) stopSender() {
	if a.running == nil {
		return
	}
	// The configuration's own context may be over already, and the attempts should still end well.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(a.ctx), stopGrace)
	defer cancel()
	if err := a.running.Stop(ctx); err != nil {
		a.logger.Warn("the sender was cut off; what it was delivering will be delivered again", zap.Error(err))
	}
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
