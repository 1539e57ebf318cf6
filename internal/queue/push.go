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

// Event is one payload to be stored and queued in the lanes that its topics name.
type Event struct {
	Account   string
	ID        string
	OwnID     bool   // ID was made for this event, so no other event can have it
	IDJob     string // job that ID stands for, where it has the form of our own IDs; "" otherwise
	Job       string // see NewJobID
	Type      string
	Timestamp int64 // unix seconds
	Given     bool  // the publisher gave Timestamp, so a repetition with another one is another event
	Digest    string
	Lane      string   // the only lane that gets it, whatever its topics; "" where the topics decide
	TellsOf   string   // lane that the event reports on and that does not get it; once that lane is deleted, nothing is stored. "" for none
	Topics    []string // every lane that subscribes to one of them gets it; no white space
	Verdicts  string   // what the lanes' filters say of it, see [Asked]
	Payload   string

	marked string // what [Event.beside] returns, made by [Event.Carry] together with Payload
}

// PushOutcome says what became of a pushed event.
type PushOutcome string

// Outcomes of a push. Where nothing else is said, nothing was stored.
const (
	PushNew     PushOutcome = "new"     // stored now
	PushSame    PushOutcome = "same"    // its ID was pushed before with the same content: Pushed repeats the first answer
	PushOther   PushOutcome = "other"   // its ID belongs to an event with other content
	PushTaken   PushOutcome = "taken"   // its job exists: push again with a new one
	PushEnding  PushOutcome = "ending"  // the account is being deleted
	PushGone    PushOutcome = "gone"    // the lane in TellsOf was deleted
	PushAsked   PushOutcome = "asked"   // Verdicts are missing or of other filters: push again with those of Pushed.Asked
	pushUnsaved PushOutcome = "unsaved" // the payload that was put beside the script is missing; the caller gets an error
	PushLater   PushOutcome = "later"   // an event before it, of the same account, has to be pushed again: push this one after it
)

// Pushed is the answer to a push.
type Pushed struct {
	Outcome   PushOutcome
	Job       string
	Timestamp int64 // unix seconds
	Lanes     []string
	Refused   []Refused // those of Lanes that did not accept the job
	Asked     Asked     // of PushAsked only
}

// Refused is a lane that did not accept a job. The job is recorded there as failed.
type Refused struct{ Lane, Reason string }

// refusals reads "<lane>:<reason>", separated by spaces.
func refusals(text string) []Refused {
	var all []Refused
	for field := range strings.FieldsSeq(text) {
		lane, reason, _ := strings.Cut(field, ":")
		all = append(all, Refused{lane, reason})
	}
	return all
}

// Bounds of one call of the push script, so that none holds Redis for long.
const (
	pushLanes = 16        // lanes written to, and so events too
	pushBytes = 512 << 10 // bytes of payload
)

// pushed is an event on its way to the store.
//
// Failure policy: an event is answered only once Redis has it in all of its lanes, and the configured replicas have it too. After an
// error it may or may not be stored; a repetition with the same ID finds out. An event that is stored in some of its lanes is completed by
// that repetition or by [Queue.FinishPush].
type pushed struct {
	event   *Event
	begun   bool              // stored, but not in all of its lanes yet; answer holds what the first call said
	group   *pushGroup        // of the events that were pushed together; nil for a single one
	likeJob string            // job of an event with the same topics and many lanes, see push.lua; "" for none
	beside  *redisstore.Value // payload that goes to the store beside the script; nil for none
	answer  Pushed
	err     error
	done    chan struct{} // closed once answer and err are set
}

// pushGroup keeps the order of events that were pushed together: once one of them has to be pushed again or was refused, none behind it is
// sent any more, as it would be stored before it.
type pushGroup struct {
	again bool  // an event has to be pushed again
	err   error // the first refusal, as it is reported for the events behind
}

// answeredUnsent answers an event that may not be sent any more because of one before it in its group, and reports whether it did.
func (p *pushed) answeredUnsent() bool {
	if p.group == nil || p.begun || !p.group.again && p.group.err == nil {
		return false
	}
	p.answer.Outcome, p.err = PushLater, p.group.err
	close(p.done)
	return true
}

