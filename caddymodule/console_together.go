package caddymodule

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"
)

// togetherEvery is how old an answer may be that tabs share.
const togetherEvery = time.Second

// together keeps the last answers of what tabs ask every few seconds, so that the store is asked once a second at most
// however many of them are open. Only answers to valid questions are kept, of which there is a handful.
type together struct {
	mu      sync.Mutex
	answers map[string]*togetherAnswer
}

// togetherAnswer is there from when it was asked for. Before came is closed nobody but who asked looks at the rest.
type togetherAnswer struct {
	came   chan struct{}
	at     time.Time
	status int
	answer any
	err    error
}

var errNoAnswer = errors.New("asking together ended without an answer")

// ask returns the answer of now, by asking where there is none. Whoever comes meanwhile waits for it, whatever it is: with a store
// that does not answer one has to find that out, and not each after the other.
func (t *together) ask(ctx context.Context, question string, ask func() (int, any, error)) (int, any, error) {
	a, isOurs := t.find(question)
	if isOurs {
		defer t.settle(question, a) // also where it panics
		a.status, a.answer, a.err = ask()
		return a.status, a.answer, a.err
	}
	select {
	case <-a.came:
		return a.status, a.answer, a.err
	case <-ctx.Done():
		return 0, nil, ctx.Err()
	}
}

// find returns the answer to share, and whether it is the caller's to get.
func (t *together) find(question string) (a *togetherAnswer, isOurs bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if a := t.answers[question]; a != nil {
		select {
		case <-a.came:
			if time.Since(a.at) < togetherEvery {
				return a, false
			}
		default:
			return a, false
		}
	}
	if t.answers == nil {
		t.answers = map[string]*togetherAnswer{}
	}
	a = &togetherAnswer{came: make(chan struct{}), err: errNoAnswer}
	t.answers[question] = a
	return a, true
}

// settle lets those have the answer who wait for it, and keeps none that is an error.
func (t *together) settle(question string, a *togetherAnswer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	a.at = time.Now()
	if a.err != nil && t.answers[question] == a {
		delete(t.answers, question)
	}
	close(a.came)
}

// forget has all asked anew, after a change that whoever made it wants to see.
func (t *together) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.answers)
}

// shared lets all who ask at the same time have one answer. That one of them hangs up does not spoil it for the others.
func shared(f func(r *http.Request, a *App) (int, any, error)) func(r *http.Request, a *App) (int, any, error) {
	return func(r *http.Request, a *App) (int, any, error) {
		return a.together.ask(r.Context(), r.URL.Path+"?"+r.URL.Query().Encode(), func() (int, any, error) {
			return f(r.WithContext(context.WithoutCancel(r.Context())), a)
		})
	}
}
