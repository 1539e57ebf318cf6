package observability

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	publisherTrace = "0af7651916cd43dd8448eb211c80319c"
	publisherSpan  = "b7ad6b7169203331"
)

func traceparent(trace string) string { return "00-" + trace + "-" + publisherSpan + "-01" }

// One trace from POST /events through each attempt to the gateway and the app behind it.
func TestTraces(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		collector func(*testing.T) *otlp
		atExit    bool // spans leave when the programs end
	}{
		"gRPC":                  {grpcCollector, false},
		"HTTP, flushed at exit": {httpCollector, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redis, spans := startRedis(t), test.collector(t)
			env := append(spans.env, "OTEL_BSP_SCHEDULE_DELAY=50")
			if test.atExit {
				env = append(spans.env, "OTEL_BSP_SCHEDULE_DELAY=3600000")
			}
			good, bad := newApp(t, 0), newApp(t, 2)
			options := senderOptions(redis, "propagate_trace")
			sender := startCaddy(t, "sender", options, apiSite, env...)
			gateway := startCaddy(t, "gateway", gatewayOptions(redis), gatewaySite(good), env...)
			shaky := startCaddy(t, "shaky", strings.Replace(gatewayOptions(redis), "}\n	}", "}\n		key_prefix other\n	}", 1), gatewaySite(bad), env...)
			sender.register(gateway.url("/webhooks"), "video.uploaded")
			sender.register(shaky.url("/webhooks"), "video.processed")
			sender.register(gateway.url("/queued"), "video.deleted")

			const failing, queued = "1af7651916cd43dd8448eb211c80319c", "2af7651916cd43dd8448eb211c80319c"
			event, _ := sender.publish("video.uploaded", "traceparent", traceparent(publisherTrace))
			good.waitFor(t, 1)
			sender.reload(options, apiSite+"\nheader X-Reloaded yes") // the provider outlives it
			sender.publish("video.processed", "traceparent", traceparent(failing))
			bad.waitFor(t, 3)
			sender.publish("video.deleted", "traceparent", traceparent(queued))
			good.waitFor(t, 2)
			if test.atExit {
				require.Empty(t, spans.text())
				for _, c := range []*caddy{sender, gateway, shaky} {
					c.stop()
				}
			}
			complete := func() bool {
				return len(spans.of(publisherTrace, "webhook.receive")) == 1 && len(spans.of(failing, "webhook.receive")) == 3 &&
					len(spans.of(failing, "webhook.attempt")) == 3 && len(spans.of(queued, "webhook.enqueue")) == 1 && len(spans.of(queued, "gateway")) == 1
			}
			require.Eventually(t, complete, 2*time.Minute, 20*time.Millisecond, "spans are missing")

			t.Run("success", func(t *testing.T) { spans.checkSuccess(t, publisherTrace, event) })
			t.Run("two failures", func(t *testing.T) { spans.checkFailures(t, failing) })
			t.Run("queue", func(t *testing.T) {
				receive := spans.of(queued, "webhook.receive")[0]
				for _, step := range []string{"webhook.verify", "webhook.dedup", "webhook.enqueue"} {
					require.Len(t, spans.of(queued, step), 1, step)
				}
				require.Equal(t, receive.id(), spans.of(queued, "webhook.verify")[0].parent())
				require.Equal(t, "queued", receive.attribute("webhook.outcome"))
			})
			// The app is in the trace too.
			require.Contains(t, good.got()[0].Get("traceparent"), publisherTrace)
			for _, header := range bad.got() {
				require.Contains(t, header.Get("traceparent"), failing)
			}
		})
	}
}

// only returns the one span of a trace with that name.
func (o *otlp) only(t *testing.T, trace, name string) *span {
	t.Helper()
	found := o.of(trace, name)
	require.Len(t, found, 1, name)
	return found[0]
}

