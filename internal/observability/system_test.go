package observability

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/redistest"
)

// program is Caddy with our modules, built once for all tests.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "webhooks-program")
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "caddy")
	out, err := exec.Command("go", "build", "-o", file, "github.com/videocloud/webhooks/cmd/caddy").CombinedOutput()
	if err != nil {
		return dir, fmt.Errorf("%w: %s", err, out)
	}
	return file, nil
})

func TestMain(m *testing.M) {
	status := m.Run()
	if built.Load() {
		file, _ := program()
		_ = os.RemoveAll(filepath.Dir(file))
	}
	os.Exit(status)
}

var built atomic.Bool

func binary(t *testing.T) string {
	t.Helper()
	built.Store(true)
	file, err := program()
	require.NoError(t, err)
	return file
}

// What the systems of these tests are secured with. None of it may be seen anywhere.
const (
	signingSecret = "signing-secret-6b1f0c"
	apiKey        = "api-key-9d24e7"
	headerSecret  = "header-secret-c0ffee"
	queryToken    = "query-token-5a5a5a"
	redisPassword = "redis-password-77aa"
	encryptionKey = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	bodyMarker    = "body-marker-e4b1d2"
)

// caddy is one process.
type caddy struct {
	t      *testing.T
	name   string
	admin  int
	port   int
	dir    string
	config string
	cmd    *exec.Cmd
	env    []string
}

// startCaddy runs a site and global options under an environment, until the test ends.
func startCaddy(t *testing.T, name, options, site string, env ...string) *caddy {
	t.Helper()
	c := &caddy{t: t, name: name, admin: redistest.FreePort(t), port: redistest.FreePort(t), dir: t.TempDir(), env: env}
	c.write(options, site)
	c.launch()
	return c
}

// launch runs the configuration that was written.
func (c *caddy) launch() {
	t := c.t
	t.Helper()
	c.cmd = exec.Command(binary(t), "run", "--config", c.config)
	c.cmd.Env = c.environment()
	out, err := os.Create(filepath.Join(c.dir, "out"))
	require.NoError(t, err)
	defer out.Close()
	c.cmd.Stdout, c.cmd.Stderr = out, out
	require.NoError(t, c.cmd.Start())
	t.Cleanup(c.stop)
	require.Eventually(t, func() bool { return c.reachable() }, 2*time.Minute, 20*time.Millisecond, "%s does not start", c.name)
}

func (c *caddy) environment() []string {
	return append(append(os.Environ(), "HOME="+c.dir, "XDG_DATA_HOME="+c.dir, "XDG_CONFIG_HOME="+c.dir, "OTEL_SERVICE_NAME="+c.name,
		"TEST_SECRET="+signingSecret, "TEST_KEY="+apiKey, "TEST_REDIS_PASSWORD="+redisPassword, "TEST_ENCRYPTION="+encryptionKey), c.env...)
}

// write writes the configuration. Headers hold signatures, and stay out of the log as in Caddyfile.example.
func (c *caddy) write(options, site string) {
	c.config = filepath.Join(c.dir, "Caddyfile")
	require.NoError(c.t, os.WriteFile(c.config, []byte(fmt.Sprintf(`{
	admin 127.0.0.1:%d
	persist_config off
	auto_https off
	default_bind 127.0.0.1
	grace_period 3s
	metrics
	log {
		output file %s
		level DEBUG
		format filter {
			request>headers delete
		}
	}
	%s
}
http://127.0.0.1:%d {
	log
	%s
}
`, c.admin, filepath.Join(c.dir, "log"), options, c.port, site)), 0o600))
}

