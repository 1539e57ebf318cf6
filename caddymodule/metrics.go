package caddymodule

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// The collectors belong to the process: every configuration has a registry of its own, and a reload must not
// start counting anew. Labels come from the configuration or from a fixed list, never from a request.
var (
	receiverRequests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "caddy_webhook_receiver_requests_total",
		Help: "Requests to a webhook receiver, by outcome.",
	}, []string{"name", "scheme", "outcome"})

	receiverDuration = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "caddy_webhook_receiver_duration_seconds",
		Help:    "Time that a webhook receiver took for a request, the app behind it included.",
		Buckets: prometheus.DefBuckets,
	}, []string{"name"})

	senderAttempts = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "caddy_webhook_sender_attempts_total",
		Help: "Attempts of deliveries, by outcome.",
	}, []string{"outcome"})

	senderAttemptDuration = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "caddy_webhook_sender_attempt_duration_seconds",
		Help:    "Time that an attempt took.",
		Buckets: prometheus.DefBuckets,
	})

	senderDeliveries = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "caddy_webhook_sender_deliveries_total",
		Help: "Deliveries that ended, by state.",
	}, []string{"state"})

	storeErrors = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "caddy_webhook_store_errors_total",
		Help: "Operations on the store that failed.",
	}, []string{"operation"})
)

// registerMetrics adds the process's collectors, and those of the configuration itself, to its registry.
func registerMetrics(registry *prometheus.Registry, own ...prometheus.Collector) error {
	for _, c := range append(own,
		receiverRequests, receiverDuration, senderAttempts, senderAttemptDuration, senderDeliveries, storeErrors,
	) {
		var already prometheus.AlreadyRegisteredError
		if err := registry.Register(c); err != nil && !errors.As(err, &already) {
			return err
		}
	}
	return nil
}
