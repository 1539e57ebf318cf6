package queue

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

var (
	inspectScript = Script(source("standing") + source("inspect"))
	eventScript   = Script(source("standing") + source("event"))
)

// State of a job in one lane, as the scripts write it: see STATE in lib.lua.
type State string

// The states of a job. StateUnknown is that of a job whose event is not known any more.
const (
	StateUnknown   State = ""
	StatePending   State = "p" // not attempted yet
	StateRetrying  State = "r" // attempted, and to be attempted again
	StateSucceeded State = "s"
	StateFailed    State = "f"
	StateCancelled State = "c" // its lane was deleted
)

// Open reports whether a job has not ended.
func (s State) Open() bool { return s == StatePending || s == StateRetrying }

// Place says where an open or failed job is.
type Place string

// The places of a job. A job that has ended otherwise is in none.
const (
	PlaceWaiting Place = "waiting"
	PlaceLeased  Place = "leased" // it is being attempted
	PlaceDead    Place = "dead"   // it failed and is kept, to be sent again
)

// Standing is how a job stands in one lane.
type Standing struct {
	State State
	Place Place
	Due   time.Time // since when, or from when on, a waiting job is due
	// Next is when a waiting job is attempted next: now at the earliest. Zero where its lane is not served.
	Next     time.Time
	Attempts int
	Reason   string

	Account   string
	EventID   string // "" where it follows from the job
	Type      string
	Timestamp int64
	Created   time.Time
	Payload   bool // it is still there

	Log []LogEntry // oldest first; only where it was asked for
}

// LogEntry is what was logged of one attempt.
type LogEntry struct {
	At   time.Time // when it was settled
	Text string
}

// Inspect says how jobs of one lane stand.
func (q *Queue) Inspect(ctx context.Context, shard int, lane string, jobs ...string) ([]Standing, error) {
	return q.InspectLog(ctx, shard, lane, 0, jobs...)
}

// InspectLog is [Queue.Inspect] with the jobs' attempts, as far as they are among so many latest entries of the lane's log.
// All of it is as of one moment.
func (q *Queue) InspectLog(ctx context.Context, shard int, lane string, entries int, jobs ...string) ([]Standing, error) {
	args := make([]any, 0, 2+len(jobs))
	args = append(args, lane, entries)
	for _, j := range jobs {
		args = append(args, j)
	}
	r := newReply(q.Run(ctx, shard, inspectScript, args...))
	out := make([]Standing, 0, len(jobs))
	for range jobs {
		out = append(out, r.standing())
	}
	return out, r.err
}

// standing reads what standing.lua returns, and the log entries behind it.
func (r *reply) standing() Standing {
	s := Standing{State: State(r.text()), Place: Place(r.text())}
	for _, t := range []*time.Time{&s.Due, &s.Next} {
		if ms := r.number(); ms > 0 {
			*t = time.UnixMilli(ms)
		}
	}
	s.Attempts, s.Reason = int(r.number()), r.text()
	s.Account, s.EventID, s.Type = r.text(), r.text(), r.text()
	s.Timestamp, s.Created, s.Payload = r.number(), time.UnixMilli(r.number()), r.text() == "1"
	for log := r.list(); len(log.values) > 0; {
		s.Log = append(s.Log, newLogEntry(log.text()))
	}
	return s
}

// logTime is how many digits a log entry begins with: its time in ms.
const logTime = 13

func newLogEntry(stored string) LogEntry {
	if len(stored) < logTime {
		return LogEntry{}
	}
	ms, _ := strconv.ParseInt(stored[:logTime], 10, 64)
	return LogEntry{At: time.UnixMilli(ms), Text: stored[logTime:]}
}

// EventStanding is an event and how it stands in each of its lanes, as of one moment.
type EventStanding struct {
	Job       string
	Type      string
	Timestamp int64 // unix seconds
	Created   time.Time
	Payload   string // "" where it has expired
	Lanes     []LaneStanding
}

// LaneStanding is how an event stands in one lane.
type LaneStanding struct {
	Lane string
	Standing
	LogLeftOut bool // the logs held too much to look through
}

// eventLogs bounds how many log entries one look at an event goes through.
const eventLogs = 20_000

// Event reads an event of an account by its ID. job is the one that an ID of our own form stands for, "" for others;
// entries is how many latest entries of each lane's log are looked through. It returns nil where there is no such event.
func (q *Queue) Event(ctx context.Context, shard int, account, id, job string, entries int) (*EventStanding, error) {
	v, err := q.Run(ctx, shard, eventScript, account, id, job, entries, eventLogs)
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	r := newReply(v, err)
	e := &EventStanding{Job: r.text(), Type: r.text(), Timestamp: r.number(), Created: time.UnixMilli(r.number()), Payload: PayloadOf(r.text())}
	for range r.number() {
		l := LaneStanding{Lane: r.text(), LogLeftOut: r.text() == "1"}
		l.Standing = r.standing()
		e.Lanes = append(e.Lanes, l)
	}
	return e, r.err
}
