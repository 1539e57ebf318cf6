//go:build unix

package docstest

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/redistest"
)

// built is Caddy with our modules, built once for all tests.
var built struct {
	once sync.Once
	path string
	err  error
}

func TestMain(m *testing.M) {
	status := m.Run()
	if built.path != "" {
		os.RemoveAll(filepath.Dir(built.path))
	}
	os.Exit(status)
}

func buildCaddy(t *testing.T) string {
	t.Helper()
	built.once.Do(func() {
		var dir string
		if dir, built.err = os.MkdirTemp("", "docstest"); built.err != nil {
			return
		}
		built.path = filepath.Join(dir, "caddy")
		cmd := exec.Command("go", "build", "-o", built.path, "./cmd/caddy")
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("building caddy: %w\n%s", err, out)
		}
	})
	require.NoError(t, built.err)
	return built.path
}

// shim stands in for xcaddy.sh, which builds what the test has built already.
const shim = `#!/bin/sh
[ "$1" = run ] && exec ./caddy run --config Caddyfile.example --adapter caddyfile
`

// system is the folder in which a page's commands run, and what they left running.
type system struct {
	t       *testing.T
	dir     string
	env     []string
	ports   map[string]string // those of the page, and free ones to use instead
	started []*process
}

type process struct {
	*exec.Cmd
	ports []string // those of the page on which it listens
	out   *output
	done  chan struct{}
}

// documented are the ports that the pages name.
var documented = []string{"2019", "8080", "8090", "8091", "9000"}

// redis is the port of a Redis, which no page's commands use.
const redis = "6379"

func newSystem(t *testing.T) *system {
	t.Helper()
	need(t, "bash", "curl", "openssl", "sed", "grep")
	s := &system{t: t, dir: t.TempDir(), ports: map[string]string{}}
	for _, port := range documented {
		s.ports[port] = strconv.Itoa(redistest.FreePort(t))
	}
	require.NoError(t, os.Symlink(buildCaddy(t), filepath.Join(s.dir, "caddy")))
	s.save("Caddyfile.example", read(t, "Caddyfile.example"))
	s.save("xcaddy.sh", shim)
	s.env = append(os.Environ(),
		"CADDY_ADMIN=localhost:"+s.ports["2019"],
		"XDG_DATA_HOME="+filepath.Join(s.dir, "data"),
		"XDG_CONFIG_HOME="+filepath.Join(s.dir, "config"),
		"PYTHONDONTWRITEBYTECODE=1",
	)
	t.Cleanup(func() { s.stop() })
	return s
}

// need gives up where programs are missing, but never in CI.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is missing", p)
			}
			t.Skipf("%s is missing", p)
		}
	}
}

const place = "https://your-server.com/webhooks"

var address = regexp.MustCompile(`\b(localhost|127\.0\.0\.1):(\d{4,5})\b`)

// here puts the test's ports into a page's text, and the gateway in the place of the reader's own server.
func (s *system) here(text string) string {
	text = strings.ReplaceAll(text, place, "http://localhost:8090/webhooks?your-server.com")
	return address.ReplaceAllStringFunc(text, func(a string) string {
		host, port, _ := strings.Cut(a, ":")
		free, ok := s.ports[port]
		if port == redis {
			return a // in comments only
		}
		require.True(s.t, ok, "port %s is none of those that the pages may name", port)
		return host + ":" + free
	})
}

// there is the reverse of here.
func (s *system) there(text string) string {
	for port, free := range s.ports {
		text = strings.ReplaceAll(text, ":"+free, ":"+port)
	}
	return strings.ReplaceAll(text, "http://localhost:8090/webhooks?your-server.com", place)
}

func (s *system) save(name, text string) {
	s.t.Helper()
	require.NoError(s.t, os.WriteFile(filepath.Join(s.dir, name), []byte(s.here(text)), 0o755))
}

// run runs a command and returns what it prints, on both outputs.
func (s *system) run(name string, args ...string) (string, error) {
	cmd := exec.CommandContext(s.t.Context(), name, args...)
	cmd.Dir, cmd.Env = s.dir, s.env
	out, err := cmd.CombinedOutput()
	return s.there(string(out)), err
}

// start leaves a command running until the page stops it or ends, and waits until it listens.
func (s *system) start(ports []string, name string, args ...string) {
	s.t.Helper()
	p := &process{Cmd: exec.Command(name, args...), ports: ports, out: new(output), done: make(chan struct{})}
	p.Dir, p.Env, p.Stdout, p.Stderr = s.dir, s.env, p.out, p.out
	p.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // the shell and its children
	require.NoError(s.t, p.Start())
	go func() {
		_ = p.Wait()
		close(p.done)
	}()
	s.started = append(s.started, p)
	for _, port := range ports {
		require.Eventually(s.t, func() bool {
			c, err := net.Dial("tcp", "localhost:"+s.ports[port])
			if err == nil {
				c.Close()
			}
			return err == nil
		}, 2*time.Minute, 20*time.Millisecond, "%s does not listen on port %s", name, port)
	}
}

// stop ends what runs in the background, or only what listens on one of the ports named.
func (s *system) stop(ports ...string) {
	var left []*process
	for _, p := range s.started {
		if len(ports) > 0 && !slices.ContainsFunc(p.ports, func(port string) bool { return slices.Contains(ports, port) }) {
			left = append(left, p)
			continue
		}
		_ = syscall.Kill(-p.Process.Pid, syscall.SIGINT)
		select {
		case <-p.done:
		case <-time.After(10 * time.Second):
			_ = syscall.Kill(-p.Process.Pid, syscall.SIGKILL)
			<-p.done
		}
		if s.t.Failed() {
			s.t.Logf("%v printed:\n%s", p.Args, p.out)
		}
	}
	s.started = left
}

// logged is what the programs in the background have printed so far.
func (s *system) logged() string {
	var b strings.Builder
	for _, p := range s.started {
		b.WriteString(p.out.String())
	}
	return s.there(b.String())
}

// output is a buffer that may be read while it is written.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
