// Package polls answers what pages ask again and again by the clock. All who ask the same share one answer, and whatever
// is asked takes its turn, so that the store is asked twice a second at most, however many tabs of however many browsers
// are open, and whatever each of them looks at.
//
//	answer, err := answers.Poll(ctx, "stats of default", func() (any, error) { return askTheStore() })
package polls

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/videocloud/webhooks/sender"
)

const (
	// Every is how far apart two questions are, and how old an answer may be that is given again.
	Every = 500 * time.Millisecond
	// patience is how long a question waits for its turn: tabs of one browser have few connections, which waiting takes up.
	patience = 2 * time.Second
)

// ErrLater is for a question whose turn would come too late. Whoever asks by the clock keeps what it has, and asks again.
var ErrLater = &sender.Error{Code: sender.CodeLimitReached, Message: "too much is asked again and again at the moment; keep what you have and ask again later"}

var errNoAnswer = errors.New("asking together ended without an answer")

// Answers are those of the last half second. The zero value is ready.
type Answers struct {
	mu   sync.Mutex
	kept map[string]*answer // a handful: no more than there are turns in the time for which one is kept
	turn time.Time          // when the next question may be asked
}

// answer is there from when it was asked for. Before came is closed nobody but who asked looks at the rest.
type answer struct {
	came chan struct{}
	at   time.Time
	data any
	err  error
}

// Poll returns the answer of now, by asking where there is none, once it is this question's turn. Whoever asks the same
// meanwhile waits for it, whatever it is: with a store that does not answer one has to find that out, and not each after
// the other. An ask must not end with the request that it came by: others wait for it.
func (a *Answers) Poll(ctx context.Context, question string, ask func() (any, error)) (any, error) {
	return a.answer(ctx, question, patience, ask)
}

// Now is for what somebody waits for who just came: it shares answers, and never waits for its turn.
func (a *Answers) Now(ctx context.Context, question string, ask func() (any, error)) (any, error) {
	return a.answer(ctx, question, 0, ask)
}

func (a *Answers) answer(ctx context.Context, question string, waits time.Duration, ask func() (any, error)) (any, error) {
	found, wait, err := a.find(question, waits)
	if err != nil {
		return nil, err
	}
	if wait >= 0 { // ours to get
		defer a.settle(question, found) // also where it panics
		time.Sleep(wait)
		found.data, found.err = ask()
		return found.data, found.err
	}
	select {
	case <-found.came:
		return found.data, found.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// find returns the answer to share, and how long to wait before it is asked for; below zero somebody else gets it.
func (a *Answers) find(question string, waits time.Duration) (found *answer, wait time.Duration, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	for q, old := range a.kept {
		if old.isOld(now) {
			delete(a.kept, q)
		}
	}
	if found = a.kept[question]; found != nil {
		return found, -1, nil
	}
	if waits > 0 {
		if wait = max(0, a.turn.Sub(now)); wait > waits {
			return nil, 0, ErrLater
		}
	}
	if a.turn.Before(now) {
		a.turn = now
	}
	a.turn = a.turn.Add(Every)
	if a.kept == nil {
		a.kept = map[string]*answer{}
	}
	found = &answer{came: make(chan struct{}), err: errNoAnswer}
	a.kept[question] = found
	return found, wait, nil
}

func (a *answer) isOld(now time.Time) bool {
	select {
	case <-a.came:
		return now.Sub(a.at) >= Every
	default:
		return false
	}
}

// settle lets those have the answer who wait for it, and keeps none that is an error.
func (a *Answers) settle(question string, found *answer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	found.at = time.Now()
	if found.err != nil && a.kept[question] == found {
		delete(a.kept, question)
	}
	close(found.came)
}

// Forget has all asked anew, after a change that whoever made it wants to see.
func (a *Answers) Forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.kept)
}
