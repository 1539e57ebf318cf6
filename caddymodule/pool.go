package caddymodule

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/caddyserver/caddy/v2"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/store"
)

// pool keeps what outlives a configuration: connections to Redis, the in-memory store and the tracer. It is
// keyed by resolved settings, so that a reload that leaves them alone finds the same value.
var pool = caddy.NewUsagePool()

// leases are what one configuration took from the pool. Only that is given back: a module whose
// Provision failed half-way is cleaned up too.
type leases struct{ keys []string }

// pooled is a value in the pool, with what ends it after its last user: nil where nothing has to.
type pooled[V any] struct {
	value V
	end   func() error
}

// Destruct implements caddy.Destructor.
func (p pooled[V]) Destruct() error {
	if p.end == nil {
		return nil
	}
	return p.end()
}

// take gets a value from the pool, making it if need be.
func take[V any](l *leases, kind string, settings any, make func() (value V, end func() error, err error)) (value V, err error) {
	text, err := json.Marshal(settings)
	if err != nil {
		return value, err
	}
	// A digest, because settings hold passwords and a pool prints its keys when it is misused.
	key := fmt.Sprintf("%s:%x", kind, sha256.Sum256(text))
	found, _, err := pool.LoadOrNew(key, func() (caddy.Destructor, error) {
		value, end, err := make()
		return pooled[V]{value, end}, err
	})
	if err != nil {
		return value, err
	}
	l.keys = append(l.keys, key)
	return found.(pooled[V]).value, nil
}

// release gives everything back.
func (l *leases) release() error {
	var errs []error
	for _, key := range l.keys {
		_, err := pool.Delete(key)
		errs = append(errs, err)
	}
	l.keys = nil
	return errors.Join(errs...)
}

// place is where a configuration keeps what it stores.
type place struct {
	Redis  config.Redis
	Prefix string // of every key
}

func (l *leases) store(at place) (*store.Store, error) {
	return take(l, "store", at, func() (*store.Store, func() error, error) {
		s, err := store.Open(at.Redis, store.Options{Prefix: at.Prefix, Logger: liveLogger("webhooks.store")})
		return s, s.Close, err
	})
}

// relay is one for a store and process, which also lasts through reloads. Whoever started it has stopped it.
func (l *leases) relay(at place, on *store.Store) (*relay, error) {
	return take(l, "relay", at, func() (*relay, func() error, error) {
		return newRelay(redisstore.Unwrap(on), feed, rand.Text()), nil, nil
	})
}

// liveLogger logs to whatever Caddy's default logger is at that moment: what lives in the pool outlives the loggers of the configuration that
// made it.
func liveLogger(name string) *slog.Logger {
	return slog.New(liveLog(func() slog.Handler { return logHandler(caddy.Log(), name) }))
}

// liveLog is a handler that is made anew for every line.
type liveLog func() slog.Handler

func (l liveLog) Enabled(ctx context.Context, level slog.Level) bool { return l().Enabled(ctx, level) }

func (l liveLog) Handle(ctx context.Context, r slog.Record) error { return l().Handle(ctx, r) }

func (l liveLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return liveLog(func() slog.Handler { return l().WithAttrs(attrs) })
}

func (l liveLog) WithGroup(name string) slog.Handler {
	return liveLog(func() slog.Handler { return l().WithGroup(name) })
}
