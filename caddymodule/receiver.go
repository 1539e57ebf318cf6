package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/receiver"
)

func init() { caddy.RegisterModule(new(Receiver)) }

// Receiver is a gateway in front of an app that gets webhooks: it lets in only requests that are signed right, and
// each event once. An event is done when the handlers behind it answered 2xx; any other answer gives it back,
// so that the sender's retry reaches the app.
//
// It sets the placeholders {http.webhook.name}, .scheme, .id, .event, .timestamp, .key, .duplicate and
// .error, and adds webhook_name, event_id and webhook_outcome to the access log. A refusal is an error
// that handle_errors can shape.
type Receiver struct {
	// Name is what this receiver's claims, queue and metrics go by: the same on every gateway of one app, another for
	// another app. Required where the store is Redis.
	Name string `json:"name,omitempty"`

	// SchemeRaw is the signature scheme and its options. Default: videocloud.
	SchemeRaw json.RawMessage `json:"scheme,omitempty" caddy:"namespace=http.webhook_receiver.schemes inline_key=name"`

	// Secrets are tried in turn, for rotation. Write placeholders. At least one is required, but for schemes whose
	// keys are published.
	Secrets []string `json:"secrets,omitempty"`

	// Tolerance is how far a signed timestamp may be from now, either way. Default: 5m for most schemes.
	Tolerance caddy.Duration `json:"tolerance,omitempty"`

	// ToleranceOff accepts timestamps of any age. Default: false.
	ToleranceOff bool `json:"tolerance_off,omitempty"`

	// RequireTimestamp refuses videocloud deliveries without the Standard Webhooks headers. An error with another scheme.
	// Default: false.
	RequireTimestamp bool `json:"require_timestamp,omitempty"`

	// URL is the public URL, for schemes that sign it. Takes placeholders. Default: none.
	URL string `json:"url,omitempty"`

	// Allow are the IP addresses and CIDRs that may send. Takes placeholders. Default: any.
	Allow []string `json:"allow,omitempty"`

	// AllowSourcesRaw are modules that know further addresses that may send. Default: none.
	AllowSourcesRaw []json.RawMessage `json:"allow_sources,omitempty" caddy:"namespace=http.ip_sources inline_key=source"`

	// MaxSize bounds the body, in bytes. Default: 5 MiB, or max_unfinished where that is less.
	MaxSize int64 `json:"max_size,omitempty"`

	// ReadTimeout bounds how long the whole body may take. Default: 30s.
	ReadTimeout caddy.Duration `json:"read_timeout,omitempty"`

	// MaxUnfinished bounds the received bytes of all bodies that are not whole yet; one client may hold a quarter.
	// Default: 256 MiB, or four times max_size where that is more.
	MaxUnfinished int64 `json:"max_unfinished,omitempty"`

	// Methods are let in. Default: POST.
	Methods []string `json:"methods,omitempty"`

	// Challenge is the token that a provider's set-up request must show, for schemes where it shows one. Write a placeholder.
	// Default: none; such a request is not answered.
	Challenge string `json:"challenge,omitempty"`

	// Dedup lets each event through once. Default: on, with its defaults.
	Dedup *Dedup `json:"dedup,omitempty"`

	// Queue answers at once and delivers later. Default: forward directly.
	Queue *Queue `json:"queue,omitempty"`

	// DryRun verifies, counts and logs, but refuses and drops nothing. Default: false.
	DryRun bool `json:"dry_run,omitempty"`

	receiver *receiver.Receiver
	sources  []caddyhttp.IPRangeSource
	logger   *zap.Logger
	leases   leases
}

// CaddyModule returns the Caddy module information.
func (*Receiver) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.webhook_receiver", New: func() caddy.Module { return new(Receiver) }}
}

// Provision sets the receiver up. It connects to nothing.
func (r *Receiver) Provision(ctx caddy.Context) error {
	r.logger = ctx.Logger()
	if r.SchemeRaw == nil {
		r.SchemeRaw = json.RawMessage(`{"name":"` + defaultScheme + `"}`)
	}
	app, err := appOf(ctx, r)
	if err != nil {
		return err
	}
	addToErrorRoutes(ctx)
	identity, err := json.Marshal(r) // before loading modules empties the raw fields
	if err != nil {
		return err
	}
	shape, err := r.queueShape()
	if err != nil {
		return err
	}
	scheme, err := r.loadScheme(ctx)
	if err != nil {
		return err
	}
	if err := r.loadSources(ctx); err != nil {
		return err
	}
	values := &resolver{repl: caddy.NewReplacer()}
	c, err := r.convert(values, scheme)
	if err != nil {
		return err
	}
	if err := checkStore(&c, app.redis.InMemory(), app.Redis.omitted()); err != nil {
		return err
	}
	store, err := app.claims(&r.leases, &c, identity)
	if err != nil {
		return err
	}
	options := receiver.Options{
		Config:          c,
		Store:           store,
		Logger:          slogger(ctx),
		ClientIP:        clientIP,
		OriginalRequest: cameIn,
		Observe:         app.received.observed(c.Name, observer(c.Name, c.Scheme)),
	}
	if len(r.sources) > 0 {
		options.Allowed = r.allowed
	}
	if r.Queue != nil {
		if options.Enqueuer, err = app.enqueuer(ctx, r, &c, shape); err != nil {
			return err
		}
		options.Route = func(req *http.Request) []string { return r.Queue.matching(r.logger, req) }
	}
	if r.receiver, err = receiver.New(options); err != nil {
		return err
	}
	r.warnOfLogs(ctx)
	app.receivers = append(app.receivers, r.receiver)
	app.watchSecrets(r, append(slices.Clone(c.Secrets), c.Challenge))
	if c.Queue != nil || !c.Dedup.Off && c.Dedup.OnStoreError == config.OnStoreErrorReject {
		app.needsStore = true
	}
	reportLiteral(r.logger, values.literal)
	return nil
}

