package caddymodule

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/adminapi"
	"github.com/videocloud/webhooks/internal/redistest"
	"github.com/videocloud/webhooks/receiver"
)

// twoApps is a receiver in front of two apps: the first works, the second is down.
func twoApps(up, down *backend, second string) string {
	at := func(b *backend) string { return strings.TrimPrefix(b.URL, "http://") }
	return fmt.Sprintf(`handle /webhooks {
		webhook_receiver videocloud %s {
			name shop
			queue {
				retry 0s
				deliver billing {
					reverse_proxy %s
				}
				deliver %s {
					reverse_proxy %s
				}
			}
		}
	}`, testSecret, at(up), second, at(down))
}

// deadEvents sends events, each when the one before is dead at the app that is down, and in a millisecond of its own.
func deadEvents(t *testing.T, s *server, n int) {
	t.Helper()
	for i := range n {
		body := strings.Replace(testEvent, "vid_123456", fmt.Sprint("vid_", i), 1)
		if i%2 == 1 {
			body = strings.Replace(body, "video.uploaded", "video.deleted", 1)
		}
		require.Eventually(t, func() bool {
			req := signed(t, s.url("/webhooks"), fmt.Sprint("evt_", i), body)
			req.Header.Set("X-Auth-Token", "a customer's")
			req.Header.Set("X-Colour", "green")
			resp, _ := do(t, req)
			return resp.StatusCode == http.StatusOK
		}, time.Minute, time.Millisecond)
		require.Eventually(t, func() bool {
			var list adminapi.Page[receiver.Queued]
			s.adminJSON("/webhooks/dead?name=shop&limit=1000", &list)
			return len(list.Items) == i+1 && time.Now().UnixMilli() > list.Items[i].Received.UnixMilli()
		}, time.Minute, time.Millisecond)
	}
}

func TestAdminShowsWhatAQueueHolds(t *testing.T) {
	stores(t, func(t *testing.T, redis string) {
		s, up, down := newServer(t), newBackend(t), newBackend(t)
		down.answer(http.StatusInternalServerError)
		s.load(redis, twoApps(up, down, "audit"))
		deadEvents(t, s, 7)

		var all []receiver.Queued
		for cursor := ""; ; {
			var list adminapi.Page[receiver.Queued]
			s.adminJSON("/webhooks/dead?name=shop&limit=3&cursor="+cursor, &list)
			all = append(all, list.Items...)
			if cursor = list.NextCursor; cursor == "" {
				break
			}
		}
		require.Len(t, all, 7)
		require.Equal(t, "audit", all[0].Deliver)
		require.Equal(t, "green", all[0].Headers.Get("X-Colour"))
		require.Equal(t, receiver.Hidden, all[0].Headers.Get("X-Auth-Token"))
		var list adminapi.Page[receiver.Queued]
		s.adminJSON("/webhooks/dead?name=shop/billing", &list)
		require.Empty(t, list.Items)
		s.adminJSON("/webhooks/dead?name=shop&event=video.deleted", &list)
		require.Len(t, list.Items, 3)
		s.adminJSON("/webhooks/dead?name=shop&since="+url.QueryEscape(time.Now().Add(time.Hour).Format(time.RFC3339)), &list)
		require.Empty(t, list.Items)
		for query, want := range map[string]int{
			"name=shop/nobody": 400, "name=nobody": 404, "name=shop&limit=0": 400, "name=shop&cursor=x": 400, "name=shop&state=alive": 400, "name=shop&since=now": 400,
		} {
			status, answer := s.adminGet("/webhooks/dead?" + query)
			require.Equal(t, want, status, "%s: %s", query, answer)
		}

		var shown adminapi.QueuedEvent
		s.adminJSON("/webhooks/show?name=shop&event=evt_0", &shown)
		require.Equal(t, strings.Replace(testEvent, "vid_123456", "vid_0", 1), shown.Payload)
		require.Equal(t, "green", shown.Headers.Get("X-Colour"))
		require.Equal(t, receiver.Hidden, shown.Headers.Get("X-Auth-Token"))
		require.Equal(t, "/webhooks", shown.URI)
		require.Len(t, shown.Deliveries, 1)
		require.Equal(t, "shop/audit", shown.Deliveries[0].Queue)
		require.Equal(t, receiver.PlaceDead, shown.Deliveries[0].State)
		require.Contains(t, shown.Deliveries[0].Error, "500")
		s.adminJSON("/webhooks/show?name=shop/audit&event="+shown.Deliveries[0].Job, &shown)
		require.Equal(t, "evt_0", shown.ID)
		status, answer := s.adminGet("/webhooks/show?name=shop&event=evt_99")
		require.Equal(t, http.StatusNotFound, status, answer)

		var known adminapi.Explanation
		s.adminJSON("/webhooks/explain?id=evt_0", &known)
		require.Len(t, known.Gateways, 1)
		require.Equal(t, "done", known.Gateways[0].Known)
		require.Contains(t, strings.Join(known.Gateways[0].Says, "\n"), "shop/audit: dead since")
		s.adminJSON("/webhooks/explain?id="+shown.Deliveries[0].Job, &known)
		require.Equal(t, "done", known.Gateways[0].Known, "named by its job, it is the same event")
		status, answer = s.adminGet("/webhooks/explain?id=evt_99")
		require.Equal(t, http.StatusNotFound, status, answer)

		down.answer(http.StatusOK)
		_, answer = s.adminPost("/webhooks/dead", `{"name":"shop","action":"retry","event":"video.deleted"}`)
		require.JSONEq(t, `{"count":3}`, answer)
		_, answer = s.adminPost("/webhooks/dead", fmt.Sprintf(`{"name":"shop/audit","action":"purge","until":%q}`, all[0].Received.Format(time.RFC3339Nano)))
		require.JSONEq(t, `{"count":1}`, answer)
		require.Eventually(t, func() bool {
			s.adminJSON("/webhooks/explain?id=evt_1", &known)
			return strings.Contains(strings.Join(known.Gateways[0].Says, "\n"), "in the queue no more")
		}, time.Minute, time.Millisecond)
	})
}

