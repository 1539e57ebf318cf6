package observability

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
)

// families are all metrics of ours, and which labels each may have.
var families = map[string]struct {
	kind   dto.MetricType
	labels []string
}{
	"caddy_webhook_receiver_requests_total":         {dto.MetricType_COUNTER, []string{"name", "outcome", "scheme"}},
	"caddy_webhook_receiver_duration_seconds":       {dto.MetricType_HISTOGRAM, []string{"name"}},
	"caddy_webhook_sender_attempts_total":           {dto.MetricType_COUNTER, []string{"outcome"}},
	"caddy_webhook_sender_attempt_duration_seconds": {dto.MetricType_HISTOGRAM, nil},
	"caddy_webhook_sender_deliveries_total":         {dto.MetricType_COUNTER, []string{"state"}},
	"caddy_webhook_queue_depth":                     {dto.MetricType_GAUGE, []string{"queue", "state"}},
	"caddy_webhook_queue_oldest_due_seconds":        {dto.MetricType_GAUGE, []string{"queue"}},
	"caddy_webhook_sender_slots":                    {dto.MetricType_GAUGE, []string{"state"}},
	"caddy_webhook_senders":                         {dto.MetricType_GAUGE, nil},
	"caddy_webhook_store_errors_total":              {dto.MetricType_COUNTER, []string{"operation"}},
}

// words that a label may have, beside the names in the configuration.
var words = map[string][]string{
	"outcome": {
		"success", "status", "redirect", "read", "internal", "poison", "blocked", "dns", "refused", "connect", "tls", "proxy", "token", "timeout",
		"accepted", "failed", "queued", "duplicate", "challenge", "method", "ip", "signature_missing", "signature_malformed", "timestamp",
		"too_large", "body", "signature_mismatch", "in_flight", "store", "queue_full", "no_app", "busy",
	},
	"state":  {"succeeded", "failed", "cancelled", "waiting", "in_flight", "dead", "taken", "all"},
	"queue":  {"sender", "queued"},
	"name":   {"shop", "queued"},
	"scheme": {"videocloud"},
}

// scraped is one scrape, by metric and labels.
type scraped map[string]float64

