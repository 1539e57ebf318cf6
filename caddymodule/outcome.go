package caddymodule

import (
	"cmp"
	"net/http"
	"strings"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/videocloud/webhooks/receiver"
)

// requestOutcome answers the placeholders {http.webhook.*} of one request. It reads the outcome at the moment
// of the question: handlers behind the receiver ask while it is still being made.
type requestOutcome struct{ outcome *receiver.Outcome }

const (
	placeholderPrefix = "http.webhook."
	outcomeVar        = "webhook_outcome"
)

// outcomeOf makes the placeholders known to the request. A second receiver on the same request, which a
// replacer would never ask, takes over the first one's.
func outcomeOf(req *http.Request) *requestOutcome {
	if shown, ok := caddyhttp.GetVar(req.Context(), outcomeVar).(*requestOutcome); ok {
		return shown
	}
	shown := new(requestOutcome)
	caddyhttp.SetVar(req.Context(), outcomeVar, shown)
	if repl, ok := req.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		repl.Map(shown.placeholder)
	}
	return shown
}

func (s *requestOutcome) set(o *receiver.Outcome) {
	s.outcome = cmp.Or(o, s.outcome)
}

// noOutcome is that of a request that no receiver has seen.
var noOutcome = new(receiver.Outcome)

func (s *requestOutcome) placeholder(key string) (any, bool) {
	field, ours := strings.CutPrefix(key, placeholderPrefix)
	if !ours {
		return nil, false
	}
	value, known := outcomePlaceholders[field]
	if !known {
		return nil, false
	}
	return value(cmp.Or(s.outcome, noOutcome)), true
}

// outcomePlaceholders are the fields of an outcome that requests show.
var outcomePlaceholders = map[string]func(o *receiver.Outcome) any{
	"name":      func(o *receiver.Outcome) any { return o.Name },
	"scheme":    func(o *receiver.Outcome) any { return o.Scheme },
	"id":        func(o *receiver.Outcome) any { return o.ID },
	"event":     func(o *receiver.Outcome) any { return o.Event },
	"timestamp": func(o *receiver.Outcome) any { return o.Timestamp },
	"key":       func(o *receiver.Outcome) any { return o.Key },
	"duplicate": func(o *receiver.Outcome) any { return o.Duplicate },
	"error":     func(o *receiver.Outcome) any { return o.Error },
}

// logOutcome adds to the request's line in the access log, where there is one.
func logOutcome(req *http.Request, o *receiver.Outcome) {
	if server, ok := req.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server); ok && server.Logs == nil {
		return
	}
	extra, ok := req.Context().Value(caddyhttp.ExtraLogFieldsCtxKey).(*caddyhttp.ExtraLogFields)
	if !ok {
		return
	}
	extra.Set(zap.String("webhook_name", o.Name))
	extra.Set(zap.String("event_id", o.ID))
	extra.Set(zap.String("webhook_outcome", o.Result))
}
