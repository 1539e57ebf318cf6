package caddymodule

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/videocloud/webhooks/internal/adminapi"
	"github.com/videocloud/webhooks/receiver"
)

// notQueued is about an event that is in no queue of these.
func notQueued(at string) error {
	return notFound("no such event waits or is dead at " + at +
		": it was delivered, purged, or never taken; `caddy webhook explain` tells what is known of it")
}

var showRead = with(showEvent, "name", "event!")

// showEvent answers GET /webhooks/show: an event by its ID or its job.
func showEvent(q *adminRequest) (any, error) {
	queues, err := q.app.queuesOf(q.Context(), q.query.Get("name"))
	if err != nil {
		return nil, err
	}
	found, err := findQueued(q.Context(), queues, q.query.Get("event"))
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, notQueued(queues[0].owner)
	}
	shown := newQueuedEvent(found)
	// A delivery may end while it is looked at; another one of the event has the same payload.
	for _, f := range found {
		if job, err := f.queue.Stored(q.Context(), f.Job); err == nil && job != nil {
			addRequest(shown, job)
			return shown, nil
		} else if err != nil && !errors.Is(err, receiver.ErrJob) {
			return nil, err
		}
	}
	return nil, notQueued(queues[0].owner)
}

// queuedIn is an event with the queue that it is in.
type queuedIn struct {
	receiver.Queued
	queue namedQueue
}

// findQueued finds an event in some queues. Several events of one ID, as there may be without dedup, are an error that names their jobs.
func findQueued(ctx context.Context, queues []namedQueue, id string) ([]queuedIn, error) {
	var found []queuedIn
	for _, q := range queues {
		items, err := q.Find(ctx, id)
		if err != nil {
			return nil, err
		}
		for _, item := range items {
			found = append(found, queuedIn{item, q})
		}
	}
	for _, f := range found {
		if f.Received.Equal(found[0].Received) && f.Size == found[0].Size {
			continue
		}
		var jobs []string
		for _, f := range found {
			jobs = append(jobs, fmt.Sprintf("%s (%s, received %s)", f.Job, f.queue.name, f.Received.Format(time.RFC3339)))
		}
		return nil, badRequest("several events have this ID; name one by its job: " + strings.Join(jobs, ", "))
	}
	return found, nil
}

func newQueuedEvent(found []queuedIn) *adminapi.QueuedEvent {
	first := found[0]
	e := &adminapi.QueuedEvent{Receiver: first.queue.owner, ID: first.ID, Event: first.Event, Scheme: first.Scheme, Received: first.Received,
		Headers: first.Headers, Size: first.Size}
	for _, f := range found {
		e.Deliveries = append(e.Deliveries, f.standing())
	}
	return e
}

func (f *queuedIn) standing() adminapi.QueuedDelivery {
	return adminapi.QueuedDelivery{Queue: f.queue.name, Deliver: f.Deliver, Job: f.Job, State: f.State, Due: f.Due, Failed: f.Failed,
		Attempts: f.Attempts, Error: f.Error, Forgotten: f.queue.forgotten}
}

// addRequest adds what is stored beside the headers.
func addRequest(e *adminapi.QueuedEvent, j *receiver.Job) {
	e.Method, e.URI, e.Host, e.RemoteAddr = j.Method, j.URI, j.Host, j.RemoteAddr
	if utf8.Valid(j.Body) {
		e.Payload = string(j.Body)
	} else {
		e.PayloadBase64 = base64.StdEncoding.EncodeToString(j.Body)
	}
}
