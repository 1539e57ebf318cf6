//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package localredis_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/localredis"
	"github.com/videocloud/webhooks/internal/redistest"
)

// programEnv holds the settings of a server that this program uses when a test starts it again.
const programEnv = "LOCALREDIS_PROGRAM"

func TestMain(m *testing.M) {
	if text := os.Getenv(programEnv); text != "" {
		program(text)
		return
	}
	redis.SetLogger(silent{}) // this package's own clients: their errors are looked at
	os.Exit(m.Run())
}

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// program is another program that uses a folder: it says the server's process and lets go at the end of its input.
func program(settings string) {
	var c config.LocalRedis
	if err := json.Unmarshal([]byte(settings), &c); err != nil {
		panic(err)
	}
	lease := localredis.Use(c, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	conn, err := lease.Dial(ctx, "", "")
	if err != nil {
		panic(err)
	}
	conn.Close()
	info, _ := lease.Info()
	fmt.Println(info.PID)
	_, _ = io.Copy(io.Discard, os.Stdin)
	lease.Release()
}

// other is such a program.
type other struct {
	cmd   *exec.Cmd
	stdin io.Closer
	pid   int // the server's
}

func startOther(t *testing.T, c config.LocalRedis) *other {
	t.Helper()
	settings, err := json.Marshal(c)
	require.NoError(t, err)
	o := &other{cmd: exec.Command(os.Args[0])}
	o.cmd.Env = append(os.Environ(), programEnv+"="+string(settings))
	o.cmd.Stderr = os.Stderr
	in, err := o.cmd.StdinPipe()
	require.NoError(t, err)
	o.stdin = in
	out, err := o.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, o.cmd.Start())
	t.Cleanup(func() { _ = o.cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	_, err = fmt.Sscan(line, &o.pid)
	require.NoError(t, err)
	return o
}

func (o *other) kill(t *testing.T) {
	t.Helper()
	require.NoError(t, o.cmd.Process.Kill())
	_, _ = o.cmd.Process.Wait()
}

// patient is a client of the server in a folder, whoever started that.
func patient(t *testing.T, c config.LocalRedis) *redis.Client {
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: filepath.Join(c.Dir, "redis.sock"), Protocol: 2, DisableIdentity: true,
		MaxRetries: -1, DialTimeout: redistest.Patience, ReadTimeout: redistest.Patience, WriteTimeout: redistest.Patience})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// heard is a log that can be read while it is written.
type heard struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (h *heard) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.b.Write(p)
}

func (h *heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.b.String()
}

// user is one use of a folder by this process.
type user struct {
	*testing.T
	*localredis.Lease
	c   *redis.Client
	log *heard
}

// folder is short, as the path of a socket has to be.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "lr")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "r")
}

