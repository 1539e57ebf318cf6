package caddymodule

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/videocloud/webhooks/internal/adminapi"
	"github.com/videocloud/webhooks/internal/version"
	"github.com/videocloud/webhooks/sender"
	"github.com/videocloud/webhooks/store"
)

func storeHealth(i store.Info) adminapi.Store {
	h := adminapi.Store{Kind: i.Kind, Ready: true, Since: unlessZero(i.Since)}
	if i.PID > 0 {
		h.Server = &adminapi.Server{Version: i.Version, PID: i.PID, Dir: i.Dir, Started: i.Started}
	}
	return h
}

// health answers GET /webhooks/health. With ?max_due=10m a delivery that has been due for longer is a problem too: a
// probe that takes a process out of service should not ask for that, as a backlog is no fault of one process.
func health(q *adminRequest) (any, error) {
	var maxDue time.Duration
	if text := q.query.Get("max_due"); text != "" {
		var err error
		if maxDue, err = time.ParseDuration(text); err != nil || maxDue <= 0 {
			return nil, badRequest("max_due is a duration above zero, such as 10m")
		}
	}
	h := q.app.health(q.Context(), maxDue)
	if len(h.Problems) > 0 {
		q.status = http.StatusServiceUnavailable
	}
	return h, nil
}

func (a *App) health(ctx context.Context, maxDue time.Duration) *adminapi.Health {
	h := &adminapi.Health{Status: "ok", Version: version.Number, Sender: a.senderMode()}
	var state sender.Health
	if a.running != nil {
		state = a.running.Health(ctx)
	} else {
		state.Store = a.store.Check(ctx)
	}
	h.Store = storeHealth(a.store.Info())
	if err := state.Store; err != nil {
		h.Store.Ready, h.Store.Error = false, err.Error()
		h.Problems = append(h.Problems, err.Error())
	}
	if state.Delivers {
		h.Workers = workerHealth(&state)
		if !state.Alive {
			h.Problems = append(h.Problems, "the workers have had no answer of the store for a while")
		}
		if q := state.Queue; q != nil && maxDue > 0 && q.OldestDue > maxDue {
			h.Problems = append(h.Problems, fmt.Sprintf("a delivery has been due for %s", q.OldestDue.Round(time.Second)))
		}
	}
	if state.Abandoned() {
		h.Problems = append(h.Problems, fmt.Sprintf("%d deliveries wait and no process delivers; start one with a sender block and without deliver off", state.Queue.Waiting+state.Queue.InFlight))
	}
	for _, q := range a.queues {
		if !q.Alive() {
			h.Problems = append(h.Problems, "the workers of the queue "+q.name+" have had no answer of the store for a while")
		}
	}
	h.Problems = append(h.Problems, a.forgotten(ctx)...)
	h.Problems = append(h.Problems, a.differing(ctx)...)
	if len(h.Problems) > 0 {
		h.Status = "unavailable"
	}
	return h
}

func workerHealth(state *sender.Health) *adminapi.Workers {
	w := &adminapi.Workers{Alive: state.Alive, InFlight: state.InFlight, LastRound: unlessZero(state.LastRound.UTC())}
	if q := state.Queue; q != nil {
		due := q.OldestDue.Seconds()
		w.OldestDueSeconds = &due
	}
	return w
}

const senderDelivers = "delivering"

func (a *App) senderMode() string {
	switch {
	case a.running == nil:
		return "off"
	case a.sender.DeliverOff:
		return "api_only"
	default:
		return senderDelivers
	}
}
