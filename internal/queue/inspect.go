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

// State is the state of a job in one lane, as the scripts write it: see STATE in lib.lua.
type State string

// The states of a job.
const (
	StateUnknown   State = ""  // its event has expired
	StatePending   State = "p" // not attempted yet, or sent again
	StateRetrying  State = "r" // attempted, and to be attempted again
	StateSucceeded State = "s"
	StateFailed    State = "f"
	StateCancelled State = "c" // its lane was deleted
)

// Open reports whether the job is still to be attempted, or is being attempted.
func (s State) Open() bool { return s == StatePending || s == StateRetrying }

// Place says where a job is kept that is open or failed.
type Place string

// The places of a job. Jobs that are neither open nor kept as failed have the place "".
const (
	PlaceWaiting Place = "waiting"
	PlaceLeased  Place = "leased" // being attempted
	PlaceDead    Place = "dead"   // failed, and can be sent again
)

// Standing says how far a job has come in one lane.
type Standing struct {
	State State
	Place Place
	Due   time.Time // when a waiting job became due or will; zero for others
	// Next is when a waiting job is attempted next, now at the earliest. Zero where the lane is paused or disabled, and for jobs that do not wait.
	Next     time.Time
	Attempts int    // made so far
	Reason   string // why it failed; "" for other states

	// Of its event.
	Account   string
	EventID   string // "" where it is the ID of our own form that stands for the job
	Type      string
	Timestamp int64 // unix seconds
	Created   time.Time
	Payload   bool // the payload is still stored

	Log []LogEntry // oldest first; only where it was asked for
}

// LogEntry is what was logged of one attempt.
type LogEntry struct {
	At   time.Time // when the attempt was settled
	Text string    // [Outcome.Log]
}

// Inspect returns the standing of each job in one lane, in their order, all as of one moment.
func (q *Queue) Inspect(ctx context.Context, shard int, lane string, jobs ...string) ([]Standing, error) {
	return q.InspectLog(ctx, shard, lane, 0, jobs...)
}

// InspectLog is [Queue.Inspect] with the attempts of the jobs. entries is how many of the latest entries of the lane's log are searched for them.
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

// standing reads what standing.lua returns, and the list of log entries that follows.
func (r *reply) standing() Standing {
	s := Standing{
		State: State(r.text()), Place: Place(r.text()), Due: timeOf(r.number()), Next: timeOf(r.number()), Attempts: int(r.number()), Reason: r.text(),
		Account: r.text(), EventID: r.text(), Type: r.text(), Timestamp: r.number(), Created: time.UnixMilli(r.number()), Payload: r.text() == "1",
	}
	for log := r.list(); len(log.values) > 0; {
		s.Log = append(s.Log, newLogEntry(log.text()))
	}
	return s
}

// logTime is the number of digits at the front of a stored log entry: its time in unix milliseconds.
const logTime = 13

func newLogEntry(stored string) LogEntry {
	if len(stored) < logTime {
		return LogEntry{}
	}
	ms, _ := strconv.ParseInt(stored[:logTime], 10, 64)
	return LogEntry{At: time.UnixMilli(ms), Text: stored[logTime:]}
}

// EventStanding is an event and its standing in each of its lanes, as of one moment.
type EventStanding struct {
	Job       string
	Type      string
	Timestamp int64 // unix seconds
	Created   time.Time
	Payload   string // "" where it has expired
	Lanes     []LaneStanding
}

// LaneStanding is the standing of an event in one lane.
type LaneStanding struct {
	Lane string
	Standing
	LogLeftOut bool // Log is empty because the logs of all lanes together have too many entries to search
}

// eventLogs is how many log entries, of all lanes together, reading one event searches at most.
const eventLogs = 20_000

// Event reads an event of an account by its ID. job is the one that id stands for where it has the form of our own IDs, "" otherwise;
// entries is how many of the latest entries of each lane's log are searched for the event's attempts. It returns nil where there is no such
// event.
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
