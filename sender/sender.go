// Package sender delivers a platform's events to its customers' webhooks: it keeps their registrations, takes events
// in, signs and delivers them, retries by the documented table, marks a webhook failed after the last attempt and tells
// its owner. It needs Redis (or the in-memory store) and nothing else; it knows nothing of Caddy.
//
//	Publish ──► one script: remember the ID, find the webhooks, queue a delivery for each
//	                                   │
//	        dispatcher: claim ──► attempt ──► settle      (internal/queue)
//	                     ▲                      │
//	                     └── 1, 5, 15, 30 min ──┤ failed
//	                                            └─► outbox ──► notices to the owner
//
// A sender that has not been started takes registrations and events all the same; they are delivered by whichever
// process runs one.
//
//	s, err := sender.New(sender.Options{Store: store})
//	...
//	if err := s.Start(ctx); err != nil { ... }
//	defer s.Stop(context.Background())
//	_, err = s.Publish(ctx, "default", sender.Event{Type: "video.uploaded", Data: json.RawMessage(`{"videoId":"vid_123456"}`)})
package sender

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/destination"
	"github.com/videocloud/webhooks/internal/names"
	"github.com/videocloud/webhooks/internal/queue"
	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/internal/seal"
	"github.com/videocloud/webhooks/internal/version"
	"github.com/videocloud/webhooks/sender/internal/registry"
	"github.com/videocloud/webhooks/store"
)

// Options of a [Sender].
type Options struct {
	// Config holds the settings. A zero field stands for its default.
	Config config.Sender
	// Store keeps everything; see [store.Open]. Required. It must outlive the sender.
	Store *store.Store
	// Logger gets one line for each outcome. Defaults to none.
	Logger *slog.Logger
	// Version is shown in the User-Agent. Defaults to this module's own.
	Version string
	// OnEvent is called for webhook_failed and webhook_recovered, with the data of the notice. Defaults to nothing.
	OnEvent func(ctx context.Context, name string, data map[string]any)
	// Forbidden returns the addresses of our own admin endpoints, which are never delivered to. Defaults to none.
	Forbidden func() []netip.AddrPort
	// TracerProvider makes the spans. Defaults to none; then no trace leaves with a delivery either.
	TracerProvider trace.TracerProvider
	// Observer is told of attempts and of deliveries that ended, for metrics. Defaults to nothing.
	Observer Observer
	// Watcher is told of each attempt. Defaults to nobody.
	Watcher Watcher
	// Transport replaces the guarded transport in tests. Defaults to one that obeys Config.
	Transport http.RoundTripper
}

// Observer is told what happens, for metrics. Its methods must not block.
type Observer interface {
	// Attempt is one HTTP request that ended: outcome is success, or the kind of the failure.
	Attempt(outcome string, took time.Duration)
	// Delivery is one delivery that reached a state.
	Delivery(state State)
	// StoreError is an operation that the store refused.
	StoreError(operation string)
}

type noObserver struct{}

func (noObserver) Attempt(string, time.Duration) {}
func (noObserver) Delivery(State)                {}
func (noObserver) StoreError(string)             {}

// Sender takes registrations and events, and delivers. It is safe for concurrent use.
type Sender struct {
	c           config.Sender
	o           Options
	log         *slog.Logger
	store       *redisstore.Store
	queue       *queue.Queue
	registry    *registry.Registry
	policy      *destination.Policy
	transport   http.RoundTripper
	sealer      *seal.Sealer
	tracer      trace.Tracer
	names       config.BrandHeaders
	userAgent   []string
	eventTypes  catalogueCache
	propagate   bool // traceparent leaves with a delivery
	lines       logLines
	stats       statsCache
	began       atomic.Int64 // when it began to deliver, in unix ms
	endpoints   endpoints
	replays     replays
	scans       *scanQueue // of scans
	pace        pace
	notify      notifier
	mails       mailSettings
	filters     filters
	withTimeout func(context.Context, time.Duration) (context.Context, context.CancelFunc) // bounds an attempt: context.WithTimeout, but in tests of what happens then

	dispatcher *queue.Dispatcher
	tasks      chan int // shards with notices or tasks to look at
	stop       context.CancelFunc
	running    sync.WaitGroup
}

