// Package apitest is the test suite of the REST API, for any [api.Service]: the API's own tests run it on
// a Service in memory, the sender's on the real one. It sends real HTTP requests, and every answer is
// checked against the OpenAPI document that the handler serves.
package apitest

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/sender/api"
)

// Open makes a handler with an empty Service: it sets o.Service and calls [api.New]. The Service has the
// default event types, lets only public https destinations in, and should not deliver.
type Open func(t *testing.T, o api.Options) http.Handler

// Run runs the whole suite.
func Run(t *testing.T, open Open) {
	t.Run("Guide", func(t *testing.T) { t.Parallel(); testGuide(t, newClient(t, open)) })
	t.Run("Examples", func(t *testing.T) { t.Parallel(); testExamples(t, newClient(t, open)) })
	t.Run("Access", func(t *testing.T) { t.Parallel(); testAccess(t, newClient(t, open)) })
	t.Run("Keys", func(t *testing.T) { t.Parallel(); testKeys(t, newClient(t, open)) })
	t.Run("BadRequests", func(t *testing.T) { t.Parallel(); testBadRequests(t, newClient(t, open)) })
	t.Run("BadWebhooks", func(t *testing.T) { t.Parallel(); testBadWebhooks(t, newClient(t, open)) })
	t.Run("BadEvents", func(t *testing.T) { t.Parallel(); testBadEvents(t, newClient(t, open)) })
	t.Run("Webhooks", func(t *testing.T) { t.Parallel(); testWebhooks(t, newClient(t, open)) })
	t.Run("MadeKeys", func(t *testing.T) { t.Parallel(); testMadeKeys(t, newClient(t, open)) })
	t.Run("Accounts", func(t *testing.T) { t.Parallel(); testAccountRecords(t, newClient(t, open)) })
	t.Run("DeletedAccounts", func(t *testing.T) { t.Parallel(); testDeletedAccounts(t, newClient(t, open)) })
	t.Run("Expunged", func(t *testing.T) { t.Parallel(); testExpunged(t, newClient(t, open)) })
	t.Run("Pages", func(t *testing.T) { t.Parallel(); testPages(t, newClient(t, open)) })
	t.Run("Events", func(t *testing.T) { t.Parallel(); testEvents(t, newClient(t, open)) })
	t.Run("Batch", func(t *testing.T) { t.Parallel(); testBatch(t, newClient(t, open)) })
	t.Run("Deliveries", func(t *testing.T) { t.Parallel(); testDeliveries(t, newClient(t, open)) })
	t.Run("Replay", func(t *testing.T) { t.Parallel(); testReplay(t, newClient(t, open)) })
}

// testGuide sends the guide's four requests and compares the answers with the guide's, key order included.
func testGuide(t *testing.T, c *client) {
	const object = `"url":"https://your-server.com/webhooks","events":\["video.uploaded","video.processed","video.published"%s\],` +
		`"status":"active","createdAt":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"`
	res := c.do("POST", "/webhooks", `{
  "url": "https://your-server.com/webhooks",
  "events": [
    "video.uploaded",
    "video.processed",
    "video.published"
  ],
  "secret": "your_webhook_secret"
}`)
	id := res.ok(http.StatusCreated)["id"].(string)
	require.Regexp(t, `^whk_[A-Za-z0-9]+$`, id)
	require.Equal(t, "/webhooks/"+id, res.header.Get("Location"))
	guide := func(id, events string) string {
		return `\{"id":"` + id + `",` + fmt.Sprintf(object, events) + `\}`
	}
	require.Regexp(t, `^\{"success":true,"data":`+guide(id, "")+`\}\n$`, res.body)

	res = c.do("GET", "/webhooks", "")
	require.Equal(t, http.StatusOK, res.status)
	require.Regexp(t, `^\{"success":true,"data":\{"items":\[`+guide(id, "")+`\]\}\}\n$`, res.body)

	res = c.do("PUT", "/webhooks/"+id, `{
  "events": [
    "video.uploaded",
    "video.processed",
    "video.published",
    "video.deleted"
  ],
  "secret": "new_webhook_secret"
}`)
	require.Equal(t, http.StatusOK, res.status)
	require.Regexp(t, `^\{"success":true,"data":`+guide(id, `,"video.deleted"`)+`\}\n$`, res.body)

	res = c.do("DELETE", "/webhooks/"+id, "")
	require.Equal(t, http.StatusOK, res.status)
	require.Equal(t, `{"success":true,"data":{"id":"`+id+`"}}`+"\n", res.body)

	res = c.do("GET", "/webhooks", "")
	require.Equal(t, `{"success":true,"data":{"items":[]}}`+"\n", res.body)
	c.do("GET", "/webhooks/"+id, "").fails(http.StatusNotFound, "not_found")
}
