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
)

// TestExample runs Caddyfile.example, on other ports, with its logs in a file.
func TestExample(t *testing.T) {
	s := newServer(t)
	text, err := os.ReadFile("../Caddyfile.example")
	require.NoError(t, err)
	port := map[string]int{"8080": freePort(t), "8090": freePort(t), "8091": freePort(t)}
	example := regexp.MustCompile(`80[89]\d`).ReplaceAllStringFunc(string(text), func(old string) string {
		return fmt.Sprint(port[old])
	})
	example = strings.Replace(example, "format filter", "output file "+s.log+"\nlevel DEBUG\nformat filter", 1)
	example = strings.Replace(example, "auto_https off", fmt.Sprintf("auto_https off\nadmin 127.0.0.1:%d\npersist_config off\nstorage file_system %s", s.admin, t.TempDir()), 1)
	config, err := adapt(example)
	require.NoError(t, err)
	require.NoError(t, caddy.Load(config, true))

	request := func(method string, port int, path, body string) *http.Request {
		req, err := http.NewRequestWithContext(t.Context(), method, fmt.Sprintf("http://localhost:%d%s", port, path), strings.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-Gitlab-Token", "a-token-style-secret")
		return req
	}
	api := func(path, body string, want int) (data map[string]any) {
		req := request("POST", port["8080"], path, body)
		req.Header.Set("X-API-Key", "videocloud-demo-key")
		resp, text := do(t, req)
		require.Equal(t, want, resp.StatusCode, text)
		var answer struct{ Data map[string]any }
		require.NoError(t, json.Unmarshal([]byte(text), &answer))
		return answer.Data
	}
	gateway := fmt.Sprintf("http://localhost:%d/webhooks", port["8090"])
	api("/webhooks", fmt.Sprintf(`{"url":%q,"events":["video.uploaded"],"secret":"your_webhook_secret"}`, gateway), 201)
	event := api("/events", `{"event":"video.uploaded","data":{"videoId":"vid_123456"}}`, 202)
	reached := func(id string) string { return fmt.Sprintf(`"webhook_event_id":%q`, id) }
	require.Eventually(t, func() bool { return strings.Contains(s.logged(), reached(event["id"].(string))) }, 10*time.Second, 10*time.Millisecond)

	// Lesson 48: no spelling of the path, and no other method, reaches the app unverified.
	for _, path := range []string{"/", "/webhooks", "/webhooks/", "//webhooks", "/WEBHOOKS", "/webhooks/..", "/%77ebhooks", "/webhooks%2f", "/webhooks;x", "/other"} {
		for _, method := range []string{"GET", "POST", "PUT"} {
			req := request(method, port["8090"], path, testEvent)
			resp, body := do(t, req)
			require.GreaterOrEqual(t, resp.StatusCode, 400, "%s %s: %s", method, path, body)
			require.NotContains(t, body, "the app got")
		}
	}
	resp, body := do(t, signed(t, gateway, "evt_by_hand", testEvent))
	require.Equal(t, 200, resp.StatusCode, body)
	require.Contains(t, body, "the app got video.uploaded, event evt_by_hand, verified by videocloud")

	// Lesson 44, and no signature either.
	log := s.logged()
	require.Contains(t, log, reached("evt_by_hand"))
	sent := signed(t, gateway, "evt_by_hand", testEvent)
	for _, secret := range []string{"your_webhook_secret", "videocloud-demo-key", "a-token-style-secret", sent.Header.Get("X-VideoCloud-Signature"), "v1,"} {
		require.NotContains(t, log, secret)
	}
}
