package caddymodule

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// receiverSite is a gateway in front of an app, with the placeholders shown in headers.
func receiverSite(directive string, app *backend) string {
	return `
	header >X-Name {http.webhook.name}
	header >X-Scheme {http.webhook.scheme}
	header >X-Id {http.webhook.id}
	header >X-Event {http.webhook.event}
	header >X-Timestamp {http.webhook.timestamp}
	header >X-Key {http.webhook.key}
	log_append was_duplicate {http.webhook.duplicate}
	handle /webhooks {
		` + directive + `
		request_header X-Seen-By-App "{http.webhook.name} {http.webhook.id}"
		reverse_proxy ` + strings.TrimPrefix(app.URL, "http://") + `
	}
	handle {
		respond 404
	}
	handle_errors {
		respond "refused: {http.webhook.error}" {err.status_code}
	}`
}

func TestReceiver(t *testing.T) {
	s, app := newServer(t), newBackend(t)
	s.load("", receiverSite("webhook_receiver videocloud "+testSecret+" {\nname shop\nmax_size 1KiB\n}", app))

	req := signed(t, s.url("/webhooks"), "evt_1", testEvent)
	req.Header.Set("X-Webhook-Verified", "forged")
	req.Header.Set("X-Webhook-Attempt", "forged")
	resp, body := do(t, req)
	require.Equal(t, 200, resp.StatusCode, body)
	require.Equal(t, "done", body)
	n, got, event := app.seen()
	require.Equal(t, 1, n)
	require.Equal(t, testEvent, event)
	require.EqualValues(t, len(testEvent), got.ContentLength)
	require.Equal(t, []string{"videocloud"}, got.Header["X-Webhook-Verified"])
	require.Equal(t, "evt_1", got.Header.Get("X-Webhook-Id"))
	require.Equal(t, "video.uploaded", got.Header.Get("X-Webhook-Event"))
	require.NotEmpty(t, got.Header.Get("X-Webhook-Timestamp"))
	require.Empty(t, got.Header.Get("X-Webhook-Attempt"))
	require.Equal(t, "shop evt_1", resp.Request.Header.Get("X-Seen-By-App")+got.Header.Get("X-Seen-By-App"))

	for header, want := range map[string]string{
		"X-Name": "^shop$", "X-Scheme": "^videocloud$", "X-Id": "^evt_1$", "X-Event": `^video\.uploaded$`,
		"X-Timestamp": `^\d+|.*T.*$`, "X-Key": "^[A-Za-z0-9_-]{22}$",
	} {
		require.Regexp(t, want, resp.Header.Get(header), header)
	}

	resp, body = do(t, signed(t, s.url("/webhooks"), "evt_1", testEvent))
	require.Equal(t, 200, resp.StatusCode)
	require.Empty(t, body)
	require.Equal(t, "true", resp.Header.Get("X-Webhook-Duplicate"))
	n, _, _ = app.seen()
	require.Equal(t, 1, n)

	// The server's line is written after the answer.
	require.Eventually(t, func() bool { return strings.Contains(s.logged(), `"was_duplicate":true`) }, time.Minute, time.Millisecond)
	log := s.logged()
	require.Contains(t, log, `"webhook_name":"shop","event_id":"evt_1","webhook_outcome":"accepted"`)
	require.Contains(t, log, `"webhook_outcome":"duplicate"`)
	require.Contains(t, log, `"was_duplicate":false`)
	require.Contains(t, log, `"was_duplicate":true`)
}

