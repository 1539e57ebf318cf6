package queue

import (
	"cmp"
	"context"
	"strconv"
	"time"

	"github.com/videocloud/webhooks/internal/redisstore"
)

// The scripts of [Queue.List], by where they find jobs.
var (
	historyListScript = listScript("list_history")
	eventsListScript  = listScript("list_events")
	failedListScript  = listScript("list_failed")
)

func listScript(finder string) *redisstore.Script {
	return Script(source("standing") + source("list") + source(finder) + source("list_reply"))
}

// listLogs is how many log entries a page of a list searches at most, which takes the store some milliseconds.
const listLogs = 5_000

// ListFilter selects jobs of an account.
type ListFilter struct {
	Account string
	Lane    string    // "" for all lanes of the account
	State   State     // StateUnknown for any
	Type    string    // of the event; "" for any
	Since   time.Time // the earliest time of an event; zero: any
	Until   time.Time // the latest time of an event; zero: now
	After   ListPlace // where the page before ended; zero: the newest
	Most    int       // jobs of a page
	Through int       // jobs that a page reads at most to find those
	Entries int       // of the latest entries of a lane's log, how many are searched for attempts
}

// ListPlace is where a page of a list ended. What ID, Lane and Job mean depends on where the jobs were found: see list.lua.
type ListPlace struct {
	ID, Lane, Job string
	// Before is set once the list of an account goes on in the histories of its lanes: only events older than that, in unix milliseconds, are
	// still to be listed. Zero before.
	Before int64
}

// ListedJob is a job of a list with its lane.
type ListedJob struct {
	Job string
	LaneStanding
}

// script chooses where to find the jobs. Failed ones are in sets of their own; those of an account are found by its events, for as long as
// these are listed; all others are found in the histories of the lanes.
func (f *ListFilter) script() *redisstore.Script {
	switch {
	case f.State == StateFailed:
		return failedListScript
	case f.Lane == "" && f.After.Before == 0:
		return eventsListScript
	}
	return historyListScript
}

// List returns jobs, newest first and as of one moment, and the place at which to go on, nil where nothing is left. It may return fewer than
// Most jobs, or none, with a place to go on at, as it reads no more than Through jobs.
func (q *Queue) List(ctx context.Context, shard int, f ListFilter) ([]ListedJob, *ListPlace, error) {
	until := streamTime(f.Until)
	if f.After.Before > 0 {
		until = strconv.FormatInt(f.After.Before-1, 10) // set by the script, which took the filter's Until into account
	}
	r := newReply(q.Run(ctx, shard, f.script(), f.Account, f.Lane, f.After.ID, f.After.Lane, f.After.Job, streamTime(f.Since), until, string(f.State), f.Type, f.Most, f.Through, f.Entries, listLogs))
	next := ListPlace{ID: r.text(), Lane: r.text(), Job: r.text(), Before: r.number()}
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
	if next.Before == 0 && next.ID == "" {
		return jobs, nil, r.err
	}
	next.Before = cmp.Or(next.Before, f.After.Before)
	return jobs, &next, r.err
}

// streamTime is the place of a time in a stream, "" for the zero time. Streams have no places before 1970.
func streamTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return strconv.FormatInt(max(t.UnixMilli(), 0), 10)
}
