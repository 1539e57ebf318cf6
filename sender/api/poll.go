package api

import (
	"context"
	"net/http"
	"strings"
	"time"
)

// ConsoleHeader is the header that every request of the console's pages carries.
const ConsoleHeader = "X-Webhook-Console"

// Again is the value of [ConsoleHeader] in a request that a page repeats periodically.
const Again = "again"

// pollTimeout bounds a question that pages share, which does not end with any of their requests.
const pollTimeout = 10 * time.Second

// Polls lets callers who ask the same at the same time share an answer, and delays questions that come too often.
type Polls interface {
	// Poll returns the answer to a question. It calls ask, unless there is a recent answer or the question is being asked.
	Poll(ctx context.Context, question string, ask func() (any, error)) (any, error)
	// Forget drops all answers, so that everything is asked again.
	Forget()
}

// isPoll reports whether a page repeats this request periodically.
func (c *call) isPoll() bool {
	return c.Polls != nil && c.route.method == http.MethodGet && c.route.access != accessOpen && c.r.Header.Get(ConsoleHeader) == Again
}

// poll answers a question once for all who may hear the answer: callers for the same account with the same rights. That the
// caller's key is valid was checked before, for each request; all that asks the store about the question itself is part of it.
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
