package apitest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The guide's payload, and one that would change if anything encoded it again.
const (
	guideData = `{
    "videoId": "vid_123456",
    "title": "My Video",
    "size": 10485760,
    "duration": 120,
    "format": "mp4",
    "userId": "usr_123456",
    "status": "processing"
  }`
	delicateData = "{ \"z\": 1.0,\t\"a\" : 12345678901234567890123, \"e\":1E+2,\r\n \"s\":\"\\u003c\\/<>&\\ud83d\\ude00\\ud800 \u2028é\", \"\":[ ], \"\\u0061b\":{\"x\":1,\"x\":2} }"
)

// testEvents is about publishing single events, and about the list of event types.
func testEvents(t *testing.T, c *client) {
	webhook := c.register()
	c.run("the guide's payload", func(t *testing.T, c *client) {
		res := c.do("POST", "/events", `{"event":"video.uploaded","timestamp":"2024-03-31T12:00:00Z","data":`+guideData+`}`)
		p := res.ok(http.StatusAccepted)
		id := p["id"].(string)
		require.Regexp(t, `^evt_[0-9a-f]{32}$`, id)
		delivery := p["deliveries"].([]any)[0].(map[string]any)["id"].(string)
		require.Equal(t, `{"success":true,"data":{"id":"`+id+`","event":"video.uploaded","timestamp":"2024-03-31T12:00:00Z",`+
			`"deliveries":[{"id":"`+delivery+`","webhookId":"`+webhook+`"}],"duplicate":false}}`+"\n", res.body)

		res = c.do("GET", "/events/"+id, "")
		require.Len(t, res.ok(http.StatusOK)["deliveries"], 1)
		require.Contains(t, res.body, `"data":`+guideData+`}}`)
	})
	c.run("data is kept byte for byte", func(t *testing.T, c *client) {
		p := c.do("POST", "/events", " {\n\"data\" : "+delicateData+"\n, \"\\u0065vent\": \"video\\u002euploaded\" } \r\n").ok(202)
		require.Contains(t, c.do("GET", "/events/"+p["id"].(string), "").body, `"data":`+delicateData+`}}`)
	})
	c.run("timestamps are UTC in whole seconds", func(t *testing.T, c *client) {
		p := c.do("POST", "/events", `{"event":"video.uploaded","data":{},"timestamp":"2024-03-31T14:00:00.999+02:00"}`).ok(202)
		require.Equal(t, "2024-03-31T12:00:00Z", p["timestamp"])
		p = c.do("POST", "/events", `{"event":"video.uploaded","data":{},"timestamp":null,"id":null}`).ok(202)
		require.Regexp(t, `^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$`, p["timestamp"])
	})
	c.run("nobody subscribes", func(t *testing.T, c *client) {
		require.Empty(t, c.do("POST", "/events", `{"event":"user.deleted","data":{}}`).ok(202)["deliveries"])
	})
	c.run("as deep as may be", func(t *testing.T, c *client) {
		c.do("POST", "/events", `{"event":"video.uploaded","data":`+nested(999)+`}`).ok(202)
	})
	c.run("many names", func(t *testing.T, c *client) {
		var names []string
		for i := range 5000 {
			names = append(names, fmt.Sprintf(`"n%d":%d`, i, i))
		}
		c.do("POST", "/events", `{"event":"video.uploaded","data":{`+strings.Join(names, ",")+`}}`).ok(202)
		c.do("POST", "/events", `{"event":"video.uploaded","data":{`+strings.Join(names, ",")+`,"n7":1}}`).fails(400, "invalid_json")
	})
	c.run("event types", func(t *testing.T, c *client) {
		items := c.do("GET", "/event-types", "").items()
		require.Len(t, items, 15)
		require.Equal(t, map[string]any{"name": "video.uploaded", "description": "Triggered when a new video is uploaded", "group": "video"}, items[0])
	})
	testIdempotence(t, c)
}

