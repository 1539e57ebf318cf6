package sender

import (
	"net/url"
	"strconv"
	"time"

	"github.com/videocloud/webhooks/internal/queue"
)

// Watcher sees each attempt of this process as it ends. Its methods must not block.
type Watcher interface {
	// Watching reports whether anybody looks. Attempted is called only then.
	Watching() bool
	// Attempted is one attempt that ended.
	Attempted(a AttemptInfo)
}

// AttemptInfo is an attempt with what it belongs to. It holds no secret, signature or body.
type AttemptInfo struct {
	At         time.Time `json:"at"` // its end
	Account    string    `json:"account"`
	WebhookID  string    `json:"webhookId"`
	DeliveryID string    `json:"deliveryId"`
	EventID    string    `json:"eventId"`
	Type       string    `json:"event"`
	Number     int       `json:"attempt"`
	Outcome    string    `json:"outcome"` // success, or the kind of the failure
	StatusCode int       `json:"statusCode,omitempty"`
	Error      string    `json:"error,omitempty"`
	DurationMS int64     `json:"durationMs"`
	State      State     `json:"state"` // of the delivery, now
	NextInMS   int64     `json:"nextAttemptInMs,omitempty"`
	TraceID    string    `json:"traceId,omitempty"`
}

func (s *Sender) newAttemptInfo(j *queue.Job, p *payload, number int, r *result, state State, delay time.Duration) AttemptInfo {
	a := AttemptInfo{
		At: time.Now().UTC(), WebhookID: webhookPrefix + j.Lane, DeliveryID: deliveryID(j.Lane, j.ID), EventID: p.eventID, Type: p.kind,
		Number: number, Outcome: r.outcome, StatusCode: r.status, Error: r.err, DurationMS: r.took.Milliseconds(), State: state, TraceID: p.traceID(),
	}
	if state == StateRetrying {
		a.NextInMS = delay.Milliseconds()
	}
	if e, err := s.endpointOf(j); err == nil {
		a.Account = e.account
	}
	return a
}

// portOf returns the port of a URL, also where it follows from the scheme.
func portOf(u *url.URL) int {
	if port, err := strconv.Atoi(u.Port()); err == nil {
		return port
	}
	if u.Scheme == "http" {
		return 80
	}
	return 443
}