func use(t *testing.T, c config.LocalRedis) *user {
	t.Helper()
	redistest.Need(t, "redis-server")
	u := &user{T: t, log: new(heard)}
	u.Lease = localredis.Use(c, slog.New(slog.NewTextHandler(u.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	u.c = redis.NewClient(&redis.Options{Dialer: u.Dial, Protocol: 2, DisableIdentity: true, MaxRetries: -1, DialerRetries: 1,
		DialTimeout: redistest.Patience, ReadTimeout: redistest.Patience, WriteTimeout: redistest.Patience})
	t.Cleanup(u.end)
	return u
}

func (u *user) end() {
	_ = u.c.Close()
	u.Release()
}

// eventually waits until the server answers.
func (u *user) eventually() {
	u.Helper()
	require.Eventually(u, func() bool { return u.c.Ping(u.Context()).Err() == nil }, 2*time.Minute, 10*time.Millisecond, "%s", u.log)
}

func (u *user) pid() int {
	u.Helper()
	info, ok := u.Info()
	require.True(u, ok)
	return info.PID
}

func (u *user) set(key, value string) {
	u.Helper()
	require.NoError(u, u.c.Set(u.Context(), key, value, 0).Err())
}

func (u *user) requireValue(key, value string) {
	u.Helper()
	got, err := u.c.Get(u.Context(), key).Result()
	require.NoError(u, err)
	require.Equal(u, value, got)
}

// problem waits for a problem and returns it.
func (u *user) problem() string {
	u.Helper()
	var text string
	require.Eventually(u, func() bool {
		ctx, cancel := context.WithTimeout(u.Context(), 2*time.Second)
		defer cancel()
		conn, err := u.Dial(ctx, "", "")
		if err == nil {
			_ = conn.Close()
			return false
		}
		text = err.Error()
		return !strings.Contains(text, "still being started")
	}, 2*time.Minute, 10*time.Millisecond, "%s", u.log)
	return text
}

// TestServerOfOurOwn: nothing starts unasked; what was written is there after a stop; nobody else can reach it.
func TestServerOfOurOwn(t *testing.T) {
	t.Parallel()
	c := config.LocalRedis{Dir: folder(t)}
	u := use(t, c)
	require.NoDirExists(t, c.Dir, "a use starts nothing")
	u.set("a", "1")
	pid := u.pid()
	info, err := os.Stat(c.Dir)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	for option, value := range map[string]string{
		"port": "0", "appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction", "save": "", "maxmemory": "0",
	} {
		got, err := u.c.ConfigGet(t.Context(), option).Result()
		require.NoError(t, err)
		require.Equal(t, value, got[option], option)
	}
	group, err := syscall.Getpgid(pid)
	require.NoError(t, err)
	require.Equal(t, pid, group, "an interrupt of the terminal is not for it")

	u.end()
	require.ErrorIs(t, syscall.Kill(pid, 0), syscall.ESRCH, "it is stopped with its last user")
	_, err = u.Dial(t.Context(), "", "")
	require.Error(t, err, "and not started again")

	again := use(t, config.LocalRedis{Dir: c.Dir, Fsync: config.FsyncEverySec, MaxMemory: 64 << 20})
	again.requireValue("a", "1")
	got, err := again.c.ConfigGet(t.Context(), "*m*").Result()
	require.NoError(t, err)
	require.Equal(t, "67108864", got["maxmemory"])
	require.Contains(t, u.log.String()+again.log.String(), "level=INFO msg=\"redis: The server is now ready to accept connections at "+c.Dir)
}

// TestReload: two uses at once, as those of an old and a new configuration, share a server; the newer one's settings hold.
func TestReload(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	old := use(t, config.LocalRedis{Dir: dir})
	old.set("a", "1")
	pid := old.pid()
	next := use(t, config.LocalRedis{Dir: dir + "/../r/", Fsync: config.FsyncEverySec, MaxMemory: 32 << 20})
	next.requireValue("a", "1")
	old.end()
	next.requireValue("a", "1")
	require.Equal(t, pid, next.pid())
	require.Eventually(t, func() bool {
		got, err := next.c.ConfigGet(t.Context(), "appendfsync").Result()
		memory, err2 := next.c.ConfigGet(t.Context(), "maxmemory").Result()
		return err == nil && err2 == nil && got["appendfsync"] == "everysec" && memory["maxmemory"] == "33554432"
	}, 2*time.Minute, 10*time.Millisecond)
}

// TestServerKilled: it is started again on its data, whoever killed it, also several times in a row.
func TestServerKilled(t *testing.T) {
	t.Parallel()
	u := use(t, config.LocalRedis{Dir: folder(t)})
	for i := range 4 {
		key := fmt.Sprint("key", i)
		u.eventually()
		u.set(key, "1")
		pid := u.pid()
		require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
		require.Eventually(t, func() bool {
			info, ok := u.Info()
			return ok && info.PID != pid
		}, 2*time.Minute, 5*time.Millisecond, "%s", u.log)
		u.eventually()
		u.requireValue(key, "1")
	}
	last := u.pid()
	require.NoError(t, u.c.ClientKillByFilter(t.Context(), "TYPE", "normal").Err(), "connections that are cut are no death")
	u.eventually()
	require.Equal(t, last, u.pid())
}

// TestProgramKilled: the server goes on without its program, and the next one finds it by its folder; it is a whole owner of
// it, and stops it.
func TestProgramKilled(t *testing.T) {
	t.Parallel()
	redistest.Need(t, "redis-server")
	c := config.LocalRedis{Dir: folder(t)}
	first := startOther(t, c)
	first.kill(t)
	require.NoError(t, syscall.Kill(first.pid, 0), "it lives on")

	u := use(t, c)
	u.set("a", "1")
	info, ok := u.Info()
	require.True(t, ok)
	require.Equal(t, first.pid, info.PID)
	require.True(t, info.Adopted)
	require.NoError(t, syscall.Kill(info.PID, syscall.SIGKILL))
	require.Eventually(t, func() bool { return u.c.Ping(t.Context()).Err() == nil && u.pid() != first.pid }, 2*time.Minute, 10*time.Millisecond)
	u.requireValue("a", "1")
	pid := u.pid()
	u.end()
	require.ErrorIs(t, syscall.Kill(pid, 0), syscall.ESRCH)

	second := startOther(t, c)
	second.kill(t)
	again := use(t, c)
	again.requireValue("a", "1")
	again.end()
	require.Eventually(t, func() bool { return syscall.Kill(second.pid, 0) != nil }, 2*time.Minute, 10*time.Millisecond, "an adopted one is stopped too")
}

// TestBothKilled: nothing that was answered is missing.
func TestBothKilled(t *testing.T) {
	t.Parallel()
	redistest.Need(t, "redis-server")
	c := config.LocalRedis{Dir: folder(t)}
	first := startOther(t, c)
	client := patient(t, c)
	require.NoError(t, client.Set(t.Context(), "a", "1", 0).Err())
	require.NoError(t, syscall.Kill(first.pid, syscall.SIGKILL))
	first.kill(t)
	u := use(t, c)
	u.requireValue("a", "1")
}

// TestOneProgramAFolder: a second one is told who holds it, and takes over when that one has gone.
func TestOneProgramAFolder(t *testing.T) {
	t.Parallel()
	redistest.Need(t, "redis-server")
	c := config.LocalRedis{Dir: folder(t)}
	first := startOther(t, c)
	u := use(t, c)
	problem := u.problem()
	require.Contains(t, problem, c.Dir)
	require.Contains(t, problem, fmt.Sprint("process ", first.cmd.Process.Pid))
	require.NoError(t, syscall.Kill(first.pid, 0), "the first one's server is not touched")
	require.NoError(t, first.stdin.Close())
	u.eventually()
	require.NotEqual(t, first.pid, u.pid())
	require.Equal(t, 1, strings.Count(u.log.String(), "level=ERROR"), "one line, however long it waited: %s", u.log)
}

// TestSocketRemoved: a server that nobody can reach any more is replaced, with its data: never a second one beside it.
func TestSocketRemoved(t *testing.T) {
	t.Parallel()
	redistest.Need(t, "redis-server")
	c := config.LocalRedis{Dir: folder(t)}
	first := startOther(t, c)
	client := patient(t, c)
	require.NoError(t, client.Set(t.Context(), "a", "1", 0).Err())
	require.NoError(t, os.Remove(filepath.Join(c.Dir, "redis.sock")))
	first.kill(t)
	u := use(t, c)
	u.eventually()
	u.requireValue("a", "1")
	require.NotEqual(t, first.pid, u.pid())
	require.Eventually(t, func() bool { return syscall.Kill(first.pid, 0) != nil }, 2*time.Minute, 10*time.Millisecond)
}
