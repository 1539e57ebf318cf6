// Package adminapi is what a running Caddy is asked about its webhooks on its admin address, and what it answers. Package caddymodule
// writes what package command reads, and both describe it by these types alone. What the sender and the receivers tell as it is, such as
// [sender.EventSummary], has no type here.
package adminapi

import (
	"time"

	"github.com/videocloud/webhooks/sender"
)

// Page is a list, or a part of one.
type Page[T any] struct {
	Items      []T    `json:"items"`
	NextCursor string `json:"nextCursor,omitempty"`
}

// Count says how many were changed.
type Count struct {
	Count int `json:"count"`
}

// Restored says how many keys of the store came out of a backup.
type Restored struct {
	Restored int `json:"restored"`
}

// Retry asks for a delivery to be sent again.
type Retry struct {
	ID      string `json:"id"`
	Account string `json:"account"` // empty: the one that it belongs to
}

// Replay asks for many deliveries of a webhook to be sent again.
type Replay struct {
	WebhookID string    `json:"webhookId"`
	Account   string    `json:"account,omitempty"` // empty: the one that the webhook belongs to
	Since     time.Time `json:"since,omitzero"`
	Until     time.Time `json:"until,omitzero"`
	Events    []string  `json:"events,omitempty"` // types
	State     string    `json:"state,omitempty"`  // failed or all
	DryRun    bool      `json:"dryRun,omitempty"`
}

// Forget asks a receiver to forget one event, or all that it took since a time.
type Forget struct {
	Name  string    `json:"name"`
	Event string    `json:"event,omitempty"`
	Since time.Time `json:"since,omitzero"`
}

// NewKey asks for an API key.
type NewKey struct {
	Account     string `json:"account,omitempty"` // empty: the account default
	Role        string `json:"role"`
	Description string `json:"description,omitempty"`
	ExpiresIn   string `json:"expiresIn,omitempty"` // a duration; empty: never
}

// Key is an API key that was made at run time. Its value is there once, as it is made.
type Key struct {
	ID          string     `json:"id"`
	Key         string     `json:"key,omitempty"`
	Account     string     `json:"account"`
	Role        string     `json:"role"`
	WebhookID   string     `json:"webhookId,omitempty"`
	Description string     `json:"description,omitempty"`
	CreatedAt   time.Time  `json:"createdAt"`
	ExpiresAt   *time.Time `json:"expiresAt,omitempty"`
	LastUsedAt  *time.Time `json:"lastUsedAt,omitempty"`
}

// Example is data for a test of an event type, as the text that it was given as: white space and escapes stay.
type Example struct {
	Example string `json:"example"`
	// Made is true where the example was given at run time: otherwise it is the documented one, or that of the type's group.
	Made bool `json:"made"`
}

// Explanation is what is known of an event: by the sender, which made it, and by the receivers that took it.
type Explanation struct {
	*sender.Explanation           // nil where the sender has no such event
	EventID             string    `json:"eventId"`
	Gateways            []Gateway `json:"gateways,omitempty"`
}

// Gateway is what a receiver knows of an event.
type Gateway struct {
	Receiver string `json:"receiver"`
	Scheme   string `json:"scheme"`
	Event    string `json:"event,omitempty"`
	// Known is how the event stands at the claims: in_work, done, or nothing where they don't know it, or not any more.
	Known string `json:"known,omitempty"`
	// ClaimedAt is when it was taken, and KnownUntil when it is forgotten.
	ClaimedAt  *time.Time       `json:"claimedAt,omitempty"`
	KnownUntil *time.Time       `json:"knownUntil,omitempty"`
	Deliveries []QueuedDelivery `json:"deliveries,omitempty"`
	Says       []string         `json:"says"`
}
