package client

import (
	"context"
	"iter"
	"net/url"
	"time"
)

// State is the state of a delivery.
type State string

// The states of a delivery.
const (
	StatePending   State = "pending"   // not attempted yet
	StateRetrying  State = "retrying"  // attempted, and waiting for the next attempt
	StateSucceeded State = "succeeded" // answered 2xx
	StateFailed    State = "failed"    // ended without success; it is kept and can be sent again
	StateCancelled State = "cancelled" // its webhook was deleted
)

// Delivery is one event on its way to one webhook.
type Delivery struct {
	ID              string     `json:"id"`
	EventID         string     `json:"eventId"`
	Type            string     `json:"event"`
	WebhookID       string     `json:"webhookId"`
	State           State      `json:"state"`
	Reason          string     `json:"reason,omitempty"` // why it failed before its last attempt: backlog, disabled, expired, …
	CreatedAt       time.Time  `json:"createdAt"`
	NextAttemptAt   *time.Time `json:"nextAttemptAt,omitempty"`
	AttemptsLeftOut bool       `json:"attemptsLeftOut,omitempty"` // in an event with many webhooks; [Deliveries.Get] returns them
	Attempts        []Attempt  `json:"attempts"`
}

// Done reports whether the delivery has ended: there is no further attempt unless it is sent again.
func (d Delivery) Done() bool { return d.State != StatePending && d.State != StateRetrying }

// Attempt is one HTTP request of a delivery.
type Attempt struct {
	Number       int       `json:"number"`
	At           time.Time `json:"at"`
	DurationMS   int64     `json:"durationMs"`
	StatusCode   int       `json:"statusCode,omitempty"`
	Error        string    `json:"error,omitempty"`
	ResponseBody string    `json:"responseBody,omitempty"` // its first 1 KiB
}

// DeliveryListOptions select deliveries of a webhook.
type DeliveryListOptions struct {
	ListOptions
	State State     // empty: any
	Event string    // the type; empty: any
	Since time.Time // zero: all that are kept
	Until time.Time // zero: now
}

// DeliverySearch selects deliveries of an account.
type DeliverySearch struct {
	DeliveryListOptions
	EventID   string // empty: any
	WebhookID string // empty: any
}

// Deliveries reads deliveries, and sends them again. Get it from [Client.Deliveries].
type Deliveries struct{ c *Client }

// Get returns one delivery, with its attempts.
func (d *Deliveries) Get(ctx context.Context, id string) (Delivery, error) {
	return get[Delivery](ctx, d.c, nil, "deliveries", id)
}

// Retry sends a delivery again, now and with a new retry table. The request itself is not retried.
func (d *Deliveries) Retry(ctx context.Context, id string) (Delivery, error) {
	return post[Delivery](ctx, d.c, nil, "deliveries", id, "retry")
}

// List returns one page of a webhook's deliveries, newest first.
func (d *Deliveries) List(ctx context.Context, webhookID string, o DeliveryListOptions) (Page[Delivery], error) {
	return get[Page[Delivery]](ctx, d.c, o.query(), "webhooks", webhookID, "deliveries")
}

func (o DeliveryListOptions) query() url.Values {
	q := o.ListOptions.query()
	setWords(q, map[string]string{"state": string(o.State), "event": o.Event})
	setTimes(q, o.Since, o.Until)
	return q
}

// Search returns one page of the deliveries of the client's account, newest first. Only an empty NextCursor ends the list: a page may be short.
func (d *Deliveries) Search(ctx context.Context, o DeliverySearch) (Page[Delivery], error) {
	q := o.query()
	setWords(q, map[string]string{"eventId": o.EventID, "webhookId": o.WebhookID})
	return get[Page[Delivery]](ctx, d.c, q, "deliveries")
}

// All yields every delivery of a webhook that o selects, newest first.
func (d *Deliveries) All(ctx context.Context, webhookID string, o DeliveryListOptions) iter.Seq2[Delivery, error] {
	return all(func(cursor string) (Page[Delivery], error) {
		o.Cursor = cursor
		return d.List(ctx, webhookID, o)
	}, o.Cursor)
}

// SearchAll yields the deliveries of all pages of [Deliveries.Search].
func (d *Deliveries) SearchAll(ctx context.Context, o DeliverySearch) iter.Seq2[Delivery, error] {
	return all(func(cursor string) (Page[Delivery], error) {
		o.Cursor = cursor
		return d.Search(ctx, o)
	}, o.Cursor)
}
