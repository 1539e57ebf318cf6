// Package receiver is a gateway in front of an app that gets webhooks. It verifies who sent a request,
// lets each event through once, and leaves the rest of the work to the next handler:
//
//	methods → addresses → signature header and timestamp → body → signature → identity → claim → app → settle
//
// The first of these checks that fails decides the answer, and nothing is stored before the signature is verified.
// An event is done when the app answered 2xx. After any other answer, no answer, or a panic, its claim is released, so
// that the sender's next attempt reaches the app again. The app gets the bytes that were signed, and the headers
// X-Webhook-Verified, X-Webhook-Id, X-Webhook-Event and X-Webhook-Timestamp. Headers that a client sends
// under these names are dropped.
//
//	r, err := receiver.New(receiver.Options{Config: config.Receiver{
//		Scheme:  "github",
//		Secrets: []string{os.Getenv("WEBHOOK_SECRET")},
//	}})
//	if err != nil {
//		return err
//	}
//	defer r.Close()
//	http.Handle("/webhooks", r.Handler(app))
//
// Several gateways in front of one app share their claims through Redis ([NewRedis]), under the same name.
package receiver

import (
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/signature"
)

// Options are what a [Receiver] is made of. Only Config.Secrets is required.
type Options struct {
	// Config holds the settings. A setting that is not given gets its default.
	Config config.Receiver
	// Store remembers the events. The receiver does not close it. Defaults to a new [Memory].
	Store Store
	// Enqueuer stores the events for later delivery. It is required with Config.Queue, and not used without.
	Enqueuer Enqueuer
	// Route returns the names of the [Deliveries] that a request goes to. It is called when the request is accepted, and is
	// required where there are several deliveries. Defaults to none: there is one delivery without a name.
	Route func(*http.Request) []string
	// Verifier checks signatures. Defaults to the one that Config.Scheme names.
	Verifier Verifier
	// Logger gets one line for each request. Defaults to none.
	Logger *slog.Logger
	// ClientIP returns the address that a request comes from. Defaults to the address of the connection's other end, whatever
	// the headers say.
	ClientIP func(*http.Request) netip.Addr
	// OriginalRequest returns the method and the request target with which a request arrived, before handlers in front of the
	// receiver rewrote it: these are what the sender signed. Defaults to the method and RequestURI of the request.
	OriginalRequest func(*http.Request) (method, target string)
	// Allowed reports whether an address may send that matches none of Config.Allow. Where Allowed or Config.Allow is set,
	// all other addresses are refused. Defaults to none.
	Allowed func(*http.Request, netip.Addr) bool
	// Observe is called after each request, for metrics. Defaults to none.
	Observe func(Outcome)
	// Now is the clock for timestamps and durations. Defaults to time.Now.
	Now func() time.Time
	// TracerProvider makes the spans. Defaults to the provider of the span in the request's context.
	TracerProvider trace.TracerProvider
}

// Receiver verifies requests and lets each event through once.
type Receiver struct {
	credentials atomic.Pointer[credentials]

	config          config.Receiver
	scheme          string // canonical: the configuration may name an alias
	store           Store  // nil without dedup
	queue           Enqueuer
	keepsHeader     func(header string) bool // which headers of a request the queue stores
	poolsBodies     bool                     // the queue copies the body, so the buffer that it was read into can be reused
	log             *slog.Logger
	lines           lines
	sources         sources
	bodies          bodyReader
	observe         func(Outcome)
	now             func() time.Time
	originalRequest func(*http.Request) (method, target string)
	route           func(*http.Request) []string // nil: there is one delivery without a name
	tracing         trace.TracerProvider
	verifiedHeader  []string // value of the header X-Webhook-Verified, shared by all requests
	allowHeader     string   // value of the header Allow
	close           func() error
}

