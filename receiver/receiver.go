// Package receiver is a gateway in front of an app that gets webhooks. It verifies who sent a request,
// lets each event through once, and leaves the rest of the work to the next handler:
//
//	methods → addresses → signature header and timestamp → body → signature → identity → claim → app → settle
//
// The first of these that says no is the answer, and nothing is stored before the signature is right.
// An event is done when the app answered 2xx. Any other answer, none, or a panic gives it back, so that the
// sender's next try reaches the app again. The app gets the bytes that were signed, and the headers
// X-Webhook-Verified, X-Webhook-Id, X-Webhook-Event and X-Webhook-Timestamp; whatever a client sends
// under such names is dropped.
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
// Several gateways in front of one app share what they know through Redis ([NewRedis]) under the same name.
package receiver

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/signature"
)

// Options are what a [Receiver] is made of. Only Config.Secrets is required.
type Options struct {
	// Config are the settings; what is not given gets its default.
	Config config.Receiver
	// Store remembers the events. It is not closed by the receiver. Defaults to a [Memory] of its own.
	Store Store
	// Enqueuer takes the events where Config.Queue is set, and only there.
	Enqueuer Enqueuer
	// Route names the apps that a request goes to, as it is accepted: those of its [Deliveries] that match. With several it is
	// needed.
	Route func(*http.Request) []string
	// Verifier checks signatures. Defaults to the one that Config.Scheme names.
	Verifier Verifier
	// Logger gets one line for each request. Defaults to none.
	Logger *slog.Logger
	// ClientIP says which address a request comes from. Defaults to the peer's, whatever headers say.
	ClientIP func(*http.Request) netip.Addr
	// CameIn says with which method and request target a request came in, which is what is signed, where handlers in front of the
	// receiver rewrite it. Defaults to what the request has now.
	CameIn func(*http.Request) (method, target string)
	// Allowed knows further addresses that may send, asked where Config.Allow holds none that matches.
	// With it set, or with Config.Allow, no other address may.
	Allowed func(*http.Request, netip.Addr) bool
	// Observe is called after each request, for metrics.
	Observe func(Outcome)
	// Now is the clock for timestamps and durations. Defaults to time.Now.
	Now func() time.Time
	// TracerProvider makes the spans. Defaults to that of the span in the request's context.
	TracerProvider trace.TracerProvider
}

// Receiver verifies requests and lets each event through once.
type Receiver struct {
	credentials atomic.Pointer[credentials]

	config   config.Receiver
	scheme   string // its own name, whatever alias it was asked for by
	store    Store  // nil without dedup
	queue    Enqueuer
	kept     func(header string) bool // of a request that is queued
	stores   bool                     // the queue is our own, and takes all that is not refused
	log      *slog.Logger
	lines    lines
	sources  sources
	bodies   bodyReader
	observe  func(Outcome)
	now      func() time.Time
	cameIn   func(*http.Request) (method, target string)
	route    func(*http.Request) []string // nil: to the only app
	tracing  trace.TracerProvider
	verified []string // values of X-Webhook-Verified, shared by all requests
	allow    string   // value of Allow
	close    func() error
}

// New returns a receiver for the options, or an error that names the setting that can't work.
// It starts nothing and connects to nothing.
func New(o Options) (*Receiver, error) {
	c := o.Config
	c.SetDefaults()
	if err := c.Validate(); err != nil {
		return nil, err
	}
	r := &Receiver{config: c, scheme: signature.Canonical(c.Scheme), queue: o.Enqueuer, log: o.Logger, observe: o.Observe, route: o.Route,
		now: o.Now, tracing: o.TracerProvider, verified: []string{c.Scheme}, allow: allowHeader(c.Methods)}
	if c.Queue == nil {
		r.queue = nil
	} else if r.queue == nil {
		return nil, errors.New("queue: there is nothing to keep the events in; give the receiver an Enqueuer")
	}
	_, own := r.queue.(ownQueue)
	r.stores = own && !c.DryRun
	var scheme verifier = foreign{o.Verifier}
	if o.Verifier == nil {
		var err error
		if scheme, err = newVerifier(&c); err != nil {
			return nil, err
		}
	}
	r.credentials.Store(&credentials{scheme, c.Challenge})
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if r.cameIn = o.CameIn; r.cameIn == nil {
		r.cameIn = func(req *http.Request) (method, target string) { return req.Method, req.RequestURI }
	}
	if r.now == nil {
		r.now = time.Now
	}
	r.kept = isKept
	if secret := r.SecretHeaders(); len(secret) > 0 {
		r.kept = func(name string) bool { return isKept(name) && !slices.Contains(secret, name) }
	}
	r.sources = newSources(c.Allow, o.ClientIP, o.Allowed)
	r.bodies = bodyReader{limit: c.MaxSize, timeout: c.ReadTimeout, client: r.sources.client, counts: newUnfinished(c.MaxUnfinished), lenient: c.DryRun}
	if c.MaxSize > c.MaxUnfinished/config.UnfinishedShare {
		r.log.Warn("max_size, by default, is more than a quarter of max_unfinished, which is all that one client may hold: larger bodies can only come in one piece",
			"webhook_name", c.Name, "max_size", c.MaxSize, "max_unfinished", c.MaxUnfinished)
	}
	if err := r.useStore(o.Store); err != nil {
		return nil, err
	}
	return r, nil
}

// useStore settles where claims are kept. A foreign store is guarded, so that its outage obeys on_store_error.
func (r *Receiver) useStore(s Store) error {
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

// Close ends what the receiver started itself. Requests under way are not disturbed.
func (r *Receiver) Close() error {
	if r.close == nil {
		return nil
	}
	return r.close()
}

// Name returns the name that scopes the receiver's events.
func (r *Receiver) Name() string { return r.config.Name }

// verifierError gives a configuration error of the scheme its place.
func verifierError(scheme string, err error) error {
	return fmt.Errorf("scheme %s: %w", scheme, err)
}
