package caddymodule

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/videocloud/webhooks/internal/adminapi"
	"github.com/videocloud/webhooks/receiver"
)

var (
	queueDepth = prometheus.NewDesc("caddy_webhook_queue_depth",
		"Deliveries in a queue, by state, over all processes.", []string{"queue", "state"}, nil)
	queueOldest = prometheus.NewDesc("caddy_webhook_queue_oldest_due_seconds",
		"For how long the earliest delivery of a queue that could be attempted has been due.", []string{"queue"}, nil)
	senderSlots = prometheus.NewDesc("caddy_webhook_sender_slots",
		"Attempts of this process: those in flight, and how many may be right now.", []string{"state"}, nil)
	senderCount = prometheus.NewDesc("caddy_webhook_senders", "Processes that deliver, by their heartbeats in the store.", nil, nil)
)

// depthTimeout bounds what a scrape may wait for the store.
const depthTimeout = time.Second

// senderQueue is the name of the sender's queue. A receiver of that name has its queue shown as receiver:sender.
const senderQueue = "sender"

// States of what is in a queue.
const (
	depthWaiting  = "waiting" // due, or waiting for its time
	depthInFlight = "in_flight"
	depthDead     = "dead" // of a receiver's queue: given up, kept
)

// queueMetrics asks the store at every scrape. It belongs to one configuration and its registry.
type queueMetrics struct{ app *App }

// Describe implements prometheus.Collector.
func (queueMetrics) Describe(descs chan<- *prometheus.Desc) {
	descs <- queueDepth
	descs <- queueOldest
	descs <- senderCount
	descs <- senderSlots
}

// Collect implements prometheus.Collector. A queue that can't be asked is left out.
func (m queueMetrics) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(m.app.ctx, depthTimeout)
	defer cancel()
	if m.app.running != nil {
		taken, all := m.app.running.Slots()
		metrics <- prometheus.MustNewConstMetric(senderSlots, prometheus.GaugeValue, float64(taken), "taken")
		metrics <- prometheus.MustNewConstMetric(senderSlots, prometheus.GaugeValue, float64(all), "all")
		if q, err := m.app.running.QueueStats(ctx); err == nil { // given out again below: it costs nothing more
			metrics <- prometheus.MustNewConstMetric(senderCount, prometheus.GaugeValue, float64(q.Senders))
		}
	}
	for _, q := range m.app.queueStats(ctx) {
		for state, n := range q.Depth {
			metrics <- prometheus.MustNewConstMetric(queueDepth, prometheus.GaugeValue, float64(n), q.Queue, state)
		}
		metrics <- prometheus.MustNewConstMetric(queueOldest, prometheus.GaugeValue, q.OldestDueSeconds, q.Queue)
	}
}

// queueStats are the sender's queue and those of the receivers, as far as they can be asked.
func (a *App) queueStats(ctx context.Context) []adminapi.QueueStats {
	all := []adminapi.QueueStats{}
	if a.running != nil {
		// It counts its own errors.
		if q, err := a.running.QueueStats(ctx); err == nil {
			all = append(all, adminapi.QueueStats{Queue: senderQueue, Depth: map[string]int{depthWaiting: q.Waiting, depthInFlight: q.InFlight}, OldestDueSeconds: q.OldestDue.Seconds()})
		}
	}
	for _, q := range a.queues {
		depth, err := q.Depth(ctx)
		if err != nil {
			storeErrors.WithLabelValues(operationDepth).Inc()
			continue
		}
		name := q.name
		if name == senderQueue {
			name = "receiver:" + name
		}
		all = append(all, statsOf(name, depth))
	}
	return all
}

func statsOf(name string, depth receiver.Depth) adminapi.QueueStats {
	return adminapi.QueueStats{
		Queue: name, Depth: map[string]int{depthWaiting: depth.Waiting, depthInFlight: depth.InFlight, depthDead: depth.Dead},
		OldestDueSeconds: max(0, depth.Oldest.Seconds()),
	}
}

// Interface guard
var _ prometheus.Collector = queueMetrics{}
