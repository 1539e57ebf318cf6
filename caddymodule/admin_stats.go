package caddymodule

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/videocloud/webhooks/internal/adminapi"
)

var statsRead = with(stats)

// stats answers GET /webhooks/stats.
func stats(q *adminRequest) (any, error) {
	answer := adminapi.Stats{
		Health:      *q.app.health(q.Context(), 0),
		Receivers:   receiversCounted(),
		Sender:      adminapi.SenderStats{Attempts: countsBy("outcome", senderAttempts), Deliveries: countsBy("state", senderDeliveries)},
		StoreErrors: countsBy("operation", storeErrors),
	}
	ctx, cancel := context.WithTimeout(q.Context(), depthTimeout)
	defer cancel()
	answer.Queues = q.app.allQueues(ctx)
	return answer, nil
}

// allQueues are the queues as far as they can be asked, those that the configuration has forgotten at the end.
func (a *App) allQueues(ctx context.Context) []adminapi.QueueStats {
	all := a.queueStats(ctx)
	for _, name := range slices.Sorted(maps.Keys(a.shared)) {
		forgotten, _ := a.shared[name].enqueuer.OrphanedQueues(ctx)
		for _, f := range forgotten {
			q := statsOf(name+"/"+f.Delivery, f.Depth)
			q.Forgotten = true
			all = append(all, q)
		}
	}
	return all
}

// receiversCounted is what each receiver counted, by name and scheme.
func receiversCounted() []adminapi.ReceiverStats {
	of := map[[2]string]map[string]float64{}
	each(receiverRequests, func(labels map[string]string, count float64) {
		key := [2]string{labels["name"], labels["scheme"]}
		if of[key] == nil {
			of[key] = map[string]float64{}
		}
		of[key][labels["outcome"]] = count
	})
	counted := []adminapi.ReceiverStats{}
	for key, requests := range of {
		counted = append(counted, adminapi.ReceiverStats{Name: key[0], Scheme: key[1], Requests: requests})
	}
	slices.SortFunc(counted, func(a, b adminapi.ReceiverStats) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Scheme, b.Scheme))
	})
	return counted
}

// countsBy are the counters of a vector by its only label.
func countsBy(label string, vector *prometheus.CounterVec) map[string]float64 {
	counts := map[string]float64{}
	each(vector, func(labels map[string]string, count float64) { counts[labels[label]] = count })
	return counts
}

// each calls f for every counter of a vector.
func each(vector *prometheus.CounterVec, f func(labels map[string]string, count float64)) {
	metrics := make(chan prometheus.Metric)
	go func() {
		vector.Collect(metrics)
		close(metrics)
	}()
	for m := range metrics {
		var out dto.Metric
		if err := m.Write(&out); err != nil {
			continue
		}
		labels := map[string]string{}
		for _, l := range out.GetLabel() {
			labels[l.GetName()] = l.GetValue()
		}
		f(labels, out.GetCounter().GetValue())
	}
}
