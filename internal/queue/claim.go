package queue

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/videocloud/webhooks/internal/redisstore"
)

// Job is a claimed job, which a [Handler] attempts.
type Job struct {
	Shard    int
	Lane     string
	ID       string // see NewJobID
	Meta     string // the lane's settings at the time of this claim
	Attempts int    // attempts made before
	Expiries int    // leases in a row that ran out, most likely because the process died during the attempt
	Payload  string // "" where it has expired

	token   string
	single  bool      // its event has no other lane
	unread  error     // why Payload, a large one, could not be read yet; nil once it is there
	began   time.Time // when the claim was answered, by this host's clock
	claimed int64     // when it was claimed, in ms of Redis' clock, so that attempts of different processes can be compared
	slow    bool      // counted in Dispatcher.slow, see markSlow
}

// lease is the job's member of the leases.
func (j *Job) lease() string { return j.Lane + ":" + j.ID + ":" + j.token }

// Kind says how an attempt ended.
type Kind string

// Kinds of outcomes.
const (
	Succeeded Kind = "ok"
	Retry     Kind = "retry" // attempt it again after Delay
	Failed    Kind = "fail"  // end it as failed, with Reason
	Gone      Kind = "gone"  // end it as failed, and disable the lane
	Back      Kind = "back"  // not attempted: any process may claim it again at once
)

// ReasonExpired is the Reason of an outcome without an attempt. It leaves the number of attempts that the lane may have in flight, and its
// last outcome, as they are.
const ReasonExpired = "expired"

// Outcome is what a [Handler] returns for a job.
type Outcome struct {
	Kind   Kind
	Delay  time.Duration // of Retry: until the next attempt
	Hold   time.Duration // no attempt to the lane starts for so long, as its endpoint asked for that; 0 for no such pause
	Reason string        // of Failed and Gone
	Slow   bool          // the lane may have fewer attempts in flight from now on, as after a failure
	Log    string        // entry for the lane's log; "" for none
	// Detail is the text of a notice to the lane's owner, "" for none. After a leading "-" there is a notice only if the lane is disabled.
	Detail string
	Took   time.Duration // how long the attempt took, for the figures of its lane; negative: it is not counted
	// DisableAfter is for how long all attempts of the lane must have failed for it to be disabled. Default: 0, never.
	DisableAfter time.Duration
}

// outcome is the Outcome of a job that is not settled yet.
type outcome struct {
	*Job
	Outcome
}

// plain reports whether settle.lua needs nothing of an outcome but its job, duration and log entry, as for most of them.
func (o *outcome) plain() bool {
	return o.Kind == Succeeded && o.single && !o.Slow && !o.hasRecord() && len(o.ID) == JobIDLength
}

// hasRecord reports whether the job has a record of earlier attempts in the store, under [KeyJob].
func (j *Job) hasRecord() bool { return j.Attempts > 0 || j.Expiries > 0 }

// group holds the outcomes of one lane and one claim.
type group struct {
	lane, token   string
	claimed       int64
	plain, others []*outcome
}

// settleCall is the call that settles outcomes. They are sent in groups, so that Redis reads lane and token once for many. With stopping,
// other processes are woken for jobs that are to be attempted again, as this one will not claim them.
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
			case (o.Kind == Succeeded || o.Kind == Back) && o.hasRecord():
				reason = "record"
			}
			args = append(args, o.ID, string(o.Kind), attempts, ceilMilliseconds(o.Delay), reason, flag(o.Slow), o.Log, flag(o.single), o.Detail, ceilMilliseconds(o.Hold), o.durationStep(), ceilMilliseconds(o.DisableAfter))
		}
	}
	return q.call(shard, settleScript, args)
}

// ceilMilliseconds rounds up to whole milliseconds, so that nothing comes early; below zero it is 0.
func ceilMilliseconds(d time.Duration) int64 {
	return (max(d, 0) + time.Millisecond - 1).Milliseconds()
}

// readSettled reads the answer to a settleCall: how many notices are in the outbox, and how many outcomes came after their lease had ended.
func readSettled(cmd *redis.Cmd) (notices int64, lost int, err error) {
	r := newReply(cmd.Result())
	return r.number(), int(r.number()), r.err
}