// New returns a receiver with the options, or an error that names the setting that can't work.
// It starts no goroutine and makes no connection.
func New(o Options) (*Receiver, error) {
	c := o.Config
	c.SetDefaults()
	if err := c.Validate(); err != nil {
		return nil, err
	}
	r := &Receiver{config: c, scheme: signature.Canonical(c.Scheme), queue: o.Enqueuer, log: discard(o.Logger), observe: o.Observe, route: o.Route,
		now: o.Now, originalRequest: o.OriginalRequest, tracing: o.TracerProvider, verifiedHeader: []string{c.Scheme}, allowHeader: strings.Join(c.Methods, ", ")}
	if c.Queue == nil {
		r.queue = nil
	} else if r.queue == nil {
		return nil, errors.New("queue: there is nothing to keep the events in; give the receiver an Enqueuer")
	}
	_, own := r.queue.(ownQueue)
	r.poolsBodies = own && !c.DryRun
	var scheme verifier = customVerifier{o.Verifier}
	if o.Verifier == nil {
		var err error
		if scheme, err = newVerifier(&c); err != nil {
			return nil, err
		}
	}
	r.credentials.Store(&credentials{scheme, c.Challenge})
	if r.originalRequest == nil {
		r.originalRequest = func(req *http.Request) (method, target string) { return req.Method, req.RequestURI }
	}
	if r.now == nil {
		r.now = time.Now
	}
	r.keepsHeader = queueKeepsHeader
	if secret := r.SecretHeaders(); len(secret) > 0 {
		r.keepsHeader = func(name string) bool { return queueKeepsHeader(name) && !slices.Contains(secret, name) }
	}
	r.sources = newSources(c.Allow, o.ClientIP, o.Allowed)
	r.bodies = bodyReader{limit: c.MaxSize, timeout: c.ReadTimeout, client: r.sources.client, unfinished: newUnfinished(c.MaxUnfinished), dryRun: c.DryRun}
	if c.MaxSize > c.MaxUnfinished/config.UnfinishedShare {
		r.log.Warn("max_size, by default, is more than a quarter of max_unfinished, which is all that one client may hold: larger bodies can only come in one piece",
			"webhook_name", c.Name, "max_size", c.MaxSize, "max_unfinished", c.MaxUnfinished)
	}
	if err := r.setStore(o.Store); err != nil {
		return nil, err
	}
	return r, nil
}

// setStore chooses where claims are kept. A store of the caller's own gets a [Guard], so that on_store_error applies to it too.
func (r *Receiver) setStore(s Store) error {
	if r.config.Dedup.Off {
		return nil
	}
	switch s := s.(type) {
	case nil:
		r.store = NewMemory(MemoryOptions{Now: r.now})
	case *Memory, *Guard, *Redis:
		r.store = s
	default:
		g := NewGuard(s, GuardOptions{Logger: r.log})
		r.store, r.close = g, g.Close
	}
	if _, shared := r.store.(*Redis); shared && r.config.Name == "" {
		return errors.New("name: required where the store is Redis; the same on every gateway of one app, another for another app")
	}
	return nil
}

// Handler returns a middleware: requests that pass go to next, and all others are answered here.
func (r *Receiver) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		_, err := r.Serve(w, req, func(w http.ResponseWriter, req *http.Request) error {
			next.ServeHTTP(w, req)
			return nil
		})
		if refusal, ok := errors.AsType[*Refusal](err); ok {
			refusal.Write(w)
		}
	})
}

// Close stops the goroutines that the receiver started itself. It does not disturb requests under way.
func (r *Receiver) Close() error {
	if r.close == nil {
		return nil
	}
	return r.close()
}

// Name returns the name under which the receiver's events are kept apart from those of other receivers.
func (r *Receiver) Name() string { return r.config.Name }

// Scheme returns the canonical name of the scheme that requests are verified by.
func (r *Receiver) Scheme() string { return r.scheme }

// discard returns the logger, or one that drops everything where it is nil.
func discard(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.New(slog.DiscardHandler)
	}
	return l
}
