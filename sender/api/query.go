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

// query holds the parameters of a list. A parameter that is given empty counts as not given.
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

// Names of the parameters that routes take.
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
			if err := parameters[name].set(&q, name, value); err != nil {
				return q, err
			}
		}
	}
	return q, nil
}

// parameter is a parameter of a list: what the OpenAPI document says of it, and how it is read.
type parameter struct {
	text   string
	schema doc // without its type, which is string unless it is named here
	set    func(q *query, name, value string) error
}

// parameters are those that routes take, by name.
var parameters = map[string]parameter{
	paramLimit: {
		text:   "How many items a page has at most.",
		schema: doc{{"type", "integer"}, {"minimum", 1}, {"maximum", config.MaxPageLimit}, {"default", config.DefaultPageLimit}},
		set: func(q *query, name, value string) error {
			n, err := strconv.ParseUint(value, 10, 16)
			if err != nil || n < 1 || n > config.MaxPageLimit {
				return invalid(name, "must be a number from 1 to %d", config.MaxPageLimit)
			}
			q.limit = int(n)
			return nil
		},
	},
	paramCursor: {
		text: "Where to go on: nextCursor of the page before.",
		set: func(q *query, name, value string) error {
			q.cursor = value
			return refusedUnless(len(value) <= maxCursor, name, "is not a cursor of ours; use nextCursor of the page before")
		},
	},
	paramState: {
		text: "Only deliveries in this state.", schema: doc{{"enum", states}},
		set: func(q *query, name, value string) error {
			q.state = sender.State(value)
			return refusedUnless(slices.Contains(states, q.state), name, "must be one of "+joined(states))
		},
	},
	paramWindow: {
		text: "How far back to look.", schema: doc{{"enum", windows}, {"default", sender.WindowDay}},
		set: func(q *query, name, value string) error {
			q.window = sender.Window(value)
			return refusedUnless(slices.Contains(windows, q.window), name, "must be one of "+joined(windows))
		},
	},
	paramEvent: {
		text: "Only of this event type.", schema: doc{{"maxLength", maxEventType}},
		set: func(q *query, name, value string) error {
			q.event = value
			return refusedUnless(len(value) <= maxEventType, name, "is no event type; GET /event-types lists them")
		},
	},
	paramEventID:   {text: "Only those of this event.", set: setID(func(q *query) *string { return &q.eventID })},
	paramWebhookID: {text: "Only those to this webhook.", set: setID(func(q *query) *string { return &q.webhookID })},
	paramSince:     {text: "Only what was made from then on.", schema: doc{{"format", "date-time"}}, set: setTime(func(q *query) *time.Time { return &q.since })},
	paramUntil:     {text: "Only what was made until then.", schema: doc{{"format", "date-time"}}, set: setTime(func(q *query) *time.Time { return &q.until })},
}

func refusedUnless(fits bool, name, problem string) error {
	if fits {
		return nil
	}
	return invalid(name, "%s", problem)
}

func setID(of func(q *query) *string) func(q *query, name, value string) error {
	return func(q *query, name, value string) error {
		*of(q) = value
		return refusedUnless(names.IsID(value), name, "is no ID of ours")
	}
}

func setTime(of func(q *query) *time.Time) func(q *query, name, value string) error {
	return func(q *query, name, value string) error {
		// A plus sign in a query means a space: restore it where only an offset can stand.
		t, refused := timeOf(name, strings.ReplaceAll(value, " ", "+"))
		if refused != nil {
			return refused
		}
		*of(q) = t
		return nil
	}
}

func joined[T ~string](list []T) string {
	words := make([]string, len(list))
	for i, w := range list {
		words[i] = string(w)
	}
	return strings.Join(words, ", ")
}
