// Package store opens the one place where a sender, a receiver's claims and its queue keep everything: a Redis (alone, with
// Sentinel, or a cluster), a server that this program runs itself ([config.LocalRedis]), or memory of this process for
// trying things out.
//
//	s, err := store.Open(config.Redis{URL: "redis://localhost:6379/0"}, store.Options{Logger: slog.Default()})
//	if err != nil { ... }
//	defer s.Close()
//
//	deliveries, err := sender.New(sender.Options{Store: s})
//	queue, err := receiver.NewQueue(receiver.QueueOptions{Store: s, Name: "videos", Deliver: deliver})
//	claims := receiver.NewRedis(s, "videos", receiver.RedisOptions{})
//
// One store serves all three, also in several processes at once. [Open] never dials: a program starts while Redis is down,
// and whatever needs the store fails with [ErrUnreachable] until Redis is up.
package store

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redisstore"
)

// Errors of [Store], matched with errors.Is.
var (
	// ErrUnreachable means that the store does not answer.
	ErrUnreachable = redisstore.ErrUnreachable
	// ErrUnsafe means that the store answers, but could lose what is written to it, or holds data of another version.
	ErrUnsafe = redisstore.ErrUnsafe
	// ErrNotEmpty is returned by [Store.Restore] without replace where the store is not empty.
	ErrNotEmpty = redisstore.ErrNotEmpty
	// ErrNoBackup is returned by [Store.Backup] and [Store.Restore] of a store in memory.
	ErrNoBackup = redisstore.ErrNoBackup
)

// Options are the options of [Open]. The zero value is ready to use.
type Options struct {
	// Prefix starts every key, so that several installations share a Redis. Defaults to [config.DefaultKeyPrefix].
	Prefix string
	// Logger receives a line when the store can't be trusted, and when it can again. Defaults to none.
	Logger *slog.Logger
}

// Store is an open store. It is safe for concurrent use. Close it only after everything that uses it has been stopped.
type Store struct{ inside *redisstore.Store }

func init() {
	redisstore.Unwrap = func(public any) *redisstore.Store {
		if s, ok := public.(*Store); ok && s != nil {
			return s.inside
		}
		return nil
	}
	redisstore.Wrap = func(inside *redisstore.Store) any { return &Store{inside} }
}

// Open prepares a store. It does not dial: a store that can't be reached is reported by [Store.Ready], and by whatever uses
// it. It fails on settings that are not valid, and on TLS files that can't be read.
func Open(c config.Redis, o Options) (*Store, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	inside, err := redisstore.Open(c, o.Prefix, o.Logger)
	if err != nil {
		return nil, err
	}
	return &Store{inside}, nil
}

// Ready returns nil where the store can be trusted with events: it answers, is Redis 6.2 or newer, and never throws anything
// away (maxmemory-policy noeviction). Otherwise the error is [ErrUnreachable] or [ErrUnsafe]. A success stands until a new
// connection is made or a write is refused, a failure for a second.
func (s *Store) Ready(ctx context.Context) error { return s.inside.Ready(ctx) }

// Check is [Store.Ready] without regard to what was found before. It asks Redis every time, so it is for health checks,
// which are rare.
func (s *Store) Check(ctx context.Context) error { return s.inside.Check(ctx) }

// Info describes a store.
type Info struct {
	// Kind is memory, local (a server that this program runs) or redis.
	Kind string
	// Since is when the store was first used by any process: nothing in it is older. Zero until the store has answered.
	Since time.Time
	// Dir, PID, Version and Started describe the server that this program runs. They are zero while none runs.
	Dir     string
	PID     int
	Version string
	Started time.Time
}

// Info describes the store. It sends no request: what is not known yet is left out.
func (s *Store) Info() Info {
	i := Info{Kind: s.inside.Kind(), Since: s.inside.Since()}
	if server, ok := s.inside.Local(); ok {
		i.Dir, i.PID, i.Version, i.Started = server.Dir, server.PID, server.Version, server.Since.UTC()
	}
	return i
}

// Backup writes everything in this store to w, as it was at one moment, while the store goes on serving; other data in the
// same Redis is left out. It returns the number of keys, and [ErrNoBackup] for a store in memory.
func (s *Store) Backup(ctx context.Context, w io.Writer) (keys int, err error) {
	return s.inside.Backup(ctx, w)
}

// Restore writes a backup into this store, which has to be empty ([ErrNotEmpty]); with replace it is emptied first. Until
// that is done, no process takes the store for ready. It returns the number of keys, and [ErrNoBackup] for a store in memory.
func (s *Store) Restore(ctx context.Context, r io.Reader, replace bool) (keys int, err error) {
	return s.inside.Restore(ctx, r, replace)
}

// InMemory reports whether the store is memory of this process, which is lost when it ends.
func (s *Store) InMemory() bool { return s.inside.InMemory() }

// Prefix returns what starts every key.
func (s *Store) Prefix() string { return s.inside.Prefix() }

// Close closes the store. Everything that uses it must have been stopped before.
func (s *Store) Close() error { return s.inside.Close() }
