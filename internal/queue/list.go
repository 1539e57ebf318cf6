package queue

import (
	"context"
	"strconv"
	"time"

	"github.com/videocloud/webhooks/internal/redisstore"
)

// The scripts of lists: they differ in where they find jobs.
var (
	historyListScript = listScript("list_history")
	eventsListScript  = listScript("list_events")
	failedListScript  = listScript("list_failed")
)

func listScript(from string) *redisstore.Script {
	return Script(source("standing") + source("list") + source(from) + source("list_reply"))
}

// listLogs bounds how many log entries a page of a list goes through: some milliseconds of the store's time.
const listLogs = 5_000

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

// ListPlace is where a page of a list ended, in the words of what the list is read from: see list.lua.
type ListPlace struct {
	ID, Lane, Job string
	// Before is there once an account's list goes on in the histories of its lanes: from when on, in ms, what is in these was listed before.
	Before int64
}

// ListedJob is a job of a list.
type ListedJob struct {
	Job string
	LaneStanding
}

// script is what finds the jobs: those that failed are in sets of their own, and an account's are found by its events, for as long as these are listed.
func (f *ListFilter) script() *redisstore.Script {
	switch {
	case f.State == StateFailed:
		return failedListScript
	case f.Lane == "" && f.After.Before == 0:
		return eventsListScript
	}
	return historyListScript
}

// List returns jobs, newest first, and where to go on, as of one moment; nil where nothing is left. It may return fewer than asked for, or none, and
// still have more: it goes through so many only.
func (q *Queue) List(ctx context.Context, shard int, f ListFilter) ([]ListedJob, *ListPlace, error) {
	since, until := "", ""
	if !f.Since.IsZero() {
		since = streamTime(f.Since)
	}
	if !f.Until.IsZero() {
		until = streamTime(f.Until)
	}
	if f.After.Before > 0 {
		until = strconv.FormatInt(f.After.Before-1, 10) // as the script said: it minds the filter
	}
	r := newReply(q.Run(ctx, shard, f.script(), f.Account, f.Lane, f.After.ID, f.After.Lane, f.After.Job, since, until, string(f.State), f.Type, f.Most, f.Through, f.Entries, listLogs))
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
	switch {
	case next.Before == 0 && next.ID == "":
		return jobs, nil, r.err
	case next.Before == 0:
		next.Before = f.After.Before
	}
	return jobs, &next, r.err
}

// streamTime is the place of a time in a history. There is none before 1970.
func streamTime(t time.Time) string { return strconv.FormatInt(max(t.UnixMilli(), 0), 10) }
