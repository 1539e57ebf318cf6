package api_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/sender/api"
)

// What comes after the last event that can be taken is not even read: were it, the broken end would be what is told.
func TestLesson64ABatchIsReadUpToItsLimitOnly(t *testing.T) {
	t.Parallel()
	b := newBench(t, api.Options{})
	tooMany := strings.Repeat("{},", config.MaxBatchEvents) + "{}"
	for name, body := range map[string]string{
		"in the list":         `{"events":[` + tooMany + `,broken`,
		"in a second list":    `{"events":[],"events":[` + tooMany + `]}`,
		"after the list":      `{"events":[` + tooMany + `]}`,
		"of events, not {}":   `{"events":[` + strings.Repeat(event+",", config.MaxBatchEvents) + event + `]}`,
		"8 MB of them":        `{"events":[` + strings.Repeat("{},", (config.MaxBatchSize-32)/3) + `{}]}`,
		"nested in the extra": `{"events":[` + tooMany + strings.Repeat("[", 2_000),
	} {
		w := b.do("POST", "/events/batch", body)
		want := http.StatusUnprocessableEntity
		if name == "in a second list" {
			want = http.StatusBadRequest // the name is given twice
		}
		require.Equal(t, want, w.Code, "%s: %s", name, w.Body)
		require.Contains(t, w.Body.String(), `"field":"events"`, name)
	}
	require.Empty(t, b.service.accounts, "nothing was published")
}

// The time of its flood stands still, so that nothing depends on how long it takes.
func TestLesson64AFloodOfBadKeysIsNoFloodOfLogLines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, api.Options{})
		const requests = 3_000
		for range requests {
			r := httptest.NewRequest("GET", "/webhooks", nil)
			r.Header.Set("X-API-Key", "not-a-key")
			require.Equal(t, http.StatusUnauthorized, b.serve(r).Code)
		}
		lines := strings.Count(b.log.String(), "request refused")
		require.NotZero(t, lines)
		require.Less(t, lines, requests/2)
		require.Contains(t, b.log.String(), `"left_out":99`)
	})
}

// Behind handle_path the handler sees /webhooks; its caller knows only /api/webhooks.
func TestLesson60WhatTheAPISaysOfItselfCarriesThePathInFront(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ mounted, base, want string }{
		"nothing in front":  {"", "", ""},
		"a path in front":   {"/api", "", "/api"},
		"and a base path":   {"/api", "/v1", "/api/v1"},
		"a slash too many":  {"/api/", "", "/api"},
		"not another host":  {"//evil.example", "", "/evil.example"},
		"escapes are kept":  {"/a%20b", "", "/a%20b"},
		"base path only":    {"", "/v1", "/v1"},
		"several in a path": {"/one/two", "", "/one/two"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, api.Options{BasePath: row.base, Mounted: func(*http.Request) string { return row.mounted }})
			w := b.do("POST", row.base+"/webhooks", hook)
			require.Equal(t, http.StatusCreated, w.Code)
			require.Equal(t, row.want+"/webhooks/"+b.service.accounts["default"].webhooks[0].ID, w.Header().Get("Location"))
			server := row.want
			if server == "" {
				server = "/"
			}
			require.Contains(t, b.do("GET", row.base+"/openapi.json", "").Body.String(), `"servers":[{"url":"`+server+`"}]`)
		})
	}
}

func TestAnswersNameTheirRequest(t *testing.T) {
	t.Parallel()
	b := newBench(t, api.Options{})
	seen := map[string]bool{}
	for _, path := range []string{"/webhooks", "/webhooks", "/nowhere", "/webhooks/whk_none"} {
		id := b.do("GET", path, "").Header().Get("X-Request-Id")
		require.Regexp(t, `^req_[A-Z0-9]{26}$`, id)
		require.False(t, seen[id])
		seen[id] = true
	}
	for given, kept := range map[string]bool{"abc-1": true, "bad id": false, "": false, strings.Repeat("x", 200): false} {
		r := httptest.NewRequest("GET", "/nowhere", nil)
		r.Header.Set("X-Request-Id", given)
		require.Equal(t, kept, b.serve(r).Header().Get("X-Request-Id") == given, given)
	}
	require.Contains(t, b.log.String(), `"request_id":"abc-1"`)
}

func TestLesson65WhatWeDeliverIsNotTakenAgain(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		brand  string
		header http.Header
		status int
	}{
		"our own":                {"", http.Header{"X-Videocloud-Installation": {"this-one"}}, http.StatusLoopDetected},
		"our own among others":   {"", http.Header{"X-Videocloud-Installation": {"another", "this-one"}}, http.StatusLoopDetected},
		"our own of a brand":     {"Acme", http.Header{"X-Acme-Installation": {"this-one"}}, http.StatusLoopDetected},
		"a relay of another":     {"", http.Header{"X-Videocloud-Installation": {"another"}}, http.StatusAccepted},
		"another brand's header": {"Acme", http.Header{"X-Videocloud-Installation": {"this-one"}}, http.StatusAccepted},
		"none":                   {"", nil, http.StatusAccepted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, api.Options{Brand: row.brand})
			for path, body := range map[string]string{"/events": event, "/events/batch": `{"events":[` + event + `]}`} {
				r := httptest.NewRequest("POST", path, strings.NewReader(body))
				for name, values := range row.header {
					r.Header[name] = values
				}
				r.Header.Set("Content-Type", "application/json")
				r.Header.Set("X-API-Key", demoKey)
				w := b.serve(r)
				require.Equal(t, row.status, w.Code, w.Body)
				if row.status == http.StatusLoopDetected {
					require.Contains(t, w.Body.String(), `"code":"loop"`)
				}
			}
			if row.status == http.StatusLoopDetected {
				require.Empty(t, b.service.accounts, "nothing was published")
			}
		})
	}
}
