package caddymodule

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/adminapi"
	"github.com/videocloud/webhooks/receiver"
	"github.com/videocloud/webhooks/sender"
)

// adminPost asks the admin endpoint to do something.
func (s *server) adminPost(path, body string) (status int, answer string) {
	s.t.Helper()
	return s.adminDo(http.MethodPost, path, body)
}

// adminJSON asks the admin endpoint and reads its answer.
func (s *server) adminJSON(path string, v any) {
	s.t.Helper()
	status, text := s.adminGet(path)
	require.Equal(s.t, 200, status, text)
	require.NoError(s.t, json.Unmarshal([]byte(text), v))
}

func TestAdminWebhooksExplainRetry(t *testing.T) {
	s, app := newServer(t), newBackend(t)
	s.load(localSender, senderSite(app))
	hook := apiCall(t, s, "POST", "/webhooks", fmt.Sprintf(`{"url":%q,"events":["video.*"],"secret":%q}`, s.url("/in"), testSecret), 201)
	event := apiCall(t, s, "POST", "/events", `{"event":"video.uploaded","data":{}}`, 202)
	delivery := event["deliveries"].([]any)[0].(map[string]any)["id"].(string)

	var list struct{ Items []sender.WebhookInfo }
	s.adminJSON("/webhooks/webhooks", &list)
	require.Len(t, list.Items, 1)
	require.Equal(t, hook["id"], list.Items[0].ID)
	require.Equal(t, "default", list.Items[0].Account)
	s.adminJSON("/webhooks/webhooks?account=nobody", &list)
	require.Empty(t, list.Items)

	delivered := func(id string) {
		require.Eventually(t, func() bool {
			var x sender.Explanation
			s.adminJSON("/webhooks/explain?id="+id, &x)
			return len(x.Deliveries) == 1 && x.Deliveries[0].State == sender.StateSucceeded && len(x.Deliveries[0].Says) > 0
		}, 2*time.Minute, 10*time.Millisecond)
	}
	delivered(delivery)
	delivered(event["id"].(string))
	status, answer := s.adminPost("/webhooks/retry", fmt.Sprintf(`{"id":%q}`, delivery))
	require.Equal(t, 202, status, answer)
	require.Contains(t, answer, delivery)
	delivered(delivery)

	status, answer = s.adminPost("/webhooks/replays", fmt.Sprintf(`{"webhookId":%q,"since":"2024-01-01T00:00:00Z","state":"all"}`, hook["id"]))
	require.Equal(t, 202, status, answer)
	var replay sender.Replay
	require.NoError(t, json.Unmarshal([]byte(answer), &replay))
	require.Equal(t, 1, replay.Matched)
	require.Eventually(t, func() bool {
		s.adminJSON("/webhooks/replays?id="+replay.ID, &replay)
		return replay.State == "done"
	}, 2*time.Minute, 10*time.Millisecond)
}

func TestAdminRefusals(t *testing.T) {
	s, app := newServer(t), newBackend(t)
	s.load("webhooks {\nredis memory\n}", receiverSite("webhook_receiver videocloud "+testSecret+" {\nname shop\n}", app))
	for path, want := range map[string]int{
		"/webhooks/webhooks":                       404, // no sender
		"/webhooks/explain?id=evt_1":               404,
		"/webhooks/stats?x=1":                      400,
		"/webhooks/health?max_due=soon":            400,
		"/webhooks/tail?nonsense=1":                400,
		"/webhooks/dead?name=nobody":               404,
		"/webhooks/example?event=video.uploaded":   404, // no sender
		"/webhooks/dead":                           400, // no queue at all
		"/webhooks/dead?name=shop":                 400, // no queue
		"/webhooks/dead?name=shop&limit=1&limit=2": 400,
	} {
		status, answer := s.adminGet(path)
		require.Equal(t, want, status, path)
		require.Regexp(t, `^\{"error":".+"\}\n$`, answer)
	}
	status, answer := s.adminPost("/webhooks/forget", `{"name":"shop"}`)
	require.Equal(t, 400, status, answer)
	status, answer = s.adminPost("/webhooks/forget", `{"name":"shop","event":"evt_1","nonsense":1}`)
	require.Equal(t, 400, status, answer)
	require.NotContains(t, s.logged(), "request error", "who asked is told, the log is not")

	s.load(localSender, senderSite(app))
	for body, want := range map[string]int{
		`{"id":"evt_nothing"}`: 404, `{}`: 400, `nonsense`: 400, `{"id":"x y"}`: 404, `{"id":"dlv_0","account":"default"}`: 404,
	} {
		status, answer := s.adminPost("/webhooks/retry", body)
		require.Equal(t, want, status, answer)
	}
	status, _ = s.adminGet("/webhooks/retry")
	require.Equal(t, 405, status)
}

