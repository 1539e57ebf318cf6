package observability

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Never a secret, a signature or a body in a log, a span, a metric, an error, an answer of the admin API or GET /config/.
func TestNothingSecretIsShown(t *testing.T) {
	t.Parallel()
	store, spans := startRedis(t), grpcCollector(t)
	good, bad := newApp(t, 0), newApp(t, 9)
	env := append(spans.env, "OTEL_BSP_SCHEDULE_DELAY=50")
	sender := startCaddy(t, "sender", senderOptions(store, "propagate_trace"), apiSite, env...)
	gateway := startCaddy(t, "gateway", gatewayOptions(store), gatewaySite(good), env...)

	hook := sender.register(gateway.url("/webhooks"), "video.uploaded")
	sender.register(gateway.url("/queued"), "video.deleted")
	sender.register(bad.URL+"/hook?token="+queryToken, "video.processed")
	refused := sender.register("http://user.invalid/hook?token="+queryToken, "video.published")
	event, _ := sender.publish("video.uploaded")
	sender.publish("video.deleted")
	failing, delivery := sender.publish("video.processed")
	sender.publish("video.published")
	good.waitFor(t, 2)
	bad.waitFor(t, 3)
	secrets := []string{signingSecret, apiKey, headerSecret, redisPassword, encryptionKey, bodyMarker}
	for _, header := range append(good.got(), bad.got()...) {
		for _, name := range []string{"X-VideoCloud-Signature", "webhook-signature"} {
			if v := header.Get(name); v != "" {
				secrets = append(secrets, v, strings.TrimPrefix(v, "v1,"))
			}
		}
		require.Equal(t, headerSecret, header.Get("X-Secret"))
	}
	require.Greater(t, len(secrets), 12, "signatures were seen")

	// What strangers send is not shown either.
	forged := strings.Repeat("ab", 32)
	for _, path := range []string{"/webhooks", "/queued"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, gateway.url(path), strings.NewReader(bodyMarker))
		require.NoError(t, err)
		req.Header.Set("X-VideoCloud-Signature", forged)
		resp, err := client.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, 401, resp.StatusCode)
	}
	secrets = append(secrets, forged)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, sender.url("/webhooks"), nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer wrong-"+apiKey)
	resp, err := client.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, 401, resp.StatusCode)

	shown := map[string]string{}
	require.Eventually(t, func() bool {
		text := spans.text()
		return strings.Contains(text, "webhook.enqueue") && strings.Count(text, `"webhook.attempt"`) > 4 &&
			strings.Contains(sender.read("log"), `"delivery.failed"`)
	}, 2*time.Minute, 20*time.Millisecond)
	shown["spans"] = spans.text()
	for _, c := range []*caddy{sender, gateway} {
		for _, path := range []string{
			"/config/", "/metrics", "/webhooks/stats", "/webhooks/health", "/webhooks/webhooks", "/webhooks/explain?id=" + event,
			"/webhooks/explain?id=" + failing, "/webhooks/explain?id=nothing", "/webhooks/dead?name=queued",
		} {
			_, shown[c.name+" "+path] = c.adminGet(path)
		}
	}
	for _, args := range [][]string{
		{"stats"}, {"webhooks"}, {"webhooks", "--json"}, {"explain", event}, {"explain", failing, "--json"},
		{"retry", delivery, "--wait", "10s"}, {"replay", hook, "--since", "1h", "--all"}, {"explain", refused},
	} {
		r := sender.webhook(args...)
		shown[strings.Join(args, " ")] = r.stdout + r.stderr
	}
	for _, c := range []*caddy{sender, gateway} {
		c.stop()
		shown[c.name+" log"], shown[c.name+" out"] = c.read("log"), c.read("out")
		require.NotEmpty(t, shown[c.name+" log"])
	}
	for where, text := range shown {
		for i, secret := range secrets {
			require.False(t, strings.Contains(text, secret), "secret %d is in %s", i, where)
		}
	}
	// A URL's query may hold a token: its owner, the operator's list and a notice may show it, nothing that is collected.
	// Caddy writes the data of its events, a notice among them, into the log for debugging.
	shown["sender log"] = withoutLines(shown["sender log"], `"logger":"events"`)
	for _, where := range []string{"spans", "sender log", "gateway log", "sender /metrics"} {
		require.False(t, strings.Contains(shown[where], queryToken), where)
	}
}

// withoutLines leaves out the lines that hold a mark.
func withoutLines(text, mark string) string {
	var kept strings.Builder
	for line := range strings.Lines(text) {
		if !strings.Contains(line, mark) {
			kept.WriteString(line)
		}
	}
	return kept.String()
}
