package caddymodule

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/redistest"
)

const probes = "handle /health/* {\nwebhook_health\n}\n"

func (s *server) probe(method, path string) int {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url(path), nil)
	require.NoError(s.t, err)
	resp, _ := do(s.t, req)
	return resp.StatusCode
}

func TestProbes(t *testing.T) {
	down := fmt.Sprintf("redis redis://127.0.0.1:%d", redistest.FreePort(t))
	gateway := "handle /in {\nwebhook_receiver github a_secret_of_16_bytes {\nname app\n%s\n}\nrespond ok\n}\n"
	for name, test := range map[string]struct {
		options, site string
		ready         int
	}{
		"memory":                         {localSender, "", 200},
		"API, store down":                {"webhooks {\n" + down + "\nsender\n}", "", 503},
		"gateway that goes on by itself": {"webhooks {\n" + down + "\n}", fmt.Sprintf(gateway, ""), 200},
		"gateway that can't":             {"webhooks {\n" + down + "\n}", fmt.Sprintf(gateway, "dedup {\non_store_error reject\n}"), 503},
		"gateway with a queue":           {"webhooks {\n" + down + "\n}", fmt.Sprintf(gateway, "queue {\ndeliver {\nrespond ok\n}\n}"), 503},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			s.load(test.options, probes+test.site)
			require.Equal(t, 200, s.probe("GET", "/health/live"), "a store that is down is no reason to kill a process")
			require.Equal(t, test.ready, s.probe("GET", "/health/ready"))
			require.Equal(t, test.ready, s.probe("HEAD", "/health/ready"))
			require.Equal(t, 404, s.probe("GET", "/health/"))
			require.Equal(t, 404, s.probe("GET", "/health/ready/more"))
			require.Equal(t, 405, s.probe("POST", "/health/live"))
		})
	}
}

func TestReadyFollowsTheStore(t *testing.T) {
	store := redistest.Start(t)
	s := newServer(t)
	s.load("webhooks {\nredis "+store.URL()+"\nsender\n}", probes)
	require.Equal(t, 200, s.probe("GET", "/health/ready"))
	store.Kill()
	require.Eventually(t, func() bool { return s.probe("GET", "/health/ready") == 503 }, 2*time.Minute, 20*time.Millisecond)
	require.Equal(t, 200, s.probe("GET", "/health/live"))
}
