package api

import (
	"net/http"
	"reflect"
	"strings"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/names"
	"github.com/videocloud/webhooks/sender"
)

// route is one operation: how it is reached, who may use it, what it takes and gives. The OpenAPI
// document is made from nothing else.
type route struct {
	method         string
	path           string // with {id} for one segment
	operation      string // operationId
	tag            string
	summary        string
	description    string
	access         access
	accountless    bool     // it concerns no account, or the account need not be named
	scope          scope    // what the token of one webhook may do
	keyed          bool     // nobody without a key may do it
	changesNothing bool     // though it is no GET
	query          []string // the parameters it takes
	idempotent     string   // what Idempotency-Key does, where the route takes it
	request        reflect.Type
	optional       bool // the body may be left out
	status         int
	answer         reflect.Type
	location       string        // what the Location header points at, where it is sent
	errors         []sender.Code // besides those that every route of its method can give
	serve          func(c *call) (any, error)
}

func updateRoute(method, operation string) route {
	return route{
		method: method, path: "/webhooks/{id}", operation: operation, scope: scopeWebhook, tag: tagWebhooks, access: accessManage,
		summary: "Change a webhook",
		description: "Changes only the fields given. A new secret signs from the next attempt on, also of what waits; " +
			"`secretOverlap` keeps the old one as a second value in `webhook-signature` that long.",
		request: reflect.TypeFor[webhookUpdate](), status: http.StatusOK, answer: reflect.TypeFor[webhook](),
		errors: []sender.Code{sender.CodeNotFound, sender.CodeConflict, sender.CodeUnknownEventType, sender.CodeUnsafeURL},
		serve:  (*call).updateWebhook,
	}
}

// patterns are the paths of the routes, taken apart once.
var patterns = func() []pattern {
	list := make([]pattern, len(routes))
	for i, r := range routes {
		p := &list[i]
		p.before, p.variable, p.after = cutPath(r.path)
	}
	return list
}()

// pattern is a path with one variable at most: an ID, or the name of an event type or of an account, which the Service judges.
type pattern struct{ before, variable, after string }

func cutPath(path string) (before, variable, after string) {
	before, rest, _ := strings.Cut(path, "{")
	variable, after, _ = strings.Cut(rest, "}")
	return before, variable, after
}

// match finds the call's route. Only the exact spelling of a path is one of ours: nothing is cleaned,
// redirected or decoded, so there is one name for each thing.
func (c *call) match() error {
	path, below := strings.CutPrefix(c.r.URL.Path, c.basePath)
	if !below || c.r.URL.RawPath != "" && c.r.URL.RawPath != c.r.URL.Path {
		return errNoSuchPath
	}
	var allow []string
	for i := range routes {
		r := &routes[i]
		id, ok := patterns[i].matches(path)
		if !ok {
			continue
		}
		if r.method == c.r.Method || r.method == http.MethodGet && c.r.Method == http.MethodHead {
			c.route, c.id = r, id
			return nil
		}
		if allow = append(allow, r.method); r.method == http.MethodGet {
			allow = append(allow, http.MethodHead)
		}
	}
	if allow == nil {
		return errNoSuchPath
	}
	c.w.Header().Set("Allow", strings.Join(allow, ", "))
	return &sender.Error{Code: sender.CodeMethodNotAllowed, Message: "this path takes " + strings.Join(allow, ", ")}
}

var errNoSuchPath = &sender.Error{Code: sender.CodeNotFound, Message: "there is nothing at this path; GET /openapi.json lists what there is"}

func (p *pattern) matches(path string) (id string, ok bool) {
	if p.variable == "" {
		return "", path == p.before
	}
	rest, ok := strings.CutPrefix(path, p.before)
	if !ok {
		return "", false
	}
	if id, ok = strings.CutSuffix(rest, p.after); !ok {
		return "", false
	}
	if p.variable != "id" {
		return id, id != "" && len(id) <= config.MaxEventID && !strings.Contains(id, "/")
	}
	return id, names.IsID(id)
}
