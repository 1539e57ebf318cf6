package caddymodule

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/polls"
	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/receiver"
	"github.com/videocloud/webhooks/sender"
	"github.com/videocloud/webhooks/store"
)

func init() {
	caddy.RegisterModule(new(App))
	httpcaddyfile.RegisterGlobalOption("webhooks", parseApp)
}

// App holds what the webhook handlers of one configuration share: the store, the sender and the tracer.
// Without it in the configuration, a handler runs on an in-memory store.
type App struct {
	// Redis is the store. Default: in memory, lost at exit, with a warning in the log.
	Redis *Redis `json:"redis,omitempty"`

	// KeyPrefix starts every key in the store. Default: webhooks.
	KeyPrefix string `json:"key_prefix,omitempty"`

	// Tracing exports spans by OTLP, as the OTEL_* environment variables say. Default: false.
	Tracing bool `json:"tracing,omitempty"`

	// Sender configures deliveries; they run only where it is given. Default: none.
	Sender *Sender `json:"sender,omitempty"`

	ctx     caddy.Context
	logger  *zap.Logger
	redis   config.Redis
	sender  config.Sender
	literal []string // options with a literal secret

	leases      leases
	store       *store.Store
	tracer      *tracer       // nil without tracing
	relay       *relay        // nil with a store in memory: no other process is on it
	polls       polls.Answers // what the tabs of console and portal share
	received    *receivedCounts
	running     *sender.Sender
	receivers   []*receiver.Receiver
	apis        []*API
	consoles    []*Console
	queues      []namedQueue
	shared      map[string]sharedQueue // by receiver
	fileSecrets []*fileSecrets
	needsStore  bool           // a receiver answers 503 while the store is down
	nameless    map[string]int // how many receivers without a name have the same settings, by these

	cancel context.CancelFunc
	ends   <-chan struct{} // closed when it stops
	work   sync.WaitGroup
}

// CaddyModule returns the Caddy module information.
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "webhooks", New: func() caddy.Module { return new(App) }}
}

var keyPrefix = regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,64}$`)

// Provision resolves the settings and takes the store. It dials nothing and starts nothing: it also runs for `caddy validate`, and a Redis
// that is down must not keep Caddy from starting.
func (a *App) Provision(ctx caddy.Context) error {
	a.ctx, a.logger = ctx, ctx.Logger()
	a.nameless, a.shared = map[string]int{}, map[string]sharedQueue{}
	if err := a.resolve(); err != nil {
		return err
	}
	if err := registerMetrics(ctx.GetMetricsRegistry(), queueMetrics{a}); err != nil {
		return err
	}
	var err error
	if a.store, err = a.leases.store(a.place()); err != nil {
		return err
	}
	if !a.redis.InMemory() {
		if a.relay, err = a.leases.relay(a.place(), a.store); err != nil {
			return err
		}
	}
	if a.received, err = a.leases.received(a.place()); err != nil {
		return err
	}
	if a.Tracing && !tracingDisabled() {
		if a.tracer, err = a.leases.tracer(); err != nil {
			return err
		}
	}
	if a.Sender != nil {
		_, err = a.service()
	}
	return err
}

func (a *App) resolve() error {
	if err := noEmptyLists(a); err != nil {
		return err
	}
	values := &resolver{repl: caddy.NewReplacer()}
	a.redis = a.Redis.convert(values)
	if values.err != nil {
		return values.err
	}
	if err := a.redis.Validate(); err != nil {
		return err
	}
	if err := a.Redis.checkTLS(a.redis.TLS); err != nil {
		return err
	}
	if a.redis.InMemory() {
		a.redis.URL = config.Memory
	}
	a.KeyPrefix = cmp.Or(a.KeyPrefix, config.DefaultKeyPrefix)
	if err := checkKeyPrefix(a.KeyPrefix); err != nil {
		return err
	}
	settings := a.Sender
	if settings == nil {
		settings = &Sender{DeliverOff: true}
	}
	var err error
	if a.sender, err = settings.settings(values); err != nil {
		return fmt.Errorf("sender: %w", err)
	}
	a.literal = values.literal
	return nil
}

func checkKeyPrefix(prefix string) error {
	if !keyPrefix.MatchString(prefix) {
		return fmt.Errorf("key_prefix: %q can't start a key; use letters, digits and . _ : -, 64 at most", prefix)
	}
	return nil
}

func (a *App) place() place { return place{a.redis, a.KeyPrefix} }

// Start runs what works in the background.
func (a *App) Start() error {
	if err := a.tracer.export(a.ctx); err != nil {
		return err
	}
	if a.Redis.omitted() {
		a.logger.Warn("NO STORE IS CONFIGURED: webhooks, events and the memory of duplicates are kept in this process and are LOST when it exits; " +
			"write `redis local` into the global option webhooks to keep them on this machine (it needs the package redis-server or valkey: " +
			"apt install redis-server), `redis redis://host:6379/0` for a Redis of yours, or `redis memory` if this is meant")
	}
	for _, text := range a.withoutEffect() {
		a.logger.Warn(text)
	}
	reportLiteral(a.logger, a.literal)
	a.warnOfOthers()
	for _, c := range a.consoles {
		if err := c.checkActAs(); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancel(a.ctx)
	a.cancel, a.ends = cancel, ctx.Done()
	a.work.Go(func() {
		// Ready logs its own failure: an unreachable Redis is said at once, not at the first event.
		_ = a.store.Ready(ctx)
	})
	if a.running != nil {
		if err := a.running.Start(ctx); err != nil {
			cancel() // an app that fails to start is not stopped
			return err
		}
	}
	for _, q := range a.queues {
		q.Start(ctx)
	}
	if a.relay != nil {
		a.relay.start()
	}
	if len(a.fileSecrets) > 0 {
		a.work.Go(func() {
			for redisstore.Sleep(ctx, secretsAge) {
				a.reloadSecrets()
			}
		})
	}
	started.add(a)
	return nil
}

