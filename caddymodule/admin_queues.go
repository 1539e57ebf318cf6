package caddymodule

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/videocloud/webhooks/internal/adminapi"
	"github.com/videocloud/webhooks/receiver"
)

// queuesOf returns the queues that a name means: all of a receiver, or after a slash that of one of its apps. Those that no deliver of the
// configuration names any more are among them; the one of an app without a name stands before a slash with nothing behind it.
// Without a name it is the only receiver with a queue.
func (a *App) queuesOf(ctx context.Context, name string) ([]namedQueue, error) {
	if name == "" {
		names := slices.Sorted(maps.Keys(a.shared))
		switch len(names) {
		case 0:
			return nil, badRequest("no receiver here has a queue")
		case 1:
			name = names[0]
		default:
			return nil, badRequest("name one of the receivers with a queue: " + strings.Join(names, ", "))
		}
	}
	owner, _, one := strings.Cut(name, "/")
	if _, err := a.receiver(owner); err != nil {
		return nil, err
	}
	all, err := a.queuesBehind(ctx, owner)
	switch {
	case err != nil:
		return nil, err
	case len(all) == 0:
		return nil, badRequest("the receiver " + owner + " has no queue: write queue into its block")
	case !one:
		return all, nil
	}
	for _, q := range all {
		if q.name == name {
			return []namedQueue{q}, nil
		}
	}
	return nil, badRequest("there is no such deliver; there is " + namesOf(all))
}

// namesOf lists the names of queues, for who has to choose one.
func namesOf(queues []namedQueue) string {
	var names []string
	for _, q := range queues {
		names = append(names, q.name)
	}
	return strings.Join(names, ", ")
}

// queuesBehind are the queues of the receivers of one name, then those that the configuration has forgotten: none where it has no queue.
func (a *App) queuesBehind(ctx context.Context, name string) ([]namedQueue, error) {
	shared, ok := a.shared[name]
	if !ok {
		return nil, nil
	}
	var all []namedQueue
	for _, q := range a.queues {
		if q.owner == name {
			all = append(all, q)
		}
	}
	forgotten, err := shared.enqueuer.OrphanedQueues(ctx)
	for _, f := range forgotten {
		all = append(all, namedQueue{name: name + "/" + f.Delivery, owner: name, forgotten: true, Queue: f.Queue})
	}
	return all, err
}

// selection reads which events of a queue are meant.
func selection(state, event string, since, until time.Time) (receiver.Selection, error) {
	s := receiver.Selection{State: receiver.Place(cmp.Or(state, string(receiver.PlaceDead))), Event: event, Since: since, Until: until}
	switch s.State {
	case receiver.PlaceDead, receiver.PlaceWaiting, receiver.PlaceInFlight:
		return s, nil
	}
	return s, badRequest("state is dead, waiting or in_flight")
}

// maxDeadPage bounds one answer.
const maxDeadPage = 1000

// queueCursor is where a list over several queues goes on.
type queueCursor struct{ queue, behind string }

func (c queueCursor) String() string {
	return base64.RawURLEncoding.EncodeToString([]byte(c.queue + ":" + c.behind)) // no name of a queue has a colon
}

var errCursor = badRequest("cursor: take the nextCursor of the answer before")

func readQueueCursor(text string) (c queueCursor, err error) {
	decoded, err := base64.RawURLEncoding.DecodeString(text)
	queue, behind, ok := strings.Cut(string(decoded), ":")
	if text != "" && (err != nil || !ok) {
		return c, errCursor
	}
	return queueCursor{queue, behind}, nil
}

var deadRead = with(listDead, "name", "state", "event", "since", "until", "limit", "cursor")

// listDead answers GET /webhooks/dead: what is dead, or waits, in the queues of a name.
func listDead(q *adminRequest) (any, error) {
	chosen, err := selection(q.query.Get("state"), q.query.Get("event"), q.since, q.until)
	if err != nil {
		return nil, err
	}
	limit := 100
	if q.query.Get("limit") != "" {
		if limit = q.limit; limit < 1 || limit > maxDeadPage {
			return nil, badRequest("limit is a number between 1 and 1000")
		}
	}
	cursor, err := readQueueCursor(q.query.Get("cursor"))
	if err != nil {
		return nil, err
	}
	queues, err := q.app.queuesOf(q.Context(), q.query.Get("name"))
	if err != nil {
		return nil, err
	}
	return contents(q.Context(), queues, chosen, cursor, limit)
}

