// Package redisstore connects to the store: one Redis, Redis Sentinel, Redis Cluster, or an in-memory
// stand-in that runs the same scripts. It knows nothing of webhooks.
//
// [Open] never dials, so that a configuration can be loaded while Redis is down. [Store.Ready] says
// whether the store is safe to write to: reachable, at least version 6.2, and configured not to evict keys.
// It checks that again after every new connection.
//
//	s, err := redisstore.Open(config.Redis{URL: "redis://localhost:6379/0"}, "webhooks", log)
//	...
//	if err := s.Ready(ctx); err != nil { /* answer 503 */ }
package redisstore

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/localredis"
)

// Store is a connection to Redis, or the in-memory stand-in. It is safe for concurrent use.
type Store struct {
	client   redis.UniversalClient
	memory   *memory           // nil with a real Redis
	local    *localredis.Lease // nil unless this program runs the server
	config   config.Redis
	restores bool // its connections write a backup into the store, so they are accepted during a restore
	prefix   string
	replicas int
	timeout  time.Duration
	log      *slog.Logger

	connections atomic.Int64 // connections made and writes refused: each makes Ready check again
	check       atomic.Pointer[checked]
	checkMu     sync.Mutex // guards closed, waiting and endCheck
	closed      bool
	waiting     []chan *checked // the callers that wait for the check in progress
	endCheck    func()          // cancels the check in progress
	checks      sync.WaitGroup  // the check in progress
	knownShards atomic.Int64    // shards, as last read; 0: never
	since       atomic.Int64    // unix seconds, as last read

	installation atomic.Pointer[string] // nil until it has been read
}

// checked is the outcome of a safety check.
type checked struct {
	connections int64 // Store.connections at its end: a success stands until that changes
	at          time.Time
	shards      int
	err         error
}

// Open prepares a client for c, which must be valid. It does not dial: an unreachable Redis is reported by
// [Store.Ready]. It fails only on TLS files that can't be read. prefix starts every key, and defaults to
// [config.DefaultKeyPrefix]. Without a log nothing is logged.
func Open(c config.Redis, prefix string, log *slog.Logger) (*Store, error) {
	c.SetDefaults()
	if prefix == "" {
		prefix = config.DefaultKeyPrefix
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Store{config: c, prefix: prefix, replicas: c.Replicas, timeout: c.Timeout, log: log}
	if c.InMemory() {
		s.memory = newMemory()
		s.client = redis.NewClient(s.applyDefaults(&redis.UniversalOptions{}, c.Timeout, s.memory.dial).Simple())
		return s, nil
	}
	if c.Local != nil {
		s.local = localredis.Use(*c.Local, log)
		s.client = redis.NewClient(s.applyDefaults(&redis.UniversalOptions{}, c.Timeout, s.local.Dial).Simple())
		return s, nil
	}
	o, err := options(c)
	if err != nil {
		return nil, err
	}
	s.applyDefaults(o, c.Timeout, newDial(c.Timeout, o.TLSConfig))
	switch {
	case c.MasterName != "":
		s.client = redis.NewFailoverClient(o.Failover())
	case c.Cluster || len(o.Addrs) > 1:
		cluster := o.Cluster()
		cluster.MaxRedirects = 8
		cluster.MaxRetries = -1 // of the client of one node; MaxRedirects already bounds how often a command is tried
		cluster.ClusterStateReloadInterval = 5 * time.Second
		s.client = redis.NewClusterClient(cluster)
	default:
		s.client = redis.NewClient(o.Simple())
	}
	return s, nil
}

// applyDefaults replaces the client's defaults, whose timeouts of several seconds would hold up requests.
func (s *Store) applyDefaults(o *redis.UniversalOptions, timeout time.Duration, dial dial) *redis.UniversalOptions {
	o.Dialer = dial.markErrors(s.log)
	o.Protocol = 2
	o.DisableIdentity = true
	o.ContextTimeoutEnabled = true
	o.DialTimeout = timeout
	o.ReadTimeout = timeout
	o.WriteTimeout = timeout
	o.PoolTimeout = timeout
	o.DialerRetries = 1
	o.MaxRetries = 2 // every script is safe to repeat
	o.MinRetryBackoff = 8 * time.Millisecond
	o.MaxRetryBackoff = 100 * time.Millisecond
	o.PoolSize = 64
	o.ConnMaxIdleTime = 5 * time.Minute
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	o.OnConnect = func(ctx context.Context, c *redis.Conn) error {
		s.connections.Add(1)
		return s.refuseDuringRestore(ctx, c)
	}
	return o
}

func options(c config.Redis) (*redis.UniversalOptions, error) {
	o := &redis.UniversalOptions{
		Addrs: c.Addresses, MasterName: c.MasterName, SentinelPassword: c.SentinelPassword,
		Username: c.Username, Password: c.Password, DB: c.DB,
	}
	if c.URL != "" {
		u, err := redis.ParseURL(c.URL)
		if err != nil {
			// The library's error repeats the URL, which may hold a password.
			return nil, errors.New("redis: not a valid URL; write redis://[user:password@]host:6379/0")
		}
		o.Addrs, o.TLSConfig = []string{u.Addr}, u.TLSConfig
		o.Username, o.Password, o.DB = cmp.Or(u.Username, c.Username), cmp.Or(u.Password, c.Password), cmp.Or(u.DB, c.DB)
	}
	if t := c.TLS; t != nil {
		conf, err := tlsConfig(t)
		if err != nil {
			return nil, err
		}
		o.TLSConfig = conf
	}
	return o, nil
}

// CheckTLS reads the files that t names, and returns what is wrong with them, or nil.
func CheckTLS(t config.RedisTLS) error {
	_, err := tlsConfig(&t)
	return err
}

func tlsConfig(t *config.RedisTLS) (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("redis: tls: reading ca: %w", err)
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("redis: tls: ca: %s holds no PEM certificate", t.CA)
		}
	}
	if t.Cert != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("redis: tls: loading cert and key: %w", err)
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	return conf, nil
}

