package api

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/names"
	"github.com/videocloud/webhooks/sender"
)

// query holds the parameters of a listing. A parameter that is given empty is one that is not given.
type query struct {
	limit  int
	cursor string
	state  sender.State
	since  time.Time
	until  time.Time
	event  string

	eventID, webhookID string

	window sender.Window
}

// The parameters that routes take; openapi.go describes them.
const (
	paramLimit  = "limit"
	paramCursor = "cursor"
	paramState  = "state"
	paramSince  = "since"
	paramUntil  = "until"
	paramEvent  = "event"
	paramWindow = "window"

	paramEventID   = "eventId"
	paramWebhookID = "webhookId"
)

const (
	maxCursor    = 1024
	maxEventType = 256
)

var states = []sender.State{
	sender.StatePending, sender.StateRetrying, sender.StateSucceeded, sender.StateFailed, sender.StateCancelled,
}

var windows = []sender.Window{sender.WindowHour, sender.WindowDay, sender.WindowWeek}

// parseQuery reads the parameters that a route takes and refuses every other.
func parseQuery(raw string, takes []string) (query, error) {
	q := query{limit: config.DefaultPageLimit, window: sender.WindowDay}
	if raw == "" {
		return q, nil
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return q, invalid("query", "(the part of the URL after the question mark) is malformed; encode it")
	}
	for name, given := range values {
		if !slices.Contains(takes, name) {
			return q, &sender.Error{Code: sender.CodeUnknownField, Field: shorten([]byte(name)), Message: fmt.Sprintf("there is no parameter %q here; remove it", shorten([]byte(name)))}
		}
		if len(given) > 1 {
			return q, invalid(name, "is given more than once; give it once")
		}
	}
	for _, name := range takes {
		if value := values.Get(name); value != "" {
			if err := q.set(name, value); err != nil {
				return q, err
			}
		}
	}
	return q, nil
}

func (q *query) set(name, value string) error {
	switch name {
	case paramLimit:
		n, err := strconv.ParseUint(value, 10, 16)
		if err != nil || n < 1 || n > config.MaxPageLimit {
			return invalid(name, "must be a number from 1 to %d", config.MaxPageLimit)
		}
		q.limit = int(n)
	case paramCursor:
		if len(value) > maxCursor {
			return invalid(name, "is not a cursor of ours; use nextCursor of the page before")
		}
		q.cursor = value
	case paramState:
		q.state = sender.State(value)
		if !slices.Contains(states, q.state) {
			return invalid(name, "must be one of %s", joined(states))
		}
	case paramWindow:
		q.window = sender.Window(value)
		if !slices.Contains(windows, q.window) {
			return invalid(name, "must be one of %s", joined(windows))
		}
	case paramEvent:
		if len(value) > maxEventType {
			return invalid(name, "is no event type; GET /event-types lists them")
		}
		q.event = value
	case paramEventID, paramWebhookID:
		if !names.IsID(value) {
			return invalid(name, "is no ID of ours")
		}
		if name == paramEventID {
			q.eventID = value
		} else {
			q.webhookID = value
		}
	case paramSince, paramUntil:
		// A plus sign in a query means a space: restore it where only an offset can stand.
		t, err := timeOf(name, strings.ReplaceAll(value, " ", "+"))
		if err != nil {
			return err
		}
		if name == paramSince {
			q.since = t
		} else {
			q.until = t
		}
	}
	return nil
}

func joined[T ~string](list []T) string {
	words := make([]string, len(list))
	for i, w := range list {
		words[i] = string(w)
	}
	return strings.Join(words, ", ")
}
