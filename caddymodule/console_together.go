package caddymodule

import (
	"context"
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
	answers map[string]togetherAnswer
}

type togetherAnswer struct {
	at     time.Time
	status int
	answer any
}

// ask returns the answer of now, by asking where there is none. Whoever comes meanwhile waits for it.
func (t *together) ask(question string, ask func() (int, any, error)) (int, any, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if kept, ok := t.answers[question]; ok && time.Since(kept.at) < togetherEvery {
		return kept.status, kept.answer, nil
	}
	status, answer, err := ask()
	if err != nil {
		return 0, nil, err
	}
	if t.answers == nil {
		t.answers = map[string]togetherAnswer{}
	}
	t.answers[question] = togetherAnswer{time.Now(), status, answer}
	return status, answer, nil
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
		return a.together.ask(r.URL.Path+"?"+r.URL.Query().Encode(), func() (int, any, error) {
			return f(r.WithContext(context.WithoutCancel(r.Context())), a)
		})
	}
}