// TestExplainDoesNotPromiseThatACopyIsTaken: GitHub's delivery ID is not signed, so its events are claimed by their bodies, and nothing is
// found by the ID of one whose copies are duplicates all the same.
func TestExplainDoesNotPromiseThatACopyIsTaken(t *testing.T) {
	t.Parallel()
	g := adminapi.Gateway{Receiver: "shop", Scheme: "github", Deliveries: []adminapi.QueuedDelivery{{Queue: "shop", State: receiver.PlaceDead, Attempts: 1, Failed: new(time.Time)}}}
	describeClaim(&g, receiver.EventStatus{}, true)
	require.Empty(t, g.Known)
	require.Contains(t, g.Says[0], "or the scheme tells events apart by what is signed")
	require.Contains(t, g.Says[1], "after 1 attempt;")
}

// TestAdminMovesWhatARenamedDeliverLeft: it is shown under its old name, and reaches the app under the new one.
func TestAdminMovesWhatARenamedDeliverLeft(t *testing.T) {
	stores(t, func(t *testing.T, redis string) {
		s, up, down := newServer(t), newBackend(t), newBackend(t)
		down.answer(http.StatusInternalServerError)
		s.load(redis, twoApps(up, down, "old"))
		deadEvents(t, s, 3)
		s.load(redis, twoApps(up, down, "new"))
		status, health := s.adminGet("/webhooks/health")
		require.Equal(t, http.StatusServiceUnavailable, status)
		require.Contains(t, health, "caddy webhook dead move shop/old")
		var counted struct{ Queues []adminapi.QueueStats }
		s.adminJSON("/webhooks/stats", &counted)
		require.True(t, counted.Queues[len(counted.Queues)-1].Forgotten)
		require.Equal(t, "shop/old", counted.Queues[len(counted.Queues)-1].Queue)
		var list adminapi.Page[receiver.Queued]
		s.adminJSON("/webhooks/dead?name=shop", &list)
		require.Len(t, list.Items, 3)
		var shown adminapi.QueuedEvent
		s.adminJSON("/webhooks/show?name=shop&event=evt_1", &shown)
		require.True(t, shown.Deliveries[0].Forgotten)

		for body, want := range map[string]int{
			`{"name":"shop/old","action":"retry","all":true}`:           400, // nobody would deliver it
			`{"name":"shop/old","action":"move","to":"nobody"}`:         400,
			`{"name":"shop/old","action":"move","to":"old"}`:            400,
			`{"name":"shop","action":"move","to":"new"}`:                400,
			`{"name":"shop/old","action":"move","to":"new","all":true}`: 400,
		} {
			status, answer := s.adminPost("/webhooks/dead", body)
			require.Equal(t, want, status, "%s: %s", body, answer)
		}
		_, answer := s.adminPost("/webhooks/dead", fmt.Sprintf(`{"name":"shop/old","action":"purge","jobs":[%q]}`, list.Items[0].Job))
		require.JSONEq(t, `{"count":1}`, answer)
		_, answer = s.adminPost("/webhooks/dead", `{"name":"shop/old","action":"move","to":"new"}`)
		require.JSONEq(t, `{"count":2}`, answer)
		status, health = s.adminGet("/webhooks/health")
		require.Equal(t, http.StatusOK, status, health)
		before, _, _ := down.seen()
		down.answer(http.StatusOK)
		_, answer = s.adminPost("/webhooks/dead", `{"name":"shop/new","action":"retry","all":true}`)
		require.JSONEq(t, `{"count":2}`, answer)
		require.Eventually(t, func() bool { n, _, _ := down.seen(); return n == before+2 }, time.Minute, time.Millisecond)
		_, last, _ := down.seen()
		require.Equal(t, "new", last.Header.Get("X-Webhook-Deliver"))
	})
}

