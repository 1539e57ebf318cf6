package caddymodule

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caddyserver/caddy/v2"

	"github.com/videocloud/webhooks/internal/redistest"
	"github.com/videocloud/webhooks/internal/signature"
)

// example is Caddyfile.example, on other ports, with its logs in a file.
type example struct {
	*server
	ports map[string]int // by those of the file
}

func runExample(t *testing.T) *example {
	e := &example{newServer(t), map[string]int{"8080": redistest.FreePort(t), "8090": redistest.FreePort(t), "8091": redistest.FreePort(t)}}
	text, err := os.ReadFile("../Caddyfile.example")
	require.NoError(t, err)
	caddyfile := regexp.MustCompile(`80[89]\d`).ReplaceAllStringFunc(string(text), func(old string) string {
		return fmt.Sprint(e.ports[old])
	})
	caddyfile = strings.Replace(caddyfile, "format filter", "output file "+e.log+"\nlevel DEBUG\nformat filter", 1)
	caddyfile = strings.Replace(caddyfile, "auto_https off", fmt.Sprintf("auto_https off\nadmin 127.0.0.1:%d\npersist_config off\nstorage file_system %s", e.admin, t.TempDir()), 1)
	config, err := adapt(caddyfile)
	require.NoError(t, err)
	require.NoError(t, caddy.Load(config, true))
	return e
}

// gateway is the URL of a path at the gateway.
func (e *example) gateway(path string) string {
	return fmt.Sprintf("http://localhost:%d%s", e.ports["8090"], path)
}

// api asks the REST API.
func (e *example) api(path, body string, want int) (data map[string]any) {
	req, err := http.NewRequestWithContext(e.t.Context(), http.MethodPost, fmt.Sprintf("http://localhost:%d%s", e.ports["8080"], path), strings.NewReader(body))
	require.NoError(e.t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-API-Key", "videocloud-demo-key")
	resp, text := do(e.t, req)
	require.Equal(e.t, want, resp.StatusCode, text)
	var answer struct{ Data map[string]any }
	require.NoError(e.t, json.Unmarshal([]byte(text), &answer))
	return answer.Data
}

// waitForEvent waits until the app's log shows an event.
func (e *example) waitForEvent(id string) {
	e.t.Helper()
	require.Eventually(e.t, func() bool { return strings.Contains(e.logged(), fmt.Sprintf(`"webhook_event_id":%q`, id)) }, 2*time.Minute, 10*time.Millisecond)
}

func TestExample(t *testing.T) {
	e := runExample(t)
	e.api("/webhooks", fmt.Sprintf(`{"url":%q,"events":["video.uploaded"],"secret":"your_webhook_secret"}`, e.gateway("/webhooks")), 201)
	event := e.api("/events", `{"event":"video.uploaded","data":{"videoId":"vid_123456"}}`, 202)
	e.waitForEvent(event["id"].(string))
	resp, body := do(t, signed(t, e.gateway("/webhooks"), "evt_by_hand", testEvent))
	require.Equal(t, 200, resp.StatusCode, body)
	require.Contains(t, body, "the app got video.uploaded, event evt_by_hand, verified by videocloud")
	require.Contains(t, e.logged(), accessOfTheApp)
}

// accessOfTheApp is in the log once a request reached the app.
const accessOfTheApp = `"logger":"http.log.access.app"`

// TestLesson48_NoOtherSpellingOfThePathReachesTheApp: nor does another method.
func TestLesson48_NoOtherSpellingOfThePathReachesTheApp(t *testing.T) {
	e := runExample(t)
	for _, path := range []string{
		"/", "/webhooks", "/webhooks/", "//webhooks", "/WEBHOOKS", "/webhooks/..", "/webhooks/.", "/./webhooks", "/other/../webhooks", "/%77ebhooks",
		"/webhooks%2f", "/webhooks%00", "/webhooks%20", "/webhooks;x", "/webhooks?x", "/webhooks%3fx", "/webhooks/x", "/other", "/%2e/webhooks", "/webhooks//",
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "OPTIONS", "PROPFIND"} {
			req, err := http.NewRequestWithContext(t.Context(), method, e.gateway(path), strings.NewReader(testEvent))
			require.NoError(t, err)
			req.Header["X_Webhook_Verified"] = []string{"videocloud"}
			req.Header["X-Webhook-Verified"] = []string{"videocloud"}
			resp, body := do(t, req)
			require.GreaterOrEqual(t, resp.StatusCode, 400, "%s %s: %s", method, path, body)
			require.NotContains(t, body, "the app got")
		}
	}
	require.NotContains(t, e.logged(), accessOfTheApp)
}

