// Package polls answers the questions that pages repeat at an interval. Everybody who asks the same question within half a second gets
// the same answer, and different questions wait for their turn. So such questions reach the store twice a second at most, however many tabs
// of however many browsers are open, and whatever each of them shows.
//
//	answer, err := answers.Poll(ctx, "stats of default", func() (any, error) { return askTheStore() })
package polls

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/videocloud/webhooks/sender"
)

const (
	// Every is the time between the turns of two questions, and for how long an answer is shared.
	Every = 500 * time.Millisecond
	// maxTurnWait is how long a question may wait for its turn. Waiting occupies a connection, of which all tabs of a browser share a few.
	maxTurnWait = 2 * time.Second
)

// ErrLater means that the question's turn would come more than two seconds from now. The caller keeps the answer that it has and asks
// again at its next interval.
var ErrLater = &sender.Error{Code: sender.CodeLimitReached, Message: "too much is asked again and again at the moment; keep what you have and ask again later"}

var errNoAnswer = errors.New("asking together ended without an answer")

// Answers shares the answers of the last half second. The zero value is ready, and safe for concurrent use.
type Answers struct {
	mu       sync.Mutex
	answers  map[string]*answer // by question
	nextTurn time.Time          // when the next question may be asked
}

// answer is there from the moment at which somebody waits or asks for it. Until done is closed, only the one who asks uses the other fields.
type answer struct {
	done chan struct{}
	at   time.Time
	data any
	err  error
}

// Poll returns the answer to a question. Where there is none of the last half second, it waits for the question's turn and calls ask.
// Everybody who asks the same question in the meantime waits for that answer, even if it is an error: otherwise each of them would wait in turn for a
// store that does not answer. Poll fails with [ErrLater] where the turn would come too late, and with the error of ctx if that ends while
// somebody else asks. ask must not depend on ctx, as others wait for its answer.
func (a *Answers) Poll(ctx context.Context, question string, ask func() (any, error)) (any, error) {
	return a.answer(ctx, question, maxTurnWait, ask)
}

// Now is [Answers.Poll] for a page that somebody has just opened: it shares answers, but never waits for a turn and never fails with [ErrLater].
func (a *Answers) Now(ctx context.Context, question string, ask func() (any, error)) (any, error) {
	return a.answer(ctx, question, 0, ask)
}

func (a *Answers) answer(ctx context.Context, question string, maxWait time.Duration, ask func() (any, error)) (any, error) {
	shared, wait, err := a.findOrReserve(question, maxWait)
	if err != nil {
		return nil, err
	}
	if wait >= 0 {
		defer a.settle(question, shared) // also if ask panics, or the others would wait forever
		time.Sleep(wait)
		shared.data, shared.err = ask()
		return shared.data, shared.err
	}
	select {
	case <-shared.done:
		return shared.data, shared.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// findOrReserve returns the shared answer to a question. Where wait is negative, it is there or somebody else asks for it; otherwise the
// caller has to ask after that time. With a maxWait of 0 there is no wait for a turn.
func (a *Answers) findOrReserve(question string, maxWait time.Duration) (shared *answer, wait time.Duration, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	maps.DeleteFunc(a.answers, func(_ string, old *answer) bool { return old.isOld(now) })
	if shared = a.answers[question]; shared != nil {
		return shared, -1, nil
	}
	if maxWait > 0 {
		if wait = max(0, a.nextTurn.Sub(now)); wait > maxWait {
			return nil, 0, ErrLater
		}
	}
	if a.nextTurn.Before(now) {
		a.nextTurn = now
	}
	a.nextTurn = a.nextTurn.Add(Every)
	if a.answers == nil {
		a.answers = map[string]*answer{}
	}
	shared = &answer{done: make(chan struct{}), err: errNoAnswer}
	a.answers[question] = shared
	return shared, wait, nil
}

// isOld reports whether the answer came Every ago or longer.
func (a *answer) isOld(now time.Time) bool {
	select {
	case <-a.done:
		return now.Sub(a.at) >= Every
	default:
		return false
	}
}

// settle gives the answer to those who wait for it. An error is not shared with anybody who comes later.
func (a *Answers) settle(question string, shared *answer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	shared.at = time.Now()
	if shared.err != nil && a.answers[question] == shared {
		delete(a.answers, question)
	}
	close(shared.done)
}

// Forget drops all answers, so that every question is asked anew: after a change, its author has to see the effect.
func (a *Answers) Forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.answers)
}
