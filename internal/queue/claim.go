package queue

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/videocloud/webhooks/internal/redisstore"
)

// Job is one claimed job: what a [Handler] attempts.
type Job struct {
	Shard    int
	Lane     string
	ID       string // see NewJobID
	Meta     string // the lane's settings, as of this claim
	Attempts int    // attempts made before
	Expiries int    // leases in a row that ran out: processes that died with it, most likely
	Payload  string // "" where it has expired

	token   string
	single  bool  // its event has no other lane
	unread  error // why Payload is not there yet, where it was to be read beside the script
	began   time.Time
	claimed int64 // when, by Redis' clock in ms: comparable over all processes
	slow    bool  // counted among the attempts that take long
}

func (j *Job) lease() string { return j.Lane + ":" + j.ID + ":" + j.token }

// Kind says how an attempt ended.
type Kind string

// Kinds of outcomes.
const (
	Succeeded Kind = "ok"
	Retry     Kind = "retry" // try again after Delay
	Failed    Kind = "fail"  // end it as failed, with Reason
	Gone      Kind = "gone"  // Failed, and disable the lane
	Back      Kind = "back"  // not attempted: hand it back
)

// ReasonExpired as an outcome's reason says that nothing was attempted, so the lane's flow and last outcome stay.
const ReasonExpired = "expired"

// Outcome is what a [Handler] made of a job.
type Outcome struct {
	Kind   Kind
	Delay  time.Duration // until the next attempt, of Retry
	Hold   time.Duration // no attempt to the lane starts before: its endpoint asked for that
	Reason string        // of Failed
	Slow   bool          // the lane gets less to do at once
	Log    string        // entry for the lane's log; "" for none
	Detail string        // for the notice to the lane's owner; "" for none, behind a "-" where it is told only that the lane is disabled
	Took   time.Duration // how long the attempt took, for the figures of its lane; negative for what is not to be counted
	// DisableAfter is for how long all attempts of the lane must have failed for it to be disabled. 0: it never is.
	DisableAfter time.Duration
}

// outcome is an Outcome on its way to Redis.
type outcome struct {
	*Job
	Outcome
}

// plain reports whether an outcome is what most are: nothing is to be told of it but its log entry. See settle.lua.
func (o *outcome) plain() bool {
	return o.Kind == Succeeded && o.single && !o.Slow && !o.recorded() && len(o.ID) == JobIDLength
}

// recorded reports whether the job has a record in the store.
func (j *Job) recorded() bool { return j.Attempts > 0 || j.Expiries > 0 }

// group is the outcomes of one lane and one claim.
type group struct {
	lane, token   string
	claimed       int64
	plain, others []*outcome
}

// settleCall puts together what came of attempts, so that Redis reads little of each. stopping has other processes look at
// what is rescheduled.
func (q *Queue) settleCall(shard int, outcomes []*outcome, stopping bool) redisstore.Call {
	var groups []*group
	byName := make(map[[2]string]*group, len(outcomes))
	size := 0
	for _, o := range outcomes {
		g := byName[[2]string{o.Lane, o.token}]
		if g == nil {
			g = &group{lane: o.Lane, token: o.token, claimed: o.claimed}
			byName[[2]string{o.Lane, o.token}] = g
			groups = append(groups, g)
			size += 5
		}
		if o.plain() {
			g.plain = append(g.plain, o)
			size++
		} else {
			g.others = append(g.others, o)
			size += 12
		}
	}
	args := make([]any, 0, len(q.limits)+1+size)
	args = append(append(args, q.limits...), flag(stopping))
	for _, g := range groups {
		args = append(args, g.lane, g.token, g.claimed, len(g.plain))
		for _, o := range g.plain {
			args = append(args, o.ID+o.durationStep()+o.Log)
		}
		args = append(args, len(g.others))
		for _, o := range g.others {
			attempts, reason := o.Attempts+1, o.Reason
			switch {
			case o.Reason == ReasonExpired:
				attempts--
			case (o.Kind == Succeeded || o.Kind == Back) && o.recorded():
				reason = "record"
			}
			args = append(args, o.ID, string(o.Kind), attempts, delay(o.Delay), reason, flag(o.Slow), o.Log, flag(o.single), o.Detail, delay(o.Hold), o.durationStep(), delay(o.DisableAfter))
		}
	}
	return q.call(shard, settleScript, args)
}

// delay is in whole milliseconds, rounded up: never early.
func delay(d time.Duration) int64 { return (max(d, 0) + time.Millisecond - 1).Milliseconds() }

// settled reads the answer to a settleCall: how many notices wait, and how many leases were lost.
func settled(cmd *redis.Cmd) (notices int64, lost int, err error) {
	r := newReply(cmd.Result())
	return r.number(), int(r.number()), r.err
}

func (q *Queue) claimCall(shard, most, quantum int, lease time.Duration, token string, skip []string) redisstore.Call {
	args := make([]any, 0, len(q.limits)+5+len(skip))
	args = append(append(args, q.limits...), most, claimBytes, lease.Milliseconds(), token, quantum)
	for _, lane := range skip {
		args = append(args, lane)
	}
	return q.call(shard, claimScript, args)
}

// claimBytes bounds the payloads of one claim.
const claimBytes = 1 << 20

// claimed is the answer to a claimCall.
type claimed struct {
	wait        time.Duration // until there is something to do; negative: nothing known
	untilExpiry time.Duration // until a payload's time is over; negative: none known
	notices     int64
	moreDue     bool // due jobs are left
	expired     []Expired
	jobs        []*Job
}

// Expired is how many jobs of a lane failed because they waited too long.
type Expired struct {
	Lane  string
	Count int
}