func TestReceiverRefuses(t *testing.T) {
	s, app := newServer(t), newBackend(t)
	s.load("", receiverSite("webhook_receiver videocloud "+testSecret+" {\nmax_size 1KiB\n}", app))
	for name, test := range map[string]struct {
		change func(*http.Request)
		status int
		word   string
	}{
		"method":              {func(r *http.Request) { r.Method = http.MethodPut }, 405, "method"},
		"no signature":        {func(r *http.Request) { r.Header.Del("X-VideoCloud-Signature") }, 401, "signature_missing"},
		"malformed signature": {func(r *http.Request) { r.Header.Set("X-VideoCloud-Signature", "abc") }, 401, "signature_malformed"},
		"wrong signature": {func(r *http.Request) {
			r.Header.Set("X-VideoCloud-Signature", strings.Repeat("0", 64))
		}, 401, "signature_mismatch"},
		"timestamp": {func(r *http.Request) { r.Header.Set("webhook-timestamp", "1") }, 401, "timestamp"},
	} {
		req := signed(t, s.url("/webhooks"), "evt_"+strings.ReplaceAll(name, " ", "_"), testEvent)
		test.change(req)
		resp, body := do(t, req)
		require.Equal(t, test.status, resp.StatusCode, name)
		require.Equal(t, "refused: "+test.word, body, name)
		if test.status == 405 {
			require.Equal(t, "POST", resp.Header.Get("Allow"))
		}
	}
	resp, body := do(t, signed(t, s.url("/webhooks"), "evt_big", `{"x":"`+strings.Repeat("x", 2000)+`"}`))
	require.Equal(t, 413, resp.StatusCode)
	require.Equal(t, "refused: too_large", body)
	n, _, _ := app.seen()
	require.Zero(t, n)
}

func TestLesson36_TheEventIsGivenBack(t *testing.T) {
	s, app := newServer(t), newBackend(t)
	s.load("", receiverSite("webhook_receiver videocloud "+testSecret, app))
	app.answer(500)
	resp, _ := do(t, signed(t, s.url("/webhooks"), "evt_1", testEvent))
	require.Equal(t, 500, resp.StatusCode)
	app.answer(200)
	resp, _ = do(t, signed(t, s.url("/webhooks"), "evt_1", testEvent))
	require.Equal(t, 200, resp.StatusCode)
	require.Empty(t, resp.Header.Get("X-Webhook-Duplicate"))
	n, _, _ := app.seen()
	require.Equal(t, 2, n)
}

func TestLesson34_AllowlistAndTrustedProxies(t *testing.T) {
	s, app := newServer(t), newBackend(t)
	for name, test := range map[string]struct {
		trust, allow, forwarded string
		status                  int
	}{
		"peer allowed":                 {"", "127.0.0.1", "", 200},
		"peer not allowed":             {"", "10.0.0.1", "", 403},
		"forged header":                {"", "10.0.0.1", "10.0.0.1", 403},
		"trusted proxy":                {"127.0.0.1/32", "10.0.0.1", "10.0.0.1", 200},
		"trusted proxy, other client":  {"127.0.0.1/32", "10.0.0.1", "10.0.0.2", 403},
		"IPv6 address is one address":  {"127.0.0.1/32", "2001:db8::1", "2001:db8::2", 403},
		"mapped client":                {"127.0.0.1/32", "10.0.0.1", "::ffff:10.0.0.1", 200},
		"module":                       {"", "static 127.0.0.0/8", "", 200},
		"module that doesn't match":    {"", "static 10.0.0.0/8", "", 403},
		"address or module":            {"", "10.0.0.1\nallow static private_ranges", "", 200},
		"placeholder":                  {"", "{env.WEBHOOK_TEST_ALLOW}", "", 200},
		"placeholder beside a literal": {"", "10.0.0.1 {env.WEBHOOK_TEST_ALLOW}", "", 200},
	} {
		t.Setenv("WEBHOOK_TEST_ALLOW", "127.0.0.1")
		options := ""
		if test.trust != "" {
			options = "servers {\ntrusted_proxies static " + test.trust + "\n}"
		}
		s.load(options, receiverSite("webhook_receiver videocloud "+testSecret+" {\ndedup off\nallow "+test.allow+"\n}", app))
		req := signed(t, s.url("/webhooks"), "evt_1", testEvent)
		if test.forwarded != "" {
			req.Header.Set("X-Forwarded-For", test.forwarded)
		}
		resp, body := do(t, req)
		require.Equal(t, test.status, resp.StatusCode, name)
		if test.status == 403 {
			require.Equal(t, "refused: ip", body, name)
		}
	}
}