// testIdempotence is about events that are published twice with one ID.
func testIdempotence(t *testing.T, c *client) {
	const body = `{"event":"video.uploaded","data":{"a":1}%s}`
	publish := func(c *client, members string, headers ...string) *response {
		return c.do("POST", "/events", fmt.Sprintf(body, members), headers...)
	}
	c.run("the same again", func(t *testing.T, c *client) {
		first := publish(c, `,"id":"order-1"`).ok(202)
		again := publish(c, `,"id":"order-1"`).ok(202)
		require.Equal(t, false, first["duplicate"])
		require.Equal(t, true, again["duplicate"])
		first["duplicate"] = true
		require.Equal(t, first, again)
		c.do("POST", "/events", `{"event":"video.uploaded","data":{"a":2},"id":"order-1"}`).fails(409, "conflict")
	})
	c.run("by Idempotency-Key", func(t *testing.T, c *client) {
		require.Equal(t, "order-2", publish(c, "", "Idempotency-Key: order-2").ok(202)["id"])
		require.Equal(t, true, publish(c, "", "Idempotency-Key: order-2").ok(202)["duplicate"])
		require.Equal(t, true, publish(c, `,"id":null`, "Idempotency-Key: order-2").ok(202)["duplicate"])
		require.Equal(t, true, publish(c, `,"id":"order-2"`, "Idempotency-Key: order-9").ok(202)["duplicate"], "the body's ID counts")
	})
	c.run("another account's ID", func(t *testing.T, c *client) {
		publish(c, `,"id":"order-3"`).ok(202)
		other := c.as(keyB).do("POST", "/events", `{"event":"user.created","data":{"b":1},"id":"order-3"}`).ok(202)
		require.Equal(t, false, other["duplicate"])
		require.Empty(t, other["deliveries"])
		require.Equal(t, "user.created", c.as(keyB).do("GET", "/events/order-3", "").ok(200)["event"])
		require.Equal(t, "video.uploaded", c.do("GET", "/events/order-3", "").ok(200)["event"])
	})
}

// testBatch publishes good and bad events in one request.
func testBatch(t *testing.T, c *client) {
	c.register()
	errorOf := func(item any) map[string]any {
		e, _ := item.(map[string]any)["error"].(map[string]any)
		delete(e, "message")
		return e
	}
	c.run("each an answer or an error, in order", func(t *testing.T, c *client) {
		items := c.do("POST", "/events/batch", ` { "events" : [
			{"event":"video.uploaded","data":`+delicateData+`,"id":"batch-1"},
			{"event":"video.eaten","data":{}},
			{"event":"video.uploaded","data":[]},
			{"event":"video.uploaded","data":{},"Id":"x"},
			{"event":"video.uploaded","data":{},"data":{}},
			{"event":"video.uploaded","data":`+nested(1000)+`},
			{"event":"video.uploaded","data":`+nested(999)+`},
			17, {},
			{"event":"video.uploaded","data":`+delicateData+`,"id":"batch-1"},
			{"event":"video.uploaded","data":{},"id":"batch-1"}
		] } `).ok(202)["items"].([]any)
		require.Len(t, items, 11)
		want := map[int]map[string]any{
			1: {"code": "unknown_event_type", "field": "event"},
			2: {"code": "invalid_field", "field": "data"},
			3: {"code": "unknown_field", "field": "Id"},
			4: {"code": "invalid_json", "field": "data"},
			5: {"code": "invalid_json"},
			7: {"code": "invalid_json"},
			8: {"code": "invalid_field", "field": "event"},
		}
		for i, item := range items[:10] {
			if want[i] != nil {
				require.Equal(t, want[i], errorOf(item), "item %d", i)
				continue
			}
			require.Nil(t, errorOf(item), "item %d", i)
			require.Len(t, item.(map[string]any)["deliveries"], 1)
		}
		require.Equal(t, true, items[9].(map[string]any)["duplicate"])
		require.Equal(t, "conflict", errorOf(items[10])["code"])
		require.Contains(t, c.do("GET", "/events/batch-1", "").body, `"data":`+delicateData+`}}`)
	})
	c.run("as a whole", func(t *testing.T, c *client) {
		const good = `{"event":"video.uploaded","data":{},"id":"` + refusedID + `"}`
		for name, row := range map[string]refusal{
			"broken at the end":    {`{"events":[` + good + `,{"event":]}`, 400, "invalid_json", ""},
			"invalid UTF-8":        {`{"events":[` + good + ",{\"event\":\"\xff\"}]}", 400, "invalid_json", ""},
			"something behind":     {`{"events":[` + good + `]}]`, 400, "invalid_json", ""},
			"not an object":        {`[` + good + `]`, 400, "invalid_json", ""},
			"no events":            {`{}`, 422, "invalid_field", "events"},
			"null events":          {`{"events":null}`, 422, "invalid_field", "events"},
			"events is an object":  {`{"events":` + good + `}`, 422, "invalid_field", "events"},
			"events twice":         {`{"events":[` + good + `],"events":[]}`, 400, "invalid_json", "events"},
			"unknown field":        {`{"events":[` + good + `],"atomic":true}`, 422, "unknown_field", "atomic"},
			"more than a thousand": {`{"events":[` + strings.Join(slices.Repeat([]string{good}, 1001), ",") + `]}`, 422, "invalid_field", "events"},
		} {
			c.run(name, func(t *testing.T, c *client) {
				c.do("POST", "/events/batch", row.body).failsAt(row.status, row.code, row.field)
				c.do("GET", "/events/"+refusedID, "").failure(404)
			})
		}
	})
	c.run("a thousand", func(t *testing.T, c *client) {
		body := `{"events":[` + strings.Join(slices.Repeat([]string{newEvent}, 1000), ",") + `]}`
		items := c.do("POST", "/events/batch", body).ok(202)["items"].([]any)
		require.Len(t, items, 1000)
		ids := map[any]bool{}
		for _, item := range items {
			ids[item.(map[string]any)["id"]] = true
		}
		require.Len(t, ids, 1000)
	})
	c.run("none", func(t *testing.T, c *client) {
		require.Equal(t, `{"success":true,"data":{"items":[]}}`+"\n", c.do("POST", "/events/batch", `{"events":[]}`).body)
	})
}