// Client returns the Redis client. The keys of a script that is run through it must have one hash tag in common.
func (s *Store) Client() redis.UniversalClient { return s.client }

// Since returns when the store was first used by any process, or the zero time while that is not known.
func (s *Store) Since() time.Time {
	if at := s.since.Load(); at > 0 {
		return time.Unix(at, 0).UTC()
	}
	return time.Time{}
}

// Local returns what is known of the server that this program runs; ok is false where it runs none.
func (s *Store) Local() (info localredis.Info, ok bool) {
	if s.local == nil {
		return info, false
	}
	return s.local.Info()
}

// Kind returns [config.Memory], [config.Local] (this program runs the server) or "redis".
func (s *Store) Kind() string {
	switch {
	case s.memory != nil:
		return config.Memory
	case s.local != nil:
		return config.Local
	}
	return "redis"
}

// InMemory reports whether the store is the in-memory stand-in.
func (s *Store) InMemory() bool { return s.memory != nil }

// Prefix returns what starts every key.
func (s *Store) Prefix() string { return s.prefix }

// Replicas returns how many replicas must have a write before it counts; 0 means that none is waited for.
func (s *Store) Replicas() int { return s.replicas }

// Timeout returns how long one command may take.
func (s *Store) Timeout() time.Duration { return s.timeout }

// SetTime stops the clock of the in-memory store at t; the zero time lets it run again. Only for tests.
func (s *Store) SetTime(t time.Time) {
	if s.memory != nil {
		s.memory.server.SetTime(t)
	}
}

// Close cancels a check in progress, closes the client, drops an in-memory store, and stops a server that this program
// runs, if no other store uses it. Its error is that of closing the client.
func (s *Store) Close() error {
	s.checkMu.Lock()
	s.closed = true
	if len(s.waiting) > 0 {
		s.endCheck()
	}
	s.checkMu.Unlock()
	err := s.client.Close()
	s.checks.Wait()
	if s.memory != nil {
		s.memory.close()
	}
	if s.local != nil {
		s.local.Release()
	}
	return err
}
