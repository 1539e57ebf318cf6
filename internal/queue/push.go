package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/videocloud/webhooks/internal/redisstore"
)

// Event is what is pushed: one payload on its way to the lanes that its topics name.
type Event struct {
	Account   string
	ID        string
	OwnID     bool   // the ID was made for this event, so it can't have been used before
	IDJob     string // the job that ID stands for, where ID has our own form; "" otherwise
	Job       string // see NewJobID
	Type      string
	Timestamp int64 // unix seconds
	Given     bool  // the publisher gave the timestamp, so a repetition must give the same
	Digest    string
	Lane      string   // the only lane it goes to, whatever the topics
	TellsOf   string   // a lane that doesn't get it, as it tells of that one: a deleted one makes nothing of it
	Topics    []string // lanes of any of them get it; no white space
	Verdicts  string   // of the filters of these lanes, see [Asked]
	Payload   string

	marked string // what is stored beside the script, where [Event.Carry] made that and Payload at once
}

// PushOutcome says what became of a pushed event.
type PushOutcome string

// Outcomes of a push.
const (
	PushNew     PushOutcome = "new"
	PushSame    PushOutcome = "same"    // its ID was pushed before with the same content: Pushed is the first answer
	PushOther   PushOutcome = "other"   // its ID stands for another content
	PushTaken   PushOutcome = "taken"   // its job ID is in use: push again with a new one
	PushEnding  PushOutcome = "ending"  // the account is being deleted
	PushGone    PushOutcome = "gone"    // the lane that it tells of was deleted
	PushAsked   PushOutcome = "asked"   // filters decide whose verdicts are not there: push again with those of Asked
	pushUnsaved PushOutcome = "unsaved" // its payload, put beside the script, is not there: nothing was done, and there is an error
	PushLater   PushOutcome = "later"   // an event of its account before it is to be pushed again: push this one behind it
)

// Pushed is the answer to a push.
type Pushed struct {
	Outcome   PushOutcome
	Job       string
	Timestamp int64
	Lanes     []string
	Refused   []Refused // those of Lanes that did not take it
	Asked     Asked     // of PushAsked
}

// Refused is a lane that did not take a job. The job is there, failed.
type Refused struct{ Lane, Reason string }

func refusals(text string) []Refused {
	var all []Refused
	for field := range strings.FieldsSeq(text) {
		lane, reason, _ := strings.Cut(field, ":")
		all = append(all, Refused{lane, reason})
	}
	return all
}

// Bounds of one call of the push script, so that no call holds Redis for long.
const (
	pushLanes = 16 // and events
	pushBytes = 512 << 10
)

// pushed is an event on its way to the store.
//
// Failure policy: an event is answered only after Redis has it in all of its lanes (and its replicas do, where configured); on an
// error it may be stored or not, and the publisher's retry with the same ID finds out. What was begun is finished by that retry, or
// by [Queue.FinishPush].
type pushed struct {
	event  *Event
	begun  bool              // it is in some of its lanes, and answer says whose event it is
	among  *among            // the others that were handed in with it; nil for none
	like   string            // job of an event with the same topics that went to many lanes, if one is known
	beside *redisstore.Value // its payload, where that goes to the store beside the script
	answer Pushed
	err    error
	done   chan struct{}
}

// among is what events that were handed in together have in common: their order. Once one of them is to be pushed again, or was
// refused, none of those behind it is sent, which it would let overtake it.
type among struct {
	again bool
	err   error
}

// waits reports whether an event is not to be sent any more, and answers it then.
func (p *pushed) waits() bool {
	if p.among == nil || p.begun || !p.among.again && p.among.err == nil {
		return false
	}
	p.answer.Outcome, p.err = PushLater, p.among.err
	close(p.done)
	return true
}

// note notes what became of an event for those behind it.
func (p *pushed) note() {
	if p.among == nil {
		return
	}
	p.among.again = p.among.again || p.answer.Outcome == PushAsked || p.answer.Outcome == PushTaken
	if p.err != nil && p.among.err == nil {
		p.among.err = fmt.Errorf("not tried, as an event before it was refused: %w", p.err)
	}
}

