package caddymodule

import (
	"slices"
	"strings"

	"github.com/videocloud/webhooks/internal/adminapi"
	"github.com/videocloud/webhooks/receiver"
)

// receiver returns a receiver of that name. Several of one name share what they know.
func (a *App) receiver(name string) (*receiver.Receiver, error) {
	var there []string
	for _, r := range a.receivers {
		switch r.Name() {
		case "":
		case name:
			return r, nil
		default:
			there = append(there, r.Name())
		}
	}
	if len(there) == 0 {
		return nil, notFound("there is no receiver with a name here; give one a name in its block")
	}
	return nil, notFound("there is no such receiver here; there is " + strings.Join(distinct(there), ", "))
}

func distinct(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

// forget answers POST /webhooks/forget: one event, or all that were taken since a time.
func forget(q *adminRequest, asked *adminapi.Forget) (any, error) {
	if (asked.Event == "") == asked.Since.IsZero() {
		return nil, badRequest("give an event or a time, not both")
	}
	gateway, err := q.app.receiver(asked.Name)
	if err != nil {
		return nil, err
	}
	var n int
	if asked.Event != "" {
		n, err = gateway.Forget(q.Context(), asked.Event)
	} else {
		n, err = gateway.ForgetSince(q.Context(), asked.Since)
	}
	return adminapi.Count{Count: n}, err
}