func TestAdminForget(t *testing.T) {
	s, app := newServer(t), newBackend(t)
	s.load("webhooks {\nredis memory\n}", receiverSite("webhook_receiver videocloud "+testSecret+" {\nname shop\n}", app))
	deliver := func(want int) {
		t.Helper()
		do(t, signed(t, s.url("/webhooks"), "evt_1", testEvent))
		n, _, _ := app.seen()
		require.Equal(t, want, n)
	}
	deliver(1)
	deliver(1)
	status, answer := s.adminPost("/webhooks/forget", `{"name":"shop","event":"evt_1"}`)
	require.Equal(t, 200, status, answer)
	require.JSONEq(t, `{"count":1}`, answer)
	deliver(2)
	status, answer = s.adminPost("/webhooks/forget", fmt.Sprintf(`{"name":"shop","since":%q}`, time.Now().Add(-time.Hour).Format(time.RFC3339)))
	require.Equal(t, 200, status, answer)
	deliver(3)
	_, answer = s.adminPost("/webhooks/forget", `{"name":"shop","event":"evt_other"}`)
	require.JSONEq(t, `{"count":0}`, answer)
	status, _ = s.adminPost("/webhooks/forget", `{"name":"other","event":"evt_1"}`)
	require.Equal(t, 404, status)
}

func TestAdminDead(t *testing.T) {
	s, app := newServer(t), newBackend(t)
	app.answer(500)
	s.load("webhooks {\nredis memory\n}", queueSite(app, "0s"))
	for i := range 3 {
		doTaken(t, func() *http.Request {
			return signed(t, s.url("/webhooks"), fmt.Sprint("evt_", i), strings.Replace(testEvent, "vid_123456", fmt.Sprint("vid_", i), 1))
		})
	}
	var dead struct{ Items []receiver.Queued }
	require.Eventually(t, func() bool {
		s.adminJSON("/webhooks/dead?name=queued", &dead)
		return len(dead.Items) == 3
	}, 2*time.Minute, 10*time.Millisecond)
	for _, body := range []string{
		`{"name":"queued","action":"retry"}`, `{"name":"queued","action":"retry","all":true,"jobs":["x"]}`, `{"name":"queued","action":"burn","all":true}`,
	} {
		status, answer := s.adminPost("/webhooks/dead", body)
		require.Equal(t, 400, status, answer)
	}
	app.answer(200)
	_, answer := s.adminPost("/webhooks/dead", fmt.Sprintf(`{"name":"queued","action":"retry","jobs":[%q]}`, dead.Items[0].Job))
	require.JSONEq(t, `{"count":1}`, answer)
	_, answer = s.adminPost("/webhooks/dead", `{"name":"queued","action":"purge","all":true}`)
	require.JSONEq(t, `{"count":2}`, answer)
	s.adminJSON("/webhooks/dead?name=queued", &dead)
	require.Empty(t, dead.Items)
}

func TestAdminTypeExample(t *testing.T) {
	s, app := newServer(t), newBackend(t)
	s.load(localSender, strings.Replace(senderSite(app), "api_key a_key", "api_key a_key *", 1))
	var x adminapi.Example
	s.adminJSON("/webhooks/example?event=video.uploaded", &x)
	require.Equal(t, adminapi.Example{Example: config.Example("video.uploaded")}, x)
	apiCall(t, s, "PUT", "/event-types/order.paid", `{"example":{"total": 12345678901234567890, "by":"<me>"}}`, 200)
	apiCall(t, s, "PUT", "/event-types/video.uploaded", `{"example":{"videoId":"ours"}}`, 200)
	s.adminJSON("/webhooks/example?event=order.paid", &x)
	require.Equal(t, adminapi.Example{Example: `{"total": 12345678901234567890, "by":"<me>"}`, Made: true}, x)
	s.adminJSON("/webhooks/example?event=video.uploaded", &x)
	require.Equal(t, adminapi.Example{Example: `{"videoId":"ours"}`, Made: true}, x)
	s.adminJSON("/webhooks/example?event=order.lost", &x)
	require.False(t, x.Made)
	for _, path := range []string{"/webhooks/example", "/webhooks/example?event=a.b&x=1"} {
		status, answer := s.adminGet(path)
		require.Equal(t, 400, status, answer)
	}
}

