package receiver

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLesson34_Allowlist(t *testing.T) {
	t.Parallel()
	prefixes := []netip.Prefix{
		netip.MustParsePrefix("203.0.113.7/32"), netip.MustParsePrefix("2001:db8::1/128"),
		netip.MustParsePrefix("198.51.100.9/24"), netip.MustParsePrefix("::ffff:192.0.2.0/120"),
	}
	tests := map[string]struct {
		remote string
		ok     bool
	}{
		"an address":                    {"203.0.113.7:1", true},
		"its neighbour":                 {"203.0.113.8:1", false},
		"IPv4-mapped":                   {"[::ffff:203.0.113.7]:1", true},
		"IPv6":                          {"[2001:db8::1]:1", true},
		"IPv6 neighbour in the /32":     {"[2001:db8::2]:1", false},
		"IPv6 with a zone":              {"[2001:db8::1%eth0]:1", true},
		"a network written with a host": {"198.51.100.200:1", true},
		"a mapped network":              {"192.0.2.77:1", true},
		"beside the mapped network":     {"192.0.3.77:1", false},
		"a socket without address":      {"@", false},
		"nothing":                       {"", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, func(o *Options) { o.Config.Allow = prefixes })
			r := delivery(`{}`, "evt_1")
			r.RemoteAddr = test.remote
			// A stranger's word about where it comes from changes nothing.
			r.Header.Set("X-Forwarded-For", "203.0.113.7")
			r.Header.Set("Forwarded", "for=203.0.113.7")
			r.Header.Set("X-Real-Ip", "203.0.113.7")
			if test.ok {
				requireAccepted(t, g.serve(r))
				return
			}
			status, reason := g.refusedReason(t, r)
			require.Equal(t, http.StatusForbidden, status)
			require.Equal(t, ReasonIP, reason)
		})
	}
}

func TestFurtherSourcesAreAskedAfterTheList(t *testing.T) {
	t.Parallel()
	var asked []netip.Addr
	g := newGateway(t, func(o *Options) {
		o.Config.Allow = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
		o.ClientIP = func(r *http.Request) netip.Addr { return netip.MustParseAddr(r.Header.Get("Test-Client")) }
		o.Allowed = func(_ *http.Request, a netip.Addr) bool {
			asked = append(asked, a)
			return a == netip.MustParseAddr("198.51.100.1")
		}
	})
	for client, ok := range map[string]bool{"192.0.2.1": true, "::ffff:198.51.100.1": true, "198.51.100.2": false} {
		r := delivery(client, "")
		r.Header.Set("Test-Client", client)
		require.Equal(t, ok, g.serve(r).Code == http.StatusOK, client)
	}
	require.ElementsMatch(t, []netip.Addr{netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("198.51.100.2")}, asked)
}

// ownSpellings are headers that some app would take for one of ours.
var ownSpellings = []string{
	"X-Webhook-Verified", "X_Webhook_Verified", "x-webhook_verified", "X-WEBHOOK-ID", "X_WEBHOOK_ID", "x-Webhook-Event",
	"X-Webhook-Timestamp", "X-Webhook-Attempt", "X-Webhook-Deliver", "x.webhook_deliver", "X.Webhook.Id", "X-Webhook_Verified",
}

func TestLesson40_OwnHeadersFromOutsideAreDropped(t *testing.T) {
	t.Parallel()
	forge := func(r *http.Request) {
		for _, name := range ownSpellings {
			r.Header[name] = []string{"forged"} // not canonical, as other servers may leave them
		}
		r.Header["X-Webhookish"] = []string{"kept"}
		r.Header["X-Webhook-Signature"] = []string{"a provider's own"} // lesson 70
		r.Header["Connection"] = []string{"keep-alive, X-Webhook-Verified", "x_webhook_id"}
	}
	requireClean := func(t *testing.T, h http.Header) {
		t.Helper()
		for name, values := range h {
			require.NotContains(t, values, "forged", name)
		}
		require.Equal(t, "kept", h.Get("X-Webhookish"))
		require.Equal(t, "a provider's own", h.Get("X-Webhook-Signature"))
		require.Equal(t, []string{"keep-alive"}, h["Connection"])
	}
	t.Run("accepted", func(t *testing.T) {
		t.Parallel()
		g := newGateway(t)
		r := delivery(`{"event":"video.uploaded"}`, "evt_1")
		forge(r)
		requireAccepted(t, g.serve(r))
		requireClean(t, g.app.last().Header)
		require.Equal(t, []string{"videocloud"}, g.app.last().Header["X-Webhook-Verified"])
		require.Equal(t, []string{"evt_1"}, g.app.last().Header["X-Webhook-Id"])
		require.NotContains(t, g.app.last().Header, "X-Webhook-Attempt")
	})
	t.Run("refused, for an error page", func(t *testing.T) {
		t.Parallel()
		g := newGateway(t)
		r := delivery(`{}`, "evt_1")
		r.Header.Del("X-VideoCloud-Signature")
		forge(r)
		g.refusedReason(t, r)
		requireClean(t, r.Header)
		require.NotContains(t, r.Header, "X-Webhook-Verified")
	})
	t.Run("let through by a dry run", func(t *testing.T) {
		t.Parallel()
		g := newGateway(t, func(o *Options) { o.Config.DryRun = true })
		r := delivery(`{}`, "evt_1")
		r.Header.Set("X-VideoCloud-Signature", sign("other"))
		forge(r)
		requireAccepted(t, g.serve(r))
		requireClean(t, g.app.last().Header)
		require.NotContains(t, g.app.last().Header, "X-Webhook-Verified")
	})
}

