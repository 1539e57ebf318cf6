package redisstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/videocloud/webhooks/internal/backup"
)

const (
	restoreKeys  = 200         // keys in one round trip, at most
	restoreBytes = 4 << 20     // bytes in one round trip, about
	restoreTime  = time.Minute // for one round trip and its repetitions
)

// fieldRestoring is the field of the store's record that is set during a restore: no process then takes the store for
// ready.
const fieldRestoring = "restoring"

// refuseDuringRestore refuses a new connection while a backup is being restored. [Store.Ready] checks again after a new
// connection, but the connection may be made for a call that was told before that the store is ready.
func (s *Store) refuseDuringRestore(ctx context.Context, c *redis.Conn) error {
	if s.memory != nil || s.restores || s.isCluster() {
		return nil
	}
	if since, err := c.HGet(ctx, s.metaKey(), fieldRestoring).Result(); err == nil && since != "" {
		return restoringError(since)
	}
	return nil // any other problem is reported by the store's check
}

func restoringError(since string) error {
	return fmt.Errorf("%w since %s; where that has ended, run it again with --replace", errRestoring, since)
}

func (s *Store) metaKey() string { return "{" + s.prefix + "}:meta" }

// Restore writes a backup into this store, which has to be empty; with replace it is emptied first. Meanwhile every process
// that uses the store reports that it is not ready. It returns the number of keys, [ErrNotEmpty] where the store is not
// empty, and [ErrNoBackup] for a store in memory.
//
// Failure policy: the last write replaces the record that keeps the store closed, which opens it. A restore that ended before
// that leaves the store closed, and has to be run again with replace.
func (s *Store) Restore(ctx context.Context, from io.Reader, replace bool) (keys int, err error) {
	if s.memory != nil {
		return 0, ErrNoBackup
	}
	if err := s.Check(ctx); err != nil && !(replace && errors.Is(err, errRestoring)) {
		return 0, err
	}
	private, err := Open(s.config, s.prefix, s.log)
	if err != nil {
		return 0, err
	}
	defer private.Close()
	private.restores = true
	keys, err = private.restore(ctx, from, replace)
	s.InvalidateCheck()
	return keys, err
}

// restore is Restore over connections of its own, the only ones that are accepted meanwhile.
func (s *Store) restore(ctx context.Context, from io.Reader, replace bool) (keys int, err error) {
	var record *backup.Entry // of the store; written last, as it opens the store
	batch := make([]backup.Entry, 0, restoreKeys)
	size := 0
	flush := func() error {
		err := s.put(ctx, batch)
		batch, size = batch[:0], 0
		return err
	}
	keys, err = backup.Read(from, func(h backup.Head) error {
		if h.Prefix != s.prefix {
			return fmt.Errorf("the backup is of the key_prefix %s, and this store's is %s", h.Prefix, s.prefix)
		}
		return s.beginRestore(ctx, replace)
	}, func(e backup.Entry) error {
		if !s.ownsKey(e.Key) {
			return fmt.Errorf("the backup holds the key %q, which is none of ours", e.Key)
		}
		if e.Key == s.metaKey() {
			record = &e
			return nil
		}
		batch, size = append(batch, e), size+len(e.Dump)
		if len(batch) < restoreKeys && size < restoreBytes {
			return nil
		}
		return flush()
	})
	if err == nil {
		err = flush()
	}
	if err == nil && record == nil {
		err = errors.New("the backup lacks the record of its store")
	}
	if err == nil {
		err = s.put(ctx, []backup.Entry{*record})
	}
	if err == nil {
		err = s.disconnectOthers(ctx) // the backup may have another number of shards
	}
	if err != nil {
		return 0, fmt.Errorf("restoring: %w", err)
	}
	return keys, nil
}

// beginRestore closes the store to everybody, and makes sure that it is empty.
func (s *Store) beginRestore(ctx context.Context, replace bool) error {
	if err := s.client.HSet(ctx, s.metaKey(), fieldRestoring, time.Now().UTC().Format(time.RFC3339)).Err(); err != nil {
		return classify(err)
	}
	if err := s.disconnectOthers(ctx); err != nil {
		return err
	}
	if !replace { // checked only now, when no other process can write any more
		n, err := s.scanKeys(ctx, func(context.Context, *redis.Client, []string) error { return errStop })
		if err == nil && n > 0 {
			err = fmt.Errorf("%w: a backup goes into an empty one, or with --replace in the place of what is there", ErrNotEmpty)
		}
		if err != nil {
			return errors.Join(err, s.client.HDel(ctx, s.metaKey(), fieldRestoring).Err())
		}
		return nil
	}
	_, err := s.scanKeys(ctx, func(ctx context.Context, node *redis.Client, keys []string) error {
		pipe := node.Pipeline()
		for _, key := range keys {
			pipe.Unlink(ctx, key)
		}
		_, err := pipe.Exec(ctx)
		return err
	})
	return err
}

// errStop ends scanKeys early.
var errStop = errors.New("enough")

// scanKeys calls f with the keys of accounts and receivers, page by page, and returns how many it saw.
func (s *Store) scanKeys(ctx context.Context, f func(context.Context, *redis.Client, []string) error) (seen int, err error) {
	pattern := "{" + strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`).Replace(s.prefix) + ":*"
	err = s.onMasters(ctx, func(ctx context.Context, node *redis.Client) error {
		for cursor := uint64(0); ; {
			keys, next, err := node.Scan(ctx, cursor, pattern, 500).Result()
			if err != nil {
				return classify(err)
			}
			seen += len(keys)
			if len(keys) > 0 {
				if err := f(ctx, node, keys); err != nil {
					return err
				}
			}
			if cursor = next; cursor == 0 {
				return nil
			}
		}
	})
	if errors.Is(err, errStop) {
		err = nil
	}
	return seen, err
}

// disconnectOthers closes all other connections, so that every process reads the store's record again.
func (s *Store) disconnectOthers(ctx context.Context) error {
	s.InvalidateCheck()
	return s.onMasters(ctx, func(ctx context.Context, node *redis.Client) error {
		if err := node.ClientKillByFilter(ctx, "TYPE", "normal", "SKIPME", "yes").Err(); err != nil {
			return fmt.Errorf("cutting the connections of the other processes: %w", err)
		}
		return nil
	})
}

func (s *Store) put(ctx context.Context, batch []backup.Entry) error {
	if len(batch) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, restoreTime)
	defer cancel()
	var err error
	for range 3 { // disconnectOthers may have closed idle connections of this store too
		pipe := s.client.Pipeline()
		for _, e := range batch {
			pipe.Do(ctx, "RESTORE", e.Key, e.Expires, e.Dump, "REPLACE", "ABSTTL")
		}
		_, err = pipe.Exec(ctx)
		if err == nil {
			return nil
		}
	}
	if redis.HasErrorPrefix(err, "ERR DUMP payload") {
		return errors.New("this server is older than the one that the backup was made of, and can't read it")
	}
	return classify(err)
}
