// Package api is the REST API of the sender: registering webhooks, publishing events, and looking at
// what became of them. It does the transport's part - keys and roles, routing, strict JSON, the
// envelope and the status codes - and leaves every rule about webhooks and events to a [Service],
// which [github.com/videocloud/webhooks/sender.Sender] is.
//
//	h, err := api.New(api.Options{
//		Service: s,
//		Keys:    []api.Key{{Value: key, Account: "default", Role: api.RoleAll}},
//	})
//	http.Handle("/", h)
//
// A request passes these stages, and the first that objects answers:
//
//	route → key → role → account → query → body → Service → envelope
//
// Every answer is {"success":true,"data":…} or {"success":false,"error":{"code","message","field"}}.
// The routes are one table (routes.go); the OpenAPI document at GET /openapi.json is made from that
// table and from the same Go types that requests are decoded into and answers are encoded from.
package api

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/names"
	"github.com/videocloud/webhooks/internal/version"
)

// Options are the settings of the API.
type Options struct {
	// Service does the work. Required.
	Service Service
	// Keys are the API keys that are let in. At least one, unless Anonymous is set.
	Keys []Key
	// Anonymous lets every caller in, as the default account with every right. It excludes Keys. Defaults to false.
	Anonymous bool
	// Brand is the word in the name of the account header, X-VideoCloud-Account. Defaults to VideoCloud.
	Brand string
	// BasePath is the path below which the API is served, such as /api/v1. Defaults to none.
	BasePath string
	// PortalURL is the URL at which customers reach the portal. Defaults to none: then links to the portal can be made on loopback
	// only.
	PortalURL string
	// Audit gets a line for every change: by which key, and for which account. Defaults to Logger.
	Audit *slog.Logger
	// Mounted returns the path below which a request's own path lies as its caller wrote it: what a server in front of
	// this handler took off the path, such as Caddy's handle_path. Location and the OpenAPI document's server begin with
	// it. Defaults to none.
	Mounted func(r *http.Request) string
	// Polls lets pages that ask the same repeatedly share an answer. Defaults to none: each request is answered by itself.
	Polls Polls
	// Version is the version that the OpenAPI document shows. Defaults to this module's own.
	Version string
	// Logger gets refused requests and failures. Defaults to none.
	Logger *slog.Logger
}

var basePath = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)*$`)

// handler serves the API.
type handler struct {
	Options       // without Keys
	keys          []hashedKey
	keyCache      *keyCache
	accountHeader string
	installation  string // the name of the header that carries it
	openAPI       atomic.Pointer[openAPI]
	describe      func(guide []delivered) (*openAPI, error) // makes the OpenAPI document with these events of the guide
	lines         refusalLines
}

// New returns the handler of the API. An error names the option of the Caddyfile at fault and never holds a key.
func New(o Options) (http.Handler, error) {
	if o.Service == nil {
		return nil, errors.New("making the API: it needs a service")
	}
	keys, err := hashKeys(o.Keys, o.Anonymous)
	if err != nil {
		return nil, err
	}
	if !basePath.MatchString(o.BasePath) {
		return nil, fmt.Errorf("base_path: %q is not a path; write it like /api/v1, without a slash at the end", o.BasePath)
	}
	o.Brand = cmp.Or(o.Brand, config.DefaultBrand)
	o.Version = cmp.Or(o.Version, version.Number)
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	o.Audit = cmp.Or(o.Audit, o.Logger)
	o.Keys = nil // only their hashes are kept
	h := &handler{
		Options: o, keys: keys, keyCache: newKeyCache(o.Service, keys), accountHeader: accountHeader(o.Brand),
		installation: http.CanonicalHeaderKey(config.HeadersFor(o.Brand).Installation),
	}
	h.describe = func(guide []delivered) (*openAPI, error) {
		return openAPIDocument(o.Version, o.Brand, o.Anonymous, guide)
	}
	d, err := h.describe(nil)
	if err != nil {
		return nil, fmt.Errorf("making the OpenAPI document: %w", err)
	}
	h.openAPI.Store(d)
	return h, nil
}

func accountHeader(brand string) string { return "X-" + brand + "-Account" }

// call is one request on its way through a route.
type call struct {
	*handler
	w         http.ResponseWriter
	r         *http.Request
	requestID string
	route     *route
	id        string // the {id} of the path
	caller
	account  string
	query    query
	location string // of what was made, for the Location header
}

// requestIDHeader is the header that names a request in its answer and in the log, so that the log line can be found by what a
// caller reports.
const requestIDHeader = "X-Request-Id"

// requestID returns the name that a proxy in front gave to a request, or a new one.
func requestID(r *http.Request) string {
	if given := r.Header[requestIDHeader]; len(given) == 1 && names.IsID(given[0]) {
		return given[0]
	}
	return "req_" + rand.Text()
}

// prefix returns what stands before the path of a route in the URL that the caller used.
func (c *call) prefix() string {
	if c.Mounted == nil {
		return c.BasePath
	}
	mounted := strings.Trim(c.Mounted(c.r), "/") // one slash at the start: two would name a host
	if mounted == "" {
		return c.BasePath
	}
	return "/" + mounted + c.BasePath
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := call{handler: h, w: w, r: r, requestID: requestID(r)}
	data, err := c.serve()
	if err != nil {
		h.sendError(&c, err)
		return
	}
	h.sendAnswer(&c, data)
}

func (c *call) serve() (data any, err error) {
	if err := c.match(); err != nil {
		return nil, err
	}
	if err := c.authorize(); err != nil {
		return nil, err
	}
	if c.isPoll() {
		return c.poll()
	}
	if err := c.checkWebhookScope(); err != nil {
		return nil, err
	}
	if c.query, err = parseQuery(c.r.URL.RawQuery, c.route.query); err != nil {
		return nil, err
	}
	if data, err = c.route.serve(c); err == nil && c.route.changes() {
		c.logChange()
		if c.Polls != nil {
			c.Polls.Forget() // pages see what was changed
		}
	}
	return data, err
}

// logChange writes what was changed to the audit log.
func (c *call) logChange() {
	subject := c.id
	if i := strings.LastIndexByte(c.location, '/'); i >= 0 && subject == "" {
		subject = c.location[i+1:]
	}
	c.Audit.LogAttrs(c.r.Context(), slog.LevelInfo, c.route.operation,
		slog.String("key_id", c.caller.id), slog.String("role", string(c.role)), slog.String("account", c.account),
		slog.String("subject", subject), slog.String("remote", c.r.RemoteAddr), slog.String("request_id", c.requestID))
}

// Interface guard.
var _ http.Handler = (*handler)(nil)