func readClaimed(cmd *redis.Cmd, shard int, token string) (claimed, error) {
	r := newReply(cmd.Result())
	c := claimed{wait: time.Duration(r.number()) * time.Millisecond, untilExpiry: time.Duration(r.number()) * time.Millisecond}
	c.notices, c.moreDue = r.number(), r.number() == 1
	claimedAt := r.number()
	c.jobs = make([]*Job, 0, r.number())
	for range r.number() {
		c.expired = append(c.expired, Expired{r.text(), int(r.number())})
	}
	began := time.Now()
	for r.err == nil && len(r.values) > 0 {
		first, lane, meta := len(c.jobs), r.text(), r.text()
		for ids := r.list(); len(ids.values) > 0; {
			c.jobs = append(c.jobs, &Job{Shard: shard, Lane: lane, Meta: meta, ID: ids.text(), token: token, began: began, claimed: claimedAt})
		}
		jobs := c.jobs[first:]
		for records := r.list(); len(records.values) > 0; {
			place, attempts, expiries := records.number(), records.number(), records.number()
			if place < 0 || place >= int64(len(jobs)) {
				return c, errNoAnswer
			}
			jobs[place].Attempts, jobs[place].Expiries = int(attempts), int(expiries)
		}
		for lists := r.list(); len(lists.values) > 0; {
			for payloads := lists.list(); len(payloads.values) > 0 && len(jobs) > 0; jobs = jobs[1:] {
				switch stored := payloads.next().(type) {
				case string:
					jobs[0].carry(stored)
				case int64:
					jobs[0].unread = errUnread
				}
			}
		}
	}
	return c, r.err
}

var errUnread = errors.New("the payload was not read")

// carry takes a stored payload.
func (j *Job) carry(stored string) {
	if stored != "" {
		j.single, j.Payload = stored[:1] == oneLane, PayloadOf(stored)
	}
}

// readLarge reads the payloads that claims left where they are. A job whose payload is gone meanwhile carries none, like any other.
//
// Failure policy: where the store does not answer nothing is known of a payload, so such a job must not be attempted, nor end.
func (q *Queue) readLarge(ctx context.Context, jobs []*Job) {
	var left []*Job
	of := map[int][]string{} // keys by shard, which are a slot of a cluster each
	for _, j := range jobs {
		if j.unread != nil {
			left = append(left, j)
			of[j.Shard] = append(of[j.Shard], q.Key(j.Shard, KeyBody, j.ID))
		}
	}
	if len(left) == 0 {
		return
	}
	pipe, got := q.store.Client().Pipeline(), make(map[int]*redis.SliceCmd, len(of))
	for shard, keys := range of {
		got[shard] = pipe.MGet(ctx, keys...)
	}
	_, _ = pipe.Exec(ctx) // each command carries its own error
	next := make(map[int]int, len(of))
	for _, j := range left {
		values, err := got[j.Shard].Result()
		if j.unread = err; err != nil {
			continue
		}
		stored, _ := values[next[j.Shard]].(string)
		next[j.Shard]++
		j.carry(stored)
	}
}

func (q *Queue) renewCall(shard int, lease time.Duration, jobs []*Job) redisstore.Call {
	args := make([]any, 0, len(q.limits)+1+len(jobs))
	args = append(append(args, q.limits...), lease.Milliseconds())
	for _, j := range jobs {
		args = append(args, j.lease())
	}
	return q.call(shard, renewScript, args)
}

// Resent says what became of a job that was to be sent again.
type Resent string

// Outcomes of [Queue.Resend].
const (
	ResentQueued      Resent = "queued"
	ResentUnderWay    Resent = "under way"
	ResentUnavailable Resent = "unavailable" // its payload has expired
	ResentUnknown     Resent = "unknown"
	ResentBacklog     Resent = "backlog"
	ResentDisabled    Resent = "disabled" // its lane is
)

// Resend makes jobs of one lane due now, with a fresh retry table.
func (q *Queue) Resend(ctx context.Context, shard int, lane string, jobs ...string) ([]Resent, error) {
	return q.ResendMoving(ctx, shard, Cursor{}, lane, jobs)
}

// Cursor is the place of something that resends many jobs, kept in a hash beside them.
type Cursor struct {
	Key   string        // without the shard's tag
	From  string        // where it must stand
	To    string        // where it stands afterwards
	Owner string        // who moves it
	Hold  time.Duration // nobody else moves it for so long
	Pace  time.Duration // at least so long between moves with jobs of all cursors of the lane
}

// Errors of [Queue.ResendMoving].
var (
	ErrCursorMoved = errors.New("the cursor stands elsewhere, or somebody else moves it")
	ErrBacklog     = errors.New("the lane has no room for the jobs")
	ErrTooSoon     = errors.New("the lane's cursors moved a moment ago")
)

// ResendMoving is [Queue.Resend] that moves a cursor in the same step, or does nothing at all. The zero Cursor is none.
func (q *Queue) ResendMoving(ctx context.Context, shard int, c Cursor, lane string, jobs []string) ([]Resent, error) {
	args := append(make([]any, 0, 8+len(jobs)), lane, c.Key, c.From, c.To, c.Owner, c.Hold.Milliseconds(), c.Pace.Milliseconds(), q.pendingAccount)
	for _, j := range jobs {
		args = append(args, j)
	}
	v, err := q.Run(ctx, shard, resendScript, args...)
	if refusal, ok := v.(string); ok {
		switch refusal {
		case "moved":
			return nil, ErrCursorMoved
		case "soon":
			return nil, ErrTooSoon
		}
		return nil, ErrBacklog
	}
	r := newReply(v, err)
	out := make([]Resent, 0, len(jobs))
	for range jobs {
		out = append(out, Resent(r.text()))
	}
	return out, r.err
}
