package caddymodule

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/videocloud/webhooks/receiver"
)

// noReceiver is a name that no receiver of this configuration has.
type noReceiver struct{ there []string }

func (e *noReceiver) Error() string {
	if len(e.there) == 0 {
		return "there is no receiver with a name here"
	}
	return "there is no such receiver here; there is " + strings.Join(e.there, ", ")
}

// receiver returns a receiver of that name. Several of one name share what they know.
func (a *App) receiver(name string) (*receiver.Receiver, error) {
	for _, r := range a.receivers {
		if r.Name() == name && name != "" {
			return r, nil
		}
	}
	var there []string
	for _, r := range a.receivers {
		if r.Name() != "" {
			there = append(there, r.Name())
		}
	}
	return nil, &noReceiver{distinct(there)}
}

// queueOf returns the queue of the receivers of that name. Without a name it is the only one there is.
func (a *App) queueOf(name string) (*receiver.Queue, error) {
	if q, ok := a.queue(name); ok {
		return q, nil
	}
	var there, apps []string
	for _, q := range a.queues {
		there = append(there, q.name)
		if name != "" && strings.HasPrefix(q.name, name+"/") {
			apps = append(apps, q.name)
		}
	}
	switch there = distinct(there); {
	case len(apps) > 0:
		return nil, &badRequest{"name one of its apps: " + strings.Join(apps, ", ")}
	case name != "":
		if _, err := a.receiver(name); err != nil {
			return nil, err
		}
		return nil, &badRequest{"the receiver " + name + " has no queue"}
	case len(there) == 0:
		return nil, &badRequest{"no receiver here has a queue"}
	case len(there) > 1:
		return nil, &badRequest{"name one of the receivers with a queue: " + strings.Join(there, ", ")}
	}
	return a.queueOf(there[0])
}

func distinct(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

// maxDeadPage bounds one answer.
const maxDeadPage = 1000

// listDead answers GET /webhooks/dead?name=&offset=&limit=. The name may be left out where there is one queue.
func listDead(r *http.Request, a *App) (int, any, error) {
	param, err := known(r, "name", "offset", "limit")
	if err != nil {
		return 0, nil, err
	}
	q, err := a.queueOf(param("name"))
	if err != nil {
		return 0, nil, err
	}
	offset, limit := 0, 100
	for name, n := range map[string]*int{"offset": &offset, "limit": &limit} {
		if text := param(name); text != "" {
			if *n, err = strconv.Atoi(text); err != nil || *n < 0 || *n > 1<<30 {
				return 0, nil, &badRequest{name + " is a number"}
			}
		}
	}
	if limit < 1 || limit > maxDeadPage {
		return 0, nil, &badRequest{"limit is between 1 and 1000"}
	}
	dead, err := q.Dead(r.Context(), offset, limit)
	if dead == nil {
		dead = []receiver.Dead{}
	}
	return http.StatusOK, listAnswer[receiver.Dead]{dead}, err
}

// changed says how many it were.
type changed struct {
	Count int `json:"count"`
}

// changeDead answers POST /webhooks/dead: retry or purge, of those named or of all.
func changeDead(r *http.Request, a *App) (int, any, error) {
	var q struct {
		Name, Action string
		Jobs         []string
		All          bool
	}
	if err := question(r, &q); err != nil {
		return 0, nil, err
	}
	queue, err := a.queueOf(q.Name)
	if err != nil {
		return 0, nil, err
	}
	if q.All == (len(q.Jobs) > 0) {
		return 0, nil, &badRequest{"name jobs, or say all"}
	}
	var n int
	switch q.Action {
	case "retry":
		n, err = queue.RetryDead(r.Context(), q.Jobs...)
	case "purge":
		n, err = queue.PurgeDead(r.Context(), q.Jobs...)
	default:
		return 0, nil, &badRequest{"action is retry or purge"}
	}
	return http.StatusOK, changed{n}, err
}

// forget answers POST /webhooks/forget: one event, or all that were taken since a time.
func forget(r *http.Request, a *App) (int, any, error) {
	var q struct {
		Name, Event string
		Since       time.Time
	}
	if err := question(r, &q); err != nil {
		return 0, nil, err
	}
	if (q.Event == "") == q.Since.IsZero() {
		return 0, nil, &badRequest{"give an event or a time, not both"}
	}
	gateway, err := a.receiver(q.Name)
	if err != nil {
		return 0, nil, err
	}
	var n int
	if q.Event != "" {
		n, err = gateway.Forget(r.Context(), q.Event)
	} else {
		n, err = gateway.ForgetSince(r.Context(), q.Since)
	}
	return http.StatusOK, changed{n}, err
}