func (r *Receiver) loadScheme(ctx caddy.Context) (Scheme, error) {
	module, err := ctx.LoadModule(r, "SchemeRaw")
	if err != nil {
		return nil, fmt.Errorf("scheme: %w", err)
	}
	scheme, ok := module.(Scheme)
	if !ok {
		return nil, fmt.Errorf("scheme: module %T is no signature scheme", module)
	}
	return scheme, nil
}

func (r *Receiver) loadSources(ctx caddy.Context) error {
	if len(r.AllowSourcesRaw) == 0 {
		return nil
	}
	modules, err := ctx.LoadModule(r, "AllowSourcesRaw")
	if err != nil {
		return fmt.Errorf("allow: %w", err)
	}
	for _, module := range modules.([]any) {
		source, err := ipSource(module)
		if err != nil {
			return err
		}
		r.sources = append(r.sources, source)
	}
	return nil
}

// ipSource is a module of the option allow. A static list without ranges would let nobody in, and say so nowhere.
func ipSource(module any) (caddyhttp.IPRangeSource, error) {
	source, ok := module.(caddyhttp.IPRangeSource)
	if !ok {
		return nil, fmt.Errorf("allow: module %T is no source of IP ranges", module)
	}
	if static, ok := module.(*caddyhttp.StaticIPRange); ok && len(static.Ranges) == 0 {
		return nil, errors.New("allow: static names no addresses, so nobody might send; write the addresses that may, such as allow 203.0.113.0/24")
	}
	return source, nil
}

// Cleanup gives back what Provision took, also where it took only a part.
func (r *Receiver) Cleanup() error {
	var err error
	if r.receiver != nil {
		err = r.receiver.Close()
	}
	return errors.Join(err, r.leases.release())
}

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request, next caddyhttp.Handler) error {
	shown := outcomeOf(req)
	var failed error
	outcome, err := r.receiver.Serve(w, req, func(w http.ResponseWriter, req *http.Request) error {
		shown.set(receiver.FromContext(req.Context()))
		behind := next
		if r.Queue != nil { // only a dry run goes on from here: what it lets through takes the queue's way, at once
			behind = r.Queue.atOnce(r.logger, req, next)
		}
		failed = behind.ServeHTTP(w, req)
		return orNoApp(req, failure(failed))
	})
	shown.set(&outcome)
	logOutcome(req, &outcome)
	if failed != nil {
		return failed // as it was, for handle_errors
	}

	var refusal *receiver.Refusal
	if !errors.As(err, &refusal) {
		return err
	}
	for name, values := range refusal.Header {
		w.Header()[name] = values
	}
	return caddyhttp.Error(refusal.Status, refusal)
}

// failure is an error of handlers as the receiver is told it. Caddy's own text for it holds a random ID and a line of its
// sources.
func failure(err error) error {
	var failed caddyhttp.HandlerError
	if !errors.As(err, &failed) {
		return err
	}
	return &receiver.Failure{Status: failed.StatusCode, Err: failed.Err}
}

// allowed asks the modules that know addresses.
func (r *Receiver) allowed(req *http.Request, client netip.Addr) bool {
	for _, source := range r.sources {
		if slices.ContainsFunc(source.GetIPRanges(req), func(network netip.Prefix) bool { return network.Contains(client) }) {
			return true
		}
	}
	return false
}

// clientIP is the address that Caddy takes for the client's, with trusted_proxies honoured.
func clientIP(req *http.Request) netip.Addr {
	text, _ := caddyhttp.GetVar(req.Context(), caddyhttp.ClientIPVarKey).(string)
	address, _ := netip.ParseAddr(text)
	return address
}

// cameIn is the request as Caddy got it, before any handle_path, uri, rewrite or method: that is what was signed.
func cameIn(req *http.Request) (method, target string) {
	if original, ok := req.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok && original.RequestURI != "" {
		return original.Method, original.RequestURI
	}
	return req.Method, req.RequestURI
}

// observer counts the requests to one receiver. What it counts in is looked up once.
func observer(name, scheme string) func(receiver.Outcome) {
	duration, counts := receiverDuration.WithLabelValues(name), map[string]prometheus.Counter{}
	for _, outcome := range receiverOutcomes {
		counts[outcome] = receiverRequests.WithLabelValues(name, scheme, outcome)
	}
	return func(o receiver.Outcome) {
		if count, ok := counts[o.Result]; ok {
			count.Inc()
		} else {
			receiverRequests.WithLabelValues(name, scheme, o.Result).Inc()
		}
		duration.Observe(o.Duration.Seconds())
		if o.Error == receiver.ReasonStore {
			storeErrors.WithLabelValues(operationReceive).Inc()
		}
		feedReceived(&o)
	}
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Receiver)(nil)
	_ caddy.CleanerUpper          = (*Receiver)(nil)
	_ caddyhttp.MiddlewareHandler = (*Receiver)(nil)
)
