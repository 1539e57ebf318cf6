package client

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"regexp"
	"time"
)

// Status is the status of a webhook.
type Status string

// The statuses. Only the owner ends StatusPaused and StatusDisabled.
const (
	StatusActive   Status = "active"
	StatusFailed   Status = "failed"
	StatusPaused   Status = "paused"
	StatusDisabled Status = "disabled"
)

// Webhook is a registered endpoint.
type Webhook struct {
	ID           string            `json:"id"`
	URL          string            `json:"url"`
	Events       []string          `json:"events"`
	Status       Status            `json:"status"`
	CreatedAt    time.Time         `json:"createdAt"`
	LastDelivery *LastDelivery     `json:"lastDelivery,omitempty"` // the latest attempt, once there was one
	HeldUntil    *time.Time        `json:"heldUntil,omitempty"`    // no attempt starts before, as the endpoint asked with Retry-After
	Description  string            `json:"description,omitempty"`
	HeaderNames  []string          `json:"headers,omitempty"` // of the custom headers; their values are never shown
	RateLimit    int               `json:"rateLimit,omitempty"`
	MaxInFlight  int               `json:"maxInFlight,omitempty"`
	Filter       string            `json:"filter,omitempty"`       // a CEL expression: only events for which it is true go here
	FilterErrors int               `json:"filterErrors,omitempty"` // events that it failed on, since it was set; they were delivered
	Retry        []Duration        `json:"retry,omitempty"`        // its own retry table
	Timeout      Duration          `json:"timeout,omitempty"`      // how long an attempt of its own may take
	Ordered      bool              `json:"ordered,omitempty"`      // one attempt at a time, first attempts in the order of publishing
	Signing      Signing           `json:"signing,omitempty"`
	PublicKey    string            `json:"publicKey,omitempty"` // whpk_…, with SigningEd25519: what verifies webhook-signature
	Auth         *Auth             `json:"auth,omitempty"`      // the type, and what is no secret
	Metadata     map[string]string `json:"metadata,omitempty"`

	// Secret is set by [Webhooks.Register] only, and only if the API made it. Keep it, because the API never shows it again.
	Secret string `json:"secret,omitempty"`
}

// LastDelivery is the outcome of the latest attempt to a webhook.
type LastDelivery struct {
	Success   bool      `json:"success"`
	Timestamp time.Time `json:"timestamp"`
}

// NewWebhook is a webhook to register.
type NewWebhook struct {
	// IdempotencyKey identifies the registration: repeated with the same key within 72 hours, it returns the first webhook without its
	// secret. It has 1 to 128 letters, digits, dashes and underscores. With it and a Secret, the registration is retried. Default: none.
	IdempotencyKey string `json:"-"`

	URL         string            `json:"url"`
	Events      []string          `json:"events"`           // event types, groups such as video.*, or *
	Secret      string            `json:"secret,omitempty"` // 16 to 256 bytes; without it the API makes one
	Description string            `json:"description,omitempty"`
	Headers     map[string]string `json:"headers,omitempty"`     // sent with every delivery
	RateLimit   int               `json:"rateLimit,omitempty"`   // attempts a second
	MaxInFlight int               `json:"maxInFlight,omitempty"` // attempts in flight
	Filter      string            `json:"filter,omitempty"`      // a CEL expression over event, id, timestamp and data: only events for which it is true go here
	Retry       []Duration        `json:"retry,omitempty"`       // its own retry table: 1 to 16 delays before attempts
	Timeout     Duration          `json:"timeout,omitempty"`     // how long an attempt may take, 1 s to 60 s
	Ordered     bool              `json:"ordered,omitempty"`     // one attempt at a time, first attempts in the order of publishing
	Signing     Signing           `json:"signing,omitempty"`     // without it webhook-signature is made with the secret
	Auth        *Auth             `json:"auth,omitempty"`        // what the endpoint asks of its callers beside the signature
	Metadata    map[string]string `json:"metadata,omitempty"`    // at most 16 strings of yours
	Status      Status            `json:"status,omitempty"`      // StatusActive, the default, or StatusPaused
}

