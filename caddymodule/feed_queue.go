package caddymodule

import (
	"time"

	"github.com/videocloud/webhooks/receiver"
)

// deliveredInfo is an attempt of a receiver's queue to bring an event to its app, or events that were given up without one.
type deliveredInfo struct {
	At         time.Time `json:"at"` // its end
	Name       string    `json:"name"`
	Deliver    string    `json:"deliver,omitempty"`
	Outcome    string    `json:"outcome"` // succeeded, retrying or failed
	ID         string    `json:"id,omitempty"`
	Event      string    `json:"event,omitempty"`
	Number     int       `json:"attempt,omitempty"`
	StatusCode int       `json:"statusCode,omitempty"`
	Error      string    `json:"error,omitempty"`
	DurationMS int64     `json:"durationMs"`
	NextInMS   int64     `json:"nextAttemptInMs,omitempty"`
	Count      int       `json:"count,omitempty"` // events that waited too long
}

// feedDelivered shows what the queue of a delivery does to whoever watches.
func feedDelivered(name, delivery string) func(receiver.QueueAttempt) {
	return func(a receiver.QueueAttempt) {
		if !feed.watching() {
			return
		}
		feed.send(watched{delivered: &deliveredInfo{
			At: time.Now().UTC(), Name: name, Deliver: delivery, Outcome: a.Outcome, ID: a.ID, Event: a.Event, Number: a.Number, StatusCode: a.Status,
			Error: a.Error, DurationMS: a.Took.Milliseconds(), NextInMS: a.Next.Milliseconds(), Count: a.Count,
		}})
	}
}
