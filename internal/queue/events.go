package queue

import (
	"context"
	"strings"
	"time"
)

var eventsScript = Script(source("events"))

// EventsQuery selects events of an account.
type EventsQuery struct {
	After string    // the entry after which to go on, as [Queue.Events] returned it; "" for the newest
	Until time.Time // zero: up to now. With After it has no meaning
	Since time.Time // zero: all that are listed
	Type  string    // "" for any
	Limit int
}

// ListedEvent is an event in a list.
type ListedEvent struct {
	Job       string
	ID        string // "" where it follows from the job
	Type      string
	Timestamp int64 // unix seconds
	Created   time.Time
	states    string
}

// Count is how many of its deliveries are in a state.
func (e *ListedEvent) Count(s State) int { return strings.Count(e.states, string(s)) }

// eventsScanned bounds how many events one page of a list looks at while it filters them.
const eventsScanned = 2000

// Events lists events of an account, newest first, for as long as an ID is known, as of one moment. next is where the next page
// goes on, "" where there is none. A page for one type may be short, and still have a next one.
func (q *Queue) Events(ctx context.Context, shard int, account string, f EventsQuery) (events []ListedEvent, next string, err error) {
	from, since := "+", ""
	switch {
	case f.After != "":
		from = "(" + f.After
	case !f.Until.IsZero():
		from = streamTime(f.Until)
	}
	if !f.Since.IsZero() {
		since = streamTime(f.Since)
	}
	r := newReply(q.Run(ctx, shard, eventsScript, account, from, since, f.Limit, eventsScanned, f.Type))
	next = r.text()
	for r.err == nil && len(r.values) > 0 {
		events = append(events, ListedEvent{
			Job: r.text(), ID: r.text(), Type: r.text(), Timestamp: r.number(), Created: time.UnixMilli(r.number()), states: r.text(),
		})
	}
	return events, next, r.err
}
