package redisstore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/videocloud/webhooks/internal/backup"
	"github.com/videocloud/webhooks/internal/rdb"
	"github.com/videocloud/webhooks/internal/version"
)

// Errors of [Store.Backup] and [Store.Restore], matched with errors.Is.
var (
	ErrNoBackup = errors.New("a store in memory can't be backed up or restored; write redis local or a URL")
	ErrNotEmpty = errors.New("the store is not empty")
)

// snapshotSilence is how long a server may send nothing while it makes its snapshot. It sends a sign of life every second.
const snapshotSilence = 30 * time.Second

// Backup writes everything in this store to w, as it was at one moment: the server sends its snapshot as it does to a
// replica, so nobody has to wait meanwhile. In a cluster each node has a moment of its own, but an account lives on one
// node. It returns the number of keys, and [ErrNoBackup] for a store in memory.
func (s *Store) Backup(ctx context.Context, w io.Writer) (keys int, err error) {
	if s.memory != nil {
		return 0, ErrNoBackup
	}
	if err := s.Check(ctx); err != nil {
		return 0, err
	}
	out, err := backup.NewWriter(w, backup.Head{Prefix: s.prefix, Version: version.Number, At: time.Now().UTC()})
	if err != nil {
		return 0, err
	}
	db := 0
	add := func(e rdb.Entry) error {
		if e.DB != db {
			return nil
		}
		return out.Add(backup.Entry{Key: e.Key, Expires: e.Expires, Dump: e.Dump})
	}
	if ours, ok := s.Local(); ok {
		// The server leaves its snapshot in a file, which would keep what is deleted from the store afterwards.
		defer os.Remove(filepath.Join(ours.Dir, "dump.rdb"))
	}
	err = s.onMasters(ctx, func(ctx context.Context, node *redis.Client) error {
		db = node.Options().DB
		snapshot, err := openSnapshot(ctx, node.Options())
		if err != nil {
			return err
		}
		defer snapshot.Close()
		return rdb.Read(snapshot, s.ownsKey, add)
	})
	if err != nil {
		return 0, fmt.Errorf("backing up: %w", err)
	}
	return out.Close()
}

// onMasters calls f for each master of a cluster, one after the other, or for the only server.
func (s *Store) onMasters(ctx context.Context, f func(context.Context, *redis.Client) error) error {
	cluster, ok := s.client.(*redis.ClusterClient)
	if !ok {
		return f(ctx, s.client.(*redis.Client))
	}
	var mu sync.Mutex // the client calls for all masters at once
	return cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		mu.Lock()
		defer mu.Unlock()
		return f(ctx, node)
	})
}

// ownsKey reports whether a key belongs to this store.
func (s *Store) ownsKey(key string) bool {
	rest, ok := strings.CutPrefix(key, "{"+s.prefix)
	return ok && (strings.HasPrefix(rest, "}:") || strings.HasPrefix(rest, ":"))
}

// snapshot is the stream of a snapshot. A read fails when nothing comes for [snapshotSilence].
type snapshot struct {
	io.Reader
	net.Conn
}

func (s *snapshot) Read(p []byte) (int, error) {
	_ = s.SetReadDeadline(time.Now().Add(snapshotSilence))
	return s.Reader.Read(p)
}

// openSnapshot asks a server for its snapshot, over a connection of its own: the client can't read a stream.
func openSnapshot(ctx context.Context, o *redis.Options) (_ *snapshot, err error) {
	c, err := o.Dialer(ctx, o.Network, o.Addr)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = c.Close()
		}
	}()
	context.AfterFunc(ctx, func() { _ = c.Close() })
	r := bufio.NewReader(c)
	if err := requestSync(c, r, o); err != nil {
		return nil, err
	}
	for {
		_ = c.SetReadDeadline(time.Now().Add(snapshotSilence))
		line, err := r.ReadString('\n')
		if err != nil {
			return nil, err
		}
		switch line = strings.TrimSpace(line); {
		case line == "": // a sign of life: the snapshot is not ready yet
		case strings.HasPrefix(line, "$"):
			n, err := strconv.ParseInt(line[1:], 10, 64)
			if err != nil {
				return nil, fmt.Errorf("the server offers its snapshot as %q", line)
			}
			return &snapshot{io.LimitReader(r, n), c}, nil
		default:
			return nil, fmt.Errorf("the server gives no snapshot: %s; its user needs the command sync", strings.TrimPrefix(line, "-"))
		}
	}
}

// requestSync logs in and asks for the snapshot.
func requestSync(c net.Conn, r *bufio.Reader, o *redis.Options) error {
	_ = c.SetDeadline(time.Now().Add(snapshotSilence))
	defer func() { _ = c.SetDeadline(time.Time{}) }()
	if o.Password != "" {
		words := []string{"AUTH", o.Password}
		if o.Username != "" {
			words = []string{"AUTH", o.Username, o.Password}
		}
		if err := writeCommand(c, words...); err != nil {
			return err
		}
		if line, err := r.ReadString('\n'); err != nil || !strings.HasPrefix(line, "+") {
			return errors.Join(err, errors.New("the server refuses the username or password"))
		}
	}
	return writeCommand(c, "SYNC")
}

func writeCommand(w io.Writer, words ...string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(words))
	for _, word := range words {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(word), word)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