// testDeliveries is about listing deliveries and retrying one.
func testDeliveries(t *testing.T, c *client) {
	webhook := c.register()
	path := "/webhooks/" + webhook + "/deliveries"
	var ids []string
	for range 5 {
		_, id := c.publish()
		ids = append(ids, id)
	}
	slices.Reverse(ids)
	got, _ := c.allPages(path+"?limit=2", "id")
	require.Equal(t, ids, got, "newest first, each once")

	d := c.do("GET", "/deliveries/"+ids[0], "").ok(http.StatusOK)
	require.Equal(t, webhook, d["webhookId"])
	require.Equal(t, "video.uploaded", d["event"])
	require.NotNil(t, d["attempts"])
	require.Equal(t, ids[0], c.do("POST", "/deliveries/"+ids[0]+"/retry", "").ok(http.StatusAccepted)["id"])

	require.Empty(t, c.do("GET", path+"?state=cancelled", "").items())
	require.Empty(t, c.do("GET", path+"?since=2999-01-01T00:00:00Z", "").items())
	require.Len(t, c.do("GET", path+"?since=2024-03-31T14:00:00+02:00", "").items(), 5, "a plus sign that was not encoded counts as one")
	for query, field := range map[string]string{
		"state=lost": "state", "since=yesterday": "since", "since=2024-03-31": "since", "limit=1000": "limit",
		"state=failed&state=pending": "state", "cursor=nonsense": "cursor",
	} {
		c.do("GET", path+"?"+query, "").failsAt(422, "invalid_field", field)
	}
	c.do("GET", "/webhooks/whk_none/deliveries", "").failure(404)
	c.do("POST", "/deliveries/dlv_none/retry", "").failure(404)
}

// testReplay is about starting replays and reading their progress.
func testReplay(t *testing.T, c *client) {
	path := "/webhooks/" + c.register() + "/replay"
	c.publish()
	res := c.do("POST", path, `{"since":"2024-03-31T12:00:00Z","until":null,"events":["video.uploaded"],"state":"all"}`)
	r := res.ok(http.StatusAccepted)
	require.Regexp(t, `^rpl_[A-Za-z0-9]+$`, r["id"])
	require.Contains(t, r, "matched") // the number depends on the Service
	require.Equal(t, "/replays/"+r["id"].(string), res.header.Get("Location"))
	require.Equal(t, r["id"], c.do("GET", "/replays/"+r["id"].(string), "").ok(http.StatusOK)["id"])

	dry := c.do("POST", path, `{"since":"2024-03-31T12:00:00Z","state":"all","dryRun":true}`)
	require.NotContains(t, dry.ok(http.StatusAccepted), "id")
	require.Empty(t, dry.header.Get("Location"))
	c.requireRefusals("POST", path, []refusal{
		{`{}`, 422, "invalid_field", "since"},
		{`{"since":null}`, 422, "invalid_field", "since"},
		{`{"since":"yesterday"}`, 422, "invalid_field", "since"},
		{`{"since":"2024-03-31T12:00:00Z","until":"2024-03-31T11:00:00Z"}`, 422, "invalid_field", "until"},
		{`{"since":"2024-03-31T12:00:00Z","state":"lost"}`, 422, "invalid_field", "state"},
		{`{"since":"2024-03-31T12:00:00Z","state":""}`, 422, "invalid_field", "state"},
		{`{"since":"2024-03-31T12:00:00Z","events":"video.*"}`, 422, "invalid_field", "events"},
		{`{"since":"2024-03-31T12:00:00Z","dryRun":"yes"}`, 422, "invalid_field", "dryRun"},
		{`{"since":"2024-03-31T12:00:00Z","dry_run":true}`, 422, "unknown_field", "dry_run"},
	})
	c.do("POST", "/webhooks/whk_none/replay", `{"since":"2024-03-31T12:00:00Z"}`).failure(404)
	c.do("GET", "/replays/rpl_none", "").failure(404)
}
