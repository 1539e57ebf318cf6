package receiver

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"github.com/stretchr/testify/require"
)

// redisServer is a real one, on a socket in its own directory.
type redisServer struct {
	dir string
	cmd *exec.Cmd
}

// startRedis skips the test where there is no redis-server, but never in CI.
func startRedis(t *testing.T) *redisServer {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("CI needs redis-server on PATH")
		}
		t.Skip("redis-server is not on PATH")
	}
	// Not t.TempDir: the path of a socket may have 107 bytes only.
	dir, err := os.MkdirTemp("", "redis")
	require.NoError(t, err)
	s := &redisServer{dir: dir}
	t.Cleanup(func() {
		s.stop()
		_ = os.RemoveAll(dir)
	})
	s.start(t, path)
	return s
}

func (s *redisServer) start(t *testing.T, path string) {
	t.Helper()
	s.cmd = exec.Command(path, "--port", "0", "--unixsocket", s.socket(), "--dir", s.dir, "--save", "", "--appendonly", "no")
	require.NoError(t, s.cmd.Start())
	client := s.client(t)
	require.Eventually(t, func() bool { return client.Ping(context.Background()).Err() == nil }, 10*time.Second, 5*time.Millisecond)
}

func (s *redisServer) socket() string { return filepath.Join(s.dir, "s") }

func (s *redisServer) stop() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

func (s *redisServer) freeze(t *testing.T) {
	t.Helper()
	require.NoError(t, s.cmd.Process.Signal(syscall.SIGSTOP))
}

func (s *redisServer) thaw(t *testing.T) {
	t.Helper()
	require.NoError(t, s.cmd.Process.Signal(syscall.SIGCONT))
}

func (s *redisServer) client(t *testing.T) *redis.Client {
	return newClient(t, &redis.Options{Network: "unix", Addr: s.socket()})
}

func newClient(t *testing.T, o *redis.Options) *redis.Client {
	t.Helper()
	o.Protocol = 2
	o.DisableIdentity = true
	o.ContextTimeoutEnabled = true
	o.MaxRetries = 2
	o.DialerRetries = 1
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	c := redis.NewClient(o)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// backend is where the stores of a test keep their claims.
type backend struct {
	open func(t *testing.T, name string) Store // another gateway's store on the same data
	pass func(time.Duration)                   // lets time go by, where it can be told to
	// truth is asked by tests of what the store itself knows; nil for a memory.
	client *redis.Client
}

// eachBackend runs a test on every store there is. Where the store is a process of its own it starts one.
func eachBackend(t *testing.T, test func(*testing.T, backend)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		c := newClock()
		stores := map[string]*Memory{}
		test(t, backend{
			open: func(_ *testing.T, name string) Store {
				if stores[name] == nil {
					stores[name] = NewMemory(MemoryOptions{Now: c.now})
				}
				return stores[name]
			},
			pass: c.advance,
		})
	})
	t.Run("miniredis", func(t *testing.T) {
		t.Parallel()
		m := miniredis.RunT(t)
		client := newClient(t, &redis.Options{Addr: m.Addr()})
		test(t, backend{open: opener(client), pass: m.FastForward, client: client})
	})
	t.Run("redis", func(t *testing.T) {
		t.Parallel()
		client := startRedis(t).client(t)
		test(t, backend{open: opener(client), pass: func(time.Duration) {}, client: client})
	})
}

func opener(client *redis.Client) func(*testing.T, string) Store {
	return func(t *testing.T, name string) Store {
		t.Helper()
		r := NewRedis(client, "test", name, RedisOptions{Guard: GuardOptions{Timeout: 5 * time.Second}})
		t.Cleanup(func() { require.NoError(t, r.Close()) })
		return r
	}
}
