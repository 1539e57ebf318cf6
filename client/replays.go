package client

import (
	"context"
	"encoding/json"
	"iter"
	"time"
)

// ReplayRequest selects deliveries of a webhook to send again.
type ReplayRequest struct {
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until,omitzero"`   // zero: now
	Events []string  `json:"events,omitempty"` // empty: any
	State  string    `json:"state,omitempty"`  // "failed" (default) or "all"
	DryRun bool      `json:"dryRun,omitempty"` // count only
}

// Replay is a durable job that sends deliveries again.
type Replay struct {
	ID          string         `json:"id,omitempty"` // empty after a dry run
	WebhookID   string         `json:"webhookId"`
	State       string         `json:"state"` // running, done or cancelled; dry_run
	Matched     int            `json:"matched"`
	Unavailable int            `json:"unavailable"`       // their payload has expired
	NotSent     map[string]int `json:"notSent,omitempty"` // by reason, when their turn came: disabled, unavailable, underWay
	Sent        int            `json:"sent"`              // queued again so far
	CreatedAt   time.Time      `json:"createdAt"`
}

// Replays reads and cancels the jobs that send deliveries again; [Webhooks.Replay] starts one. Get it from [Client.Replays].
type Replays struct{ c *Client }

// Get returns a replay's progress.
func (r *Replays) Get(ctx context.Context, id string) (Replay, error) {
	return get[Replay](ctx, r.c, nil, "replays", id)
}

// RetryRequest selects failed deliveries of a webhook to send again.
type RetryRequest struct {
	State State     `json:"state"`           // set by [Webhooks.RetryFailed]
	Event string    `json:"event,omitempty"` // empty: any
	Since time.Time `json:"since,omitzero"`  // zero: all that are kept
	Until time.Time `json:"until,omitzero"`  // zero: now
}

// List returns one page of the replays, newest first.
func (r *Replays) List(ctx context.Context, o ListOptions) (Page[Replay], error) {
	return get[Page[Replay]](ctx, r.c, o.query(), "replays")
}

// Cancel ends a replay. Deliveries that it has not sent again yet stay as they are.
func (r *Replays) Cancel(ctx context.Context, id string) (Replay, error) {
	return call[Replay](ctx, r.c, request{method: "DELETE", path: []string{"replays", id}, repeat: true})
}

// All yields every replay, newest first.
func (r *Replays) All(ctx context.Context) iter.Seq2[Replay, error] {
	return allPages(ctx, r.List)
}

// EventType is one entry of the event catalogue.
type EventType struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Group       string `json:"group"`

	Schema  json.RawMessage `json:"schema,omitempty"`  // JSON Schema that data of it must fit
	Example json.RawMessage `json:"example,omitempty"` // what a test sends
}

// EventTypeUpdate changes the fields that are not nil. A schema or an example of null is removed.
type EventTypeUpdate struct {
	Description *string         `json:"description,omitempty"`
	Group       *string         `json:"group,omitempty"`
	Schema      json.RawMessage `json:"schema,omitempty"`  // JSON Schema (2020-12)
	Example     json.RawMessage `json:"example,omitempty"` // a JSON object
}

// EventTypes reads and changes the event catalogue. Get it from [Client.EventTypes].
type EventTypes struct{ c *Client }

// List returns the event types that can be subscribed to.
func (e *EventTypes) List(ctx context.Context) ([]EventType, error) {
	p, err := get[Page[EventType]](ctx, e.c, nil, "event-types")
	return p.Items, err
}

// Put adds an event type, or changes fields of one. It needs a key of every account.
func (e *EventTypes) Put(ctx context.Context, name string, u EventTypeUpdate) (EventType, error) {
	return call[EventType](ctx, e.c, request{method: "PUT", path: []string{"event-types", name}, in: u, repeat: true})
}

// Delete deletes an event type that was made by [EventTypes.Put].
func (e *EventTypes) Delete(ctx context.Context, name string) error {
	return remove(ctx, e.c, "event-types", name)
}
