package caddymodule

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// statsAnswer is what this process counted since it started, and what waits in the store.
type statsAnswer struct {
	Health      *healthAnswer      `json:"health"`
	Receivers   []receiverStats    `json:"receivers"`
	Sender      senderStats        `json:"sender"`
	Queues      []queueStats       `json:"queues"`
	StoreErrors map[string]float64 `json:"storeErrors"` // by operation
}

type receiverStats struct {
	Name     string             `json:"name"`
	Scheme   string             `json:"scheme"`
	Requests map[string]float64 `json:"requests"` // by outcome
}

type senderStats struct {
	Attempts   map[string]float64 `json:"attempts"`   // by outcome
	Deliveries map[string]float64 `json:"deliveries"` // ended ones, by state
}

// queueStats is how full a queue is, over all processes.
type queueStats struct {
	Queue            string         `json:"queue"` // sender, or a receiver's name
	Depth            map[string]int `json:"depth"` // by state
	OldestDueSeconds float64        `json:"oldestDueSeconds"`
	// Forgotten says that the configuration has no such deliver any more: nobody delivers what is in it.
	Forgotten bool `json:"forgotten,omitempty"`
}

var statsRead = with(stats)

// stats answers GET /webhooks/stats.
func stats(q *asking) (int, any, error) {
	answer := statsAnswer{
		Health:      q.app.health(q.Context(), 0),
		Receivers:   receiversCounted(),
		Sender:      senderStats{Attempts: map[string]float64{}, Deliveries: map[string]float64{}},
		StoreErrors: map[string]float64{},
	}
	each(senderAttempts, func(labels map[string]string, count float64) {
		answer.Sender.Attempts[labels["outcome"]] = count
	})
	each(senderDeliveries, func(labels map[string]string, count float64) {
		answer.Sender.Deliveries[labels["state"]] = count
	})
	each(storeErrors, func(labels map[string]string, count float64) {
		answer.StoreErrors[labels["operation"]] = count
	})
	ctx, cancel := context.WithTimeout(q.Context(), depthTimeout)
	defer cancel()
	answer.Queues = q.app.allQueues(ctx)
	return http.StatusOK, answer, nil
}

// allQueues are the queues as far as they can be asked, those that the configuration has forgotten at the end.
func (a *App) allQueues(ctx context.Context) []queueStats {
	all := []queueStats{}
	a.eachQueue(ctx, func(q queueStats) { all = append(all, q) })
	for _, name := range slices.Sorted(maps.Keys(a.shared)) {
		forgotten, _ := a.shared[name].enqueuer.Forgotten(ctx)
		for _, f := range forgotten {
			q := statsOf(name+"/"+f.Delivery, f.Depth)
			q.Forgotten = true
			all = append(all, q)
		}
	}
	return all
}

// receiversCounted is what each receiver counted, by name and scheme.
func receiversCounted() []receiverStats {
	counted := []receiverStats{}
	of := map[[2]string]int{}
	each(receiverRequests, func(labels map[string]string, count float64) {
		key := [2]string{labels["name"], labels["scheme"]}
		i, ok := of[key]
		if !ok {
			i = len(counted)
			of[key] = i
			counted = append(counted, receiverStats{key[0], key[1], map[string]float64{}})
		}
		counted[i].Requests[labels["outcome"]] = count
	})
	slices.SortFunc(counted, func(a, b receiverStats) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Scheme, b.Scheme))
	})
	return counted
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
