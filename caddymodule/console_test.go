package caddymodule

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const consoleSite = `
	handle /console/* {
		webhook_console
	}
	handle {
		webhook_api {
			api_key operator *
			api_key reader * read
			api_key publisher * publish
			api_key one-account
		}
	}`

func (s *server) inside(method, path, key, body string, headers ...string) (int, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url("/console/api/"+path), strings.NewReader(body))
	require.NoError(s.t, err)
	req.Header.Set(fromConsole, "1")
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(s.t, err)
	defer resp.Body.Close()
	return read(s.t, resp)
}

// What concerns every account is for keys of * with role all or read, and what changes anything for role all.
func TestConsoleRights(t *testing.T) {
	s := newServer(t)
	s.load("webhooks {\nredis memory\nsender\n}", consoleSite)
	for _, test := range []struct {
		method, path, key string
		status            int
	}{
		{"GET", "config", "", http.StatusOK},
		{"GET", "session", "", http.StatusUnauthorized},
		{"GET", "session", "nobody", http.StatusUnauthorized},
		{"GET", "session", "one-account", http.StatusOK},
		{"GET", "stats", "operator", http.StatusOK},
		{"GET", "stats", "reader", http.StatusOK},
		{"GET", "gateways", "reader", http.StatusOK},
		{"GET", "gateways", "publisher", http.StatusForbidden},
		{"GET", "gateways", "one-account", http.StatusForbidden},
		{"GET", "live", "one-account", http.StatusForbidden},
		{"GET", "live", "", http.StatusUnauthorized},
		{"POST", "dead", "reader", http.StatusForbidden},
		{"POST", "forget", "reader", http.StatusForbidden},
		{"POST", "forget", "publisher", http.StatusForbidden},
		{"POST", "forget", "operator", http.StatusBadRequest},
		{"GET", "nothing", "operator", http.StatusNotFound},
		{"GET", "rest/webhooks", "operator", http.StatusNotFound}, // no act_as
	} {
		status, body := s.inside(test.method, test.path, test.key, "{}")
		require.Equal(t, test.status, status, "%s %s by %s: %s", test.method, test.path, test.key, body)
	}
	status, body := s.inside("GET", "session", "one-account", "")
	require.Equal(t, http.StatusOK, status)
	require.JSONEq(t, `{"success":true,"data":{"account":"default","role":"all","operator":false}}`, body)

	// Of a key that ends by itself the page knows when.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url("/portal-links"), strings.NewReader(`{"expiresIn":"1h"}`))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer one-account")
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	_, text := read(t, resp)
	var made struct{ Data struct{ Token string } }
	require.NoError(t, json.Unmarshal([]byte(text), &made), text)
	_, body = s.inside("GET", "session", made.Data.Token, "")
	var session struct {
		Data struct{ EndsInSeconds float64 }
	}
	require.NoError(t, json.Unmarshal([]byte(body), &session))
	require.Positive(t, session.Data.EndsInSeconds, body)
	require.LessOrEqual(t, session.Data.EndsInSeconds, 3600.0, body)
}

// A page of another site can make a browser send a request, but not with the header.
func TestConsoleActAsIsForItsOwnPages(t *testing.T) {
	s := newServer(t)
	s.load("webhooks {\nredis memory\nsender\n}", strings.Replace(consoleSite, "webhook_console", "webhook_console {\nact_as operator\n}", 1))
	status, body := s.inside("GET", "rest/webhooks", "", "", "X-VideoCloud-Account", "a")
	require.Equal(t, http.StatusOK, status, body)
	// Whatever let the reader through in front of the console does not matter behind it.
	status, body = s.inside("GET", "session", "", "", "Authorization", "Basic YTpi")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, `"operator":true`)
	for _, headers := range [][]string{{fromConsole, ""}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}} {
		status, _ = s.inside("GET", "rest/webhooks", "", "", headers...)
		require.Equal(t, http.StatusForbidden, status)
	}
	_, config := s.inside("GET", "config", "", "")
	require.NotContains(t, config, "operator")

	require.ErrorContains(t, s.tryLoad("webhooks {\nredis memory\nsender\n}", strings.Replace(consoleSite, "webhook_console", "webhook_console {\nact_as nobody\n}", 1)), "act_as")
}