// WebhookUpdate changes the fields that are given: pointers, slices and maps that are not nil.
type WebhookUpdate struct {
	URL         *string           `json:"url,omitempty"`
	Events      []string          `json:"events,omitzero"`
	Secret      *string           `json:"secret,omitempty"`
	Description *string           `json:"description,omitempty"`
	Headers     map[string]string `json:"headers,omitzero"`
	RateLimit   *int              `json:"rateLimit,omitempty"`
	MaxInFlight *int              `json:"maxInFlight,omitempty"`
	Filter      *string           `json:"filter,omitempty"`  // empty: everything goes there again
	Retry       []Duration        `json:"retry,omitzero"`    // empty: the server's table again
	Timeout     *Duration         `json:"timeout,omitempty"` // 0: the server's timeout again
	Ordered     *bool             `json:"ordered,omitempty"`
	Signing     *Signing          `json:"signing,omitempty"`   // "": made with the secret again
	RotateKey   bool              `json:"rotateKey,omitempty"` // makes another key pair, with SigningEd25519
	Auth        *Auth             `json:"auth,omitempty"`      // a zero one: none any more
	Metadata    map[string]string `json:"metadata,omitzero"`
	Status      Status            `json:"status,omitempty"` // StatusActive or StatusPaused

	// SecretOverlap is for how long the old secret or key goes on signing, in webhook-signature, beside the new one after a new Secret,
	// RotateKey or another Signing. Default: 0, it ends at once.
	SecretOverlap time.Duration `json:"-"`
}

// null clears a field.
var null = json.RawMessage("null")

// orNull returns what an update sends for a field: nothing if it is nil, null if it is zero, and otherwise its value.
func orNull[T comparable](field *T) any {
	switch {
	case field == nil:
		return nil
	case *field == *new(T):
		return null
	}
	return *field
}

// MarshalJSON implements json.Marshaler. It writes the overlap as a text, which the API needs, and null for fields to be cleared.
func (u WebhookUpdate) MarshalJSON() ([]byte, error) {
	type plain WebhookUpdate
	out := struct {
		plain
		SecretOverlap string `json:"secretOverlap,omitempty"`
		Retry         any    `json:"retry,omitempty"`
		Timeout       any    `json:"timeout,omitempty"`
		Auth          any    `json:"auth,omitempty"`
		Signing       any    `json:"signing,omitempty"`
	}{plain: plain(u), SecretOverlap: durationText(u.SecretOverlap), Timeout: orNull(u.Timeout), Auth: orNull(u.Auth), Signing: orNull(u.Signing)}
	switch {
	case len(u.Retry) > 0:
		out.Retry = u.Retry
	case u.Retry != nil:
		out.Retry = null
	}
	return json.Marshal(out)
}

// Webhooks registers endpoints, and reads and changes them. Get it from [Client.Webhooks].
type Webhooks struct{ c *Client }

// Register registers an endpoint. It is retried only with an IdempotencyKey, without which a second try could register it twice, and with
// a Secret, because only the first answer contains one that the API makes.
func (w *Webhooks) Register(ctx context.Context, in NewWebhook) (Webhook, error) {
	if in.IdempotencyKey != "" && !idempotencyKey.MatchString(in.IdempotencyKey) {
		return Webhook{}, errors.New("IdempotencyKey: use 1 to 128 letters, digits, dashes and underscores")
	}
	return call[Webhook](ctx, w.c, request{
		method: "POST", path: []string{"webhooks"}, in: in, idempotencyKey: in.IdempotencyKey, repeat: in.IdempotencyKey != "" && in.Secret != "",
	})
}

var idempotencyKey = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)