// TestLesson48_UnderscoresPassForDashes is the library's half of the lesson; the paths are the example configuration's.
func TestLesson48_UnderscoresPassForDashes(t *testing.T) {
	t.Parallel()
	for _, name := range ownSpellings {
		require.True(t, isGatewayHeader(name), name)
	}
	for _, name := range []string{"X-Webhook", "XWebhook-Id", "X-Webhooks-Id", "Webhook-Id", "X-Webhook1Id", "", "X-", "Webhook-Signature"} {
		require.False(t, isGatewayHeader(name), name)
	}
}

// TestLesson70_AProvidersOwnHeadersReachTheApp: only the names that we set are dropped.
func TestLesson70_AProvidersOwnHeadersReachTheApp(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"X-Webhook-Signature", "X-Webhook-Source", "X-Webhook-Topic", "X-Webhook-Id-2", "X-Webhook"} {
		h := http.Header{name: {"a provider's"}}
		for _, own := range ownSpellings {
			h[own] = []string{"forged"}
		}
		stripHeaders(h)
		require.Equal(t, http.Header{name: {"a provider's"}}, h, name)
	}
}

func TestIDsThatCantStandInAHeaderAreLeftOut(t *testing.T) {
	t.Parallel()
	for _, v := range []string{"", "line\r\nX-Injected: 1", "tab\there", "\x00", strings.Repeat("a", 2000)} {
		require.False(t, validHeaderValue(v), v)
	}
	require.True(t, validHeaderValue("évt_1"))
	g := newGateway(t, func(o *Options) { o.Config.Dedup.IDPointer = "/id" })
	requireAccepted(t, g.deliver(`{"id":"a\r\nX-Injected: 1"}`, ""))
	require.NotContains(t, g.app.last().Header, "X-Webhook-Id")
}

func TestLesson67_AnUpgradeIsNeverPassedOn(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Options){
		"accepted": func(*Options) {},
		"let through by a dry run": func(o *Options) {
			o.Config.DryRun = true
			o.Config.Secrets = []string{"another secret of the tests"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, change)
			r := delivery(`{}`, "evt_1")
			r.Header["Connection"] = []string{"keep-alive, Upgrade", "HTTP2-Settings"}
			r.Header["Upgrade"] = []string{"websocket"}
			r.Header["Http2-Settings"] = []string{"AAMAAABkAARAAAAAAAIAAAAA"}
			requireAccepted(t, g.serve(r))
			got := g.app.last().Header
			require.NotContains(t, got, "Upgrade")
			require.NotContains(t, got, "Http2-Settings")
			require.Equal(t, []string{"keep-alive"}, got["Connection"])
		})
	}
}

// TestLesson67_AnAppThatSwitchesTookNothing: nobody asked for another protocol, so 101 is no answer, whatever follows it.
func TestLesson67_AnAppThatSwitchesTookNothing(t *testing.T) {
	t.Parallel()
	for name, then := range map[string]func(*testing.T, http.ResponseWriter){
		"nothing": func(*testing.T, http.ResponseWriter) {},
		"a tunnel": func(t *testing.T, w http.ResponseWriter) {
			_, _, err := http.NewResponseController(w).Hijack()
			require.ErrorIs(t, err, http.ErrNotSupported)
		},
		"another status": func(_ *testing.T, w http.ResponseWriter) { w.WriteHeader(http.StatusOK) },
		"a body":         func(_ *testing.T, w http.ResponseWriter) { _, _ = io.WriteString(w, "frames") },
		"a flush":        func(_ *testing.T, w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t)
			g.app.work = func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusSwitchingProtocols)
				then(t, w)
			}
			for range 2 { // given back
				w := httptest.NewRecorder()
				out, err := g.Serve(w, delivery("body", "evt_1"), func(w http.ResponseWriter, r *http.Request) error {
					g.app.ServeHTTP(w, r)
					return nil
				})
				var refusal *Refusal
				require.ErrorAs(t, err, &refusal)
				require.Equal(t, http.StatusBadGateway, refusal.Status)
				require.Equal(t, ReasonNoApp, out.Result)
				require.Contains(t, err.Error(), "101")
				require.Empty(t, w.Body.String())
			}
			g.app.work = nil
			requireAccepted(t, g.deliver("body", "evt_1"))
		})
	}
}
