package caddymodule

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func deliversSite(billing, audit, down *backend) string {
	at := func(b *backend) string { return strings.TrimPrefix(b.URL, "http://") }
	return fmt.Sprintf(`handle /webhooks {
		@billing header X-Webhook-Event video.*
		@posted path /webhooks
		@none header X-Nobody yes
		webhook_receiver videocloud %s {
			name shop
			queue {
				retry 0s 50ms
				max_length 3
				deliver @billing billing {
					reverse_proxy %s
				}
				deliver @none never {
					respond ok
				}
				deliver /webhooks* audit {
					reverse_proxy %s
				}
				deliver @posted down {
					reverse_proxy %s
				}
			}
		}
	}`, testSecret, at(billing), at(audit), at(down))
}

// TestSeveralApps: each gets what matches when it is accepted, with retries and dead events of its own, and one that is down holds
// no other.
func TestSeveralApps(t *testing.T) {
	stores(t, func(t *testing.T, redis string) {
		s := newServer(t)
		billing, audit, down := newBackend(t), newBackend(t), newBackend(t)
		down.answer(http.StatusInternalServerError)
		s.load(redis, deliversSite(billing, audit, down))
		const events = 10
		comment := strings.Replace(testEvent, "video.uploaded", "comment.created", 1)
		for i := range events {
			body := testEvent
			if i%2 == 1 {
				body = comment
			}
			require.Eventually(t, func() bool {
				req := signed(t, s.url("/webhooks"), fmt.Sprint("evt_", i), strings.Replace(body, "vid_123456", fmt.Sprint("vid_", i), 1))
				req.Header.Set("X-Webhook-Deliver", "forged")
				resp, _ := do(t, req)
				return resp.StatusCode == http.StatusOK
			}, time.Minute, time.Millisecond)
			// One after the other, as none but the app that is down may come to the end of its max_length.
			require.Eventually(t, func() bool {
				n, _, _ := billing.seen()
				m, _, _ := audit.seen()
				return n == i/2+1 && m == i+1
			}, time.Minute, time.Millisecond)
		}
		_, last, _ := billing.seen()
		require.Equal(t, "billing", last.Header.Get("X-Webhook-Deliver"))
		require.Equal(t, "video.uploaded", last.Header.Get("X-Webhook-Event"))
		_, last, _ = audit.seen()
		require.Equal(t, "audit", last.Header.Get("X-Webhook-Deliver"))

		a := must(started.newest())
		dead := theQueue(t, "shop/down")
		require.Eventually(t, func() bool {
			d, err := dead.Depth(t.Context())
			return err == nil && d.Waiting == 0 && d.InFlight == 0 && d.Dead > 0
		}, time.Minute, time.Millisecond)
		for _, app := range []string{"shop/billing", "shop/audit", "shop/never"} {
			d, err := theQueue(t, app).Depth(t.Context())
			require.NoError(t, err)
			require.Zero(t, d.Dead, app)
		}
		_, metrics := s.adminGet("/metrics")
		require.Contains(t, metrics, `caddy_webhook_queue_depth{queue="shop/down",state="dead"}`)
		require.Contains(t, metrics, `caddy_webhook_queue_depth{queue="shop/billing",state="waiting"} 0`)
		require.Len(t, must(a.queuesOf(t.Context(), "shop")), 4)
		_, err := a.queuesOf(t.Context(), "shop/other")
		require.ErrorContains(t, err, "shop/billing, shop/never, shop/audit, shop/down")
		resp := doTaken(t, func() *http.Request {
			return signed(t, s.url("/webhooks"), "evt_0", strings.Replace(testEvent, "vid_123456", "vid_0", 1))
		})
		require.Equal(t, "true", resp.Header.Get("X-Webhook-Duplicate"))
	})
}

// TestNoDeliverMatches: what goes nowhere was not taken.
func TestNoDeliverMatches(t *testing.T) {
	s := newServer(t)
	s.load("webhooks {\n redis memory\n}", `handle {
		@none header X-Nobody yes
		webhook_receiver videocloud `+testSecret+` {
			name shop
			queue {
				deliver @none {
					respond ok
				}
			}
		}
	}
	handle_errors {
		respond {http.webhook.error}
	}`)
	for range 2 {
		resp, body := do(t, signed(t, s.url("/webhooks"), "evt_1", testEvent))
		require.Equal(t, http.StatusBadGateway, resp.StatusCode)
		require.Equal(t, "no_app", body)
	}
	require.Contains(t, s.logged(), "no deliver matches the event")
}

func TestDeliversThatCannotBe(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ delivers, message string }{
		"two without a name":  {"deliver {\nrespond a\n}\ndeliver {\nrespond b\n}", "number 1 has no name"},
		"one without a name":  {"deliver a {\nrespond a\n}\ndeliver {\nrespond b\n}", "number 2 has no name"},
		"one name twice":      {"deliver a {\nrespond a\n}\ndeliver a {\nrespond b\n}", `the name "a" is given twice`},
		"a name that is none": {"deliver a! {\nrespond a\n}", `"a!" is not a name`},
		"too many words":      {"deliver a b {\nrespond a\n}", "wrong argument count for deliver"},
		"an unknown matcher":  {"deliver @nobody a {\nrespond a\n}", "@nobody"},
		"an empty block":      {"deliver a {\n}", "write deliver with the directives"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := adapt(inWebhooks("redis memory") + inReceiver("name a\nqueue {\n"+test.delivers+"\n}"))
			require.ErrorContains(t, err, test.message)
		})
	}
}

// TestARenamedDeliverIsShown: what waits for a name that is gone goes nowhere, and health says so.
func TestARenamedDeliverIsShown(t *testing.T) {
	stores(t, func(t *testing.T, redis string) {
		s, app := newServer(t), newBackend(t)
		app.answer(http.StatusInternalServerError)
		site := strings.Replace(queueSite(app, "0s 1h"), "deliver {", "deliver old {", 1)
		s.load(redis, site)
		doQueued(t, s, "evt_1")
		require.Eventually(t, func() bool {
			d, err := theQueue(t, "queued/old").Depth(t.Context())
			return err == nil && d.Waiting == 1 && d.InFlight == 0
		}, time.Minute, time.Millisecond)
		require.Empty(t, must(started.newest()).forgotten(t.Context()))
		for _, name := range []string{"deliver new {", "deliver {"} {
			s.load(redis, strings.Replace(site, "deliver old {", name, 1))
			status, body := s.adminGet("/webhooks/health")
			require.Equal(t, http.StatusServiceUnavailable, status)
			require.Contains(t, body, `1 events that wait and 0 dead ones for the deliver \"old\"`)
		}
		s.load(redis, site)
		status, body := s.adminGet("/webhooks/health")
		require.Equal(t, http.StatusOK, status, body)
	})
}

// TestOrderedGoesWithoutConcurrency: two options that can't both hold.
func TestOrderedGoesWithoutConcurrency(t *testing.T) {
	t.Parallel()
	site := func(options string) string {
		return inWebhooks("redis memory") + inReceiver("name a\nqueue {\n"+options+"\ndeliver {\nrespond ok\n}\n}")
	}
	_, err := adapt(site("ordered"))
	require.NoError(t, err)
	_, err = adapt(site("ordered\nconcurrency 4"))
	require.ErrorContains(t, err, "ordered and concurrency")
	_, err = adapt(site("ordered yes"))
	require.Error(t, err)
}
