package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/localredis"
)

// The layouts of the keys that this program can read and write. A new store gets the newest; an older one keeps its own
// until its operator raises it, once no older program is left. A store of any other version is refused rather than
// misread. See docs/scaling.md for how a rolling restart goes from one version to the next.
const (
	dataVersion   = 2
	oldestVersion = 2
)

// Errors of [Store.Ready], matched with errors.Is.
var (
	// ErrUnreachable means that Redis did not answer.
	ErrUnreachable = errors.New("redis is unreachable")
	// ErrUnsafe means that Redis answers but could lose what is written to it.
	ErrUnsafe = errors.New("redis is not safe to use")
)

// errRestoring means that a backup is being restored into the store.
var errRestoring = fmt.Errorf("%w: a backup is being restored into it", ErrUnsafe)

// recheckFailed is how long the outcome of a failed check stands.
const recheckFailed = time.Second

// Ready returns nil where the store can be trusted with events, otherwise an error that is [ErrUnreachable] or
// [ErrUnsafe]. A success stands until a new connection is made or a write is refused, a failure for a second.
func (s *Store) Ready(ctx context.Context) error {
	_, err := s.Shards(ctx)
	return err
}

// Check is [Store.Ready] without regard to what was found before. It asks Redis every time, so it is for health checks,
// which are rare.
func (s *Store) Check(ctx context.Context) error {
	s.InvalidateCheck()
	return s.Ready(ctx)
}

// Shards returns the number of shards that the store was set up with, or the error of [Store.Ready].
func (s *Store) Shards(ctx context.Context) (int, error) {
	if c := s.check.Load(); s.fresh(c) {
		return c.shards, c.err
	}
	select {
	case c := <-s.startOrJoinCheck(ctx):
		return c.shards, c.err
	case <-ctx.Done():
		return 0, fmt.Errorf("%w: %w", ErrUnreachable, ctx.Err())
	}
}

// startOrJoinCheck starts a check, or joins the one in progress; the outcome comes through the channel. The check is no
// part of any request: a caller with little time must neither end it for the others nor make them check one by one.
func (s *Store) startOrJoinCheck(ctx context.Context) <-chan *checked {
	answer := make(chan *checked, 1)
	s.checkMu.Lock()
	defer s.checkMu.Unlock()
	if c := s.check.Load(); s.fresh(c) {
		answer <- c
		return answer
	}
	if s.closed {
		answer <- &checked{err: fmt.Errorf("%w: %w", ErrUnreachable, redis.ErrClosed)}
		return answer
	}
	s.waiting = append(s.waiting, answer)
	if len(s.waiting) == 1 {
		ctx, s.endCheck = context.WithCancel(context.WithoutCancel(ctx))
		s.checks.Go(func() { s.runCheck(ctx) })
	}
	return answer
}

func (s *Store) runCheck(ctx context.Context) {
	before, c := s.check.Load(), &checked{}
	c.shards, c.err = s.runChecks(ctx)
	c.connections, c.at = s.connections.Load(), time.Now()
	var said *localredis.Problem // localredis has logged it
	switch {
	case errors.As(c.err, &said):
	case c.err != nil && (before == nil || before.err == nil || before.err.Error() != c.err.Error()):
		s.log.Error("store not ready", "error", c.err)
	case c.err == nil && before != nil && before.err != nil:
		s.log.Info("store ready again")
	}
	s.checkMu.Lock()
	defer s.checkMu.Unlock()
	s.check.Store(c)
	s.endCheck()
	for _, answer := range s.waiting {
		answer <- c
	}
	s.waiting = nil
}

// fresh reports whether the outcome c still stands.
func (s *Store) fresh(c *checked) bool {
	if c == nil {
		return false
	}
	if c.err != nil {
		return time.Since(c.at) < recheckFailed
	}
	return c.connections == s.connections.Load()
}

// InvalidateCheck makes the next [Store.Ready] check the store again, as after a write was refused.
func (s *Store) InvalidateCheck() { s.connections.Add(1) }

func (s *Store) runChecks(ctx context.Context) (shards int, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	if s.memory == nil {
		if err := s.checkMasters(ctx); err != nil {
			return 0, err
		}
	}
	shards, err = s.readLayout(ctx)
	if known := s.knownShards.Load(); err != nil && known > 0 && !errors.Is(err, ErrUnsafe) && s.isCluster() {
		return int(known), nil // the node that holds the layout is down, but others may serve
	}
	if err == nil {
		s.knownShards.Store(int64(shards))
	}
	return shards, err
}

// isCluster reports whether the store is a cluster, of which a part can be down.
func (s *Store) isCluster() bool {
	_, ok := s.client.(*redis.ClusterClient)
	return ok
}

// checkMasters checks the version, eviction policy and role of every master. It succeeds while only a part of a cluster is
// down: the rest serves what it holds, and each operation on that part fails by itself.
func (s *Store) checkMasters(ctx context.Context) error {
	cluster, ok := s.client.(*redis.ClusterClient)
	if !ok {
		return checkNode(ctx, s.client)
	}
	var mu sync.Mutex
	var unsafe error
	answered := false
	err := cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		err := checkNode(ctx, node)
		mu.Lock()
		defer mu.Unlock()
		answered = answered || err == nil
		if errors.Is(err, ErrUnsafe) {
			unsafe = err
		}
		return err
	})
	switch {
	case unsafe != nil:
		return unsafe
	case err == nil || answered:
		return nil
	case errors.Is(err, ErrUnreachable):
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, err)
}