// TestLesson40_UnderscoresDoNotPassForDashes: apps behind CGI and its like take both for one header.
func TestLesson40_UnderscoresDoNotPassForDashes(t *testing.T) {
	s, app := newServer(t), newBackend(t)
	s.load("servers {\nexpected_underscore_headers X_Webhook_Verified X_Webhook_Id\n}", receiverSite("webhook_receiver github "+testSecret, app))
	v, err := signature.New(signature.Config{Scheme: "github", Secrets: []string{testSecret}})
	require.NoError(t, err)
	h, err := v.Sign(&signature.Request{Method: "POST", Header: http.Header{}, Body: []byte(testEvent)}, "", time.Now())
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url("/webhooks"), strings.NewReader(testEvent))
	require.NoError(t, err)
	req.Header = h
	for _, name := range []string{"X_Webhook_Verified", "X_Webhook_Id", "X-Webhook_Id", "X-Webhook-Id", "x-webhook-event", "X-Webhook-Timestamp", "X-Webhook-Attempt"} {
		req.Header[name] = []string{"forged"}
	}
	resp, body := do(t, req)
	require.Equal(t, 200, resp.StatusCode, body)
	_, got, _ := app.seen()
	for name, values := range got.Header {
		require.NotContains(t, values, "forged", name)
	}
	require.Equal(t, []string{"github"}, got.Header["X-Webhook-Verified"])
}

// TestLesson44_NoSecretInTheLogsOfTheExample: neither token-style ones, nor signatures, nor bodies.
func TestLesson44_NoSecretInTheLogsOfTheExample(t *testing.T) {
	e := runExample(t)
	send := func(change func(*http.Request)) {
		req := signed(t, e.gateway("/webhooks?hub.mode=subscribe&hub.verify_token=a-verify-token"), "evt_by_hand", testEvent)
		for _, name := range []string{"X-Gitlab-Token", "X-Api-Key", "X-Telegram-Bot-Api-Secret-Token", "Authorization"} {
			req.Header.Set(name, "a-token-style-secret")
		}
		change(req)
		do(t, req)
	}
	send(func(*http.Request) {})
	send(func(r *http.Request) { r.Header.Set("X-VideoCloud-Signature", strings.Repeat("5", 64)) })
	send(func(r *http.Request) { r.Method = http.MethodGet })
	e.api("/webhooks", fmt.Sprintf(`{"url":%q,"events":["*"],"secret":"another_webhook_secret"}`, e.gateway("/webhooks")), 201)
	oneClick, err := http.NewRequestWithContext(t.Context(), http.MethodPost, fmt.Sprintf("http://localhost:%d/console/portal/?unsubscribe=a-mail-token", e.ports["8080"]), strings.NewReader("List-Unsubscribe=One-Click"))
	require.NoError(t, err)
	oneClick.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, answer := do(t, oneClick)
	require.Equal(t, 404, resp.StatusCode, answer)
	event := e.api("/events", `{"event":"video.uploaded","data":{"videoId":"a-text-of-the-body"}}`, 202)
	require.Eventually(t, func() bool { return strings.Contains(e.logged(), event["id"].(string)) }, 2*time.Minute, 10*time.Millisecond)
	e.waitForEvent("evt_by_hand")
	log := e.logged()
	sent := signed(t, e.gateway("/webhooks"), "evt_by_hand", testEvent)
	for _, secret := range []string{
		"your_webhook_secret", "another_webhook_secret", "videocloud-demo-key", "a-token-style-secret", "a-verify-token", "a-mail-token", "a-text-of-the-body", "vid_123456",
		sent.Header.Get("X-VideoCloud-Signature"), strings.Repeat("5", 64), "v1,",
	} {
		require.NotContains(t, log, secret)
	}
}