// withoutEffect names options that do nothing beside others: a configuration shared by several processes may have them.
func (a *App) withoutEffect() (list []string) {
	if s := a.Sender; s != nil {
		if s.PropagateTrace && !a.Tracing {
			list = append(list, "propagate_trace does nothing without tracing in the global option webhooks")
		}
		if s.DeliverOff && s.Concurrency != 0 {
			list = append(list, "concurrency does nothing beside deliver off: this process delivers nothing")
		}
		if s.DeliverOff && s.DisableAfter != 0 {
			list = append(list, "disable_after does nothing beside deliver off: this process delivers nothing")
		}
	}
	return list
}

// stopGrace is how long a sender or a queue that stops may take: the attempts in flight get 10 s of it.
const stopGrace = 12 * time.Second

// Stop ends what Start began.
func (a *App) Stop() error {
	if a.cancel == nil {
		return nil
	}
	started.remove(a)
	a.cancel()
	// The configuration's own context may be over already, and the attempts in flight should still end well, those of all queues at once.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(a.ctx), stopGrace)
	defer cancel()
	for _, q := range a.queues {
		a.work.Go(func() {
			if err := q.Stop(ctx); err != nil {
				a.logger.Warn("a queue was cut off; what it was delivering will be delivered again", zap.String("webhook_name", q.name), zap.Error(err))
			}
		})
	}
	if a.running != nil {
		if err := a.running.Stop(ctx); err != nil {
			a.logger.Warn("the sender was cut off; what it was delivering will be delivered again", zap.Error(err))
		}
	}
	a.work.Wait()
	if a.relay != nil {
		a.relay.end()
	}
	return nil
}

// Cleanup gives back what Provision took, also where it took only a part.
func (a *App) Cleanup() error { return a.leases.release() }

// appOf returns the App of the configuration that is being loaded, an empty one where none is written, for a handler whose settings it
// checks for empty lists.
func appOf(ctx caddy.Context, settings any) (*App, error) {
	if err := noEmptyLists(settings); err != nil {
		return nil, err
	}
	app, err := ctx.App("webhooks")
	if err != nil {
		return nil, err
	}
	return app.(*App), nil
}

// reportLiteral says once which options hold a secret that GET /config/ shows.
func reportLiteral(logger *zap.Logger, options []string) {
	if len(options) == 0 {
		return
	}
	logger.Info("secrets are written out in the configuration, where GET /config/ shows them; {env.NAME} or {file./path} hide them",
		zap.Strings("options", options))
}

// somethingDelivers refuses an API whose events nobody can ever deliver: a store in memory is this process's alone.
func (a *App) somethingDelivers() error {
	switch {
	case !a.redis.InMemory() || a.Sender != nil && !a.Sender.DeliverOff:
		return nil
	case a.Sender != nil:
		return errors.New("webhook_api: with redis memory no other process can deliver what this API takes; remove deliver off from sender, or name a Redis")
	case a.Redis.omitted():
		return errors.New("webhook_api: without a Redis no other process can deliver what this API takes; write sender into the global option webhooks, or redis there too")
	}
	return errors.New("webhook_api: with redis memory no other process can deliver what this API takes; write sender into the global option webhooks, or name a Redis")
}

// parseApp reads the global option webhooks.
func parseApp(d *caddyfile.Dispenser, existing any) (any, error) {
	d.Next()
	if existing != nil {
		return nil, d.Err("webhooks is given twice")
	}
	app := new(App)
	if err := app.UnmarshalCaddyfile(d); err != nil {
		return nil, err
	}
	return httpcaddyfile.App{Name: "webhooks", Value: caddyconfig.JSON(app, nil)}, nil
}

// UnmarshalCaddyfile reads the block of the global option; the dispenser stands on its name. Syntax:
//
//	webhooks {
//		redis <url>|memory|local [<dir>] [{ <options> }]|{ <options> }
//		key_prefix <name>
//		tracing
//		sender [{ <options> }]
//	}
func (a *App) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	if d.CountRemainingArgs() > 0 {
		return d.Err("webhooks takes a block and no argument")
	}
	_, err := parseBlock(d, block{
		"redis":      made(&a.Redis, (*Redis).unmarshalCaddyfile),
		"key_prefix": word(&a.KeyPrefix).then(func() error { return checkKeyPrefix(a.KeyPrefix) }),
		"tracing":    flag(&a.Tracing),
		"sender":     made(&a.Sender, (*Sender).unmarshalCaddyfile),
	}.read)
	return err
}

// started are the apps that were started and not stopped, the newest last: during a reload there are two.
var started startedApps

type startedApps struct {
	mu   sync.Mutex
	apps []*App
}

func (r *startedApps) add(a *App) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.apps = append(r.apps, a)
}

func (r *startedApps) remove(a *App) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.apps = slices.DeleteFunc(r.apps, func(app *App) bool { return app == a })
}

// newest returns the app that was started last.
func (r *startedApps) newest() (*App, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.apps) == 0 {
		return nil, errNotRunning
	}
	return r.apps[len(r.apps)-1], nil
}

// Interface guards
var (
	_ caddy.App             = (*App)(nil)
	_ caddy.Provisioner     = (*App)(nil)
	_ caddy.CleanerUpper    = (*App)(nil)
	_ caddyfile.Unmarshaler = (*App)(nil)
)
