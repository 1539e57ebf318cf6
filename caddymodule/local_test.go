//go:build unix

package caddymodule

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caddyserver/caddy/v2"

	"github.com/videocloud/webhooks/internal/adminapi"
	"github.com/videocloud/webhooks/internal/redistest"
)

// localFolder is short, as the path of a socket has to be.
func localFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "cl")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "r")
}

// storeOf waits until health is as it should be, and returns what it says of the store.
func storeOf(t *testing.T, s *server, status int) (store adminapi.Store, problems []string) {
	t.Helper()
	require.Eventually(t, func() bool {
		got, text := s.adminGet("/webhooks/health")
		var h adminapi.Health
		require.NoError(t, json.Unmarshal([]byte(text), &h))
		store, problems = h.Store, h.Problems
		return got == status
	}, 2*time.Minute, 10*time.Millisecond, "%s", s.logged())
	return store, problems
}

const localAPI = "handle_path /api/* {\nwebhook_api {\napi_key a_key\n}\n}"

// TestRedisLocal: one server through reloads and its own death, stopped with Caddy, its data there for the next.
func TestRedisLocal(t *testing.T) {
	redistest.Need(t, "redis-server")
	dir := localFolder(t)
	s := newServer(t)
	options := func(block string) string {
		return fmt.Sprintf("webhooks {\nredis local %s %s\nsender\n}", dir, block)
	}
	s.load(options(""), localAPI)
	first, _ := storeOf(t, s, 200)
	require.Equal(t, "local", first.Kind)
	require.Equal(t, dir, first.Server.Dir)
	require.WithinDuration(t, time.Now(), *first.Since, time.Minute)
	answer := apiCall(t, s, "POST", "/webhooks", `{"url":"https://example.com/webhooks","events":["*"]}`, 201)

	s.load(options("{\nfsync everysec\nmaxmemory 64MiB\n}"), localAPI+"\nheader X-Reloaded yes")
	again, _ := storeOf(t, s, 200)
	require.Equal(t, first.Server.PID, again.Server.PID, "a reload keeps the server")

	require.NoError(t, syscall.Kill(again.Server.PID, syscall.SIGKILL))
	require.Eventually(t, func() bool {
		now, _ := storeOf(t, s, 200)
		return now.Server != nil && now.Server.PID != first.Server.PID
	}, 2*time.Minute, 10*time.Millisecond)
	apiCall(t, s, "GET", "/webhooks/"+answer["id"].(string), "", 200)

	last, _ := storeOf(t, s, 200)
	require.NoError(t, caddy.Stop())
	require.ErrorIs(t, syscall.Kill(last.Server.PID, 0), syscall.ESRCH)
	s.load(options(""), localAPI)
	now, _ := storeOf(t, s, 200)
	require.Equal(t, first.Since, now.Since)
	apiCall(t, s, "GET", "/webhooks/"+answer["id"].(string), "", 200)
	ready := regexp.MustCompile(`"level":"info"[^\n]*"logger":"webhooks.store"[^\n]*"redis: The server is now ready to accept connections at ` + dir)
	require.Eventually(t, func() bool { return ready.MatchString(s.logged()) }, 2*time.Minute, 10*time.Millisecond, "its log comes through a file")
}

// TestBackupAndRestore: what was saved of one store is in another, to the last webhook; one that is in use is not overwritten.
func TestBackupAndRestore(t *testing.T) {
	redistest.Need(t, "redis-server")
	s := newServer(t)
	load := func(dir string) {
		s.load(fmt.Sprintf("webhooks {\nredis local %s {\nfsync everysec\n}\nsender {\nallow_http\nallow_networks 127.0.0.0/8\n}\n}", dir), localAPI)
		storeOf(t, s, 200)
	}
	load(localFolder(t))
	hook := apiCall(t, s, "POST", "/webhooks", `{"url":"http://127.0.0.1:1/webhooks","events":["*"]}`, 201)
	event := apiCall(t, s, "POST", "/events", `{"event":"video.uploaded","data":{"n":12345678901234567890}}`, 202)
	status, file := s.adminGet("/webhooks/backup")
	require.Equal(t, 200, status)

	put := func(query, body string) (int, string) {
		resp, err := http.Post(fmt.Sprintf("http://127.0.0.1:%d/webhooks/restore%s", s.admin, query), "application/octet-stream", strings.NewReader(body))
		require.NoError(t, err)
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, string(text)
	}
	status, text := put("", file)
	require.Equal(t, 409, status, "a store in use: %s", text)
	load(localFolder(t))
	apiCall(t, s, "GET", "/webhooks/"+hook["id"].(string), "", 404)
	status, text = put("", file)
	require.Equal(t, 200, status, "a fresh store, with a sender on it: %s", text)
	require.Contains(t, text, `"restored":`)
	storeOf(t, s, 200)
	apiCall(t, s, "GET", "/webhooks/"+hook["id"].(string), "", 200)
	require.Len(t, apiCall(t, s, "GET", "/events/"+event["id"].(string), "", 200)["deliveries"], 1)

	status, text = put("?replace=true", file[:len(file)/2])
	require.Equal(t, 400, status, text)
	require.Contains(t, text, "not whole")
	storeOf(t, s, 503)
	status, text = put("?replace=true", file)
	require.Equal(t, 200, status, text)
	storeOf(t, s, 200)

	s.load("webhooks {\nredis memory\nsender\n}", localAPI)
	status, text = s.adminGet("/webhooks/backup")
	require.Equal(t, 409, status, text)
}

