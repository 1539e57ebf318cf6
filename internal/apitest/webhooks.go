package apitest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// testWebhooks is about registering and changing webhooks.
func testWebhooks(t *testing.T, c *client) {
	c.run("a secret is made and shown once", func(t *testing.T, c *client) {
		w := c.do("POST", "/webhooks", `{"url":"https://your-server.com/webhooks","events":["*"],"secret":null}`).ok(201)
		require.Regexp(t, `^whsec_[A-Za-z0-9+/]{32}$`, w["secret"])
		for _, path := range []string{"/webhooks", "/webhooks/" + w["id"].(string)} {
			require.NotContains(t, c.do("GET", path, "").body, w["secret"])
		}
		require.NotContains(t, c.do("PUT", "/webhooks/"+w["id"].(string), `{"description":"x"}`).body, "secret")
	})
	c.run("a given secret is never shown", func(t *testing.T, c *client) {
		require.NotContains(t, c.do("POST", "/webhooks", newWebhook).body, "secret")
	})
	c.run("other fields come after the guide's, header values never", func(t *testing.T, c *client) {
		res := c.do("POST", "/webhooks", `{"url":"https://your-server.com/a?b=<c>&d","events":["video.*"],"secret":"your_webhook_secret",`+
			`"description":"<b>&\u00e9\u2028","headers":{"Authorization":"Bearer a-value-to-hide"},"rateLimit":10,"maxInFlight":1e0}`)
		id := res.id(201)
		require.Regexp(t, `^\{"success":true,"data":\{"id":"`+id+`","url":"https://your-server.com/a\?b=<c>&d","events":\["video.\*"\],"status":"active",`+
			`"createdAt":"[^"]*","description":"<b>&é(\x{2028}|\\u2028)","headers":\["Authorization"\],"rateLimit":10,"maxInFlight":1\}\}\n$`, res.body)
		require.NotContains(t, c.do("GET", "/webhooks/"+id, "").body, "a-value-to-hide")
	})
	c.run("changes only what is given", func(t *testing.T, c *client) {
		w := c.do("POST", "/webhooks", `{"url":"https://your-server.com/webhooks","events":["video.*"],"description":"first","headers":{"X-A":"1"},"rateLimit":5}`).ok(201)
		id := w["id"].(string)
		delete(w, "secret")
		for _, step := range []struct{ method, body, field string }{
			{"PUT", `{}`, ""},
			{"PUT", `{"description":"second"}`, "description"},
			{"PATCH", `{"events":["user.*","*"]}`, "events"},
			{"PATCH", `{"url":"https://your-server.com/other"}`, "url"},
			{"PUT", `{"secret":"new_webhook_secret","secretOverlap":"2d"}`, ""},
			{"PUT", `{"status":"paused"}`, "status"},
			{"PATCH", `{"status":"active"}`, "status"},
			{"PATCH", `{"description":null}`, "description"},
			{"PATCH", `{"headers":null}`, "headers"},
			{"PATCH", `{"rateLimit":null}`, "rateLimit"},
		} {
			changed := c.do(step.method, "/webhooks/"+id, step.body).ok(http.StatusOK)
			if step.field != "" {
				require.NotEqual(t, w[step.field], changed[step.field], "%s %s", step.method, step.body)
				w[step.field] = changed[step.field]
				if changed[step.field] == nil {
					delete(w, step.field)
				}
			}
			require.Equal(t, w, changed, "%s %s", step.method, step.body)
			require.Equal(t, w, c.do("GET", "/webhooks/"+id, "").ok(http.StatusOK))
		}
	})
	c.run("what GET answers can be PUT as it is", func(t *testing.T, c *client) {
		id := c.do("POST", "/webhooks", `{"url":"https://your-server.com/webhooks","events":["video.*"],"description":"first","headers":{"X-B":"1","X-A":"2"},`+
			`"rateLimit":5,"maxInFlight":2,"metadata":{"team":"a"},"retry":["0s","90s","12h"],"timeout":"30s","status":"paused"}`).id(201)
		got := c.do("GET", "/webhooks/"+id, "").ok(http.StatusOK)
		for name, with := range map[string]map[string]any{
			"as it is":         nil,
			"after a delivery": {"lastDelivery": map[string]any{"success": true, "timestamp": "2024-03-31T12:00:00Z"}, "heldUntil": "2024-03-31T12:00:00Z", "publicKey": "whpk_x"},
			"failed meanwhile": {"status": "failed"},
			"disabled":         {"status": "disabled"},
			"in another order": {"headers": []string{"X-B", "X-A"}},
		} {
			object := maps.Clone(got)
			maps.Copy(object, with)
			body, err := json.Marshal(object)
			require.NoError(t, err)
			for _, method := range []string{"PUT", "PATCH"} {
				require.Equal(t, got, c.do(method, "/webhooks/"+id, string(body)).ok(http.StatusOK), name)
			}
			require.Equal(t, got, c.do("GET", "/webhooks/"+id, "").ok(http.StatusOK), name)
		}
		other := c.do("POST", "/webhooks", newWebhook).ok(201)
		body, err := json.Marshal(other)
		require.NoError(t, err)
		c.do("PUT", "/webhooks/"+id, string(body)).failsAt(422, "", "id")
	})
	for field, row := range map[string]struct{ given, shown, changed, changedShown string }{
		"metadata": {`{"a":"1","b":""}`, `{"a":"1","b":""}`, `{"c":"2"}`, `{"c":"2"}`},
		"retry":    {`["0s","90s","0.5d"]`, `["0s","1m30s","12h"]`, `["5m"]`, `["5m"]`},
		"timeout":  {`"1500ms"`, `"1.5s"`, `"60s"`, `"1m"`},
		"filter":   {`"data.size > 1000000 && data.format == \"mp4\""`, `"data.size > 1000000 && data.format == \"mp4\""`, `"data.size > 1"`, `"data.size > 1"`},
	} {
		c.run(field+" is kept, replaced and cleared", func(t *testing.T, c *client) {
			w := c.do("POST", "/webhooks", strings.Replace(newWebhook, "{", `{"`+field+`":`+row.given+`,`, 1)).ok(201)
			path := "/webhooks/" + w["id"].(string)
			require.JSONEq(t, row.shown, jsonOf(t, w[field]))
			require.Equal(t, w, c.do("GET", path, "").ok(200))
			for _, change := range []struct{ method, given, shown string }{{"PATCH", row.changed, row.changedShown}, {"PUT", row.given, row.shown}} {
				changed := c.do(change.method, path, `{"`+field+`":`+change.given+`}`).ok(200)
				require.JSONEq(t, change.shown, jsonOf(t, changed[field]))
				w[field] = changed[field]
				require.Equal(t, w, changed)
			}
			delete(w, field)
			require.Equal(t, w, c.do("PUT", path, `{"`+field+`":null}`).ok(200))
			require.Equal(t, w, c.do("GET", path, "").ok(200))
		})
	}
	c.run("a filter is cleared and tried out", func(t *testing.T, c *client) {
		w := c.do("POST", "/webhooks", strings.Replace(newWebhook, "{", `{"filter":"data.size > 1",`, 1)).ok(201)
		path := "/webhooks/" + w["id"].(string)
		require.Equal(t, w, c.do("PUT", path, `{"filter":"data.size > 1","filterErrors":3}`).ok(200), "only the server counts these")
		delete(w, "filter")
		require.Equal(t, w, c.do("PUT", path, `{"filter":""}`).ok(200))

		const asked = `{"filter":%s,"event":"video.uploaded","data":{"size":10,"id":12345678901234567890}}`
		for source, want := range map[string]string{
			`"data.size > 1"`: `{"matches":true}`, `"data.size > 10"`: `{"matches":false}`, `"event == \"video.uploaded\""`: `{"matches":true}`,
		} {
			require.JSONEq(t, `{"success":true,"data":`+want+`}`, c.do("POST", "/webhooks/filter-test", fmt.Sprintf(asked, source)).body, source)
		}
		failing := c.do("POST", "/webhooks/filter-test", fmt.Sprintf(asked, `"data.sise > 1"`)).ok(200)
		require.Equal(t, true, failing["matches"])
		require.NotEmpty(t, failing["error"])
		c.requireRefusals("POST", "/webhooks/filter-test", []refusal{
			{fmt.Sprintf(asked, `"data.size >"`), 422, "invalid_field", "filter"},
			{fmt.Sprintf(asked, `""`), 422, "invalid_field", "filter"},
			{fmt.Sprintf(asked, `1`), 422, "invalid_field", "filter"},
			{`{"filter":"true","event":"video.eaten","data":{}}`, 422, "unknown_event_type", "event"},
			{`{"filter":"true","event":"video.uploaded","data":[]}`, 422, "invalid_field", "data"},
			{`{"filter":"true","event":"video.uploaded"}`, 422, "invalid_field", "data"},
			{newEvent, 422, "invalid_field", "filter"},
			{`{"filter":"true","event":"video.uploaded","data":{},"id":"x"}`, 422, "unknown_field", "id"},
		})
		c.do("GET", "/webhooks/filter-test", "").failure(404)
	})
	c.as(keyB).run("one registration for one idempotency key", func(t *testing.T, c *client) {
		const asked = `{"url":"https://your-server.com/webhooks","events":["video.*"]}`
		first := c.do("POST", "/webhooks", asked, "Idempotency-Key: shop-1").ok(201)
		require.NotEmpty(t, first["secret"])
		delete(first, "secret")
		for _, body := range []string{asked, ` {"events":["video.*"], "url":"https://your-server.com/webhooks", "secret":null}`} {
			again := c.do("POST", "/webhooks", body, "Idempotency-Key: shop-1")
			require.Equal(t, first, again.ok(201))
			require.Equal(t, "/webhooks/"+first["id"].(string), again.header.Get("Location"))
		}
		for _, body := range []string{
			`{"url":"https://your-server.com/webhooks","events":["video.*","user.*"]}`, strings.Replace(asked, "{", `{"secret":"your_webhook_secret",`, 1),
			strings.Replace(asked, "{", `{"headers":{"X-A":"1"},`, 1), strings.Replace(asked, "{", `{"status":"paused",`, 1),
		} {
			c.do("POST", "/webhooks", body, "Idempotency-Key: shop-1").failsAt(409, "conflict", "Idempotency-Key")
		}
		require.Len(t, c.do("GET", "/webhooks", "").items(), 1)
		require.NotEqual(t, first["id"], c.do("POST", "/webhooks", asked, "Idempotency-Key: shop-2").ok(201)["id"])
		require.NotEqual(t, first["id"], c.as(keyA).do("POST", "/webhooks", asked, "Idempotency-Key: shop-1").ok(201)["id"], "another account's")
		for _, bad := range [][]string{{"Idempotency-Key: a b"}, {"Idempotency-Key: a", "Idempotency-Key: b"}} {
			c.do("POST", "/webhooks", asked, bad...).failsAt(422, "", "Idempotency-Key")
		}
	})
	c.run("bad changes change nothing", func(t *testing.T, c *client) {
		id := c.register()
		before := c.do("GET", "/webhooks/"+id, "").body
		for _, row := range []refusal{
			{`{"url":"http://your-server.com/"}`, 422, "", "url"},
			{`{"url":"https://127.0.0.1/"}`, 422, "", "url"},
			{`{"url":null}`, 422, "invalid_field", "url"},
			{`{"events":null}`, 422, "invalid_field", "events"},
			{`{"events":[]}`, 422, "invalid_field", "events"},
			{`{"events":["video.eaten"]}`, 422, "unknown_event_type", "events"},
			{`{"secret":""}`, 422, "invalid_field", "secret"},
			{`{"secret":"short"}`, 422, "invalid_field", "secret"},
			{`{"secretOverlap":"24h"}`, 422, "invalid_field", "secretOverlap"},
			{`{"secret":"new_webhook_secret","secretOverlap":"721h"}`, 422, "invalid_field", "secretOverlap"},
			{`{"secret":"new_webhook_secret","secretOverlap":"-1h"}`, 422, "invalid_field", "secretOverlap"},
			{`{"secret":"new_webhook_secret","secretOverlap":24}`, 422, "invalid_field", "secretOverlap"},
			{`{"secret":"new_webhook_secret","secretOverlap":"1 day"}`, 422, "invalid_field", "secretOverlap"},
			{`{"status":"deleted"}`, 422, "invalid_field", "status"},
			{`{"retry":["0s",60]}`, 422, "invalid_field", "retry"},
			{`{"retry":["0s","soon"]}`, 422, "invalid_field", "retry"},
			{`{"retry":["-1s"]}`, 422, "invalid_field", "retry"},
			{`{"retry":"0s 1m"}`, 422, "invalid_field", "retry"},
			{`{"timeout":"0s"}`, 422, "invalid_field", "timeout"},
			{`{"timeout":"999ms"}`, 422, "invalid_field", "timeout"},
			{`{"timeout":"61s"}`, 422, "invalid_field", "timeout"},
			{`{"timeout":30}`, 422, "invalid_field", "timeout"},
			{`{"metadata":{"a":1}}`, 422, "invalid_field", "metadata"},
			{`{"headers":["X-A"]}`, 422, "invalid_field", "headers"},
			{`{"headers":[1]}`, 422, "invalid_field", "headers"},
			{`{"status":null}`, 422, "invalid_field", "status"},
			{`{"description":"x","createdAt":"2024-03-31T12:00:00Z"}`, 422, "invalid_field", "createdAt"},
			{`{"description":"x","id":"whk_1"}`, 422, "invalid_field", "id"},
			{`{"description":"x"`, 400, "invalid_json", ""},
		} {
			c.do("PUT", "/webhooks/"+id, row.body).failsAt(row.status, row.code, row.field)
			require.Equal(t, before, c.do("GET", "/webhooks/"+id, "").body)
		}
	})
	c.run("HEAD is GET without a body", func(t *testing.T, c *client) {
		id := c.register()
		get, head := c.do("GET", "/webhooks/"+id, ""), c.do("HEAD", "/webhooks/"+id, "")
		require.Equal(t, http.StatusOK, head.status)
		require.Empty(t, head.body)
		require.Equal(t, get.header.Get("Content-Length"), head.header.Get("Content-Length"))
		require.Equal(t, http.StatusNotFound, c.do("HEAD", "/webhooks/whk_none", "").status)
	})
	c.run("a webhook has one path", func(t *testing.T, c *client) {
		id := c.register()
		for _, path := range []string{"/webhooks/%77" + id[1:], "//webhooks/" + id, "/webhooks/" + id + "/", "/webhooks//" + id, "/webhooks/./" + id, "/webhooks%2F" + id} {
			c.do("GET", path, "").failure(http.StatusNotFound)
		}
	})
	c.run("a test event needs no body", func(t *testing.T, c *client) {
		path := "/webhooks/" + c.register() + "/test"
		for _, body := range []string{"", "{}"} {
			p := c.do("POST", path, body).ok(http.StatusAccepted)
			require.Equal(t, "webhook.test", p["event"])
			require.Len(t, p["deliveries"], 1)
		}
		require.Equal(t, "video.uploaded", c.do("POST", path, `{"event":"video.uploaded"}`).ok(202)["event"])
		c.do("POST", path, `{"event":"video.eaten"}`).failsAt(422, "unknown_event_type", "event")
		c.do("POST", path, `{"type":"video.uploaded"}`).failsAt(422, "", "type")
		c.do("POST", path, `[]`).failure(400)
		c.do("POST", path, `{}`, "Content-Type: text/plain").failure(415)
		c.do("POST", "/webhooks/whk_none/test", "").failure(404)
	})
}

// testPages reads a list page by page: it has each webhook once, the oldest first.
func testPages(t *testing.T, c *client) {
	var want []string
	for i := range 7 {
		w := c.do("POST", "/webhooks", strings.Replace(newWebhook, "{", fmt.Sprintf(`{"description":"number %d",`, i), 1)).ok(201)
		want = append(want, w["id"].(string))
	}
	got, pages := c.allPages("/webhooks?limit=3", "id")
	require.Equal(t, 3, pages)
	require.Equal(t, want, got)
	require.Len(t, c.do("GET", "/webhooks?limit=100", "").items(), 7)
	require.Len(t, c.do("GET", "/webhooks?limit=&cursor=", "").items(), 7)
	require.Empty(t, c.as(keyB).do("GET", "/webhooks?limit=100", "").items())
}
