package caddymodule

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/redistest"
	"github.com/videocloud/webhooks/receiver"
)

func queueSite(app *backend, retry string) string {
	return fmt.Sprintf(`handle /webhooks {
		webhook_receiver videocloud %s {
			name queued
			queue {
				retry %s
				deliver {
					reverse_proxy %s
				}
			}
		}
	}
	handle {
		respond 404
	}`, testSecret, retry, strings.TrimPrefix(app.URL, "http://"))
}

// stores are the redis options that a queue is tested with.
func stores(t *testing.T, test func(t *testing.T, redis string)) {
	t.Run("memory", func(t *testing.T) { test(t, "webhooks {\n redis memory\n}") })
	t.Run("redis", func(t *testing.T) { test(t, "webhooks {\n redis "+redistest.Start(t).URL()+"\n}") })
}

func TestQueueAnswersAtOnceAndDelivers(t *testing.T) {
	stores(t, func(t *testing.T, redis string) {
		s, app := newServer(t), newBackend(t)
		app.answer(http.StatusBadGateway, http.StatusBadGateway, http.StatusOK)
		s.load(redis, queueSite(app, "0s 100ms 100ms 100ms"))
		taken := doTaken(t, func() *http.Request {
			req := signed(t, s.url("/webhooks?a=b"), "evt_1", testEvent)
			req.Header.Set("Authorization", "Bearer not for the store")
			req.Header.Set("X-Webhook-Attempt", "99")
			return req
		})
		require.Zero(t, taken.ContentLength)
		require.Eventually(t, func() bool {
			d, err := theQueue(t, "queued").Depth(t.Context())
			n, _, _ := app.seen()
			return err == nil && d.Waiting == 0 && d.InFlight == 0 && d.Dead == 0 && n == 3
		}, 2*time.Minute, time.Millisecond)
		_, last, body := app.seen()
		require.Equal(t, testEvent, body)
		require.Equal(t, "3", last.Header.Get("X-Webhook-Attempt"))
		require.Equal(t, "videocloud", last.Header.Get("X-Webhook-Verified"))
		require.Equal(t, "evt_1", last.Header.Get("X-Webhook-Id"))
		require.Equal(t, "video.uploaded", last.Header.Get("X-Webhook-Event"))
		require.Equal(t, "/webhooks?a=b", last.RequestURI)
		require.Empty(t, last.Header.Get("Authorization"))

		again := doTaken(t, func() *http.Request { return signed(t, s.url("/webhooks"), "evt_1", testEvent) })
		require.Equal(t, "true", again.Header.Get("X-Webhook-Duplicate"))
		resp, _ := do(t, signed(t, s.url("/elsewhere"), "evt_2", testEvent))
		require.Equal(t, http.StatusNotFound, resp.StatusCode)
	})
}

// theQueue is the one queue of that name in the running configuration.
func theQueue(t *testing.T, name string) *receiver.Queue {
	t.Helper()
	found, err := must(started.newest()).queuesOf(t.Context(), name)
	require.NoError(t, err)
	require.Len(t, found, 1)
	return found[0].Queue
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestLesson42_QueueSurvivesReloads: a reload in mid-flight loses no queued event and doubles none.
func TestLesson42_QueueSurvivesReloads(t *testing.T) {
	stores(t, func(t *testing.T, redis string) {
		s, app := newServer(t), newBackend(t)
		site := queueSite(app, "0s 1s")
		s.load(redis, site)
		const events = 60
		var senders sync.WaitGroup
		for i := range events {
			senders.Go(func() {
				// Refused is not lost, and on a busy machine the store may take too long: then a sender tries again.
				for began := time.Now(); time.Since(began) < 2*time.Minute; {
					resp, _ := do(t, signed(t, s.url("/webhooks"), fmt.Sprint("evt_", i), strings.Replace(testEvent, "vid_123456", fmt.Sprint("vid_", i), 1)))
					if resp.StatusCode == http.StatusOK {
						return
					}
					if resp.StatusCode != http.StatusServiceUnavailable {
						t.Errorf("event %d: status %d", i, resp.StatusCode)
						return
					}
				}
				t.Errorf("event %d: refused again and again", i)
			})
			if i%20 == 10 {
				s.load(redis, site+fmt.Sprintf("\nheader X-Reload %d", i))
			}
		}
		senders.Wait()
		require.Eventually(t, func() bool { n, _, _ := app.seen(); return n >= events }, 2*time.Minute, time.Millisecond)
		app.mu.Lock()
		defer app.mu.Unlock()
		seen := map[string]int{}
		for _, r := range app.requests {
			seen[r.Header.Get("X-Webhook-Id")]++
		}
		require.Len(t, seen, events)
		for id, n := range seen {
			require.Equal(t, 1, n, id)
		}
	})
}

// TestQueuePlaceholders: the deliver routes are shown what handlers right behind a receiver are.
func TestQueuePlaceholders(t *testing.T) {
	for name, test := range map[string]struct{ dedup, key string }{
		"with a key": {"", receiver.EventKey("queued", "videocloud", "evt_1").String()},
		"without":    {"dedup off", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s, app := newServer(t), newBackend(t)
			const all = "{http.webhook.name}|{http.webhook.scheme}|{http.webhook.id}|{http.webhook.event}|{http.webhook.key}|" +
				"{http.webhook.duplicate}|{http.webhook.error}"
			site := strings.Replace(queueSite(app, "0s"), "deliver {", "deliver {\nrequest_header X-All \""+all+"\"", 1)
			s.load("webhooks {\n redis memory\n}", strings.Replace(site, "name queued", "name queued\n"+test.dedup, 1))
			doQueued(t, s, "evt_1")
			require.Eventually(t, func() bool { n, _, _ := app.seen(); return n == 1 }, 2*time.Minute, time.Millisecond)
			_, last, _ := app.seen()
			require.Equal(t, "queued|videocloud|evt_1|video.uploaded|"+test.key+"|false|", last.Header.Get("X-All"))
		})
	}
}

// TestQueueDeadIsCounted: an event at the end of its table stays, and the depth says so.
func TestQueueDeadIsCounted(t *testing.T) {
	stores(t, func(t *testing.T, redis string) {
		s, app := newServer(t), newBackend(t)
		app.Close()
		s.load(redis, queueSite(app, "0s"))
		doQueued(t, s, "evt_1")
		require.Eventually(t, func() bool {
			_, metrics := s.adminGet("/metrics")
			return strings.Contains(metrics, `caddy_webhook_queue_depth{queue="queued",state="dead"} 1`) &&
				strings.Contains(metrics, `caddy_webhook_queue_oldest_due_seconds{queue="queued"} 0`)
		}, 2*time.Minute, 10*time.Millisecond)
		require.Contains(t, s.logged(), "status 502: dial tcp "+strings.TrimPrefix(app.URL, "http://"))
	})
}

// TestQueueDryRun: what a dry run would have refused reaches the app all the same, by the queue's own routes.
func TestQueueDryRun(t *testing.T) {
	s, app := newServer(t), newBackend(t)
	s.load("webhooks {\n redis memory\n}", strings.Replace(queueSite(app, "0s"), "name queued", "name queued\ndry_run", 1))
	req := signed(t, s.url("/webhooks"), "evt_1", testEvent)
	req.Header.Set("X-VideoCloud-Signature", strings.Repeat("0", 64))
	resp, body := do(t, req)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Equal(t, "done", body)
	n, last, _ := app.seen()
	require.Equal(t, 1, n)
	require.Empty(t, last.Header.Get("X-Webhook-Verified"))
}