// New prepares a sender. It does not dial and starts nothing.
func New(o Options) (*Sender, error) {
	if o.Store == nil {
		return nil, errors.New("sender: Options.Store is required")
	}
	o.Config.SetDefaults()
	if err := o.Config.Validate(); err != nil {
		return nil, err
	}
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	o.Version = cmp.Or(o.Version, version.Number)
	if o.Observer == nil {
		o.Observer = noObserver{}
	}
	c := o.Config
	propagate := c.PropagateTrace && o.TracerProvider != nil
	if o.TracerProvider == nil {
		o.TracerProvider = noop.NewTracerProvider()
	}
	s := &Sender{
		c: c, o: o, log: o.Logger, store: redisstore.Unwrap(o.Store), names: config.HeadersFor(c.Brand),
		tracer: o.TracerProvider.Tracer("github.com/videocloud/webhooks/sender"), tasks: make(chan int, 64), scans: newScanQueue(),
		propagate: propagate, pace: replayPace, withTimeout: context.WithTimeout,
	}
	s.userAgent = []string{s.names.UserAgent + "/" + o.Version}
	cidrs, private, err := c.Networks()
	if err != nil {
		return nil, err
	}
	s.policy = &destination.Policy{AllowHTTP: c.AllowHTTP, Allow: cidrs, AllowPrivate: private, Forbidden: o.Forbidden}
	if s.transport = o.Transport; s.transport == nil {
		// As many idle connections are kept as there can be in use.
		t := destination.TransportOptions{MaxConns: 2 * max(c.Concurrency, queue.SlotCeiling())}
		if c.Proxy != "" {
			if t.Proxy, err = url.Parse(c.Proxy); err != nil {
				return nil, errors.New("proxy: not a valid URL")
			}
		}
		s.transport = destination.NewTransport(s.policy, t)
	}
	keys, err := c.Keys()
	if err != nil {
		return nil, err
	}
	if s.sealer, err = seal.New(keys); err != nil {
		return nil, fmt.Errorf("encryption_key: %w", err)
	}
	if s.notify, err = s.newNotifier(); err != nil {
		return nil, err
	}
	if s.mails, err = s.newMailSettings(); err != nil {
		return nil, err
	}
	s.queue = queue.New(s.store, s.limits(), queue.ShardTags(s.store.Prefix()))
	s.registry = registry.New(s.store, s.queue)
	s.dispatcher = queue.NewDispatcher(queue.Options{
		Queue: s.queue, Store: s.store, Shards: s.store.Shards, Handler: s.attempt,
		Concurrency: c.Concurrency, PerLane: c.PerWebhook, OnNotices: s.wakeTasks, OnExpired: s.recordExpired, Logger: s.log,
	})
	return s, nil
}

func (s *Sender) limits() queue.Limits {
	var span time.Duration
	for _, d := range s.c.Retry {
		span += max(d, config.MaxRetryAfter) + s.c.Timeout
	}
	return queue.Limits{
		Kept: s.c.RetentionSucceeded, KeptDead: s.c.RetentionFailed, IDLifetime: config.EventIDLifetime,
		LogLength: s.c.HistoryEntries, LogAge: s.c.HistoryAge, InFlight: s.c.PerWebhook, Pending: s.c.MaxPending, PendingAccount: s.c.MaxPendingAccount,
		MaxAge: s.c.MaxAge, RetrySpan: span,
	}
}

// Start begins to deliver, unless the configuration says that this process does not. It returns at once; while Redis
// is down it goes on trying.
func (s *Sender) Start(ctx context.Context) error {
	if s.stop != nil {
		return errors.New("sender: already started")
	}
	if !s.sealer.Encrypts() {
		s.log.Warn("signing secrets are stored unencrypted; set encryption_key to what this prints: caddy webhook keygen --type encryption")
	}
	ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx)) // ends with Stop, not with the caller's context
	if s.c.DeliverOff {
		return nil
	}
	s.began.Store(time.Now().UnixMilli())
	s.running.Go(func() { s.dispatcher.Run(ctx) })
	s.running.Go(func() { s.runHeartbeat(ctx) })
	for _, loop := range s.mailLoops() {
		s.running.Go(func() { loop.run(ctx) })
	}
	s.running.Go(func() {
		s.runTasks(ctx)
		s.replays.wait.Wait()
	})
	return nil
}

// Stop ends deliveries: nothing more is claimed, attempts in flight get up to 10 s, and what is left is handed back.
// It returns when that is done or ctx ends.
func (s *Sender) Stop(ctx context.Context) error {
	if s.stop == nil {
		return nil
	}
	s.stop()
	done := make(chan struct{})
	go func() {
		s.running.Wait()
		s.closeIdleConnections()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		return fmt.Errorf("stopping the sender: %w", ctx.Err())
	}
	return nil
}

// closeIdleConnections closes the connections that are kept for further deliveries.
func (s *Sender) closeIdleConnections() {
	for _, transport := range []http.RoundTripper{s.transport, s.notify.transport} {
		if t, ok := transport.(interface{ CloseIdleConnections() }); ok {
			t.CloseIdleConnections()
		}
	}
}

// shard returns the shard of an account, or an [Error] of [CodeUnavailable] while the store can't be used.
func (s *Sender) shard(ctx context.Context, account string) (int, error) {
	if !names.IsAccount(account) { // it becomes a part of keys and topics
		return 0, errAccount
	}
	n, err := s.store.Shards(ctx)
	if err != nil {
		return 0, s.unavailable("check", err)
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(account))
	return int(h.Sum32() % uint32(n)), nil
}

// unavailable turns a failure of the store into the error for the caller. The cause stays in Err.
func (s *Sender) unavailable(operation string, err error) error {
	s.o.Observer.StoreError(operation)
	return &Error{Code: CodeUnavailable, Message: "the store can't be reached or refuses writes right now; try again shortly", Err: err}
}

// writeError turns what the registry says of a write into the error for the caller.
func (s *Sender) writeError(operation string, err error) error {
	switch {
	case errors.Is(err, registry.ErrEnding):
		return errEnding
	case errors.Is(err, registry.ErrGone):
		return errNotFound
	case errors.Is(err, registry.ErrChanged):
		return err // retryChanged handles it
	}
	return s.unavailable(operation, err)
}

var errNotFound = &Error{Code: CodeNotFound, Message: "there is no such thing in this account; check the ID"}
