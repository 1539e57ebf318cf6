package sender

import (
	"encoding/json"
	"time"
)

// Status of a webhook.
type Status string

// The statuses of a webhook. Only its owner ends StatusPaused and StatusDisabled.
const (
	StatusActive   Status = "active"
	StatusFailed   Status = "failed"
	StatusPaused   Status = "paused"
	StatusDisabled Status = "disabled"
)

// State of a delivery.
type State string

// The states of a delivery.
const (
	StatePending   State = "pending"   // not attempted yet
	StateRetrying  State = "retrying"  // attempted, and waiting for the next attempt
	StateSucceeded State = "succeeded" // answered 2xx
	StateFailed    State = "failed"    // ended without success; kept and resendable
	StateCancelled State = "cancelled" // its webhook was deleted
)

// Reasons of a delivery that failed before its retry table was used up.
const (
	ReasonBacklog  = "backlog"  // the webhook had max_pending deliveries waiting, or its account max_pending_account
	ReasonDisabled = "disabled" // the webhook was disabled
	ReasonExpired  = "expired"  // it waited longer than max_age
	ReasonGone     = "gone"     // the endpoint answered 410, with gone disable
	ReasonPoison   = "poison"   // three processes in a row died while attempting it
)

// Webhook is a registered endpoint. It never holds secrets.
type Webhook struct {
	ID string // whk_…
	Settings
	Status       Status
	CreatedAt    time.Time     // when it was registered
	LastDelivery *LastDelivery // nil until there was one
	HeldUntil    *time.Time    // no attempt starts before, as its endpoint asked with Retry-After; nil where none waits for that
	HeaderNames  []string      // of the custom headers; their values are secret
	FilterErrors int           // events that its filter failed on, since it was set; they were delivered
	PublicKey    string        // whpk_…, where Signing is ed25519
	Auth         *Auth         // what is no secret of it; nil where there is none
}

// LastDelivery is the outcome of the latest attempt to a webhook.
type LastDelivery struct {
	Success   bool      `json:"success"`
	Timestamp time.Time `json:"timestamp"`
}

// NewWebhook describes a webhook to be registered.
type NewWebhook struct {
	Settings
	Secret  string            // 16 to 256 bytes; empty makes one
	Headers map[string]string // custom headers of every delivery
	Auth    *Auth             // what the endpoint asks of its callers; nil is nothing
	Status  Status            // active or paused; empty is active

	// IdempotencyKey lets a call be repeated: within 72 hours the same call with the same key returns the first webhook instead of
	// making another. Optional; [A-Za-z0-9_-]{1,128}.
	IdempotencyKey string
}

// WebhookUpdate changes the fields that are not nil.
type WebhookUpdate struct {
	// Change edits the Settings of the webhook that it is given; an error that it returns ends the update. It is called again where
	// somebody else changed the webhook in between.
	Change        func(w *Webhook) error
	Secret        *string            // 16 to 256 bytes; it signs the very next attempt
	RotateKey     bool               // makes another key pair, with Signing ed25519
	SecretOverlap time.Duration      // how long the old secret, or key pair, still signs as a second value
	Headers       *map[string]string // all custom headers, in place of those before
	Auth          *Auth              // an Auth as GET answers it changes nothing, one without a type removes it
	Status        *Status            // active or paused
}

// Event is an event to be published.
type Event struct {
	Type      string          // one of the catalogue
	Data      json.RawMessage // a JSON object; delivered byte for byte
	ID        string          // optional; [A-Za-z0-9_-]{1,128}
	Timestamp time.Time       // optional; the time of publishing otherwise
}

// Published is the answer to a publish.
type Published struct {
	ID         string        `json:"id"`
	Type       string        `json:"event"`
	Timestamp  time.Time     `json:"timestamp"`
	Deliveries []DeliveryRef `json:"deliveries"`
	Duplicate  bool          `json:"duplicate"`
}

// DeliveryRef names one delivery of an event.
type DeliveryRef struct {
	ID        string `json:"id"`
	WebhookID string `json:"webhookId"`
}

// PublishResult is one item of a batch: either Published or Err.
type PublishResult struct {
	Published Published
	Err       error
}

// EventRecord is a published event and how its deliveries stand.
type EventRecord struct {
	ID         string          `json:"id"`
	Type       string          `json:"event"`
	Timestamp  time.Time       `json:"timestamp"`
	Data       json.RawMessage `json:"data,omitempty"` // absent once the payload expired
	Deliveries []Delivery      `json:"deliveries"`
}

// Delivery is one event on its way to one webhook. Attempts is never left out of a list, but for AttemptsLeftOut.
type Delivery struct {
	ID            string     `json:"id"`
	EventID       string     `json:"eventId"`
	Type          string     `json:"event"`
	WebhookID     string     `json:"webhookId"`
	State         State      `json:"state"`
	Reason        string     `json:"reason,omitempty"`
	CreatedAt     time.Time  `json:"createdAt"`
	NextAttemptAt *time.Time `json:"nextAttemptAt,omitempty"` // absent while it is under way, and while its webhook is paused
	Attempts      []Attempt  `json:"attempts"`
	// AttemptsLeftOut reports that Attempts are missing because the event has many webhooks with long histories. The delivery itself
	// has them.
	AttemptsLeftOut bool `json:"attemptsLeftOut,omitempty"`

	underWay bool      // it is being attempted
	due      time.Time // when it became due, or will be
}

// Attempt is one HTTP request of a delivery.
type Attempt struct {
	Number       int       `json:"number"`
	At           time.Time `json:"at"`
	DurationMS   int64     `json:"durationMs"`
	StatusCode   int       `json:"statusCode,omitempty"`
	Error        string    `json:"error,omitempty"`
	ResponseBody string    `json:"responseBody,omitempty"` // at most 1 KiB
}

// EventFilter selects events of an account.
type EventFilter struct {
	Type   string    // empty: any
	Since  time.Time // when it was published; zero: all that are listed
	Until  time.Time // zero: now
	Limit  int       // of one page, 1 to 100; 0: 50
	Cursor string    // of the page before; empty: the first
}

// EventSummary is an event in a list: without its payload, and how many of its deliveries are in which state.
type EventSummary struct {
	ID         string        `json:"id"`
	Type       string        `json:"event"`
	Timestamp  time.Time     `json:"timestamp"`
	CreatedAt  time.Time     `json:"createdAt"`
	Deliveries map[State]int `json:"deliveries"`
}

// ReplayRequest selects deliveries of a webhook to send again.
type ReplayRequest struct {
	Since  time.Time // deliveries made from then on
	Until  time.Time // zero: now
	Events []string  // empty: any
	State  string    // "failed" (default) or "all"
	DryRun bool      // only counts what would be sent
}

// Replay is a durable job that sends deliveries again.
type Replay struct {
	ID          string `json:"id,omitempty"` // empty for a dry run
	WebhookID   string `json:"webhookId"`
	State       string `json:"state"` // running, done or cancelled; "dry_run"
	Matched     int    `json:"matched"`
	Unavailable int    `json:"unavailable"` // their payload has expired
	Sent        int    `json:"sent"`        // queued again so far
	// NotSent is how many of the matched could not be queued when their turn came, by reason: disabled (the webhook was
	// disabled meanwhile), unavailable (the payload had expired), underWay (it was being attempted).
	NotSent   map[string]int `json:"notSent,omitempty"`
	CreatedAt time.Time      `json:"createdAt"`
}