const (
	// pushCalls is how many calls of one shard are under way at once: while Redis works on one, the next is collected.
	pushCalls = 2
	// pushTurns is how many calls with batches or parts of large events are under way at once, over all shards. One more than the
	// one that Redis works on would only stand in front of others.
	pushTurns = 1
)

// Push stores an event and queues it in its lanes. One that goes to many takes several steps, and is answered after the last.
func (q *Queue) Push(ctx context.Context, shard int, e *Event) (Pushed, error) {
	p := &pushed{event: e, done: make(chan struct{})}
	q.collect(shard, p)
	select {
	case <-p.done:
		return p.answer, p.err
	case <-ctx.Done():
		return Pushed{}, ctx.Err()
	}
}

// PushAll is [Queue.Push] of several events, in as few calls as the bounds allow. Answers and errors are in order, and none of the events is
// stored behind one that is to be pushed again, or that the store refused.
func (q *Queue) PushAll(ctx context.Context, shard int, events []*Event) ([]Pushed, []error) {
	waiting, together := make([]*pushed, len(events)), new(among)
	for i, e := range events {
		waiting[i] = &pushed{event: e, among: together, done: make(chan struct{})}
	}
	q.collect(shard, waiting...)
	answers, errs := make([]Pushed, len(events)), make([]error, len(events))
	for i, p := range waiting {
		select {
		case <-p.done:
			answers[i], errs[i] = p.answer, p.err
		case <-ctx.Done():
			errs[i] = ctx.Err()
		}
	}
	return answers, errs
}

func (q *Queue) collect(shard int, ps ...*pushed) {
	q.combinerOf(shard).add(ps...)
}

// combinerOf returns a shard's combiner, made with the first event.
func (q *Queue) combinerOf(shard int) *combiner {
	q.pushMu.Lock()
	defer q.pushMu.Unlock()
	c := q.pushers[shard]
	if c == nil {
		c = &combiner{
			send:  func(batch []*pushed) []*pushed { return q.send(shard, batch) },
			turns: q.turns, room: q.pushLanes, serials: map[string]*serial{},
		}
		q.pushers[shard] = c
	}
	return c
}

// runPush makes one call of the script.
func (q *Queue) runPush(ctx context.Context, shard int, batch []*pushed) (any, error) {
	name, values := q.putBeside(shard, batch)
	return q.store.RunWithValues(ctx, values, pushScript, q.tags(shard), q.pushArgs(batch, name)...)
}

// errNoAnswer can only come from a script and a program of different versions.
var errNoAnswer = errors.New("push: the script's answer does not fit")

// send makes a call and answers the events that it ended. It returns the others.
func (q *Queue) send(shard int, batch []*pushed) (rest []*pushed) {
	if batch = slices.DeleteFunc(slices.Clone(batch), (*pushed).waits); len(batch) == 0 {
		return nil
	}
	// Not the context of any one publisher: the call is everybody's.
	ctx, cancel := context.WithTimeout(context.Background(), q.store.Timeout())
	defer cancel()
	v, err := q.runPush(ctx, shard, batch)
	r := newReply(v, err)
	asked := map[string][]Filter{}
	for i, p := range batch {
		if i > 0 && r.err == nil && len(r.values) == 0 {
			// The call had no room for the rest: others have their turn before the next.
			return append(rest, batch[i:]...)
		}
		if more := p.take(r); more && r.err == nil {
			rest = append(rest, p)
			continue
		}
		if a := &p.answer.Asked; len(a.Filters) > 0 {
			asked[a.Signature] = a.Filters
		} else { // they are in the answer once
			a.Filters = asked[a.Signature]
		}
		p.note()
		close(p.done)
	}
	switch {
	case err == nil:
		q.Pushed(shard)
	case !answered(err):
		q.giveUp(shard, err)
	}
	return rest
}