// tellGroup passes on to the events behind it that this one has to be pushed again or was refused.
func (p *pushed) tellGroup() {
	if p.group == nil {
		return
	}
	p.group.again = p.group.again || p.answer.Outcome == PushAsked || p.answer.Outcome == PushTaken
	if p.err != nil && p.group.err == nil {
		p.group.err = fmt.Errorf("not tried, as an event before it was refused: %w", p.err)
	}
}

const (
	// pushCalls is how many calls of one shard are under way at once: while Redis works on one, the next is on its way.
	pushCalls = 2
	// pushTurns is how many calls of account queues are under way at once, over all shards. Redis works on one at a time, so more would
	// only make others wait behind them.
	pushTurns = 1
)

// Push stores an event and queues it in its lanes. With many lanes that takes several calls; Push returns after the last one. The outcome
// says whether the event was stored; after an error it may be. When ctx ends, Push returns its error and the event is sent all the same.
func (q *Queue) Push(ctx context.Context, shard int, e *Event) (Pushed, error) {
	p := &pushed{event: e, done: make(chan struct{})}
	q.combinerOf(shard).add(p)
	return p.wait(ctx)
}

// wait returns the answer, or the error of ctx where that ends before.
func (p *pushed) wait(ctx context.Context) (Pushed, error) {
	select {
	case <-p.done:
		return p.answer, p.err
	case <-ctx.Done():
		return Pushed{}, ctx.Err()
	}
}

// PushAll is [Queue.Push] of several events in as few calls as possible. It returns an answer and an error for each, in their order. Behind
// an event that has to be pushed again, or that the store refused, no other is stored: their outcome is [PushLater].
func (q *Queue) PushAll(ctx context.Context, shard int, events []*Event) ([]Pushed, []error) {
	waiting, group := make([]*pushed, len(events)), new(pushGroup)
	for i, e := range events {
		waiting[i] = &pushed{event: e, group: group, done: make(chan struct{})}
	}
	q.combinerOf(shard).add(waiting...)
	answers, errs := make([]Pushed, len(events)), make([]error, len(events))
	for i, p := range waiting {
		answers[i], errs[i] = p.wait(ctx)
	}
	return answers, errs
}

// combinerOf returns the combiner of a shard, which it makes when it is asked for the first time.
func (q *Queue) combinerOf(shard int) *combiner {
	q.pushMu.Lock()
	defer q.pushMu.Unlock()
	c := q.pushers[shard]
	if c == nil {
		c = &combiner{
			send:  func(batch []*pushed) []*pushed { return q.send(shard, batch) },
			turns: q.turns, maxLanes: q.pushLanes, accounts: map[string]*accountQueue{},
		}
		q.pushers[shard] = c
	}
	return c
}

// runPush calls the push script once, with the large payloads of the batch beside it.
func (q *Queue) runPush(ctx context.Context, shard int, batch []*pushed) (any, error) {
	name, values := q.putBeside(shard, batch)
	return q.store.RunWithValues(ctx, values, pushScript, q.tags(shard), q.pushArgs(batch, name)...)
}

// errNoAnswer means that a script's answer has another form than expected, so that script and program are of different versions.
var errNoAnswer = errors.New("a script of the queue answered in another form: all processes at one store must be of one version")

// send makes one call and answers the events that are done with it. It returns the others, in order.
func (q *Queue) send(shard int, batch []*pushed) (rest []*pushed) {
	if batch = slices.DeleteFunc(slices.Clone(batch), (*pushed).answeredUnsent); len(batch) == 0 {
		return nil
	}
	// No publisher's own context: its end must not fail the events of the others.
	ctx, cancel := context.WithTimeout(context.Background(), q.store.Timeout())
	defer cancel()
	v, err := q.runPush(ctx, shard, batch)
	r := newReply(v, err)
	asked := map[string][]Filter{}
	for i, p := range batch {
		if i > 0 && r.err == nil && len(r.values) == 0 {
			// The call had no room for the rest. Other accounts' events go before them.
			return append(rest, batch[i:]...)
		}
		if more := p.readAnswer(r); more && r.err == nil {
			rest = append(rest, p)
			continue
		}
		if a := &p.answer.Asked; len(a.Filters) > 0 {
			asked[a.Signature] = a.Filters
		} else { // the script names the filters of a signature once in an answer
			a.Filters = asked[a.Signature]
		}
		p.tellGroup()
		close(p.done)
	}
	switch {
	case err == nil:
		q.Pushed(shard)
	case !answered(err):
		q.failWaiting(shard, err)
	}
	return rest
}

