package api

import (
	"cmp"
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
	accountless    bool          // it concerns no account, or the account need not be named
	scope          scope         // what the token of one webhook may do
	keyed          bool          // nobody without a key may use it
	changesNothing bool          // although it is not a GET
	query          []string      // the parameters it takes
	idempotent     string        // what Idempotency-Key does, where the route takes it
	optional       bool          // the body may be left out
	status         int           // of an answer that is no error; 0 stands for 200
	location       string        // what the Location header points at, where it is sent
	errors         []sender.Code // besides those that every route of its method can answer
	endpoint
}

// endpoint is what a route does, and the types of the body that it takes and of the data that it answers with. They are those
// of the method that serves it, so the OpenAPI document can't describe others.
type endpoint struct {
	request reflect.Type // nil: it takes no body
	answer  reflect.Type // nil: the OpenAPI document itself
	serve   func(c *call) (any, error)
}

// withoutBody is the endpoint of a method that takes no body.
func withoutBody[B any](serve func(c *call) (B, error)) endpoint {
	return endpoint{answer: reflect.TypeFor[B](), serve: func(c *call) (any, error) { return serve(c) }}
}

// readsBody is the endpoint of a method that reads its body, a T, by itself.
func readsBody[T, B any](serve func(c *call) (B, error)) endpoint {
	e := withoutBody(serve)
	e.request = reflect.TypeFor[T]()
	return e
}

// withBody is the endpoint of a method that is handed its body, a T of at most limit bytes.
func withBody[T, B any](limit int64, serve func(c *call, in T) (B, error)) endpoint {
	p := planOf(reflect.TypeFor[T]())
	return readsBody[T](func(c *call) (answer B, err error) {
		in, err := decode[T](c, p, limit)
		if err != nil {
			return answer, err
		}
		return serve(c, in)
	})
}

// converted gives what the service returns the form that it has in answers: converted(form)(service.Call(…)).
func converted[A, B any](form func(A) B) func(v A, err error) (B, error) {
	return func(v A, err error) (answer B, _ error) {
		if err != nil {
			return answer, err
		}
		return form(v), nil
	}
}

// page is a part of a list in answers. The pages of each kind have a type of their own, by which the OpenAPI document names them.
type page[T any] struct {
	Items      []T    `json:"items"`
	NextCursor string `json:"nextCursor,omitempty" doc:"The cursor of the next page, where there is more."`
}

// pageOf is converted for the pages of lists.
func pageOf[P ~struct{ page[B] }, A, B any](form func(A) B) func(items []A, next string, err error) (P, error) {
	return func(items []A, next string, err error) (answer P, _ error) {
		if err != nil {
			return answer, err
		}
		return P{page[B]{Items: convertAll(items, form), NextCursor: next}}, nil
	}
}

// convertAll gives each item of a list the form that it has in answers. The list is never null.
func convertAll[A, B any](items []A, form func(A) B) []B {
	list := make([]B, len(items))
	for i, v := range items {
		list[i] = form(v)
	}
	return list
}

// success is the status of an answer that is no error.
func (r *route) success() int { return cmp.Or(r.status, http.StatusOK) }

// changes reports whether the route changes something. Publishing is the daily work and no change: what comes of it shows by itself.
func (r *route) changes() bool {
	return r.method != http.MethodGet && r.access != accessPublish && !r.changesNothing
}

func updateRoute(method, operation string) route {
	return route{
		method: method, path: "/webhooks/{id}", operation: operation, tag: tagWebhooks, access: accessManage, scope: scopeWebhook,
		summary: "Change a webhook",
		description: "Changes only the fields given. A new secret signs from the next attempt on, also of what waits; " +
			"`secretOverlap` keeps the old one as a second value in `webhook-signature` that long.",
		errors:   []sender.Code{sender.CodeNotFound, sender.CodeConflict, sender.CodeUnknownEventType, sender.CodeUnsafeURL},
		endpoint: readsBody[webhookUpdate]((*call).updateWebhook),
	}
}

// patterns are the paths of the routes, split once.
var patterns = func() []pattern {
	list := make([]pattern, len(routes))
	for i, r := range routes {
		list[i] = splitPath(r.path)
	}
	return list
}()

// pattern is a path with at most one variable: an ID, or the name of an event type or of an account, whose form the Service checks.
type pattern struct{ before, variable, after string }

func splitPath(path string) pattern {
	before, rest, _ := strings.Cut(path, "{")
	variable, after, _ := strings.Cut(rest, "}")
	return pattern{before, variable, after}
}

// match finds the call's route. Only the exact spelling of a path is one of ours: nothing is cleaned,
// redirected or decoded, so there is one name for each thing.
func (c *call) match() error {
	path, below := strings.CutPrefix(c.r.URL.Path, c.BasePath)
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
	rest, begins := strings.CutPrefix(path, p.before)
	id, ends := strings.CutSuffix(rest, p.after)
	switch {
	case !begins || !ends:
		return "", false
	case p.variable == "id":
		return id, names.IsID(id)
	}
	return id, id != "" && len(id) <= config.MaxEventID && !strings.Contains(id, "/")
}
