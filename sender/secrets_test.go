package sender

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redistest"
)

// TestLesson08_NewSecretSignsTheNextAttempt: a changed secret or URL counts from the very next attempt on, whichever
// process makes it, also for what waited before.
func TestLesson08_NewSecretSignsTheNextAttempt(t *testing.T) {
	t.Parallel()
	const first, second = "the_first_secret_1", "the_second_secret_2"
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, func(o *Options) { o.Config.Retry = []time.Duration{0, time.Hour, time.Hour} }).start()
		elsewhere := newBundle(t, store, func(o *Options) { o.Config.DeliverOff = true })
		to, moved := newSink(t, status(500)), newSink(t, nil)
		w := b.webhook(to.URL)
		b.update(w, WebhookUpdate{Secret: ptr(first)})
		retried := b.publish(guideData)
		b.attempts(retried, 1)
		requireSigned(t, to.got()[0], first)

		elsewhere.update(w, WebhookUpdate{Status: ptr(StatusPaused)})
		waiting := b.publish(guideData)
		elsewhere.update(w, WebhookUpdate{Change: func(to *Webhook) error { to.URL = moved.URL; return nil }, Secret: ptr(second)})
		elsewhere.update(w, WebhookUpdate{Status: ptr(StatusActive)})
		b.reaches(waiting, StateSucceeded)
		requireSigned(t, moved.got()[0], second)

		_, err := elsewhere.RetryDelivery(t.Context(), "default", retried.Deliveries[0].ID)
		require.NoError(t, err)
		b.reaches(retried, StateSucceeded)
		requireSigned(t, moved.got()[1], second)
		require.Len(t, to.got(), 1)
	})
}

// TestSecretOverlap: for the length of an overlap the old secret signs as a second value, and only there.
func TestSecretOverlap(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, nil).start()
		to := newSink(t, nil)
		w, made, err := b.CreateWebhook(t.Context(), "default", NewWebhook{Settings: Settings{URL: to.URL, Events: []string{"*"}}})
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(made, "whsec_"))
		require.Len(t, standardKey(t, made), 24)
		deliver := func() received {
			b.reaches(b.publish(guideData), StateSucceeded)
			all := to.got()
			return all[len(all)-1]
		}
		key := b.queue.Tag(mustShard(t, b)) + "conf:" + laneOf(w.ID)
		stored := func() (m meta) {
			text, err := store.Client().HGet(t.Context(), key, "meta").Result()
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal([]byte(text), &m))
			return m
		}
		requireSigned(t, deliver(), made)
		const second, third = "second_webhook_secret", "third_webhook_secret"
		b.update(w, WebhookUpdate{Secret: ptr(second), SecretOverlap: 10 * time.Minute})
		requireSigned(t, deliver(), second, made)
		b.update(w, WebhookUpdate{Change: func(to *Webhook) error { to.Description = "nothing to do with it"; return nil }})
		requireSigned(t, deliver(), second, made)
		// The same change again, as after an answer that was lost, keeps the old one.
		b.update(w, WebhookUpdate{Secret: ptr(second), SecretOverlap: time.Hour})
		requireSigned(t, deliver(), second, made)
		require.InDelta(t, time.Now().Add(time.Hour).Unix(), stored().OldSecretUntil, 60)
		b.update(w, WebhookUpdate{Secret: ptr(third), SecretOverlap: time.Hour})
		requireSigned(t, deliver(), third, second)

		// Let the overlap end.
		m := stored()
		m.OldSecretUntil = time.Now().Unix() - 1
		past, err := json.Marshal(m)
		require.NoError(t, err)
		require.NoError(t, store.Client().HSet(t.Context(), key, "meta", string(past)).Err())
		requireSigned(t, deliver(), third)

		b.update(w, WebhookUpdate{Secret: ptr(second), SecretOverlap: time.Hour})
		b.update(w, WebhookUpdate{Secret: ptr(first16)})
		requireSigned(t, deliver(), first16)
	})
}

const first16 = "sixteen_bytes_16"