// Without a name it is the only queue there is, and never one of several.
func TestAdminDeadWithoutAName(t *testing.T) {
	s, app := newServer(t), newBackend(t)
	one := queueSite(app, "0s")
	s.load("webhooks {\nredis memory\n}", one)
	status, answer := s.adminGet("/webhooks/dead")
	require.Equal(t, 200, status, answer)
	status, answer = s.adminPost("/webhooks/dead", `{"action":"purge","all":true}`)
	require.Equal(t, 200, status, answer)
	status, answer = s.adminPost("/webhooks/dead", `{"action":"purge","all":true} {"action":"purge"}`)
	require.Equal(t, 400, status)
	require.Contains(t, answer, "send nothing else")

	s.load("webhooks {\nredis memory\n}", one+"\n"+strings.NewReplacer("/webhooks", "/other", "name queued", "name other").Replace(one))
	status, answer = s.adminGet("/webhooks/dead")
	require.Equal(t, 400, status)
	require.Contains(t, answer, "other, queued")
	status, _ = s.adminPost("/webhooks/dead", `{"action":"purge","all":true}`)
	require.Equal(t, 400, status)
}

// tailing reads what tail shows.
func (s *server) tailing(query string) (lines <-chan map[string]any, stop func()) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/webhooks/tail?%s", s.admin, query), nil)
	require.NoError(s.t, err)
	resp, err := client.Do(req)
	require.NoError(s.t, err)
	require.Equal(s.t, 200, resp.StatusCode)
	found := make(chan map[string]any, 100)
	go func() {
		defer close(found)
		defer resp.Body.Close()
		for scanner := bufio.NewScanner(resp.Body); scanner.Scan(); {
			var line map[string]any
			if json.Unmarshal(scanner.Bytes(), &line) == nil {
				found <- line
			}
		}
	}()
	s.t.Cleanup(cancel)
	return found, cancel
}

func TestAdminTail(t *testing.T) {
	s, app := newServer(t), newBackend(t)
	s.load(localSender, senderSite(app))
	hook := apiCall(t, s, "POST", "/webhooks", fmt.Sprintf(`{"url":%q,"events":["video.*"],"secret":%q}`, s.url("/in"), testSecret), 201)
	all, stop := s.tailing("")
	received, _ := s.tailing("name=shop")
	attempts, _ := s.tailing("webhook=" + hook["id"].(string))
	failed, _ := s.tailing("failed=true")
	event := apiCall(t, s, "POST", "/events", `{"event":"video.uploaded","data":{"n":1}}`, 202)

	kinds := map[any]bool{(<-all)["kind"]: true, (<-all)["kind"]: true}
	require.Equal(t, map[any]bool{"attempt": true, "received": true}, kinds)
	line := <-received
	require.Equal(t, "accepted", line["outcome"])
	require.Equal(t, event["id"], line["id"])
	line = <-attempts
	require.Equal(t, event["id"], line["eventId"])
	require.Equal(t, "default", line["account"])
	require.EqualValues(t, 200, line["statusCode"])

	req := signed(t, s.url("/in"), "evt_2", testEvent)
	req.Header.Set("X-VideoCloud-Signature", strings.Repeat("0", 64))
	do(t, req)
	line = <-failed
	require.Equal(t, "signature_mismatch", line["outcome"])
	require.Regexp(t, "^signature_mismatch: .+", line["error"], "why")

	stop()
	require.Eventually(t, func() bool { return feed.count.Load() == 3 }, time.Minute, time.Millisecond, "who left is forgotten")
	s.load(localSender, senderSite(app)+"\nheader X-Reloaded yes")
	for _, lines := range []<-chan map[string]any{received, attempts, failed} {
		for range lines {
		}
	}
	require.Eventually(t, func() bool { return !feed.watching() }, time.Minute, time.Millisecond, "a stream ends with its configuration")
}

func TestAdminTailShowsAQueue(t *testing.T) {
	s, app := newServer(t), newBackend(t)
	app.answer(http.StatusBadGateway)
	s.load("webhooks {\nredis memory\n}", queueSite(app, "0s 50ms"))
	lines, _ := s.tailing("name=queued&failed=true")
	others, _ := s.tailing("webhook=whk_0")
	// On a slow machine a request may be refused for a store that was slow; it is sent again, and its line passed over.
	next := func(lines <-chan map[string]any) map[string]any {
		for line := range lines {
			if line["outcome"] != receiver.ReasonStore {
				return line
			}
		}
		return nil
	}
	doTaken(t, func() *http.Request { return signed(t, s.url("/webhooks"), "evt_1", testEvent) })
	line := next(lines)
	require.Equal(t, "delivery", line["kind"])
	require.Equal(t, "retrying", line["outcome"])
	require.Equal(t, "evt_1", line["id"])
	require.Equal(t, "video.uploaded", line["event"])
	require.EqualValues(t, 1, line["attempt"])
	require.EqualValues(t, 502, line["statusCode"])
	require.EqualValues(t, 50, line["nextAttemptInMs"])
	line = next(lines)
	require.Equal(t, "failed", line["outcome"])
	require.Equal(t, "the app answered 502", line["error"])

	app.answer(http.StatusOK)
	all, _ := s.tailing("event=evt_2")
	taken := doTaken(t, func() *http.Request {
		return signed(t, s.url("/webhooks"), "evt_2", strings.Replace(testEvent, "vid_123456", "vid_2", 1))
	})
	received := receiver.ResultQueued
	if taken.Header.Get(config.HeaderDuplicate) != "" { // it was taken by a store that was too slow to say so
		received = receiver.ResultDuplicate
	}
	kinds := map[any]any{}
	for range 2 {
		line := next(all)
		kinds[line["kind"]] = line["outcome"]
	}
	require.Equal(t, map[any]any{"received": received, "delivery": "succeeded"}, kinds)
	require.Empty(t, others, "is not of a webhook")
}

