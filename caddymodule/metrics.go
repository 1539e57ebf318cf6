package caddymodule

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/videocloud/webhooks/receiver"
	"github.com/videocloud/webhooks/sender"
)

// The collectors belong to the process: every configuration has a registry of its own, and a reload must not
// start counting anew. Labels come from the configuration or from a fixed list, never from a request.
var (
	receiverRequests = newCounter("caddy_webhook_receiver_requests_total",
		"Requests to a webhook receiver, by outcome.", "name", "scheme", "outcome")

	receiverDuration = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "caddy_webhook_receiver_duration_seconds",
		Help:    "Time that a webhook receiver took for a request, the app behind it included.",
		Buckets: []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300},
	}, []string{"name"})

	senderAttempts = newCounter("caddy_webhook_sender_attempts_total",
		"Attempts of deliveries, by outcome.", "outcome")

	senderAttemptDuration = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "caddy_webhook_sender_attempt_duration_seconds",
		Help:    "Time that an attempt took.",
		Buckets: []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 15, 30, 60},
	})

	senderDeliveries = newCounter("caddy_webhook_sender_deliveries_total",
		"Deliveries that ended, by state.", "state")

	storeErrors = newCounter("caddy_webhook_store_errors_total",
		"Operations on the store that failed.", "operation")
)

func newCounter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

// Counters that have never counted are shown as zero: an increase from nothing is none to Prometheus, so a first failure
// would go unseen.
func showSenderMetrics() {
	for _, outcome := range sender.Outcomes() {
		senderAttempts.WithLabelValues(outcome)
	}
	for _, state := range []sender.State{sender.StateSucceeded, sender.StateFailed, sender.StateCancelled} {
		senderDeliveries.WithLabelValues(string(state))
	}
}

// receiverOutcomes are the labels that requests to a receiver can have: [observer] shows them all.
var receiverOutcomes = []string{
	receiver.ResultAccepted, receiver.ResultFailed, receiver.ResultQueued, receiver.ResultDuplicate, receiver.ResultChallenge,
	receiver.ReasonMethod, receiver.ReasonIP, receiver.ReasonMissing, receiver.ReasonMalformed, receiver.ReasonTimestamp,
	receiver.ReasonTooLarge, receiver.ReasonBody, receiver.ReasonMismatch, receiver.ReasonInFlight, receiver.ReasonStore, receiver.ReasonQueueFull, receiver.ReasonNoApp, receiver.ReasonBusy,
}

// Operations on the store that this package counts itself. The others are named by the sender and by the receivers' claims.
const (
	operationReceive = "receive" // a request was answered 503
	operationDepth   = "depth"   // of a receiver's queue
)

// storeOperations are the labels that store errors can have.
var storeOperations = []string{
	operationReceive, operationDepth,
	"claim", "renew", "done", "release", "write_back",
	"check", "publish", "read", "list", "register", "update", "delete", "retry", "replay", "stats", "tasks", "notices", "heartbeat", "key", "keys", "replays", "account", "accounts", "token", "expunge", "mail",
}

// registerMetrics adds the process's collectors, and those of the configuration itself, to its registry.
func registerMetrics(registry *prometheus.Registry, own ...prometheus.Collector) error {
	for _, operation := range storeOperations {
		storeErrors.WithLabelValues(operation)
	}
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
