package adminapi

import (
	"net/http"
	"time"

	"github.com/videocloud/webhooks/receiver"
)

// QueuedEvent is an event in the queues of a receiver, with its headers, its payload, and how it stands at each app.
type QueuedEvent struct {
	Receiver      string           `json:"receiver"`
	ID            string           `json:"id,omitempty"`
	Event         string           `json:"event,omitempty"`
	Scheme        string           `json:"scheme,omitempty"`
	Received      time.Time        `json:"received"`
	Method        string           `json:"method,omitempty"`
	URI           string           `json:"uri,omitempty"`
	Host          string           `json:"host,omitempty"`
	RemoteAddr    string           `json:"remoteAddr,omitempty"`
	Headers       http.Header      `json:"headers,omitempty"`
	Size          int              `json:"size"`
	Payload       string           `json:"payload,omitempty"`
	PayloadBase64 string           `json:"payloadBase64,omitempty"` // instead, where it is no text
	Deliveries    []QueuedDelivery `json:"deliveries"`
}

// QueuedDelivery is how an event stands at one app.
type QueuedDelivery struct {
	Queue    string         `json:"queue"`
	Deliver  string         `json:"deliver,omitempty"`
	Job      string         `json:"job"`
	State    receiver.Place `json:"state"`
	Due      *time.Time     `json:"due,omitempty"`
	Failed   *time.Time     `json:"failed,omitempty"`
	Attempts int            `json:"attempts"`
	Error    string         `json:"error,omitempty"`
	// Forgotten says that the configuration has no such deliver any more: nobody delivers it.
	Forgotten bool `json:"forgotten,omitempty"`
}

// DeadChange says what to do with which events of the queues of a name.
type DeadChange struct {
	Name   string    `json:"name"`
	Action string    `json:"action"` // retry, purge or move
	Jobs   []string  `json:"jobs,omitempty"`
	All    bool      `json:"all,omitempty"` // all that are selected
	State  string    `json:"state,omitempty"`
	Event  string    `json:"event,omitempty"`
	Since  time.Time `json:"since,omitzero"`
	Until  time.Time `json:"until,omitzero"`
	To     string    `json:"to,omitempty"` // of move: the app whose queue they go to
}

// Filtered reports whether the events are chosen by type or time.
func (c *DeadChange) Filtered() bool {
	return c.Event != "" || !c.Since.IsZero() || !c.Until.IsZero()
}

// Ambiguous reports whether it is not said once which events are meant: by their jobs, or by a filter or all.
func (c *DeadChange) Ambiguous() bool {
	return (c.All || c.Filtered()) == (len(c.Jobs) > 0)
}
