package caddymodule

import (
	"net/http"
	"strings"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/videocloud/webhooks/receiver"
)

// shownOutcome answers the placeholders {http.webhook.*} of one request. It reads the outcome at the moment
// of the question: handlers behind the receiver ask while it is still being made.
type shownOutcome struct{ outcome *receiver.Outcome }

const (
	placeholderPrefix = "http.webhook."
	outcomeVar        = "webhook_outcome"
)

// showOutcome makes the placeholders known to the request. A second receiver on the same request, which a
// replacer would never ask, takes over the first one's.
func showOutcome(req *http.Request) *shownOutcome {
	if shown, ok := caddyhttp.GetVar(req.Context(), outcomeVar).(*shownOutcome); ok {
		return shown
	}
	shown := new(shownOutcome)
	caddyhttp.SetVar(req.Context(), outcomeVar, shown)
	if repl, ok := req.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		repl.Map(shown.placeholder)
	}
	return shown
}

func (s *shownOutcome) set(o *receiver.Outcome) {
	if o != nil {
		s.outcome = o
	}
}

func (s *shownOutcome) placeholder(key string) (any, bool) {
	field, ours := strings.CutPrefix(key, placeholderPrefix)
	if !ours {
		return nil, false
	}
	o := s.outcome
	if o == nil { // no receiver has seen the request
		o = new(receiver.Outcome)
	}
	switch field {
	case "name":
		return o.Name, true
	case "scheme":
		return o.Scheme, true
	case "id":
		return o.ID, true
	case "event":
		return o.Event, true
	case "timestamp":
		return o.Timestamp, true
	case "key":
		return o.Key, true
	case "duplicate":
		return o.Duplicate, true
	case "error":
		return o.Error, true
	default:
		return nil, false
	}
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
