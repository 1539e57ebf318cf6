//go:build unix

package caddymodule

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caddyserver/caddy/v2"

	"github.com/videocloud/webhooks/internal/redistest"
)

// socketPort gives a unix socket a port of this machine, as socat does.
func socketPort(t *testing.T, socket string) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer in.Close()
				out, err := net.Dial("unix", socket)
				if err != nil {
					return
				}
				defer out.Close()
				go func() { _, _ = io.Copy(out, in) }()
				_, _ = io.Copy(in, out)
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

// TestMovingOnFromLocal: both documented ways to a Redis elsewhere take everything along.
func TestMovingOnFromLocal(t *testing.T) {
	for way, move := range map[string]func(t *testing.T, dir string, stop func()) *redistest.Server{
		"by replication": func(t *testing.T, dir string, stop func()) *redistest.Server {
			r := redistest.Start(t, "--appendonly", "yes")
			port := socketPort(t, filepath.Join(dir, "redis.sock"))
			require.NoError(t, r.Client().Do(t.Context(), "REPLICAOF", "127.0.0.1", port).Err())
			require.Eventually(t, func() bool {
				return r.Client().InfoMap(t.Context(), "replication").Item("Replication", "master_link_status") == "up"
			}, 2*time.Minute, 20*time.Millisecond)
			stop()
			require.NoError(t, r.Client().Do(t.Context(), "REPLICAOF", "NO", "ONE").Err())
			return r
		},
		"by its files": func(t *testing.T, dir string, stop func()) *redistest.Server {
			stop()
			to := t.TempDir()
			require.NoError(t, os.CopyFS(filepath.Join(to, "appendonlydir"), os.DirFS(filepath.Join(dir, "appendonlydir"))))
			return redistest.Start(t, "--dir", to, "--appendonly", "yes")
		},
	} {
		t.Run(way, func(t *testing.T) {
			redistest.Need(t, "redis-server")
			s, app, dir := newServer(t), newBackend(t), localFolder(t)
			s.load(fmt.Sprintf("webhooks {\nredis local %s\nsender {\ndeliver off\nallow_http\nallow_networks 127.0.0.0/8\n}\n}", dir), localAPI)
			apiCall(t, s, "POST", "/webhooks", fmt.Sprintf(`{"url":%q,"events":["*"],"secret":%q}`, s.url("/in"), testSecret), 201)
			const events = 20
			for range events {
				apiCall(t, s, "POST", "/events", `{"event":"video.uploaded","data":{}}`, 202)
			}
			r := move(t, dir, func() { require.NoError(t, caddy.Stop()) })
			s.load("webhooks {\nredis "+r.URL()+"\nsender {\nallow_http\nallow_networks 127.0.0.0/8\n}\n}", senderSite(app))
			require.Eventually(t, func() bool {
				n, _, _ := app.seen()
				return n == events
			}, 2*time.Minute, 10*time.Millisecond, "%s", s.logged())
		})
	}
}