// TestLesson42_ReloadKeepsClaims: nor does it lose a metric.
func TestLesson42_ReloadKeepsClaims(t *testing.T) {
	for _, name := range []string{"name shop", ""} {
		t.Run(name, func(t *testing.T) {
			s, app := newServer(t), newBackend(t)
			site := receiverSite("webhook_receiver videocloud "+testSecret+" {\n"+name+"\n}", app)
			s.load("", site)
			do(t, signed(t, s.url("/webhooks"), "evt_1", testEvent))
			before := counted(t, s, "accepted")

			s.load("", site+"\nheader X-Reloaded yes")
			resp, _ := do(t, signed(t, s.url("/webhooks"), "evt_1", testEvent))
			require.Equal(t, "yes", resp.Header.Get("X-Reloaded"))
			require.Equal(t, "true", resp.Header.Get("X-Webhook-Duplicate"))
			n, _, _ := app.seen()
			require.Equal(t, 1, n)
			require.Equal(t, before, counted(t, s, "accepted"))
		})
	}
}

// counted returns the line of the requests counter for an outcome.
func counted(t *testing.T, s *server, outcome string) string {
	t.Helper()
	_, metrics := s.adminGet("/metrics")
	for line := range strings.Lines(metrics) {
		if strings.HasPrefix(line, "caddy_webhook_receiver_requests_total{") && strings.Contains(line, `outcome="`+outcome+`"`) {
			return line
		}
	}
	require.Fail(t, "not counted", outcome)
	return ""
}

// TestLesson45_NamelessReceiversKeepApart: each has a memory of its own.
func TestLesson45_NamelessReceiversKeepApart(t *testing.T) {
	s, app := newServer(t), newBackend(t)
	one := "webhook_receiver videocloud " + testSecret + "\nreverse_proxy " + strings.TrimPrefix(app.URL, "http://")
	s.load("", "handle /a {\n"+one+"\n}\nhandle /b {\n"+one+"\n}")
	for _, path := range []string{"/a", "/b", "/a"} {
		resp, _ := do(t, signed(t, s.url(path), "evt_1", testEvent))
		require.Equal(t, 200, resp.StatusCode)
	}
	n, _, _ := app.seen()
	require.Equal(t, 2, n)
}

// TestLesson44_SecretsAreShownNowhere: those from the environment and from files are used, and never shown.
func TestLesson44_SecretsAreShownNowhere(t *testing.T) {
	s, app := newServer(t), newBackend(t)
	file := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(file, []byte(testSecret+"\n"), 0o600))
	t.Setenv("WEBHOOK_TEST_OLD", "another_secret_value")
	site := receiverSite("webhook_receiver videocloud {env.WEBHOOK_TEST_OLD} {file."+file+"}", app)
	// As in Caddyfile.example: Caddy's own log lines hold request headers.
	s.load("log other {\n}", site)
	resp, _ := do(t, signed(t, s.url("/webhooks"), "evt_1", testEvent))
	require.Equal(t, 200, resp.StatusCode)

	_, config := s.adminGet("/config/")
	require.Contains(t, config, "{file."+file+"}")
	require.Contains(t, config, "{env.WEBHOOK_TEST_OLD}")
	for _, shown := range []string{config, s.logged()} {
		require.NotContains(t, shown, testSecret)
		require.NotContains(t, shown, "another_secret_value")
	}
	require.NotContains(t, s.logged(), "secrets are written out")

	s.load("", strings.Replace(site, "{env.WEBHOOK_TEST_OLD}", "a_literal_secret", 1))
	require.Contains(t, s.logged(), "secrets are written out")
}

// TestAppIsDown: the line says what Caddy answers instead, and why, without Caddy's own names for it.
func TestAppIsDown(t *testing.T) {
	s, app := newServer(t), newBackend(t)
	app.Close()
	s.load("", receiverSite("webhook_receiver videocloud "+testSecret, app))
	resp, body := do(t, signed(t, s.url("/webhooks"), "evt_1", testEvent))
	require.Equal(t, http.StatusBadGateway, resp.StatusCode, "handle_errors gets Caddy's own error")
	require.Equal(t, "refused: ", body)
	for line := range strings.Lines(s.logged()) {
		if !strings.Contains(line, `"msg":"webhook.received"`) {
			continue
		}
		require.Contains(t, line, `"status":502`)
		require.Contains(t, line, `"error":"status 502: dial tcp `)
		return
	}
	t.Fatal("no line")
}