func (o *otlp) checkSuccess(t *testing.T, trace, event string) {
	api := o.only(t, trace, "api")
	require.Equal(t, publisherSpan, api.parent())
	publish := o.only(t, trace, "webhook.publish")
	require.Equal(t, api.id(), publish.parent())
	require.Equal(t, "sender", publish.service)
	require.Equal(t, event, publish.attribute("webhook.event.id"))
	require.Equal(t, "1", publish.attribute("webhook.deliveries"))

	attempt := o.only(t, trace, "webhook.attempt")
	require.Equal(t, publish.id(), attempt.parent())
	require.Equal(t, "SPAN_KIND_CLIENT", attempt.Kind.String())
	require.False(t, attempt.failed())
	for name, want := range map[string]string{
		"http.request.method": "POST", "http.response.status_code": "200", "server.address": "127.0.0.1",
		"webhook.event.id": event, "webhook.event.type": "video.uploaded", "webhook.attempt": "1",
	} {
		require.Equal(t, want, attempt.attribute(name), name)
	}
	gateway := o.only(t, trace, "gateway")
	require.Equal(t, attempt.id(), gateway.parent())
	require.Equal(t, "gateway", gateway.service)
	receive := o.only(t, trace, "webhook.receive")
	require.Equal(t, gateway.id(), receive.parent())
	require.Equal(t, "gateway", receive.service)
	require.Equal(t, "accepted", receive.attribute("webhook.outcome"))
	require.Equal(t, "shop", receive.attribute("webhook.name"))
	for _, step := range []string{"webhook.verify", "webhook.dedup"} {
		require.Equal(t, receive.id(), o.only(t, trace, step).parent(), step)
	}
}

func (o *otlp) checkFailures(t *testing.T, trace string) {
	publish := o.only(t, trace, "webhook.publish")
	attempts, gateways, receives := o.of(trace, "webhook.attempt"), o.of(trace, "gateway"), o.of(trace, "webhook.receive")
	require.Len(t, attempts, 3)
	require.Len(t, gateways, 3)
	require.Len(t, receives, 3)
	for i, a := range attempts {
		number := string(rune('1' + i))
		require.Equal(t, publish.id(), a.parent(), "each attempt stands under the same event")
		require.Equal(t, number, a.attribute("webhook.attempt"))
		require.Equal(t, i < 2, a.failed())
		require.Equal(t, a.id(), gateways[i].parent())
		require.Equal(t, gateways[i].id(), receives[i].parent())
		require.Equal(t, i < 2, receives[i].failed())
		if i < 2 {
			require.Equal(t, "500", a.attribute("http.response.status_code"))
			require.Equal(t, "status", a.attribute("error.type"))
			require.Equal(t, "answered 500", a.Status.Message)
			require.Len(t, a.Events, 1)
			require.Equal(t, "exception", a.Events[0].Name)
			require.Equal(t, "failed", receives[i].attribute("webhook.outcome"))
		}
	}
}

// Without propagate_trace no trace header leaves, and without tracing none leaves with it.
func TestNoTraceLeaves(t *testing.T) {
	t.Parallel()
	redis := startRedis(t)
	for name, options := range map[string]string{
		"no propagate_trace": senderOptions(redis, ""),
		"no tracing":         strings.Replace(senderOptions(redis, "propagate_trace"), "tracing\n", "key_prefix untraced\n", 1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			to := newApp(t, 0)
			sender := startCaddy(t, "sender", options, apiSite, "OTEL_TRACES_EXPORTER=none")
			sender.register(to.URL, "video.uploaded")
			sender.publish("video.uploaded", "traceparent", traceparent(publisherTrace), "tracestate", "vendor=value")
			to.waitFor(t, 1)
			for header := range to.got()[0] {
				require.NotContains(t, strings.ToLower(header), "trace")
			}
		})
	}
}

// Where Caddy's own tracing does not stand in front of the API, the publisher's trace is continued all the same.
func TestTraceWithoutCaddysOwn(t *testing.T) {
	t.Parallel()
	redis, spans := startRedis(t), grpcCollector(t)
	to := newApp(t, 0)
	site := "webhook_api {\napi_key {env.TEST_KEY}\n}"
	sender := startCaddy(t, "sender", senderOptions(redis, ""), site, append(spans.env, "OTEL_BSP_SCHEDULE_DELAY=50")...)
	sender.register(to.URL, "*")
	sender.publish("video.uploaded", "traceparent", traceparent(publisherTrace))
	require.Eventually(t, func() bool { return len(spans.of(publisherTrace, "webhook.attempt")) == 1 }, 2*time.Minute, 20*time.Millisecond)
	require.Equal(t, publisherSpan, spans.only(t, publisherTrace, "webhook.publish").parent())
}
