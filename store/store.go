// Package store opens the one place where a sender, a receiver's claims and its queue keep everything: a Redis (alone, with
// Sentinel, or a cluster), a server of its own
// on this machine ([config.LocalRedis]), or a memory in this process for trying things out.
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
// and what needs the store says so until it is there.
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
	// ErrNotEmpty is a restore into a store that holds something.
	ErrNotEmpty = redisstore.ErrNotEmpty
	// ErrNoBackup is a backup or restore of a store in memory.
	ErrNoBackup = redisstore.ErrNoBackup
)

// Options of [Open]. The zero value is good.
type Options struct {
	// Prefix starts every key, so that several installations share a Redis. Defaults to [config.DefaultKeyPrefix].
	Prefix string
	// Logger is told when the store can't be trusted, and when it can again. Defaults to none.
	Logger *slog.Logger
}

// Store is an open store. It is safe for concurrent use, and must outlive whatever was given it.
type Store struct{ inside *redisstore.Store }

func init() {
	redisstore.Unwrap = func(face any) *redisstore.Store {
		if s, ok := face.(*Store); ok && s != nil {
			return s.inside
		}
		return nil
	}
	redisstore.Wrap = func(inside *redisstore.Store) any { return &Store{inside} }
}

// Open prepares a store. It dials nothing: a store that can't be reached is reported by [Store.Ready], and by whatever uses
// it. It fails on settings that can't work, and on TLS files that can't be read.
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

// Ready reports whether the store can be trusted with events: it answers, is Redis 6.2 or newer, and never throws anything
// away (maxmemory-policy noeviction). A yes stands until a connection has to be made anew, a no for a second.
func (s *Store) Ready(ctx context.Context) error { return s.inside.Ready(ctx) }

// Check is [Store.Ready] that asks anew, whatever was found before: for health checks, which are asked seldom.
func (s *Store) Check(ctx context.Context) error { return s.inside.Check(ctx) }

// Info is about the store.
type Info struct {
	// Kind is memory, local (a server of our own) or redis.
	Kind string
	// Since is when the store was used for the first time: what is in it is no older. Zero until it answered.
	Since time.Time
	// Dir, PID, Version and Started are about a server of our own, while it runs.
	Dir     string
	PID     int
	Version string
	Started time.Time
}

// Info says which store it is, and since when. It asks nobody: what was not heard yet is left out.
func (s *Store) Info() Info {
	i := Info{Kind: s.inside.Kind(), Since: s.inside.Since()}
	if server, ok := s.inside.Local(); ok {
		i.Dir, i.PID, i.Version, i.Started = server.Dir, server.PID, server.Version, server.Since.UTC()
	}
	return i
}

// Backup writes everything of this store into w, as it was at one moment, while all goes on; what else the Redis holds is left
// out. It returns how many keys that were. A store in memory has none.
func (s *Store) Backup(ctx context.Context, w io.Writer) (keys int, err error) {
	return s.inside.Backup(ctx, w)
}

// Restore puts a backup into this store, which has to be empty; with replace what is there goes. Until it is done, no
// process takes the store for ready. It returns how many keys that were.
func (s *Store) Restore(ctx context.Context, r io.Reader, replace bool) (keys int, err error) {
	return s.inside.Restore(ctx, r, replace)
}

// InMemory reports whether the store is a memory of this process, lost when it ends.
func (s *Store) InMemory() bool { return s.inside.InMemory() }

// Prefix returns what starts every key.
func (s *Store) Prefix() string { return s.inside.Prefix() }

// Close lets the store go. What was given it must have been stopped before.
func (s *Store) Close() error { return s.inside.Close() }