// TestTraceHeaders: traceparent and tracestate go out only with PropagateTrace, and continue the publisher's trace.
func TestTraceHeaders(t *testing.T) {
	t.Parallel()
	for _, propagate := range []bool{false, true} {
		t.Run(fmt.Sprint(propagate), func(t *testing.T) {
			t.Parallel()
			spans := tracetest.NewSpanRecorder()
			provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
			b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), func(o *Options) {
				o.Config.PropagateTrace, o.TracerProvider = propagate, provider
			}).start()
			to := newSink(t, nil)
			w := b.webhook(to.URL + "/?token=do-not-show")
			b.update(w, WebhookUpdate{Headers: &map[string]string{"Authorization": "Bearer hidden"}})
			state, err := trace.ParseTraceState("vendor=1")
			require.NoError(t, err)
			remote := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled, TraceState: state, Remote: true})
			p, err := b.Publish(trace.ContextWithRemoteSpanContext(t.Context(), remote), "default", Event{Type: "video.uploaded", Data: json.RawMessage(guideData)})
			require.NoError(t, err)
			b.reaches(p, StateSucceeded)
			h := to.got()[0].header
			if !propagate {
				require.NotContains(t, h, "Traceparent")
				require.NotContains(t, h, "Tracestate")
			} else {
				require.Equal(t, "vendor=1", h.Get("tracestate"))
			}
			eventually(t, "both spans", func() bool { return len(spans.Ended()) == 2 })
			ended := map[string]sdktrace.ReadOnlySpan{} // the attempt may be over before the publisher has its answer
			for _, s := range spans.Ended() {
				ended[s.Name()] = s
			}
			require.Len(t, ended, 2)
			publish, attempt := ended["webhook.publish"], ended["webhook.attempt"]
			require.NotNil(t, publish)
			require.NotNil(t, attempt)
			require.Equal(t, remote.TraceID(), attempt.SpanContext().TraceID())
			require.Equal(t, publish.SpanContext().SpanID(), attempt.Parent().SpanID())
			if propagate {
				require.Contains(t, h.Get("traceparent"), attempt.SpanContext().SpanID().String())
			}
			for _, s := range spans.Ended() {
				text := fmt.Sprint(s.Attributes(), s.Events(), s.Status())
				for _, secret := range []string{"your_webhook_secret", "hidden", "do-not-show", h.Get("X-VideoCloud-Signature"), "vid_123456"} {
					require.NotContains(t, text, secret)
				}
			}
		})
	}
}

// TestSecretsAreInNoLog: neither secrets nor header values, signatures or bodies reach a log, an error or an event of
// the host program, whatever fails.
func TestSecretsAreInNoLog(t *testing.T) {
	t.Parallel()
	const secret, next, value, notify = "secret_that_nobody_sees", "next_one_nobody_sees", "Bearer nobody-sees-this", "operators_secret_unseen"
	redistest.Each(t, func(t *testing.T, store *Store) {
		var log logText
		events := make(chan string, 100)
		b := newBundle(t, store, func(o *Options) {
			once(o)
			o.Logger = log.logger()
			o.Config.NotifyURL, o.Config.NotifySecret = "http://127.0.0.1:1/", notify
			o.OnEvent = func(_ context.Context, name string, data map[string]any) { events <- fmt.Sprint(name, data) }
		}).start()
		echo := newSink(t, func(n int, w http.ResponseWriter, r *http.Request) {
			if n > 1 {
				w.WriteHeader(500)
			}
		})
		w, shown, err := b.CreateWebhook(t.Context(), "default", NewWebhook{Settings: Settings{URL: echo.URL, Events: []string{"*"}}, Secret: secret, Headers: map[string]string{"Authorization": value}})
		require.NoError(t, err)
		require.Empty(t, shown, "a given secret is not given back")
		b.reaches(b.publish(guideData), StateSucceeded)
		b.update(w, WebhookUpdate{Secret: ptr(next), SecretOverlap: time.Hour})
		b.reaches(b.publish(guideData), StateFailed)
		var text strings.Builder
		fmt.Fprint(&text, <-events)
		b.update(w, WebhookUpdate{Change: func(to *Webhook) error { to.URL = "https://" + addrPort(t, echo.URL).String(); return nil }})
		b.reaches(b.publish(guideData), StateFailed)
		b.update(w, WebhookUpdate{Change: func(to *Webhook) error { to.URL = "http://127.0.0.1:1/?token=in-the-query"; return nil }})
		b.reaches(b.publish(guideData), StateFailed)

		for _, bad := range []string{next[:10], "whsec_" + strings.Repeat("!", 20), strings.Repeat(next, 20)} {
			_, err := b.UpdateWebhook(t.Context(), "default", w.ID, WebhookUpdate{Secret: &bad})
			requireError(t, err, CodeInvalidField, "secret")
			fmt.Fprintf(&text, "%v %+v", err, err)
		}
		_, err = b.UpdateWebhook(t.Context(), "default", w.ID, WebhookUpdate{Headers: &map[string]string{"X": value + "\n"}})
		fmt.Fprintf(&text, "%v %+v", err, err)
		for _, u := range []string{secret, next, value} {
			require.NotContains(t, fmt.Sprintf("%+v", b.hook(w)), u)
		}
		eventually(t, "the notice to the operator fails", func() bool { return strings.Contains(log.String(), "whk_notify") })
		fmt.Fprint(&text, log.String())
		require.Contains(t, text.String(), "delivery.failed")
		unseen := []string{secret, next, next[:10], value, "nobody-sees", notify, "in-the-query", "vid_123456"}
		for _, r := range echo.got() {
			unseen = append(unseen, r.header.Get("X-VideoCloud-Signature"), r.header.Get("webhook-signature"))
		}
		for _, u := range unseen {
			require.NotContains(t, text.String(), u)
		}
	})
}
