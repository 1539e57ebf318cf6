package caddymodule

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/caddyserver/caddy/v2"
)

func init() { caddy.RegisterModule(new(adminAPI)) }

// adminAPI answers on Caddy's admin address.
type adminAPI struct{}

// CaddyModule returns the Caddy module information.
func (*adminAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "admin.api.webhooks", New: func() caddy.Module { return new(adminAPI) }}
}

// Routes implements caddy.AdminRouter.
func (*adminAPI) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{
		{Pattern: "/webhooks/health", Handler: caddy.AdminHandlerFunc(get(health))},
		{Pattern: "/webhooks/stats", Handler: caddy.AdminHandlerFunc(get(stats))},
	}
}

// get answers GET with the JSON that f makes for the running configuration.
func get(f func(r *http.Request, a *App) (status int, answer any)) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		if r.Method != http.MethodGet {
			w.Header().Set("Allow", http.MethodGet)
			return caddy.APIError{HTTPStatus: http.StatusMethodNotAllowed, Err: errors.New("method not allowed")}
		}
		a, err := running.newest()
		if err != nil {
			return caddy.APIError{HTTPStatus: http.StatusNotFound, Err: err}
		}
		status, answer := f(r, a)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		return json.NewEncoder(w).Encode(answer)
	}
}

// healthAnswer says whether webhooks work. The status is 503 where they don't.
type healthAnswer struct {
	Status  string      `json:"status"` // ok or unavailable
	Version string      `json:"version"`
	Store   storeHealth `json:"store"`
	Sender  string      `json:"sender"` // delivering, api_only or off
}

type storeHealth struct {
	Kind  string `json:"kind"` // redis or memory
	Ready bool   `json:"ready"`
	Error string `json:"error,omitempty"`
}

func health(r *http.Request, a *App) (int, any) {
	answer := healthAnswer{Status: "ok", Version: Version(), Store: storeHealth{Kind: a.storeKind(), Ready: true}, Sender: a.senderMode()}
	if err := a.store.Ready(r.Context()); err != nil {
		answer.Status, answer.Store.Ready, answer.Store.Error = "unavailable", false, err.Error()
		return http.StatusServiceUnavailable, answer
	}
	return http.StatusOK, answer
}

func (a *App) storeKind() string {
	if a.redis.InMemory() {
		return "memory"
	}
	return "redis"
}

func (a *App) senderMode() string {
	switch {
	case a.running == nil:
		return "off"
	case a.sender.DeliverOff:
		return "api_only"
	default:
		return "delivering"
	}
}

// statsAnswer counts what this process did since it started.
type statsAnswer struct {
	Receivers []receiverStats `json:"receivers"`
	Sender    senderStats     `json:"sender"`
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

func stats(*http.Request, *App) (int, any) {
	answer := statsAnswer{
		Receivers: []receiverStats{},
		Sender:    senderStats{Attempts: map[string]float64{}, Deliveries: map[string]float64{}},
	}
	of := map[[2]string]int{}
	each(receiverRequests, func(labels map[string]string, count float64) {
		key := [2]string{labels["name"], labels["scheme"]}
		i, ok := of[key]
		if !ok {
			i = len(answer.Receivers)
			of[key] = i
			answer.Receivers = append(answer.Receivers, receiverStats{key[0], key[1], map[string]float64{}})
		}
		answer.Receivers[i].Requests[labels["outcome"]] = count
	})
	slices.SortFunc(answer.Receivers, func(a, b receiverStats) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Scheme, b.Scheme))
	})
	each(senderAttempts, func(labels map[string]string, count float64) {
		answer.Sender.Attempts[labels["outcome"]] = count
	})
	each(senderDeliveries, func(labels map[string]string, count float64) {
		answer.Sender.Deliveries[labels["state"]] = count
	})
	return http.StatusOK, answer
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

// Interface guard
var _ caddy.AdminRouter = (*adminAPI)(nil)
