package caddymodule

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/videocloud/webhooks/internal/adminapi"
	"github.com/videocloud/webhooks/internal/version"
	"github.com/videocloud/webhooks/sender"
	"github.com/videocloud/webhooks/sender/api"
)

// consoleAPI answers below <mount>/api/: what the pages need and the REST API does not have. All but config is for those
// whose key the API takes; what concerns every account is for keys of * alone.
//
//	GET  /config    how the pages reach the API; no key
//	GET  /session   whose key it is
//	GET  /stats     what this process counted, what waits, and how it is
//	GET  /gateways  the receivers: what they counted, and their queues
//	GET  /dead      a receiver's queue: what it gave up, and what waits; POST sends, drops or moves it
//	GET  /show      an event in it, with headers and payload
//	POST /forget    lets a receiver take an event again
//	GET  /live      what happens, as it happens
//	     /rest/…    the REST API with the key of act_as
type consoleAPI struct {
	app   *App
	actAs string
	api   string // its path on the site
	audit *slog.Logger
}

// fromConsole is a header that every request of the pages carries. A page of another site can't set it without asking
// first, so with act_as nobody's browser is made to use the key behind its owner's back.
const fromConsole = api.ConsoleHeader

// ServeHTTP implements http.Handler.
func (c *consoleAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if err := c.serve(w, r); err != nil {
		writeRefusal(w, err)
	}
}

func crossSite(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return site != "" && site != "same-origin" && site != "none"
}

// config is what the pages know before anybody logs in.
func (c *consoleAPI) config() any {
	brand := c.app.sender.Brand
	return map[string]any{
		"api":   c.api + "/", // the path of webhook_api, with a slash at the end
		"actAs": c.actAs != "", "accountHeader": "X-" + brand + "-Account", "brand": brand, "version": version.Number,
	}
}

// consoleRoute is one thing that the handler itself answers, to keys of * with role all or read.
type consoleRoute struct {
	changes bool // only with role all
	handle  adminHandle
}

var consoleRoutes = map[string]consoleRoute{
	"GET /stats":    {handle: enveloped(shared(statsRead))},
	"GET /gateways": {handle: enveloped(shared(with(gateways, "window")))},
	"GET /dead":     {handle: enveloped(deadRead)},
	"POST /dead":    {changes: true, handle: enveloped(asking(changeDead))},
	"GET /show":     {handle: enveloped(showRead)},
	"POST /forget":  {changes: true, handle: enveloped(asking(forget))},
	"GET /live":     {handle: live},
}

func (c *consoleAPI) serve(w http.ResponseWriter, r *http.Request) error {
	if r.URL.Path == "/config" && r.Method == http.MethodGet {
		writeEnvelope(w, http.StatusOK, c.config())
		return nil
	}
	if r.Header.Get(fromConsole) == "" || crossSite(r) {
		return &sender.Error{Code: sender.CodeForbidden, Message: "this answers the console's own pages only; they send the header " + fromConsole}
	}
	if c.actAs != "" {
		r = withKey(r, c.actAs)
	}
	who, by, err := c.app.identify(r)
	if below, ok := strings.CutPrefix(r.URL.Path, "/rest/"); ok {
		return c.rest(w, r, "/"+below, by)
	}
	if err != nil {
		return err
	}
	operator := who.Account == api.AnyAccount && (who.Role == api.RoleAll || who.Role == api.RoleRead)
	if r.URL.Path == "/session" && r.Method == http.MethodGet {
		session := map[string]any{"account": who.Account, "role": who.Role, "operator": operator}
		if !who.Ends.IsZero() {
			session["endsInSeconds"] = time.Until(who.Ends).Seconds() // the reader's clock may be another
		}
		writeEnvelope(w, http.StatusOK, session)
		return nil
	}
	route, ok := consoleRoutes[r.Method+" "+r.URL.Path]
	switch {
	case !ok:
		return &sender.Error{Code: sender.CodeNotFound, Message: "the console's handler has nothing at this path"}
	case !operator:
		return &sender.Error{Code: sender.CodeForbidden, Message: "this concerns every account: it takes a key of * with role all or read"}
	case route.changes && who.Role != api.RoleAll:
		return &sender.Error{Code: sender.CodeForbidden, Message: "a key for " + string(who.Role) + " may not change anything; use one with role all"}
	case route.changes:
		return c.change(w, r, route, who)
	}
	return route.handle(w, r, c.app)
}

// auditedBody bounds how much of a question the audit log keeps: jobs are named one by one, or all at once.
const auditedBody = 1 << 10

// change serves what changes something, and tells the audit log, as the API does of its own.
func (c *consoleAPI) change(w http.ResponseWriter, r *http.Request, route consoleRoute, who api.Identity) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAdminBody))
	if err != nil {
		return badRequest("reading the question: " + err.Error())
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	err = route.handle(w, r, c.app)
	c.app.polls.Forget()
	if err != nil {
		return err
	}
	c.audit.LogAttrs(r.Context(), slog.LevelInfo, "console: "+strings.TrimPrefix(r.URL.Path, "/"),
		slog.String("key_id", who.KeyID), slog.String("role", string(who.Role)), slog.String("account", who.Account),
		slog.String("subject", string(body[:min(len(body), auditedBody)])), slog.String("remote", r.RemoteAddr))
	return nil
}

