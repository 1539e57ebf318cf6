package api

import (
	"context"
	"net/http"
	"strings"
	"time"
)

// ConsoleHeader is what every request of the console's pages carries.
const ConsoleHeader = "X-Webhook-Console"

// Again is the value of [ConsoleHeader] of a question that a page asks by the clock.
const Again = "again"

// pollTimeout ends a question that pages share, which no request of theirs ends.
const pollTimeout = 10 * time.Second

// Polls lets callers who ask the same at the same time share an answer, and puts off what comes too thick.
type Polls interface {
	// Poll returns the answer to a question, by asking where nobody else just did.
	Poll(ctx context.Context, question string, ask func() (any, error)) (any, error)
	// Forget has everything asked anew.
	Forget()
}

// isPoll reports whether a page asks this by the clock.
func (c *call) isPoll() bool {
	return c.Polls != nil && c.route.method == http.MethodGet && c.route.access != accessOpen && c.r.Header.Get(ConsoleHeader) == Again
}

// poll answers a question together with all who may hear the answer: of the same account, with the same rights. Whose key
// it is, and that it is one, was settled before, for each alone; all that asks the store about the question itself is part of it.
func (c *call) poll() (data any, err error) {
	if c.query, err = parseQuery(c.r.URL.RawQuery, c.route.query); err != nil {
		return nil, err
	}
	question := strings.Join([]string{c.route.operation, c.id, c.caller.account, c.account, string(c.role), c.caller.webhookID, c.r.URL.RawQuery}, "\x00")
	return c.Polls.Poll(c.r.Context(), question, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(c.r.Context()), pollTimeout)
		defer cancel()
		together := *c
		together.r = c.r.WithContext(ctx)
		if err := together.checkWebhookScope(); err != nil {
			return nil, err
		}
		return together.route.serve(&together)
	})
}
