// Package redistest gives tests a store: the in-memory one, and a redis-server of their own where it is on PATH.
// With CI=true a missing redis-server is a failure.
package redistest

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/freeport"
	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/store"
)

// Server is a redis-server that a test started.
type Server struct {
	Port int      // on 127.0.0.1
	Args []string // further arguments; a change holds from the next [Server.Up] on
	dir  string
	cmd  *exec.Cmd
	t    testing.TB
}

// Start starts a redis-server with a directory of its own and further arguments. It ends with the test. Without a
// redis-server on PATH the test is skipped, or fails with CI=true.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	Need(t, "redis-server")
	s := &Server{Port: FreePort(t), Args: args, dir: t.TempDir(), t: t}
	s.Up()
	t.Cleanup(s.Kill)
	return s
}

// Need skips a test where a program is not on PATH; with CI=true the test fails.
func Need(t testing.TB, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not on PATH: with CI=true it has to be", program)
	}
	t.Skipf("%s is not on PATH: this test needs it", program)
}

// FreePort is [freeport.Find] for a test, which fails where no port is free.
func FreePort(t testing.TB) int {
	t.Helper()
	port, err := freeport.Find()
	require.NoError(t, err)
	return port
}

// Up starts the server and waits until it answers. After [Server.Kill] it starts it again on the same port and directory.
func (s *Server) Up() {
	s.t.Helper()
	args := append([]string{"--port", strconv.Itoa(s.Port), "--bind", "127.0.0.1", "--dir", s.dir, "--save", "", "--maxmemory-policy", "noeviction"}, s.Args...)
	s.cmd = exec.Command("redis-server", args...)
	var out bytes.Buffer
	s.cmd.Stdout, s.cmd.Stderr = &out, &out
	require.NoError(s.t, s.cmd.Start())
	require.Eventually(s.t, s.answers, 2*time.Minute, 10*time.Millisecond, "redis-server does not answer: %s", &out)
}

func (s *Server) answers() bool {
	c, err := net.DialTimeout("tcp", s.Addr(), time.Second)
	if err != nil {
		return false
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Second))
	fmt.Fprint(c, "PING\r\n")
	b := make([]byte, 5)
	n, _ := c.Read(b)
	return string(b[:n]) == "+PONG" || string(b[:n]) == "-NOAU" // NOAUTH: it runs and asks for a password
}

// Kill ends the server at once, as a crash would.
func (s *Server) Kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

// Process returns the process of the running server.
func (s *Server) Process() *os.Process { return s.cmd.Process }

// Addr returns the server's host:port.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)) }

// URL returns the server's redis:// URL.
func (s *Server) URL() string { return "redis://" + s.Addr() + "/0" }

// Client returns a plain client that is closed when the test ends.
func (s *Server) Client() *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: s.Addr(), DisableIdentity: true, Protocol: 2, PoolSize: 2, DialTimeout: Patience, ReadTimeout: Patience, WriteTimeout: Patience})
	s.t.Cleanup(func() { _ = c.Close() })
	return c
}

// Open opens a store that is closed when the test ends. Its timeout is [Patience] unless c has another.
func Open(t testing.TB, c config.Redis) *redisstore.Store {
	t.Helper()
	if c.Timeout == 0 {
		c.Timeout = Patience
	}
	s, err := redisstore.Open(c, "", nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// Public returns a store as the public package store has it.
func Public(s *redisstore.Store) *store.Store { return redisstore.Wrap(s).(*store.Store) }

// Patience is the store timeout of tests that are not about timeouts. With the race detector on a busy machine, a store may answer,
// or a test may read the answer, only after the three seconds that are the default.
const Patience = 30 * time.Second

// Each runs a test against both stores: in memory, and on Redis.
func Each(t *testing.T, test func(t *testing.T, s *redisstore.Store)) {
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		test(t, Open(t, config.Redis{URL: config.Memory}))
	})
	t.Run("redis", func(t *testing.T) {
		t.Parallel()
		test(t, Open(t, config.Redis{URL: Start(t).URL()}))
	})
}