// TestRedisLocalThatCannotRun: Caddy is up, health and log say why, the API answers 503.
func TestRedisLocalThatCannotRun(t *testing.T) {
	dir := localFolder(t)
	s := newServer(t)
	s.load(fmt.Sprintf("webhooks {\nredis local %s {\nserver %s/no-such-server\n}\nsender\n}", dir, dir), localAPI)
	store, problems := storeOf(t, s, 503)
	require.False(t, store.Ready)
	require.Nil(t, store.Server)
	require.Eventually(t, func() bool {
		store, problems = storeOf(t, s, 503)
		return strings.Contains(problems[0], "apt install redis-server")
	}, 2*time.Minute, 10*time.Millisecond)
	apiCall(t, s, "POST", "/events", `{"event":"video.uploaded","data":{}}`, 503)
	lines := 0
	for line := range strings.Lines(s.logged()) {
		if strings.Contains(line, `"level":"error"`) && strings.Contains(line, `"logger":"webhooks.store"`) {
			lines++
		}
	}
	require.Equal(t, 1, lines, "%s", s.logged())
}

// TestValidateStartsNothing: nor does a configuration that is loaded in vain.
func TestValidateStartsNothing(t *testing.T) {
	dir := localFolder(t)
	text, err := adapt(fmt.Sprintf("{\nwebhooks {\nredis local %s\nsender\n}\n}\nhttp://127.0.0.1:%d {\n%s\n}", dir, redistest.FreePort(t), localAPI))
	require.NoError(t, err)
	require.NoError(t, validate(t, text))
	require.NoDirExists(t, dir)
}

// TestOmittedStoreNamesLocal: the warning says how to keep what is there.
func TestOmittedStoreNamesLocal(t *testing.T) {
	s := newServer(t)
	s.load("webhooks {\nsender\n}", localAPI)
	require.Eventually(t, func() bool {
		return strings.Contains(s.logged(), "`redis local`") && strings.Contains(s.logged(), "apt install redis-server")
	}, 2*time.Minute, 10*time.Millisecond)
}

// TestRedisLocalOptions: what can't hold together is an error that names both.
func TestRedisLocalOptions(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ block, says string }{
		"replicas":       {"redis local /x {\nreplicas 1\n}", "redis: replicas: it can't be with this local"},
		"address":        {"redis local {\naddress a:1\n}", "redis: address: it can't be with this local"},
		"password":       {"redis local {\npassword secret\n}", "redis: password: it can't be with this local"},
		"tls":            {"redis local {\ntls\n}", "redis: tls: it can't be with this local"},
		"fsync":          {"redis local {\nfsync no\n}", "always or everysec"},
		"maxmemory":      {"redis local {\nmaxmemory lots\n}", "not a size"},
		"twice":          {"redis local {\nfsync always\nfsync everysec\n}", "given twice"},
		"unknown":        {"redis local {\nfsnc always\n}", "fsnc"},
		"two folders":    {"redis local /a /b", "wrong argument count"},
		"server of none": {"redis {\naddress a:1\nserver /x\n}", "server"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := adapt("{\nwebhooks {\n" + test.block + "\n}\n}\nexample.com {\n}\n")
			require.ErrorContains(t, err, test.says)
			require.NotContains(t, err.Error(), "secret")
		})
	}
}
