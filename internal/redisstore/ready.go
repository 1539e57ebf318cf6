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

// errRestoring is a store into which a backup is being put.
var errRestoring = fmt.Errorf("%w: a backup is being restored into it", ErrUnsafe)

// recheckFailed is how long a failed check stands before it is made again.
const recheckFailed = time.Second

// Ready reports whether the store can be trusted with events. A success stands until a connection is made
// anew; a failure is checked again after a second.
func (s *Store) Ready(ctx context.Context) error {
	_, err := s.Shards(ctx)
	return err
}

// Check is [Store.Ready] that asks anew, whatever was found before: for health checks, which are asked seldom.
func (s *Store) Check(ctx context.Context) error {
	s.InvalidateCheck()
	return s.Ready(ctx)
}

// Shards returns the number of shards that the store was laid out with, after the checks of [Store.Ready].
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

// startOrJoinCheck starts a check, or waits for the one that is under way. It belongs to nobody's request: a caller that has
// little time must neither end it for the others nor have them wait one behind the other.
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
	var said *localredis.Problem // it has its own line in the log
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

func (s *Store) fresh(c *checked) bool {
	if c == nil {
		return false
	}
	if c.err != nil {
		return time.Since(c.at) < recheckFailed
	}
	return c.connections == s.connections.Load()
}

// InvalidateCheck makes the next Ready check again, after a write was refused.
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
		return int(known), nil // the node that holds it is down: that says nothing of the others
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

// checkMasters checks every master: version, eviction policy and role. Where a part of a cluster is down, what lives on the rest
// goes on, and each operation tells for itself.
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

// classify says whether an error came from a Redis that refuses what is asked of it, or from the lack of an answer.
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

// readLayout stores the data version and the shard count at first use, and checks them afterwards.
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

// Installation returns the random name that the store was given at its first use: the same for all processes on it.
func (s *Store) Installation(ctx context.Context) (string, error) {
	if name := s.installation.Load(); name != nil {
		return *name, nil
	}
	if err := s.Ready(ctx); err != nil {
		return "", err
	}
	if name := s.installation.Load(); name != nil {
		return *name, nil
	}
	return "", ErrUnreachable // a cluster of which only the node with the name is down
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