// A watcher that is too slow holds nobody up, and is told what it missed.
func TestSlowWatcherMissesLines(t *testing.T) {
	b := newBroadcast()
	w := b.view()
	defer b.remove(w)
	for range feedSize + 5 {
		b.send(watched{received: &receivedInfo{Name: "shop"}})
	}
	var out strings.Builder
	new(tailFilter).write(json.NewEncoder(&out), w, <-w.lines)
	require.True(t, strings.HasPrefix(out.String(), `{"kind":"left_out","leftOut":5}`+"\n"), out.String()[:100])
}

func TestAdminReencrypt(t *testing.T) {
	s, app := newServer(t), newBackend(t)
	s.load(localSender, senderSite(app))
	status, answer := s.adminPost("/webhooks/reencrypt", "{}")
	require.Equal(t, 409, status, answer)
	require.Contains(t, answer, "encryption_key is not set")
	apiCall(t, s, http.MethodPost, "/webhooks", `{"url":"`+app.URL+`","events":["*"]}`, 201)

	key := base64.StdEncoding.EncodeToString(make([]byte, 32))
	s.load(strings.Replace(localSender, "sender {", "sender {\nencryption_key "+key, 1), senderSite(app))
	for _, want := range []int{1, 0} {
		status, answer = s.adminPost("/webhooks/reencrypt", "{}")
		require.Equal(t, 200, status, answer)
		require.JSONEq(t, fmt.Sprintf(`{"count":%d}`, want), answer)
	}

	// A key that is gone is a no, not a store that can't be asked: the command exits with 1, as its help says.
	other := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 32))
	s.load(strings.Replace(localSender, "sender {", "sender {\nencryption_key "+other, 1), senderSite(app))
	status, answer = s.adminPost("/webhooks/reencrypt", "{}")
	require.Equal(t, 409, status, answer)
	require.Contains(t, answer, "those of 1 webhook")
}

// TestAdminKeys: a key made at the admin address works at the API until it is deleted there.
func TestAdminKeys(t *testing.T) {
	s, app := newServer(t), newBackend(t)
	s.load(localSender, senderSite(app))
	for body, word := range map[string]string{
		`{"role":"portal"}`:                    "role",
		`{}`:                                   "role",
		`{"role":"all","account":"a b"}`:       "account",
		`{"role":"all","expiresIn":"1ms"}`:     "expiresIn",
		`{"role":"all","expiresIn":"later"}`:   "expiresIn",
		`{"role":"all","key":"of-my-own-key"}`: "key",
		`{"role":"all","description":"` + strings.Repeat("x", 257) + `"}`: "description",
	} {
		status, answer := s.adminPost("/webhooks/keys", body)
		require.Equal(t, 400, status, answer)
		require.Contains(t, answer, word)
	}
	status, answer := s.adminPost("/webhooks/keys", `{"role":"read","account":"shop","expiresIn":"90d","description":"of a test"}`)
	require.Equal(t, 201, status, answer)
	var made adminapi.Key
	require.NoError(t, json.Unmarshal([]byte(answer), &made))
	require.Regexp(t, "^vck_", made.Key)
	require.NotNil(t, made.ExpiresAt)

	asked := func() int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url("/api/account"), nil)
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+made.Key)
		resp, err := client.Do(req)
		require.NoError(t, err)
		status, _ := read(t, resp)
		return status
	}
	require.Equal(t, 200, asked())
	var list adminapi.Page[adminapi.Key]
	s.adminJSON("/webhooks/keys?account=shop", &list)
	require.Len(t, list.Items, 1)
	require.Equal(t, made.ID, list.Items[0].ID)
	require.Empty(t, list.Items[0].Key, "it is shown once")
	s.adminJSON("/webhooks/keys?account=other", &list)
	require.Empty(t, list.Items)

	remove := func() int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, fmt.Sprintf("http://127.0.0.1:%d/webhooks/keys?id=%s", s.admin, made.ID), nil)
		require.NoError(t, err)
		resp, err := client.Do(req)
		require.NoError(t, err)
		status, _ := read(t, resp)
		return status
	}
	require.Equal(t, 200, remove())
	require.Equal(t, 404, remove())
	require.Eventually(t, func() bool { return asked() == 401 }, 2*time.Minute, 10*time.Millisecond)
}