func (c *caddy) reachable() bool {
	resp, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/config/", c.admin))
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// stop ends the process as an operator would.
func (c *caddy) stop() {
	if c.cmd == nil {
		return
	}
	cmd := c.cmd
	c.cmd = nil
	require.NoError(c.t, cmd.Process.Signal(syscall.SIGTERM))
	kill := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	_ = cmd.Wait()
}

// reload loads a configuration into the running process.
func (c *caddy) reload(options, site string) {
	c.t.Helper()
	c.write(options, site)
	r := c.run("", "reload", "--force", "--config", c.config, "--address", c.adminAddress())
	require.Zero(c.t, r.status, r.stderr)
}

func (c *caddy) adminAddress() string { return fmt.Sprintf("127.0.0.1:%d", c.admin) }

func (c *caddy) url(path string) string { return fmt.Sprintf("http://127.0.0.1:%d%s", c.port, path) }

func (c *caddy) read(file string) string {
	text, _ := os.ReadFile(filepath.Join(c.dir, file))
	return string(text)
}

// adminGet asks the admin API.
func (c *caddy) adminGet(path string) (status int, body string) {
	c.t.Helper()
	resp, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d%s", c.admin, path))
	require.NoError(c.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(c.t, err)
	return resp.StatusCode, string(text)
}

// ran is what became of a command.
type ran struct {
	status         int
	stdout, stderr string
}

// run runs a command of the program.
func (c *caddy) run(stdin string, args ...string) ran {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary(c.t), args...)
	cmd.Env, cmd.Dir = c.environment(), c.dir
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		require.NoError(c.t, err)
	}
	return ran{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// webhook runs `caddy webhook` and asks this process.
func (c *caddy) webhook(args ...string) ran {
	c.t.Helper()
	return c.run("", append([]string{"webhook"}, append(args, "--address", c.adminAddress())...)...)
}

// api asks the REST API and returns the answer's data.
func (c *caddy) api(method, path, body string, header ...string) map[string]any {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.url(path), strings.NewReader(body))
	require.NoError(c.t, err)
	req.Header.Set("Authorization", "Bearer "+apiKey)
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := client.Do(req)
	require.NoError(c.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(c.t, err)
	var answer struct {
		Success bool
		Data    map[string]any
	}
	require.NoError(c.t, json.Unmarshal(text, &answer), "%s", text)
	require.True(c.t, answer.Success, "%s", text)
	return answer.Data
}

// register registers a webhook that goes to a URL, with a secret header.
func (c *caddy) register(url string, events ...string) (id string) {
	c.t.Helper()
	body, err := json.Marshal(map[string]any{
		"url": url, "events": events, "secret": signingSecret, "headers": map[string]string{"X-Secret": headerSecret},
	})
	require.NoError(c.t, err)
	return c.api("POST", "/webhooks", string(body))["id"].(string)
}

// publish publishes an event and returns its ID and that of its only delivery.
func (c *caddy) publish(event string, header ...string) (id, delivery string) {
	c.t.Helper()
	data := c.api("POST", "/events", fmt.Sprintf(`{"event":%q,"data":{"marker":%q}}`, event, bodyMarker), header...)
	deliveries := data["deliveries"].([]any)
	require.Len(c.t, deliveries, 1)
	return data["id"].(string), deliveries[0].(map[string]any)["id"].(string)
}

var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 30 * time.Second}

// app is what stands behind the gateway. It fails as often as told for each event.
type app struct {
	*httptest.Server
	mu       sync.Mutex
	failures int
	tries    map[string]int
	headers  []http.Header
}

func newApp(t *testing.T, failures int) *app {
	a := &app{failures: failures, tries: map[string]int{}}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		a.mu.Lock()
		defer a.mu.Unlock()
		a.headers = append(a.headers, r.Header.Clone())
		id := r.Header.Get("X-Webhook-Id")
		if a.tries[id]++; a.tries[id] <= a.failures {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *app) address() string { return strings.TrimPrefix(a.URL, "http://") }

// got returns the headers of the requests that reached the app.
func (a *app) got() []http.Header {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]http.Header(nil), a.headers...)
}

// waitFor waits until so many requests reached the app.
func (a *app) waitFor(t *testing.T, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return len(a.got()) >= n }, 2*time.Minute, 5*time.Millisecond)
}

// startRedis starts a Redis with a password.
func startRedis(t *testing.T) *redistest.Server {
	t.Helper()
	s := redistest.Start(t)
	c := redis.NewClient(&redis.Options{Addr: s.Addr()})
	defer c.Close()
	require.NoError(t, c.ConfigSet(t.Context(), "requirepass", redisPassword).Err())
	return s
}

// Options and sites of a sender and of a gateway.

func senderOptions(store *redistest.Server, more string) string {
	return fmt.Sprintf(`webhooks {
		redis {
			address %s
			password {env.TEST_REDIS_PASSWORD}
		}
		tracing
		sender {
			allow_http
			allow_networks 127.0.0.0/8
			retry 0s 100ms 100ms
			encryption_key {env.TEST_ENCRYPTION}
			%s
		}
	}`, store.Addr(), more)
}

const apiSite = `
	tracing {
		span api
	}
	webhook_api {
		api_key {env.TEST_KEY}
	}`

func gatewayOptions(store *redistest.Server) string {
	return fmt.Sprintf(`webhooks {
		redis {
			address %s
			password {env.TEST_REDIS_PASSWORD}
		}
	}`, store.Addr())
}

func gatewaySite(a *app) string {
	return `
	tracing {
		span gateway
	}
	handle /webhooks {
		webhook_receiver videocloud {env.TEST_SECRET} {
			name shop
		}
		reverse_proxy ` + a.address() + `
	}
	handle /queued {
		webhook_receiver videocloud {env.TEST_SECRET} {
			name queued
			queue {
				retry 0s
				deliver {
					reverse_proxy ` + a.address() + `
				}
			}
		}
	}
	handle {
		respond 404
	}`
}
