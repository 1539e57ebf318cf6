package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/redistest"
)

// asCaddy makes this program run as Caddy where a test starts it again.
const asCaddy = "WEBHOOK_TEST_AS_CADDY"

func TestMain(m *testing.M) {
	if os.Getenv(asCaddy) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

const secret = "your_webhook_secret"

// gateway is a Caddy in a process of its own, with a receiver in front of an app.
type gateway struct {
	t           *testing.T
	cmd         *exec.Cmd
	port, admin int
	dir         string
	out         *bytes.Buffer
}

// newGateway starts Caddy. receiver is what stands in the block of webhook_receiver, behind what follows it in the site.
func newGateway(t *testing.T, redis, receiver, behind string) *gateway {
	t.Helper()
	g := &gateway{t: t, port: redistest.FreePort(t), admin: redistest.FreePort(t), dir: t.TempDir()}
	caddyfile := fmt.Sprintf(`{
	admin 127.0.0.1:%d
	default_bind 127.0.0.1
	auto_https off
	persist_config off
	storage file_system %s
	webhooks {
		redis %s
	}
}
http://127.0.0.1:%d {
	handle /webhooks {
		webhook_receiver videocloud %s {
			name app
			%s
		}
		%s
	}
	handle {
		respond 404
	}
}
`, g.admin, g.dir, redis, g.port, secret, receiver, behind)
	require.NoError(t, os.WriteFile(filepath.Join(g.dir, "Caddyfile"), []byte(caddyfile), 0o600))
	g.up()
	t.Cleanup(g.kill)
	return g
}

func (g *gateway) up() {
	g.t.Helper()
	g.out = new(bytes.Buffer)
	g.cmd = exec.Command(os.Args[0], "run", "--config", filepath.Join(g.dir, "Caddyfile"), "--adapter", "caddyfile")
	g.cmd.Env = append(os.Environ(), asCaddy+"=1")
	g.cmd.Stdout, g.cmd.Stderr = g.out, g.out
	require.NoError(g.t, g.cmd.Start())
	require.Eventually(g.t, func() bool {
		conn, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", g.port))
		return err == nil && conn.Close() == nil
	}, 2*time.Minute, 10*time.Millisecond, "Caddy does not listen")
}

// kill is kill -9.
func (g *gateway) kill() {
	if g.cmd == nil {
		return
	}
	_ = g.cmd.Process.Kill()
	_ = g.cmd.Wait()
	g.cmd = nil
}

// command runs `caddy webhook …` beside the running Caddy.
func (g *gateway) command(args ...string) (status int, out string) {
	g.t.Helper()
	args = append(append([]string{"webhook"}, args...), "--address", fmt.Sprint("127.0.0.1:", g.admin))
	cmd := exec.CommandContext(g.t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), asCaddy+"=1")
	text, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil {
		require.ErrorAs(g.t, err, &exit, string(text))
	}
	return cmd.ProcessState.ExitCode(), string(text)
}

// send sends an event as the sender does, and gives the status; zero where there was no answer.
func (g *gateway) send(id string) int {
	body := fmt.Sprintf(`{"event":"video.uploaded","data":{"videoId":%q}}`, id)
	m := hmac.New(sha256.New, []byte(secret))
	_, _ = io.WriteString(m, body)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, fmt.Sprintf("http://127.0.0.1:%d/webhooks", g.port), strings.NewReader(body))
	if err != nil {
		return 0
	}
	req.Header.Set("X-VideoCloud-Signature", hex.EncodeToString(m.Sum(nil)))
	req.Header.Set("X-VideoCloud-Event-Id", id)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp.StatusCode
}

// deliver sends an event as the sender does, again where the gateway says that its store was too slow: on a loaded machine it may be.
func (g *gateway) deliver(id string) int {
	for end := time.Now().Add(patience); ; {
		if status := g.send(id); status != http.StatusServiceUnavailable || time.Now().After(end) {
			return status
		}
	}
}

// app counts the events that it answered 2xx.
type app struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	hang   chan struct{} // until it is closed, nothing is answered
	begun  int
	got    map[string]int
}

func newApp(t *testing.T) *app {
	a := &app{status: http.StatusOK, got: map[string]int{}}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		a.mu.Lock()
		a.begun++
		status, hang := a.status, a.hang
		a.mu.Unlock()
		if hang != nil {
			select {
			case <-hang:
			case <-r.Context().Done():
				return
			}
		}
		if status == http.StatusOK {
			a.mu.Lock()
			a.got[r.Header.Get("X-Webhook-Id")]++
			a.mu.Unlock()
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *app) set(status int, hang chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.status, a.hang = status, hang
}

// counts is how many requests came, how many events were answered 2xx, and how often at most.
func (a *app) counts() (begun, events, most int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, n := range a.got {
		most = max(most, n)
	}
	return a.begun, len(a.got), most
}

// proxy is the directive in front of the app.
func (a *app) proxy() string { return "reverse_proxy " + strings.TrimPrefix(a.URL, "http://") }

// queue is a queue in front of the app.
func (a *app) queue(retry string) string {
	return "queue {\nretry " + retry + "\ndeliver {\n" + a.proxy() + "\n}\n}"
}