// readAnswer reads what the script answers for an event, and reports whether lanes of it are left for another call.
func (p *pushed) readAnswer(r *reply) (more bool) {
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
	case a.Outcome == PushLater && p.group != nil:
		p.err = p.group.err // nil where the event before it was not refused, but has to be pushed again
	}
	if p.begun {
		p.answer.Refused = append(p.answer.Refused, a.Refused...)
	} else {
		p.answer, p.begun = a, more
	}
	return more
}

// pushBusy is the outcome of [Queue.FinishPush] where another caller wrote the latest part less than idle ago.
const pushBusy PushOutcome = "busy"

// FinishPush completes an event that is stored in some of its lanes only. Where somebody else, who is most
// likely still at it, wrote a part less than idle ago, it does nothing and whole is false. refused are the lanes that did not accept the
// job in this call.
func (q *Queue) FinishPush(ctx context.Context, shard int, job string, idle time.Duration) (whole bool, refused []Refused, err error) {
	p := &pushed{event: &Event{}}
	for more := true; more; idle = 0 {
		if more = p.readAnswer(newReply(q.store.RunDurable(ctx, pushScript, q.tags(shard), append(q.argv([]any{1, q.pushLanes, q.pendingAccount, ""}), continueArgs(job, idle)...)...))); p.err != nil {
			return false, nil, p.err
		}
		if p.answer.Outcome == pushBusy {
			return false, nil, nil
		}
	}
	return true, p.answer.Refused, nil
}

// continueArgs are the push script's arguments for an event of which lanes are left.
func continueArgs(job string, idle time.Duration) []any {
	return []any{"", "", "on", "", job, "", 0, idle.Milliseconds(), "", "", "", "", "", ""}
}

// pushArgs are the arguments of push.lua. besideName is the name under which payloads of the batch were put beside, "" for none.
func (q *Queue) pushArgs(batch []*pushed, besideName string) []any {
	args := make([]any, 0, len(q.limits)+4+14*len(batch))
	args = append(append(args, q.limits...), len(batch), q.pushLanes, q.pendingAccount, besideName)
	for _, p := range batch {
		e := p.event
		if p.begun {
			args = append(args, continueArgs(p.answer.Job, 0)...)
			continue
		}
		payload := e.Payload
		if e.isBeside() {
			payload = ""
		}
		args = append(args, e.Account, e.ID, flag(e.OwnID), e.IDJob, e.Job, e.Type, e.Timestamp, flag(e.Given), e.Digest,
			e.target(), strings.Join(e.Topics, " "), p.likeJob, e.Verdicts, payload)
	}
	return args
}

// answered reports whether an error is an answer of Redis, and not the lack of one.
func answered(err error) bool {
	_, ok := errors.AsType[redis.Error](err)
	return ok
}

// failWaiting fails the events that wait behind a call that Redis did not answer. Sent, they would wait for the same timeout, one call
// after the other.
func (q *Queue) failWaiting(shard int, err error) {
	for _, p := range q.combinerOf(shard).withdraw() {
		p.err = fmt.Errorf("not tried, as the store did not answer: %w", err)
		close(p.done)
	}
}

// Pushed makes the dispatcher of this process, if it has one, look at a shard at once, without a round trip. Call it after a script of your
// own has queued a job.
func (q *Queue) Pushed(shard int) {
	q.pushMu.Lock()
	onPush := q.onPush
	q.pushMu.Unlock()
	if onPush != nil {
		onPush(shard)
	}
}

// setOnPush sets the function that is called with the shard of each push.
func (q *Queue) setOnPush(onPush func(shard int)) {
	q.pushMu.Lock()
	defer q.pushMu.Unlock()
	q.onPush = onPush
}

// target joins Lane and TellsOf to one argument of push.lua.
func (e *Event) target() string {
	if e.TellsOf != "" {
		return e.Lane + "!" + e.TellsOf
	}
	return e.Lane
}

// flag is a bool as the scripts read it.
func flag(b bool) string {
	if b {
		return "1"
	}
	return ""
}

// PayloadOf returns a stored payload without the mark that the queue puts in front of it; "" for "".
func PayloadOf(stored string) string {
	if stored == "" {
		return ""
	}
	return stored[1:]
}
