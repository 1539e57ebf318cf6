package queue

import (
	"cmp"
	"context"
	"strings"
	"time"
)

var eventsScript = Script(source("events"))

// EventsQuery selects events of an account.
type EventsQuery struct {
	After string    // where to go on, as [Queue.Events] returned it; "" for the newest
	Until time.Time // the latest time of an event; zero: now. Ignored with After
	Since time.Time // the earliest time of an event; zero: any
	Type  string    // "" for any
	Limit int       // events of a page
}

// ListedEvent is an event in a list.
type ListedEvent struct {
	Job       string
	ID        string // "" where it is the ID of our own form that stands for Job
	Type      string
	Timestamp int64 // unix seconds
	Created   time.Time
	states    string // a letter of [State] for each lane
}

// Count returns how many of the event's deliveries are in a state.
func (e *ListedEvent) Count(s State) int { return strings.Count(e.states, string(s)) }

// eventsScanned is how many events one page reads at most to find those of a type.
const eventsScanned = 2000

// Events lists events of an account, newest first, all as of one moment. An event is listed for as long as its record is kept.
// next is the After of the next page, "" where there is none. A page for one type may hold fewer than Limit events, or none, and still have
// a next one.
func (q *Queue) Events(ctx context.Context, shard int, account string, f EventsQuery) (events []ListedEvent, next string, err error) {
	from := cmp.Or(streamTime(f.Until), "+")
	if f.After != "" {
		from = "(" + f.After
	}
	r := newReply(q.Run(ctx, shard, eventsScript, account, from, streamTime(f.Since), f.Limit, eventsScanned, f.Type))
	next = r.text()
	for r.err == nil && len(r.values) > 0 {
		events = append(events, ListedEvent{
			Job: r.text(), ID: r.text(), Type: r.text(), Timestamp: r.number(), Created: time.UnixMilli(r.number()), states: r.text(),
		})
	}
	return events, next, r.err
}