func TestConsoleLiveGoesOnWhereItWas(t *testing.T) {
	s := newServer(t)
	s.load("webhooks {\nredis memory\nsender\n}", consoleSite)
	events, first := s.live("")
	require.Contains(t, <-events, `"resumed":true`)
	feed.send(watched{received: &receivedInfo{Name: "console-test", ID: "one"}})
	seen := <-events
	require.Contains(t, seen, `"id":"one"`)
	id, _, _ := strings.Cut(strings.TrimPrefix(seen, "id: "), "\n")
	first()
	feed.send(watched{received: &receivedInfo{Name: "console-test", ID: "two"}})
	events, second := s.live(id)
	defer second()
	require.Contains(t, <-events, `"resumed":true`)
	require.Contains(t, <-events, `"id":"two"`)
}

// live reads the stream, an event at a time.
func (s *server) live(after string) (<-chan string, func()) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url("/console/api/live"), nil)
	require.NoError(s.t, err)
	req.Header.Set(fromConsole, "1")
	req.Header.Set("Authorization", "Bearer reader")
	if after != "" {
		req.Header.Set("Last-Event-ID", after)
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(s.t, err)
	require.Equal(s.t, "text/event-stream", resp.Header.Get("Content-Type"))
	events := make(chan string, 100)
	go func() {
		defer close(events)
		var block strings.Builder
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			if lines.Text() != "" {
				block.WriteString(lines.Text() + "\n")
				continue
			}
			if strings.Contains(block.String(), "data: ") && (strings.Contains(block.String(), "hello") || strings.Contains(block.String(), "console-test")) {
				events <- block.String()
			}
			block.Reset()
		}
	}()
	return events, func() { resp.Body.Close() }
}

// A reader that is too slow costs nothing but its place, and is told how much it missed.
func TestConsoleLiveIsBounded(t *testing.T) {
	t.Parallel()
	log := outcomeLog{news: make(chan struct{}), name: "run"}
	at, resumed := log.place("")
	require.True(t, resumed)
	for range liveKept + 7 {
		log.add(watched{leftOut: 1})
	}
	lines, gone, next, _ := log.after(at)
	require.Len(t, lines, liveKept)
	require.EqualValues(t, 7, gone)
	require.EqualValues(t, liveKept+7, next)
	require.True(t, json.Valid(lines[0].text))

	_, resumed = log.place("other-3")
	require.False(t, resumed)
	at, resumed = log.place(lines[len(lines)-1].id)
	require.True(t, resumed)
	require.Equal(t, next, at)
}

func TestConsoleOptions(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ options, message string }{
		"unknown":    {"nonsense", `unknown option "nonsense"`},
		"twice":      {"mount /a\nmount /b", "mount is given twice"},
		"mount":      {"mount console", "is not a path"},
		"embed":      {"embed_portal app.example.com", "is not an origin"},
		"theme":      {"theme /nowhere/at/all", "is not a folder"},
		"embed none": {"embed_portal", "embed_portal"},
	} {
		_, err := adapt(inSite("webhook_console {\n" + test.options + "\n}"))
		require.ErrorContains(t, err, test.message, name)
	}
}

// What is changed by the console's own handler is in the audit log, as what the API changes is; what was refused is not.
func TestConsoleAudits(t *testing.T) {
	s := newServer(t)
	s.load("webhooks {\nredis memory\nsender\n}", consoleSite+`
	handle /hook {
		webhook_receiver github a-secret-of-ours {
			name audited
		}
		respond 200
	}`)
	status, body := s.inside("POST", "forget", "operator", `{"name":"nowhere","event":"one"}`)
	require.Equal(t, http.StatusNotFound, status, body)
	status, body = s.inside("POST", "forget", "operator", `{"name":"audited","event":"two"}`)
	require.Equal(t, http.StatusOK, status, body)
	require.Eventually(t, func() bool { return strings.Contains(s.logged(), "console: forget") }, time.Minute, time.Millisecond)
	for _, line := range strings.Split(s.logged(), "\n") {
		if !strings.Contains(line, "webhooks.audit") {
			continue
		}
		require.NotContains(t, line, "nowhere")
		require.NotContains(t, line, `"operator"`, "the key itself is no name")
		require.Contains(t, line, `audited`)
		require.Contains(t, line, `"key_id":`)
	}
}

// A mail program ends mail at the portal's address, without a key: the REST API of the same configuration does it.
func TestConsoleUnsubscribes(t *testing.T) {
	s := newServer(t)
	s.load("webhooks {\nredis memory\nsender\n}", consoleSite)
	resp, err := http.Post(s.url("/console/portal/?unsubscribe=ZGVmYXVsdA.AAAA"), "application/x-www-form-urlencoded", strings.NewReader("List-Unsubscribe=One-Click"))
	require.NoError(t, err)
	defer resp.Body.Close()
	status, body := read(t, resp)
	require.Equal(t, http.StatusNotFound, status)
	require.Contains(t, body, "this link is not valid any more")
}
