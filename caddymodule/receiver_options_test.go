package caddymodule

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caddyserver/caddy/v2"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/signature"
)

// TestPlainSettingsAreCopied: durations, lists of them, numbers and switches reach the settings of the libraries; texts are left out.
func TestPlainSettingsAreCopied(t *testing.T) {
	t.Parallel()
	queue := new(config.Queue)
	copyPlain(queue, &Queue{
		Retry: []caddy.Duration{0, caddy.Duration(time.Minute)}, Timeout: caddy.Duration(time.Second), Concurrency: 2, MaxLength: 3, Ordered: true,
		Deliveries: []*Delivery{{Name: "shop"}},
	})
	require.Equal(t, &config.Queue{Retry: []time.Duration{0, time.Minute}, Timeout: time.Second, Concurrency: 2, MaxLength: 3, Ordered: true}, queue)

	redis := config.Redis{Password: "resolved"}
	copyPlain(&redis, &Redis{Password: "{env.PASSWORD}", DB: 4, Cluster: true})
	require.Equal(t, config.Redis{Password: "resolved", DB: 4, Cluster: true}, redis)

	// Every plain setting has its counterpart: copyPlain panics at one that has none.
	copyPlain(new(config.Sender), new(Sender))
	copyPlain(new(config.Receiver), new(Receiver))
	copyPlain(new(config.Dedup), new(Dedup))
}

// TestReceiverOptions: each option that changes what is let in does so in a running Caddy.
func TestReceiverOptions(t *testing.T) {
	s, app := newServer(t), newBackend(t)
	bare := func(r *http.Request) {
		for _, name := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
			r.Header.Del(name)
		}
	}
	unsigned := func(r *http.Request) { r.Header.Del("X-VideoCloud-Signature"); bare(r) }
	old := func(r *http.Request) {
		v, err := signature.New(signature.Config{Scheme: "videocloud", Secrets: []string{testSecret}})
		require.NoError(t, err)
		h, err := v.Sign(&signature.Request{Method: "POST", Header: http.Header{}, Body: []byte(testEvent)}, "evt_1", time.Now().Add(-20*time.Minute))
		require.NoError(t, err)
		r.Header = h
	}
	square := func(url string) func(*http.Request) {
		return func(r *http.Request) {
			v, err := signature.New(signature.Config{Scheme: "square", Secrets: []string{testSecret}, URL: url})
			require.NoError(t, err)
			r.Header, err = v.Sign(&signature.Request{Method: "POST", URL: url, Header: http.Header{}, Body: []byte(testEvent)}, "", time.Now())
			require.NoError(t, err)
		}
	}
	const public = "https://hooks.example.com/in?a=b"
	for name, test := range map[string]struct {
		options string
		change  func(*http.Request)
		status  int
		said    string // the app's answer, or the refusal
	}{
		"without headers that sign a time":       {"", bare, 200, "done"},
		"require_timestamp":                      {"require_timestamp", bare, 401, "refused: signature_missing"},
		"require_timestamp, and it is there":     {"require_timestamp", func(*http.Request) {}, 200, "done"},
		"too old":                                {"", old, 401, "refused: timestamp"},
		"tolerance":                              {"tolerance 30m", old, 200, "done"},
		"tolerance off":                          {"tolerance off", old, 200, "done"},
		"methods":                                {"methods POST PUT", func(r *http.Request) { r.Method = http.MethodPut }, 200, "done"},
		"a method that is not among them":        {"methods PUT", func(*http.Request) {}, 405, "refused: method"},
		"max_size":                               {"max_size 10B", func(*http.Request) {}, 413, "refused: too_large"},
		"url":                                    {"scheme square\nurl " + public, square(public), 200, "done"},
		"another url":                            {"scheme square\nurl " + public + "c", square(public), 401, "refused: signature_mismatch"},
		"dry_run of a request without signature": {"dry_run", unsigned, 200, "done"},
		"dry_run of a method":                    {"dry_run", func(r *http.Request) { r.Method = http.MethodPut }, 200, "done"},
		"dry_run of an address":                  {"dry_run\nallow 192.0.2.1", func(*http.Request) {}, 200, "done"},
	} {
		s.load("", receiverSite("webhook_receiver {\nsecret "+testSecret+"\n"+test.options+"\n}", app))
		req := signed(t, s.url("/webhooks"), "evt_1", testEvent)
		test.change(req)
		for range 2 { // a dry run drops no duplicate either
			resp, body := do(t, req)
			require.Equal(t, test.status, resp.StatusCode, "%s: %s", name, body)
			require.Equal(t, test.said, body, name)
			if !strings.HasPrefix(test.options, "dry_run") {
				break
			}
			_, last, event := app.seen()
			require.Equal(t, testEvent, event)
			require.Empty(t, last.Header.Get("X-Webhook-Verified"), name)
			req.Body, _ = req.GetBody()
		}
	}
}

// TestAMatcherOnTheReceiverIsWarnedOf: what it does not match goes on unverified.
func TestAMatcherOnTheReceiverIsWarnedOf(t *testing.T) {
	s := newServer(t)
	s.load("", "respond ok")
	require.NotContains(t, s.logged(), "webhook_receiver has a matcher")
	s.load("webhooks {\nredis memory\n}", "webhook_receiver github "+testSecret+" {\nname a\n}\nrespond ok")
	require.NotContains(t, s.logged(), "webhook_receiver has a matcher")
	s.load("webhooks {\nredis memory\n}", "webhook_receiver /webhooks github "+testSecret+" {\nname a\n}\nrespond ok")
	require.Regexp(t, `webhook_receiver has a matcher.*unverified.*Caddyfile:\d+`, s.logged())
}