// take reads the script's answer for an event, and whether there is more of it to do.
func (p *pushed) take(r *reply) (more bool) {
	a := Pushed{Outcome: PushOutcome(r.text()), Job: r.text(), Timestamp: r.number()}
	if lanes, refused := r.text(), r.text(); a.Outcome == PushAsked {
		a.Asked = Asked{Signature: lanes, Filters: filtersIn(refused)}
	} else {
		a.Lanes, a.Refused = strings.Fields(lanes), refusals(refused)
	}
	more = r.text() != ""
	switch p.err = r.err; {
	case p.err != nil:
	case a.Outcome == "":
		p.err = errNoAnswer
	case a.Outcome == pushUnsaved:
		p.err = cmp.Or(p.beside.Err, ErrUnsaved)
	case a.Outcome == PushLater && p.among != nil:
		p.err = p.among.err // of the event before it, if that was refused
	}
	if p.begun {
		p.answer.Refused = append(p.answer.Refused, a.Refused...)
	} else {
		p.answer, p.begun = a, more
	}
	return more
}

// pushBusy is the outcome of a part that was not done, as somebody else has just done one.
const pushBusy PushOutcome = "busy"

// FinishPush finishes an event that was begun, but for where somebody has gone on with it in the time idle: then it is not whole.
func (q *Queue) FinishPush(ctx context.Context, shard int, job string, idle time.Duration) (whole bool, refused []Refused, err error) {
	p := &pushed{event: &Event{}}
	for more := true; more; idle = 0 {
		if more = p.take(newReply(q.store.RunDurable(ctx, pushScript, q.tags(shard), append(q.argv([]any{1, q.pushLanes, q.pendingAccount, ""}), goOn(job, idle)...)...))); p.err != nil {
			return false, nil, p.err
		}
		if p.answer.Outcome == pushBusy {
			return false, nil, nil
		}
	}
	return true, p.answer.Refused, nil
}

// goOn are the script's arguments for the rest of an event.
func goOn(job string, idle time.Duration) []any {
	return []any{"", "", "on", "", job, "", 0, idle.Milliseconds(), "", "", "", "", "", ""}
}

func (q *Queue) pushArgs(batch []*pushed, puts string) []any {
	args := make([]any, 0, len(q.limits)+4+14*len(batch))
	args = append(append(args, q.limits...), len(batch), q.pushLanes, q.pendingAccount, puts)
	for _, p := range batch {
		e := p.event
		if p.begun {
			args = append(args, goOn(p.answer.Job, 0)...)
			continue
		}
		payload := e.Payload
		if e.isBeside() {
			payload = ""
		}
		args = append(args, e.Account, e.ID, flag(e.OwnID), e.IDJob, e.Job, e.Type, e.Timestamp, flag(e.Given), e.Digest,
			e.target(), strings.Join(e.Topics, " "), p.like, e.Verdicts, payload)
	}
	return args
}

// answered reports whether an error came from Redis, not from the lack of an answer.
func answered(err error) bool {
	_, ok := errors.AsType[redis.Error](err)
	return ok
}

// giveUp fails the events that wait behind a call that Redis did not answer: they would only wait for the same, one
// call's time after the other.
func (q *Queue) giveUp(shard int, err error) {
	for _, p := range q.combinerOf(shard).withdraw() {
		p.err = fmt.Errorf("not tried, as the store did not answer: %w", err)
		close(p.done)
	}
}

// Pushed wakes the dispatcher of this process, without a round trip.
func (q *Queue) Pushed(shard int) {
	q.pushMu.Lock()
	onPush := q.onPush
	q.pushMu.Unlock()
	if onPush != nil {
		onPush(shard)
	}
}

// wakes names what is told of each push.
func (q *Queue) wakes(onPush func(shard int)) {
	q.pushMu.Lock()
	defer q.pushMu.Unlock()
	q.onPush = onPush
}

// target is how the script takes Lane and TellsOf.
func (e *Event) target() string {
	if e.TellsOf != "" {
		return e.Lane + "!" + e.TellsOf
	}
	return e.Lane
}

func flag(b bool) string {
	if b {
		return "1"
	}
	return ""
}

// PayloadOf cuts the queue's own mark off a stored payload.
func PayloadOf(stored string) string {
	if stored == "" {
		return ""
	}
	return stored[1:]
}
