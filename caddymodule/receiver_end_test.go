package caddymodule

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/receiver"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// silent is a handler that does its work, ends the chain and writes nothing: net/http answers 200 for it.
type silent struct{}

func (silent) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.test_silent", New: func() caddy.Module { return new(silent) }}
}

func (silent) ServeHTTP(http.ResponseWriter, *http.Request, caddyhttp.Handler) error { return nil }

func init() {
	caddy.RegisterModule(silent{})
	httpcaddyfile.RegisterHandlerDirective("test_silent", func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		h.Next()
		return silent{}, nil
	})
	httpcaddyfile.RegisterDirectiveOrder("test_silent", httpcaddyfile.Before, "respond")
}

func TestLesson50_NobodyBehindTheReceiver(t *testing.T) {
	for name, behind := range map[string]string{
		"nothing":                        "",
		"only middleware":                "header X-Seen yes\nrequest_header X-Seen yes\nencode gzip",
		"a matcher that doesn't match":   "@other header X-Other yes\nreverse_proxy @other 127.0.0.1:1",
		"handles that don't match":       "handle /other {\nrespond ok\n}",
		"an empty handle":                "handle {\nheader X-Seen yes\n}",
		"a route":                        "route {\nvars a b\n}",
		"a second receiver":              "route {\nwebhook_receiver videocloud " + testSecret + " {\nname second\n}\n}",
		"an invoked route":               "route {\nroute {\nheader X-Seen yes\n}\n}",
		"a matcher on the answer's path": "respond /other ok",
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			site := "handle /w {\nwebhook_receiver videocloud " + testSecret + " {\nname a\n}\n%s\n}\nhandle_errors {\nrespond \"{http.webhook.error}\" {err.status_code}\n}"
			s.load("", fmt.Sprintf(site, behind))
			for range 2 { // given back each time
				resp, body := do(t, signed(t, s.url("/w"), "evt_1", testEvent))
				require.Equal(t, http.StatusBadGateway, resp.StatusCode)
				require.Equal(t, "no_app", body)
			}
			require.Contains(t, s.logged(), `"webhook_outcome":"no_app"`)
			require.Regexp(t, `"level":"error".*webhook.received.*no_app.*add reverse_proxy`, s.logged())
			s.load("", fmt.Sprintf(site, "respond ok"))
			resp, body := do(t, signed(t, s.url("/w"), "evt_1", testEvent))
			require.Equal(t, http.StatusOK, resp.StatusCode)
			require.Equal(t, "ok", body)
		})
	}
}

func TestLesson50_AHandlerThatEndsTheChainDidItsWork(t *testing.T) {
	for name, behind := range map[string]string{
		"in silence":     "test_silent",
		"with a status":  "respond 204",
		"in an own site": "handle {\nroute {\ntest_silent\n}\n}",
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			s.load("", "handle /w {\nwebhook_receiver videocloud "+testSecret+" {\nname a\n}\n"+behind+"\n}")
			resp, _ := do(t, signed(t, s.url("/w"), "evt_1", testEvent))
			require.Equal(t, 2, resp.StatusCode/100)
			resp, _ = do(t, signed(t, s.url("/w"), "evt_1", testEvent))
			require.Equal(t, "true", resp.Header.Get("X-Webhook-Duplicate"))
		})
	}
}

func TestLesson50_AQueueWithNobodyBehind(t *testing.T) {
	for name, test := range map[string]struct {
		deliver string
		dead    bool
	}{
		"a matcher that doesn't match": {"@other header X-Other yes\nreverse_proxy @other 127.0.0.1:1", true},
		"a handle":                     {"handle {\nheader X-Seen yes\n}", true},
		"a handler in silence":         {"test_silent", false},
	} {
		t.Run(name, func(t *testing.T) {
			s, app := newServer(t), newBackend(t)
			site := queueSite(app, "0s")
			proxy := "reverse_proxy " + strings.TrimPrefix(app.URL, "http://")
			s.load("webhooks {\n redis memory\n}", strings.Replace(site, proxy, test.deliver, 1))
			doQueued(t, s, "evt_1")
			q := theQueue(t, "queued")
			require.Eventually(t, func() bool {
				d, err := q.Depth(t.Context())
				return err == nil && d.Waiting == 0 && d.InFlight == 0
			}, time.Minute, time.Millisecond)
			dead, _, err := q.List(t.Context(), receiver.Selection{}, "", 10)
			require.NoError(t, err)
			require.Equal(t, test.dead, len(dead) == 1)
			if test.dead {
				require.Contains(t, dead[0].Error, "add reverse_proxy")
			}
		})
	}
}

// TestLesson67_AnAppThatSwitchesTookNothing: reverse_proxy ends in silence where the app answers 101 with another protocol than was asked
// for, and makes a tunnel where it names none.
func TestLesson67_AnAppThatSwitchesTookNothing(t *testing.T) {
	for name, upgrade := range map[string]string{"a protocol": "Connection: Upgrade\r\nUpgrade: websocket\r\n", "no protocol": ""} {
		t.Run(name, func(t *testing.T) {
			app := &backend{Server: httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				conn, rw, err := http.NewResponseController(w).Hijack()
				if err != nil {
					return
				}
				defer conn.Close()
				_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\n" + upgrade + "\r\n")
				_ = rw.Flush()
			}))}
			t.Cleanup(app.Close)
			proxy := "reverse_proxy " + strings.TrimPrefix(app.URL, "http://")
			t.Run("direct", func(t *testing.T) {
				s := newServer(t)
				s.load("", "handle /w {\nwebhook_receiver videocloud "+testSecret+" {\nname a\n}\n"+proxy+"\n}")
				for range 2 { // given back each time
					resp, _ := do(t, signed(t, s.url("/w"), "evt_1", testEvent))
					require.Equal(t, http.StatusBadGateway, resp.StatusCode)
				}
				require.Regexp(t, `webhook.received.*no_app.*101`, s.logged())
			})
			t.Run("queue", func(t *testing.T) {
				s := newServer(t)
				s.load("webhooks {\n redis memory\n}", queueSite(app, "0s"))
				doQueued(t, s, "evt_1")
				q := theQueue(t, "queued")
				require.Eventually(t, func() bool {
					dead, _, err := q.List(t.Context(), receiver.Selection{}, "", 10)
					return err == nil && len(dead) == 1 && strings.Contains(dead[0].Error, "101")
				}, time.Minute, time.Millisecond)
			})
		})
	}
}