// List returns one page of webhooks, oldest first.
func (w *Webhooks) List(ctx context.Context, o ListOptions) (Page[Webhook], error) {
	return get[Page[Webhook]](ctx, w.c, o.query(), "webhooks")
}

// All yields every webhook, oldest first.
func (w *Webhooks) All(ctx context.Context) iter.Seq2[Webhook, error] {
	return allPages(ctx, w.List)
}

// Get returns one webhook.
func (w *Webhooks) Get(ctx context.Context, id string) (Webhook, error) {
	return get[Webhook](ctx, w.c, nil, "webhooks", id)
}

// Update changes the fields given.
func (w *Webhooks) Update(ctx context.Context, id string, u WebhookUpdate) (Webhook, error) {
	// Not with an overlap or a new key: a second rotation would treat the new secret as the old one, or make a further key.
	repeat := u.SecretOverlap == 0 && !u.RotateKey
	return call[Webhook](ctx, w.c, request{method: "PUT", path: []string{"webhooks", id}, in: u, repeat: repeat})
}

// Delete deletes a webhook; its waiting deliveries are cancelled.
func (w *Webhooks) Delete(ctx context.Context, id string) error {
	return remove(ctx, w.c, "webhooks", id)
}

// Test sends a webhook.test event to this webhook only.
func (w *Webhooks) Test(ctx context.Context, id string) (Published, error) {
	return post[Published](ctx, w.c, nil, "webhooks", id, "test")
}

// TestEvent sends the example of an event type to this webhook only.
func (w *Webhooks) TestEvent(ctx context.Context, id, event string) (Published, error) {
	return post[Published](ctx, w.c, struct {
		Event string `json:"event,omitempty"`
	}{event}, "webhooks", id, "test")
}

// FilterTest says whether an event would be delivered to a webhook with a filter.
type FilterTest struct {
	Matches bool   `json:"matches"`         // also true if the filter fails on the event
	Error   string `json:"error,omitempty"` // why it fails, where it does
}

// TestFilter says whether an event would pass a filter. data is any value that encodes to a JSON object.
func (w *Webhooks) TestFilter(ctx context.Context, filter, event string, data any) (FilterTest, error) {
	in := struct {
		Filter string `json:"filter"`
		Event  string `json:"event"`
		Data   any    `json:"data"`
	}{filter, event, data}
	return call[FilterTest](ctx, w.c, request{method: "POST", path: []string{"webhooks", "filter-test"}, in: in, repeat: true})
}

// RetryFailed sends the failed deliveries of a webhook again; [Replays.Get] returns its progress. The request itself is not retried.
func (w *Webhooks) RetryFailed(ctx context.Context, id string, r RetryRequest) (Replay, error) {
	r.State = StateFailed
	return post[Replay](ctx, w.c, r, "webhooks", id, "retry")
}

// Pause holds new events back until [Webhooks.Resume].
func (w *Webhooks) Pause(ctx context.Context, id string) (Webhook, error) {
	return w.Update(ctx, id, WebhookUpdate{Status: StatusPaused})
}

// Resume ends a pause, and the events that were held back are delivered. It also makes a failed or disabled webhook active again.
func (w *Webhooks) Resume(ctx context.Context, id string) (Webhook, error) {
	return w.Update(ctx, id, WebhookUpdate{Status: StatusActive})
}

// Deliveries returns one page of a webhook's deliveries, newest first.
func (w *Webhooks) Deliveries(ctx context.Context, id string, o DeliveryListOptions) (Page[Delivery], error) {
	return w.c.Deliveries.List(ctx, id, o)
}

// Replay sends past deliveries again; [Replays.Get] returns its progress. Only the request of a dry run is retried.
func (w *Webhooks) Replay(ctx context.Context, id string, r ReplayRequest) (Replay, error) {
	return call[Replay](ctx, w.c, request{method: "POST", path: []string{"webhooks", id, "replay"}, in: r, repeat: r.DryRun})
}