// TestConsoleShowsWhatAQueueHolds: the same below the console's path, for operators.
func TestConsoleShowsWhatAQueueHolds(t *testing.T) {
	s, up, down := newServer(t), newBackend(t), newBackend(t)
	down.answer(http.StatusInternalServerError)
	s.load("webhooks {\nredis memory\nsender\n}", twoApps(up, down, "audit")+"\n"+consoleSite)
	deadEvents(t, s, 1)
	for key, want := range map[string]int{"operator": 200, "reader": 200, "one-account": 403, "publisher": 403, "": 401} {
		status, answer := s.inside("GET", "show?name=shop&event=evt_0", key, "")
		require.Equal(t, want, status, answer)
		if want != 200 {
			require.NotContains(t, answer, "vid_0")
			continue
		}
		var shown struct{ Data adminapi.QueuedEvent }
		require.NoError(t, json.Unmarshal([]byte(answer), &shown))
		require.Contains(t, shown.Data.Payload, "vid_0")
	}
	status, answer := s.inside("GET", "dead?name=shop&state=waiting", "reader", "")
	require.Equal(t, 200, status, answer)
	status, answer = s.inside("POST", "dead", "operator", `{"name":"shop/audit","action":"purge","all":true}`)
	require.Equal(t, 200, status, answer)
	require.Contains(t, answer, `"count":1`)
}

// TestAQueuesPoisonIsShown: tail tells of what was given up without an attempt.
func TestAQueuesPoisonIsShown(t *testing.T) {
	w := feed.view()
	defer feed.remove(w)
	show := feedDelivered("shop", "audit")
	show(receiver.QueueAttempt{ID: "evt_1", Number: 1, Outcome: "failed", Error: "poison: the gateway stopped three times in a row while delivering it"})
	show(receiver.QueueAttempt{Outcome: "failed", Error: "expired: they waited too long", Count: 3})
	f := tailFilter{name: "shop/audit", failed: true}
	for _, want := range []string{"poison", "expired"} {
		line := <-w.lines
		require.True(t, f.matches(&line))
		require.Contains(t, line.delivered.Error, want)
	}
}

// TestLesson53_HealthTellsOfAGatewayWhoseQueueDiffers: another process on the store has the same queue with another scheme.
func TestLesson53_HealthTellsOfAGatewayWhoseQueueDiffers(t *testing.T) {
	store := redistest.Start(t)
	s, up, down := newServer(t), newBackend(t), newBackend(t)
	s.load("webhooks {\n redis "+store.URL()+"\n}", twoApps(up, down, "audit"))
	options, err := redis.ParseURL(store.URL())
	require.NoError(t, err)
	client := redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })

	var notes map[string]string
	key := receiver.Tag("webhooks", "shop") + "gateways"
	require.Eventually(t, func() bool {
		notes, err = client.HGetAll(t.Context(), key).Result()
		require.NoError(t, err)
		return len(notes) == 1
	}, time.Minute, time.Millisecond)
	for _, note := range notes {
		lines := strings.Split(note, "\n")
		require.Equal(t, []string{"videocloud", "audit", "billing"}, lines[3:])
		lines[1], lines[2], lines[3] = "another process", "elsewhere", "github"
		require.NoError(t, client.HSet(t.Context(), key, "other", strings.Join(lines, "\n")).Err())
	}
	status, text := s.adminGet("/webhooks/health")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, text, "the queue shop is set up otherwise on another gateway")
	require.Contains(t, text, "the gateway on elsewhere has the scheme github and the delivers audit, billing")

	require.NoError(t, client.HDel(t.Context(), key, "other").Err())
	var h adminapi.Health
	s.adminJSON("/webhooks/health", &h)
	require.Empty(t, h.Problems)
}
