package config

// Header names of a delivery that do not depend on the brand (Standard Webhooks, W3C Trace Context).
const (
	HeaderWebhookID        = "webhook-id"
	HeaderWebhookTimestamp = "webhook-timestamp"
	HeaderWebhookSignature = "webhook-signature"
	HeaderTraceparent      = "traceparent"
	HeaderTracestate       = "tracestate"
)

// Headers that the gateway sets for the app behind it.
const (
	HeaderVerified  = "X-Webhook-Verified"
	HeaderID        = "X-Webhook-Id"
	HeaderEvent     = "X-Webhook-Event"
	HeaderTimestamp = "X-Webhook-Timestamp"
	HeaderAttempt   = "X-Webhook-Attempt"
	HeaderDeliver   = "X-Webhook-Deliver"   // the name of the queue's deliver block
	HeaderDuplicate = "X-Webhook-Duplicate" // in the gateway's own answer
	HeaderQueued    = "X-Webhook-Queued"    // in its own answer to an event that its queue accepted
)

// DefaultBrand is the word in the sender's header names and User-Agent.
const DefaultBrand = "VideoCloud"

// BrandHeaders are the header names of a delivery that carry the brand, such as X-VideoCloud-Signature, and the value of its User-Agent.
type BrandHeaders struct {
	Signature, Event, EventID, Attempt, Installation, UserAgent string
}

// HeadersFor returns the header names for a brand: X-<Brand>-Signature and so on.
func HeadersFor(brand string) BrandHeaders {
	return BrandHeaders{
		Signature:    "X-" + brand + "-Signature",
		Event:        "X-" + brand + "-Event",
		EventID:      "X-" + brand + "-Event-Id",
		Attempt:      "X-" + brand + "-Attempt",
		Installation: "X-" + brand + "-Installation",
		UserAgent:    brand + "-Webhooks",
	}
}