func scrape(t *testing.T, c *caddy) scraped {
	t.Helper()
	status, text := c.adminGet("/metrics")
	require.Equal(t, 200, status)
	parser := expfmt.NewTextParser(model.UTF8Validation)
	parsed, err := parser.TextToMetricFamilies(strings.NewReader(text))
	require.NoError(t, err)
	all := scraped{}
	for name, family := range parsed {
		if !strings.HasPrefix(name, "caddy_webhook") {
			continue
		}
		want, known := families[name]
		require.True(t, known, name)
		require.Equal(t, want.kind, family.GetType(), name)
		for _, m := range family.Metric {
			labels := map[string]string{}
			for _, l := range m.Label {
				labels[l.GetName()] = l.GetValue()
				if allowed, bounded := words[l.GetName()]; bounded {
					require.Contains(t, allowed, l.GetValue(), name)
				}
			}
			require.Len(t, labels, len(want.labels), name)
			series := name
			for _, l := range want.labels {
				require.Contains(t, labels, l, name)
				series += " " + labels[l]
			}
			switch want.kind {
			case dto.MetricType_COUNTER:
				all[series] = m.GetCounter().GetValue()
			case dto.MetricType_GAUGE:
				all[series] = m.GetGauge().GetValue()
			default:
				all[series] = float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return all
}

// requireNoLess checks that no counter and no histogram lost anything, and that no series is gone.
func requireNoLess(t *testing.T, before, after scraped) {
	t.Helper()
	for series, n := range before {
		require.Contains(t, after, series)
		if name, _, _ := strings.Cut(series, " "); families[name].kind != dto.MetricType_GAUGE {
			require.GreaterOrEqual(t, after[series], n, series)
		}
	}
}

func TestMetricsSurviveReloads(t *testing.T) {
	t.Parallel()
	store, to := startRedis(t), newApp(t, 0)
	options := senderOptions(store, "")
	site := "handle /api/* {\nuri strip_prefix /api\n" + apiSite + "\n}\n" + gatewaySite(to)
	c := startCaddy(t, "all", options, site, "OTEL_TRACES_EXPORTER=none")
	register := func(path string, events string) {
		c.api("POST", "/api/webhooks", fmt.Sprintf(`{"url":%q,"events":[%q],"secret":%q}`, c.url(path), events, signingSecret))
	}
	before := scrape(t, c)
	for name := range families {
		require.True(t, slices.ContainsFunc(slices.Collect(maps.Keys(before)), func(series string) bool {
			return series == name || strings.HasPrefix(series, name+" ")
		}), "%s is there before anything happened", name)
	}
	for _, series := range []string{
		"caddy_webhook_sender_attempts_total success", "caddy_webhook_sender_deliveries_total failed",
		"caddy_webhook_receiver_requests_total shop accepted videocloud", "caddy_webhook_receiver_requests_total queued signature_mismatch videocloud",
		"caddy_webhook_receiver_requests_total queued queue_full videocloud", "caddy_webhook_store_errors_total claim", "caddy_webhook_store_errors_total check",
	} {
		require.Contains(t, before, series, "a first failure has to show as an increase")
	}
	register("/webhooks", "video.uploaded")
	register("/queued", "video.deleted")
	traffic := func() {
		t.Helper()
		n := len(to.got())
		for _, event := range []string{"video.uploaded", "video.deleted"} {
			c.api("POST", "/api/events", fmt.Sprintf(`{"event":%q,"data":{"n":%d}}`, event, n))
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.url("/webhooks"), strings.NewReader("{}"))
		require.NoError(t, err)
		req.Header.Set("X-VideoCloud-Signature", strings.Repeat("0", 64))
		resp, err := client.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, 401, resp.StatusCode)
		to.waitFor(t, n+2)
	}
	// A reload must neither begin anew nor count twice.
	for round := range 4 {
		traffic()
		var now scraped
		want := float64(round + 1)
		require.Eventually(t, func() bool {
			now = scrape(t, c)
			return now["caddy_webhook_sender_attempts_total success"] == 2*want && now["caddy_webhook_sender_deliveries_total succeeded"] == 2*want &&
				now["caddy_webhook_receiver_requests_total shop accepted videocloud"] == want &&
				now["caddy_webhook_receiver_requests_total queued queued videocloud"] == want &&
				now["caddy_webhook_receiver_requests_total shop signature_mismatch videocloud"] == want &&
				now["caddy_webhook_sender_attempt_duration_seconds"] == 2*want && now["caddy_webhook_receiver_duration_seconds shop"] == 2*want
		}, 2*time.Minute, 20*time.Millisecond, "round %d: %v", round, now)
		requireNoLess(t, before, now)
		before = now
		if round < 3 {
			c.reload(options, site+fmt.Sprintf("\nheader X-Reload %d", round))
		}
	}
	for _, series := range []string{
		"caddy_webhook_queue_depth sender waiting", "caddy_webhook_queue_depth sender in_flight", "caddy_webhook_queue_depth queued waiting",
		"caddy_webhook_queue_depth queued in_flight", "caddy_webhook_queue_depth queued dead", "caddy_webhook_queue_oldest_due_seconds sender",
		"caddy_webhook_queue_oldest_due_seconds queued",
	} {
		require.Contains(t, before, series)
	}
}

// Depth and age come from Redis, so every process shows them; one that only takes events shows that nobody delivers.
func TestQueueMetricsComeFromRedis(t *testing.T) {
	t.Parallel()
	store := startRedis(t)
	c := startCaddy(t, "api", strings.Replace(senderOptions(store, "deliver off"), "tracing\n", "\n", 1), apiSite, "OTEL_TRACES_EXPORTER=none")
	paused := c.register("http://127.0.0.1:1/", "video.deleted")
	c.register("http://127.0.0.1:1/", "video.uploaded")
	c.publish("video.uploaded")
	c.publish("video.deleted")
	c.api("PUT", "/webhooks/"+paused, `{"status":"paused"}`)
	require.Eventually(t, func() bool {
		m := scrape(t, c)
		return m["caddy_webhook_queue_depth sender waiting"] == 2 && m["caddy_webhook_queue_oldest_due_seconds sender"] > 1
	}, 2*time.Minute, 50*time.Millisecond)
	status, answer := c.adminGet("/webhooks/health")
	require.Equal(t, 503, status, "it is not meant to deliver, and nobody else does: %s", answer)
	require.Contains(t, answer, `"sender":"api_only"`)
	require.Contains(t, answer, "no process delivers")

	// With Redis down the rest is there all the same, and says so.
	store.Kill()
	require.Eventually(t, func() bool {
		m := scrape(t, c)
		return !slices.ContainsFunc(slices.Collect(maps.Keys(m)), func(s string) bool { return strings.HasPrefix(s, "caddy_webhook_queue_") }) &&
			m["caddy_webhook_store_errors_total check"]+m["caddy_webhook_store_errors_total stats"] > 0
	}, 2*time.Minute, 100*time.Millisecond)
	status, answer = c.adminGet("/webhooks/health")
	require.Equal(t, 503, status, answer)
}