func checkNode(ctx context.Context, node redis.Cmdable) error {
	text, err := node.Info(ctx).Result()
	if err != nil {
		return classify(err)
	}
	info := map[string]string{}
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[k] = v
		}
	}
	if v := info["redis_version"]; !atLeast(v, 6, 2) {
		return fmt.Errorf("%w: version %s is too old; use Redis 6.2 or newer", ErrUnsafe, v)
	}
	if p, ok := info["maxmemory_policy"]; ok && p != "noeviction" {
		return fmt.Errorf("%w: maxmemory-policy is %s, which could throw events away; set it to noeviction", ErrUnsafe, p)
	}
	if info["loading"] == "1" {
		return fmt.Errorf("%w: it is still loading its data", ErrUnreachable)
	}
	if r, ok := info["role"]; ok && r != "master" {
		return fmt.Errorf("%w: it is a read-only replica; name its master, or use Sentinel (master_name)", ErrUnsafe)
	}
	return nil
}

// classify returns err as an [ErrUnsafe] where Redis refused a command for a known reason, otherwise as an
// [ErrUnreachable].
func classify(err error) error {
	switch {
	case errors.Is(err, ErrUnsafe):
		return err
	case redis.HasErrorPrefix(err, "OOM"):
		return fmt.Errorf("%w: it is full; give it more memory (maxmemory): %w", ErrUnsafe, err)
	case redis.HasErrorPrefix(err, "READONLY"):
		return fmt.Errorf("%w: it is a read-only replica; name its master, or use Sentinel (master_name): %w", ErrUnsafe, err)
	case redis.HasErrorPrefix(err, "MISCONF"):
		return fmt.Errorf("%w: it can't save its data: %w", ErrUnsafe, err)
	case redis.HasErrorPrefix(err, "WRONGPASS"), redis.HasErrorPrefix(err, "NOAUTH"), redis.HasErrorPrefix(err, "NOPERM"):
		return fmt.Errorf("%w: it refuses the username or password: %w", ErrUnsafe, err)
	case redis.HasErrorPrefix(err, "MOVED"), redis.HasErrorPrefix(err, "CROSSSLOT"):
		return fmt.Errorf("%w: it is part of a cluster; write cluster: %w", ErrUnsafe, err)
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, err)
}

// readLayout stores the data version and the number of shards when the store is first used, checks those that are there,
// and returns the number of shards.
func (s *Store) readLayout(ctx context.Context) (int, error) {
	key := s.metaKey()
	pipe := s.client.Pipeline()
	pipe.HSetNX(ctx, key, "version", dataVersion)
	pipe.HSetNX(ctx, key, "shards", config.DefaultShards)
	pipe.HSetNX(ctx, key, "installation", strings.ToLower(rand.Text()))
	pipe.HSetNX(ctx, key, "since", time.Now().Unix())
	values := pipe.HMGet(ctx, key, "version", "shards", "installation", "since", fieldRestoring)
	if _, err := pipe.Exec(ctx); err != nil {
		return 0, classify(err)
	}
	var found struct {
		Version      int    `redis:"version"`
		Shards       int    `redis:"shards"`
		Installation string `redis:"installation"`
		Since        int64  `redis:"since"`
		Restoring    string `redis:"restoring"`
	}
	if err := values.Scan(&found); err != nil {
		return 0, fmt.Errorf("%w: reading %s: %w", ErrUnsafe, key, err)
	}
	switch {
	case found.Restoring != "":
		return 0, restoringError(found.Restoring)
	case found.Version > dataVersion:
		return 0, fmt.Errorf("%w: its data has version %d and this program knows versions up to %d; use a newer program, or another key_prefix", ErrUnsafe, found.Version, dataVersion)
	case found.Version < oldestVersion:
		return 0, fmt.Errorf("%w: its data has version %d and this program knows versions from %d on; it was made by a program of before 1.0: empty that store, or use another key_prefix", ErrUnsafe, found.Version, oldestVersion)
	}
	if found.Shards < 1 || found.Shards > 1<<14 {
		return 0, fmt.Errorf("%w: %s holds an impossible shard count %d", ErrUnsafe, key, found.Shards)
	}
	s.installation.Store(&found.Installation)
	s.since.Store(found.Since)
	return found.Shards, nil
}

// Installation returns the random name that the store was given when it was first used. It is the same for all processes
// that use the store. Before it was read once, the error is that of [Store.Ready].
func (s *Store) Installation(ctx context.Context) (string, error) {
	if s.installation.Load() == nil {
		if err := s.Ready(ctx); err != nil {
			return "", err
		}
	}
	return *s.installation.Load(), nil // the first check that succeeds has read it
}

func atLeast(version string, major, minor int) bool {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return false
	}
	a, err1 := strconv.Atoi(parts[0])
	b, err2 := strconv.Atoi(parts[1])
	return err1 == nil && err2 == nil && (a > major || a == major && b >= minor)
}