// rest passes a request on to the REST API. Every webhook_api of a configuration serves the same store; the first one
// that knows the key answers, by; nil where none does.
func (c *consoleAPI) rest(w http.ResponseWriter, r *http.Request, path string, by *API) error {
	switch {
	case c.actAs == "":
		return &sender.Error{Code: sender.CodeNotFound, Message: "requests go through the console's handler only with act_as"}
	case by == nil:
		return &sender.Error{Code: sender.CodeUnauthorized, Message: "no webhook_api here knows the key of act_as"}
	}
	inner := r.Clone(r.Context())
	inner.URL.Path, inner.URL.RawPath = path, ""
	return by.ServeHTTP(w, inner, nil) // it answers everything itself
}

// unsubscribe has the REST API do what a link in a mail is for. Every webhook_api of a configuration serves the same store.
func (a *App) unsubscribe(w http.ResponseWriter, r *http.Request, token string) {
	if len(a.apis) == 0 {
		writeRefusal(w, &sender.Error{Code: sender.CodeNotFound, Message: "this server has no webhook_api, which is what ends mail to an address"})
		return
	}
	body, _ := json.Marshal(map[string]string{"token": token}) // a string
	inner := r.Clone(r.Context())
	inner.URL = &url.URL{Path: "/account/confirm"}
	inner.Header = http.Header{"Content-Type": {"application/json"}}
	inner.Body, inner.ContentLength, inner.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	_ = a.apis[0].ServeHTTP(w, inner, nil) // it answers everything itself
}

// identify returns whose key a request carries, and the first webhook_api that knows it.
func (a *App) identify(r *http.Request) (who api.Identity, by *API, err error) {
	err = &sender.Error{Code: sender.CodeUnauthorized, Message: "this server has no webhook_api, so nobody's key is known here"}
	for _, by = range a.apis {
		if who, err = api.Identify(by.handler, r); err == nil {
			return who, by, nil
		}
	}
	return api.Identity{}, nil, err
}

// withKey returns the request with this key in place of whatever let it through in front of us.
func withKey(r *http.Request, key string) *http.Request {
	inner := r.Clone(r.Context())
	inner.Header.Del("X-Api-Key")
	inner.Header.Set("Authorization", "Bearer "+key)
	return inner
}

// enveloped answers as the REST API does, with what a function of the admin API returns.
func enveloped(f adminFunc) adminHandle { return answeringBy(writeEnvelope, f) }

func writeEnvelope(w http.ResponseWriter, status int, data any) {
	answer(w, status, map[string]any{"success": true, "data": data})
}

// writeRefusal answers with an error: one of the API's own as the API would, one of the admin API by its status.
func writeRefusal(w http.ResponseWriter, err error) {
	status, message := adminStatus(err), err.Error()
	code := cmp.Or(consoleCodes[status], sender.CodeUnavailable)
	var refused *sender.Error
	if errors.As(err, &refused) {
		status, code, message = cmp.Or(consoleStatus[refused.Code], status), refused.Code, refused.Message
	}
	if status == http.StatusUnauthorized {
		// Not a challenge of the browser's own: the pages ask for the key.
		w.Header().Set("WWW-Authenticate", `Bearer realm="webhooks"`)
	}
	answer(w, status, map[string]any{"success": false, "error": map[string]string{"code": string(code), "message": message}})
}

// consoleCodes are the codes of the admin API's errors, which have none, by their status.
var consoleCodes = map[int]sender.Code{
	http.StatusBadRequest: sender.CodeInvalidField, http.StatusNotFound: sender.CodeNotFound, http.StatusConflict: sender.CodeConflict,
}

// consoleStatus are the statuses of the sender's errors, where the admin API has another.
var consoleStatus = map[sender.Code]int{
	sender.CodeUnauthorized: http.StatusUnauthorized,
	sender.CodeForbidden:    http.StatusForbidden,
	sender.CodeLimitReached: http.StatusTooManyRequests,
}

// shared lets tabs that ask the same have one answer. That one of them hangs up does not spoil it for the others.
func shared(f adminFunc) adminFunc {
	return func(q *adminRequest) (any, error) {
		ask := q.app.polls.Now
		if q.Header.Get(fromConsole) == api.Again {
			ask = q.app.polls.Poll
		}
		return ask(q.Context(), q.URL.Path+"?"+q.URL.Query().Encode(), func() (any, error) {
			return f(&adminRequest{Request: q.WithContext(context.WithoutCancel(q.Context())), app: q.app})
		})
	}
}

// gatewaysAnswer is what receivers counted, and what waits in their queues.
type gatewaysAnswer struct {
	Receivers     []adminapi.ReceiverStats `json:"receivers"` // of this configuration, since this process started
	Window        string                   `json:"window"`
	BucketSeconds int64                    `json:"bucketSeconds"`
	Counted       []receivedTotals         `json:"counted"` // over all processes on the store; null where it can't be asked
	Queues        []adminapi.QueueStats    `json:"queues"`
}

// gateways answers GET <mount>/api/gateways. A receiver that nobody asked yet is there too, with nothing counted.
func gateways(q *adminRequest) (any, error) {
	a := q.app
	window, err := receivedWindowOf(q.query.Get("window"))
	if err != nil {
		return nil, err
	}
	answer := gatewaysAnswer{Receivers: receiversCounted(), Window: window.name, BucketSeconds: window.seconds}
	for _, there := range a.receivers {
		if !slices.ContainsFunc(answer.Receivers, func(s adminapi.ReceiverStats) bool { return s.Name == there.Name() }) {
			answer.Receivers = append(answer.Receivers, adminapi.ReceiverStats{Name: there.Name(), Requests: map[string]float64{}})
		}
	}
	ctx, cancel := context.WithTimeout(q.Context(), depthTimeout)
	defer cancel()
	if answer.Counted, err = a.received.read(ctx, window); err != nil {
		a.logger.Debug("reading what receivers counted", zap.Error(err))
	}
	answer.Queues = a.allQueues(ctx)
	return answer, nil
}
