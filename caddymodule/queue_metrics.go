package caddymodule

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	queueDepth = prometheus.NewDesc("caddy_webhook_queue_depth",
		"Events in a queue, by state.", []string{"queue", "state"}, nil)
	queueOldest = prometheus.NewDesc("caddy_webhook_queue_oldest_due_seconds",
		"For how long the earliest waiting event of a queue has been due.", []string{"queue"}, nil)
)

// depthTimeout bounds what a scrape may wait for one queue.
const depthTimeout = time.Second

// queueMetrics asks the store at every scrape. It belongs to one configuration and its registry.
type queueMetrics struct{ app *App }

// Describe implements prometheus.Collector.
func (queueMetrics) Describe(descs chan<- *prometheus.Desc) {
	descs <- queueDepth
	descs <- queueOldest
}

// Collect implements prometheus.Collector. A queue that can't be asked is left out.
func (m queueMetrics) Collect(metrics chan<- prometheus.Metric) {
	seen := map[string]bool{}
	for _, q := range m.app.queues {
		if seen[q.name] {
			continue // two receivers of one name share a queue
		}
		seen[q.name] = true
		ctx, cancel := context.WithTimeout(m.app.ctx, depthTimeout)
		depth, err := q.Depth(ctx)
		cancel()
		if err != nil {
			storeErrors.WithLabelValues("depth").Inc()
			continue
		}
		for state, n := range map[string]int{"waiting": depth.Waiting, "in_flight": depth.InFlight, "dead": depth.Dead} {
			metrics <- prometheus.MustNewConstMetric(queueDepth, prometheus.GaugeValue, float64(n), q.name, state)
		}
		metrics <- prometheus.MustNewConstMetric(queueOldest, prometheus.GaugeValue, max(0, depth.Oldest.Seconds()), q.name)
	}
}

// Interface guard
var _ prometheus.Collector = queueMetrics{}