// claimCall is the call that claims up to most jobs, quantum of one lane at most, and none of the lanes in skip.
func (q *Queue) claimCall(shard, most, quantum int, lease time.Duration, token string, skip []string) redisstore.Call {
	args := make([]any, 0, len(q.limits)+5+len(skip))
	args = append(append(args, q.limits...), most, claimBytes, lease.Milliseconds(), token, quantum)
	for _, lane := range skip {
		args = append(args, lane)
	}
	return q.call(shard, claimScript, args)
}

// claimBytes is how many bytes of payload one claim returns: it stops behind the job with which it gets there.
const claimBytes = 1 << 20

// claimed is the answer to a claimCall.
type claimed struct {
	wait        time.Duration // until the shard has something to do; negative: nothing is known
	untilExpiry time.Duration // until a delivered payload is to be deleted; negative: unknown
	notices     int64         // in the outbox
	moreDue     bool          // due jobs are left
	expired     []Expired
	jobs        []*Job
}

// Expired is how many jobs of a lane failed because they waited too long.
type Expired struct {
	Lane  string
	Count int
}

// readClaimed reads the answer to a claimCall with token. The large payloads are not in it, see readLarge.
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
					jobs[0].setPayload(stored)
				case int64:
					jobs[0].unread = errUnread
				}
			}
		}
	}
	return c, r.err
}

var errUnread = errors.New("the payload was not read")

// setPayload sets what is stored of the job's payload; "" leaves it empty, as after its end.
func (j *Job) setPayload(stored string) {
	if stored != "" {
		j.single, j.Payload = stored[:1] == oneLane, PayloadOf(stored)
	}
}

// readLarge reads the payloads that were too large for the answers to the claims. A payload that has expired by now stays "", like any other.
//
// Failure policy: where the store does not answer, unread of the job stays set. Such a job must neither be attempted nor end: it goes back.
func (q *Queue) readLarge(ctx context.Context, jobs []*Job) {
	var unread []*Job
	keys := map[int][]string{} // by shard, as a command may read keys of one slot only
	for _, j := range jobs {
		if j.unread != nil {
			unread = append(unread, j)
			keys[j.Shard] = append(keys[j.Shard], q.Key(j.Shard, KeyBody, j.ID))
		}
	}
	if len(unread) == 0 {
		return
	}
	pipe, replies := q.store.Client().Pipeline(), make(map[int]*redis.SliceCmd, len(keys))
	for shard, keys := range keys {
		replies[shard] = pipe.MGet(ctx, keys...)
	}
	_, _ = pipe.Exec(ctx) // each command carries its own error
	next := make(map[int]int, len(keys))
	for _, j := range unread {
		values, err := replies[j.Shard].Result()
		if j.unread = err; err != nil {
			continue
		}
		stored, _ := values[next[j.Shard]].(string)
		next[j.Shard]++
		j.setPayload(stored)
	}
}

// renewCall is the call that makes the leases of jobs last for lease from now on.
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
	ResentUnderWay    Resent = "under way"   // being attempted, or its event has yet to be queued in the lane
	ResentUnavailable Resent = "unavailable" // its payload has expired
	ResentUnknown     Resent = "unknown"     // the lane never had it, is deleted, or the event has expired
	ResentBacklog     Resent = "backlog"     // too many jobs wait in the lane or its account
	ResentDisabled    Resent = "disabled"    // the lane is disabled
)

// Resend makes jobs of one lane due now and starts their retry table anew. It returns an outcome for each, in their order.
func (q *Queue) Resend(ctx context.Context, shard int, lane string, jobs ...string) ([]Resent, error) {
	return q.ResendMoving(ctx, shard, Cursor{}, lane, jobs)
}

// Cursor says how far a replay, which sends many jobs again in several calls, has come. It is kept in a hash in the same shard.
type Cursor struct {
	Key   string        // of the hash, without the shard's tag
	From  string        // the value that it must have now
	To    string        // the value that it gets
	Owner string        // who moves it
	Hold  time.Duration // for how long no other owner may move it
	Pace  time.Duration // shortest time between two moves, with jobs, of any cursors of the lane; 0 for none
}

// Errors of [Queue.ResendMoving].
var (
	ErrCursorMoved = errors.New("the cursor stands elsewhere, or somebody else moves it")
	ErrBacklog     = errors.New("the lane has no room for the jobs")
	ErrTooSoon     = errors.New("the lane's cursors moved a moment ago")
)

// ResendMoving is [Queue.Resend] that moves a cursor in the same step, so that a replay can be resumed after any failure and neither skips nor
// repeats a job. With ErrCursorMoved, ErrBacklog or ErrTooSoon nothing was changed. The zero Cursor moves none.
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
