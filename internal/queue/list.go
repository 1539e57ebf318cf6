package queue

import (
	"context"
	"strconv"
	"time"
)

var listScript = Script(source("standing") + source("list"))

// ListFilter selects jobs of an account.
type ListFilter struct {
	Account string
	Lane    string    // the only one to look at; "" for all of the account
	State   State     // StateUnknown: any
	Type    string    // of the event; "" for any
	Since   time.Time // zero: all that are kept
	Until   time.Time // zero: now
	After   ListPlace // where the page before ended; zero: the newest
	Most    int
	Through int // how many jobs are gone through at most
	Entries int // of a lane's log to look through
}

// ListPlace is where a page of a list ended.
type ListPlace struct {
	ID   string // in a lane's history
	Lane string
}

// ListedJob is a job of a list.
type ListedJob struct {
	Job string
	LaneStanding
}

// queuedWithin is how much later than its event a job may be in its lane's history.
const queuedWithin = 2 * time.Second

// streamTime is the place of a time in a history. There is none before 1970.
func streamTime(t time.Time) string { return strconv.FormatInt(max(t.UnixMilli(), 0), 10) }

// List returns jobs, newest first, and where to go on, as of one moment; nil where nothing is left. It may return fewer than asked for, or none, and
// still have more: it goes through so many only.
func (q *Queue) List(ctx context.Context, shard int, f ListFilter) ([]ListedJob, *ListPlace, error) {
	from, to, since, until := "+", "-", "", ""
	if !f.Until.IsZero() {
		from, until = streamTime(f.Until.Add(queuedWithin)), streamTime(f.Until)
	}
	if f.After.ID != "" { // it is older than that
		from = f.After.ID
	}
	if !f.Since.IsZero() {
		to = streamTime(f.Since)
		since = to
	}
	r := newReply(q.Run(ctx, shard, listScript, f.Account, f.Lane, from, f.After.Lane, to, string(f.State), f.Type, f.Most, f.Through, f.Entries, eventLogs, since, until))
	next := ListPlace{ID: r.text(), Lane: r.text()}
	n := r.number()
	if r.err != nil {
		return nil, nil, r.err
	}
	jobs := make([]ListedJob, 0, n)
	for range n {
		lane := r.text()
		j := ListedJob{Job: r.text()}
		j.Lane, j.LogLeftOut = lane, r.text() == "1"
		j.Standing = r.standing()
		jobs = append(jobs, j)
	}
	if next.ID == "" {
		return jobs, nil, r.err
	}
	return jobs, &next, r.err
}
