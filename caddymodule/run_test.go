package caddymodule

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caddyserver/caddy/v2"

	"github.com/videocloud/webhooks/internal/redistest"
	"github.com/videocloud/webhooks/internal/signature"
)

// server is Caddy in this process. There can be only one: tests that use it don't run in parallel.
type server struct {
	t     *testing.T
	admin int
	port  int
	log   string
}

// newServer finds ports; load starts it.
func newServer(t *testing.T) *server {
	s := &server{t: t, admin: redistest.FreePort(t), port: redistest.FreePort(t), log: filepath.Join(t.TempDir(), "log")}
	t.Cleanup(func() {
		require.NoError(t, caddy.Stop())
		require.Zero(t, poolSize(), "something was not given back")
	})
	return s
}

// load runs a configuration: options for the global block, and the block of the one site.
func (s *server) load(options, site string) {
	s.t.Helper()
	require.NoError(s.t, s.tryLoad(options, site))
}

func (s *server) tryLoad(options, site string) error {
	config, err := adapt(fmt.Sprintf(`{
	admin 127.0.0.1:%d
	persist_config off
	auto_https off
	default_bind 127.0.0.1
	grace_period 5s
	storage file_system %s
	metrics
	log {
		output file %s
		level DEBUG
	}
	%s
}
http://127.0.0.1:%d, http://[::1]:%[5]d {
	log
	%s
}
`, s.admin, filepath.Dir(s.log), s.log, options, s.port, site))
	if err != nil {
		return err
	}
	if err := caddy.Load(config, true); err != nil {
		return err
	}
	for _, host := range []string{"127.0.0.1", "::1"} {
		// Caddy ends the servers of the configuration before in the background: until then they take connections as well.
		require.Eventually(s.t, func() bool {
			return caddy.ListenerUsage("tcp", net.JoinHostPort(host, strconv.Itoa(s.port))) <= 1
		}, 2*time.Minute, time.Millisecond, "the servers before listen no longer")
	}
	return nil
}

// url is the address of a path of the site.
func (s *server) url(path string) string { return fmt.Sprintf("http://127.0.0.1:%d%s", s.port, path) }

// adminGet asks the admin endpoint.
func (s *server) adminGet(path string) (status int, body string) {
	s.t.Helper()
	return s.adminDo(http.MethodGet, path, "")
}

// adminDo makes a request to the admin endpoint. That of the configuration before takes connections for a while after a load, and nothing tells
// when it ends: Caddy may even have the new one serve its listener.
func (s *server) adminDo(method, path, body string) (status int, answer string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, fmt.Sprintf("http://127.0.0.1:%d%s", s.admin, path), strings.NewReader(body))
	require.NoError(s.t, err)
	req.Header.Set("Content-Type", "application/json")
	resp, answer := do(s.t, req)
	return resp.StatusCode, answer
}

// logged is what is in Caddy's log.
func (s *server) logged() string {
	text, err := os.ReadFile(s.log)
	require.NoError(s.t, err)
	return string(text)
}

func read(t *testing.T, resp *http.Response) (status int, body string) {
	t.Helper()
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(text)
}

func poolSize() (n int) {
	pool.Range(func(any, any) bool {
		n++
		return true
	})
	return n
}

// backend is an app behind the gateway.
type backend struct {
	*httptest.Server
	mu       sync.Mutex
	statuses []int // of the next answers; the last one stays
	requests []*http.Request
	bodies   []string
}

func newBackend(t *testing.T) *backend {
	b := &backend{statuses: []int{http.StatusOK}}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		b.mu.Lock()
		defer b.mu.Unlock()
		b.requests = append(b.requests, r)
		b.bodies = append(b.bodies, string(body))
		w.WriteHeader(b.statuses[0])
		if len(b.statuses) > 1 {
			b.statuses = b.statuses[1:]
		}
		_, _ = io.WriteString(w, "done")
	}))
	t.Cleanup(b.Close)
	return b
}

// answer says what comes next, one after the other; the last one is for all that follow.
func (b *backend) answer(statuses ...int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.statuses = statuses
}

// seen is how many requests there were, and the last.
func (b *backend) seen() (n int, last *http.Request, body string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n = len(b.requests); n > 0 {
		last, body = b.requests[n-1], b.bodies[n-1]
	}
	return n, last, body
}

const (
	testSecret = "your_webhook_secret"
	testEvent  = `{"event":"video.uploaded","timestamp":"2024-03-31T12:00:00Z","data":{"videoId":"vid_123456"}}`
)

// signed makes a delivery as the sender does.
func signed(t *testing.T, url, id, body string) *http.Request {
	t.Helper()
	v, err := signature.New(signature.Config{Scheme: "videocloud", Secrets: []string{testSecret}})
	require.NoError(t, err)
	h, err := v.Sign(&signature.Request{Method: http.MethodPost, Header: http.Header{}, Body: []byte(body)}, id, time.Now())
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	require.NoError(t, err)
	req.Header = h
	req.Header.Set("Content-Type", "application/json")
	return req
}

// client makes a connection for each request: a reload closes idle ones, and a POST is not sent twice.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// do sends a request, again if need be: during a reload Caddy drops connections that the old server took and never read.
func do(t *testing.T, req *http.Request) (resp *http.Response, body string) {
	t.Helper()
	resp, err := client.Do(req)
	for tries := 0; (errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.EOF)) && tries < 3; tries++ {
		req.Body, err = req.GetBody()
		require.NoError(t, err)
		resp, err = client.Do(req)
	}
	require.NoError(t, err)
	_, body = read(t, resp)
	return resp, body
}

// doQueued is do for an event of a queue, again where its store was too slow: on a loaded machine it may be, and a sender does so.
func doQueued(t *testing.T, s *server, id string) {
	t.Helper()
	doTaken(t, func() *http.Request { return signed(t, s.url("/webhooks"), id, testEvent) })
}

// doTaken sends a request again until it is taken, and returns that answer.
func doTaken(t *testing.T, request func() *http.Request) (resp *http.Response) {
	t.Helper()
	require.Eventually(t, func() bool {
		resp, _ = do(t, request())
		return resp.StatusCode == http.StatusOK
	}, time.Minute, time.Millisecond)
	return resp
}