// contents is a page over several queues, one after the other.
func contents(ctx context.Context, queues []namedQueue, s receiver.Selection, from queueCursor, limit int) (*adminapi.Page[receiver.Queued], error) {
	list := &adminapi.Page[receiver.Queued]{Items: []receiver.Queued{}}
	if from.queue != "" {
		at := slices.IndexFunc(queues, func(q namedQueue) bool { return q.name == from.queue })
		if at < 0 {
			return nil, badRequest("cursor: the queue that it stands in is gone; begin again")
		}
		queues = queues[at:]
	}
	for i, q := range queues {
		items, next, err := q.List(ctx, s, from.behind, limit-len(list.Items))
		if errors.Is(err, receiver.ErrCursor) {
			err = errCursor
		}
		if err != nil {
			return nil, err
		}
		list.Items = append(list.Items, items...)
		switch {
		case next != "":
			list.NextCursor = queueCursor{q.name, next}.String()
			return list, nil
		case len(list.Items) >= limit && i+1 < len(queues):
			list.NextCursor = queueCursor{queues[i+1].name, ""}.String()
			return list, nil
		}
		from.behind = ""
	}
	return list, nil
}

// changeDead answers POST /webhooks/dead: retry, purge or move.
func changeDead(q *adminRequest, asked *adminapi.DeadChange) (any, error) {
	queues, err := q.app.queuesOf(q.Context(), asked.Name)
	if err != nil {
		return nil, err
	}
	if asked.Action == "move" {
		return q.app.moveQueue(q.Context(), queues, asked)
	}
	chosen, err := selection(asked.State, asked.Event, asked.Since, asked.Until)
	if err != nil {
		return nil, err
	}
	if asked.Ambiguous() {
		return nil, badRequest("name jobs, or choose by event, since and until, or say all")
	}
	if chosen.State == receiver.PlaceInFlight {
		return nil, badRequest("what is being delivered right now can't be changed: state is dead or waiting")
	}
	total := 0
	for _, queue := range queues {
		n, err := changeQueue(q.Context(), queue, asked, len(queues) == 1, chosen)
		if total += n; err != nil {
			return nil, err
		}
	}
	return adminapi.Count{Count: total}, nil
}

// changeQueue does to one queue what was asked for. only says that it was named itself.
func changeQueue(ctx context.Context, q namedQueue, d *adminapi.DeadChange, only bool, s receiver.Selection) (int, error) {
	switch {
	case d.Action == "retry" && q.forgotten && only:
		return 0, badRequest("nobody delivers for " + q.name + ": it is no deliver of the configuration; move its events to one that is")
	case d.Action == "retry" && q.forgotten:
		return 0, nil
	case d.Action == "retry" && len(d.Jobs) > 0:
		return q.Retry(ctx, d.Jobs...)
	case d.Action == "retry":
		return q.RetryAll(ctx, s)
	case d.Action != "purge":
		return 0, badRequest("action is retry, purge or move")
	case len(d.Jobs) > 0:
		return q.Purge(ctx, d.Jobs...)
	case q.forgotten && only && !d.Filtered() && d.State == "":
		n, err := q.Drop(ctx) // the whole lane: what waits in it is as lost as what is dead
		if errors.Is(err, receiver.ErrUnderWay) && n > 0 {
			err = nil
		}
		return n, err
	}
	return q.PurgeAll(ctx, s)
}

// moveQueue moves what is in one queue to that of another app of the same receiver.
func (a *App) moveQueue(ctx context.Context, from []namedQueue, q *adminapi.DeadChange) (any, error) {
	if len(from) > 1 {
		return nil, badRequest("name the deliver whose events are moved: " + namesOf(from))
	}
	if len(q.Jobs) > 0 || q.All || q.State != "" || q.Filtered() {
		return nil, badRequest("move takes all of a queue; it goes with name and to alone")
	}
	owner := from[0].owner
	to := owner + "/" + strings.TrimPrefix(q.To, owner+"/")
	var others []string
	for _, other := range a.queues {
		if other.owner != owner || other.name == from[0].name {
			continue
		}
		if other.name == to || other.name == q.To {
			n, err := from[0].MoveTo(ctx, other.Queue)
			if err != nil && n > 0 {
				err = fmt.Errorf("%d were moved: %w", n, err)
			}
			return adminapi.Count{Count: n}, err
		}
		others = append(others, other.name)
	}
	return nil, badRequest("to: name another deliver of the configuration: " + strings.Join(distinct(others), ", "))
}
