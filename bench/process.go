package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/videocloud/webhooks/internal/freeport"
)

// A role is a part of a benchmark that runs in a process of its own, so that its CPU time can be told apart and so that
// it can be killed. It reads its settings from its first argument and talks in JSON lines.
var roles = map[string]func(ctx context.Context, arg string, talk *talk) error{}

func runRole(ctx context.Context, name string, args []string) error {
	role := roles[name]
	if role == nil || len(args) != 1 {
		return errors.New("unknown role")
	}
	return role(ctx, args[0], &talk{in: bufio.NewScanner(os.Stdin), out: os.Stdout})
}

// talk is the conversation of a role with its parent: one JSON value a line, each way.
type talk struct {
	in  *bufio.Scanner
	out io.Writer
}

func (t *talk) say(v any) {
	b, _ := json.Marshal(v)
	_, _ = t.out.Write(append(b, '\n'))
}

// hear reads one line; false at the end.
func (t *talk) hear(v any) bool {
	return t.in.Scan() && json.Unmarshal(t.in.Bytes(), v) == nil
}

// child is a running role, seen from the parent.
type child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
	dir string // a folder of its own, which goes with it; "" for none
}

// start runs a role of this program with settings, and with more in its environment.
func start(ctx context.Context, role string, settings any, environment ...string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	arg, err := json.Marshal(settings)
	if err != nil {
		return nil, err
	}
	c := &child{cmd: exec.CommandContext(ctx, self, "-role", role, string(arg))}
	c.cmd.Stderr = os.Stderr
	c.cmd.Env = append(os.Environ(), environment...)
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = bufio.NewScanner(out)
	c.out.Buffer(nil, 16<<20)
	return c, c.cmd.Start()
}

func (c *child) say(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = c.in.Write(append(b, '\n'))
	return err
}

func (c *child) hear(v any) error {
	if !c.out.Scan() {
		return fmt.Errorf("a process of the benchmark ended early: %w", errors.Join(c.out.Err(), io.EOF))
	}
	return json.Unmarshal(c.out.Bytes(), v)
}

// ask says and hears.
func (c *child) ask(question, answer any) error {
	if err := c.say(question); err != nil {
		return err
	}
	return c.hear(answer)
}

// stop ends a role by the end of its input, or by force after a while.
func (c *child) stop() {
	if c == nil {
		return
	}
	_ = c.in.Close()
	kill := time.AfterFunc(20*time.Second, func() { _ = c.cmd.Process.Kill() })
	defer kill.Stop()
	c.wait()
}

// kill ends a role as a crash would.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	c.wait()
}

func (c *child) wait() {
	_ = c.cmd.Wait()
	if c.dir != "" {
		_ = os.RemoveAll(c.dir)
	}
}

// killProcess ends a process that another one started, as a crash would.
func killProcess(pid int) error {
	p, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	return p.Kill()
}

// profileTo writes a CPU profile until the returned function is called. An empty folder writes none.
func profileTo(folder, name string) func() {
	if folder == "" {
		return func() {}
	}
	f, err := os.Create(filepath.Join(folder, name+".pprof"))
	if err != nil {
		progress("no profile: %v", err)
		return func() {}
	}
	_ = pprof.StartCPUProfile(f)
	return func() {
		pprof.StopCPUProfile()
		_ = f.Close()
		if allocs, err := os.Create(filepath.Join(folder, name+".allocs.pprof")); err == nil {
			_ = pprof.Lookup("allocs").WriteTo(allocs, 0)
			_ = allocs.Close()
		}
	}
}

// redisServer is a redis-server of the benchmark's own.
type redisServer struct {
	port int
	dir  string
	args []string
	cmd  *exec.Cmd
	c    *redis.Client
}

func startRedis(ctx context.Context, aof string, args ...string) (*redisServer, error) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		return nil, errors.New("redis-server is not on PATH; install Redis 6.2 or newer")
	}
	port, err := freeport.Find()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "bench-redis")
	if err != nil {
		return nil, err
	}
	durable := []string{"--appendonly", "yes", "--appendfsync", aof}
	switch aof {
	case "always", "everysec":
	case "off":
		durable = []string{"--appendonly", "no"}
	default:
		return nil, fmt.Errorf("-aof is always, everysec or off, not %q", aof)
	}
	s := &redisServer{port: port, dir: dir, args: append(append([]string{
		"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", dir, "--save", "", "--maxmemory-policy", "noeviction", "--loglevel", "warning",
	}, durable...), args...)}
	if err := s.up(ctx); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *redisServer) url() string { return "redis://127.0.0.1:" + strconv.Itoa(s.port) + "/0" }

// up starts the server, again after down, and waits until it answers.
func (s *redisServer) up(ctx context.Context) error {
	s.cmd = exec.Command("redis-server", s.args...)
	if err := s.cmd.Start(); err != nil {
		return err
	}
	if s.c == nil {
		s.c = redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + strconv.Itoa(s.port), Protocol: 2, MaxRetries: -1})
	}
	for range 2000 {
		if s.c.Ping(ctx).Err() == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		time.Sleep(5 * time.Millisecond)
	}
	return errors.New("redis-server does not answer")
}

func (s *redisServer) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

func (s *redisServer) stop() {
	s.kill()
	_ = s.c.Close()
	_ = os.RemoveAll(s.dir)
}

// rest rewrites the append-only file and waits for the end of that. Else one begins whenever the file has doubled, in the middle
// of what is measured, and takes a core for a second.
func (s *redisServer) rest(ctx context.Context) {
	if s.info(ctx, "aof_enabled") == 0 {
		return
	}
	s.c.BgRewriteAOF(ctx) // refused where one is under way
	for ctx.Err() == nil && s.info(ctx, "aof_rewrite_in_progress")+s.info(ctx, "aof_rewrite_scheduled") > 0 {
		time.Sleep(10 * time.Millisecond)
	}
}

// info reads one number of INFO.
func (s *redisServer) info(ctx context.Context, field string) float64 {
	text, _ := s.c.Info(ctx, "all").Result()
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), field+":"); ok {
			n, _ := strconv.ParseFloat(v, 64)
			return n
		}
	}
	return 0
}

// cpu is the CPU time that the server has used.
func (s *redisServer) cpu(ctx context.Context) time.Duration {
	return time.Duration((s.info(ctx, "used_cpu_user") + s.info(ctx, "used_cpu_sys")) * float64(time.Second))
}

// statsTo writes INFO commandstats beside the CPU profiles. An empty folder writes none.
func (s *redisServer) statsTo(ctx context.Context, folder, name string) {
	if folder == "" {
		return
	}
	text, _ := s.c.Info(ctx, "commandstats").Result()
	if err := os.WriteFile(filepath.Join(folder, "commandstats-"+name+".txt"), []byte(text), 0o644); err != nil {
		progress("no commandstats: %v", err)
	}
}
