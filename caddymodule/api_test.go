package caddymodule

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLesson60TheAPIBelowHandlePath(t *testing.T) {
	s := newServer(t)
	s.load("webhooks {\n redis memory\n sender\n}", `
	handle_path /api/v1/* {
		webhook_api {
			api_key videocloud-demo-key
		}
	}
	respond 404`)
	ask := func(method, path, body string) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), method, s.url(path), strings.NewReader(body))
		require.NoError(t, err)
		r.Header.Set("X-API-Key", "videocloud-demo-key")
		r.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		t.Cleanup(func() { _ = res.Body.Close() })
		return res
	}
	res := ask("POST", "/api/v1/webhooks", `{"url":"https://your-server.com/webhooks","events":["*"]}`)
	require.Equal(t, http.StatusCreated, res.StatusCode)
	require.Equal(t, http.StatusOK, ask("GET", res.Header.Get("Location"), "").StatusCode, res.Header.Get("Location"))
	document, err := io.ReadAll(ask("GET", "/api/v1/openapi.json", "").Body)
	require.NoError(t, err)
	require.Contains(t, string(document), `"servers":[{"url":"/api/v1"}]`)
}
