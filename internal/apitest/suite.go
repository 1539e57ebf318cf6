// Package apitest is the test suite of the REST API, for any [api.Service]: the tests of the API run it on
// a Service in memory, those of the sender on the real one. It sends real HTTP requests, and checks every
// answer against the OpenAPI document that the handler serves.
package apitest

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/sender/api"
)

// Open makes a handler with an empty Service: it sets o.Service and calls [api.New]. The Service has the
// default event types, accepts only public https destinations, and should not deliver.
type Open func(t *testing.T, o api.Options) http.Handler

// Run runs the whole suite. Its tests run side by side, each on a handler of its own.
func Run(t *testing.T, open Open) {
	runTests(t, open, []test{
		{"Guide", testGuide},
		{"Examples", testExamples},
		{"Access", testAccess},
		{"Keys", testKeys},
		{"BadRequests", testBadRequests},
		{"BadWebhooks", testBadWebhooks},
		{"BadEvents", testBadEvents},
		{"Webhooks", testWebhooks},
		{"MadeKeys", testMadeKeys},
		{"Accounts", testAccountRecords},
		{"DeletedAccounts", testDeletedAccounts},
		{"Expunged", testExpunged},
		{"Pages", testPages},
		{"Events", testEvents},
		{"Batch", testBatch},
		{"Deliveries", testDeliveries},
		{"Replay", testReplay},
	})
}

type test struct {
	name string
	run  func(t *testing.T, c *client)
}

func runTests(t *testing.T, open Open, tests []test) {
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, newClient(t, open))
		})
	}
}

// testGuide sends the guide's four requests and compares the answers with the guide's, key order included.
func testGuide(t *testing.T, c *client) {
	res := c.do("POST", "/webhooks", `{
  "url": "https://your-server.com/webhooks",
  "events": [
    "video.uploaded",
    "video.processed",
    "video.published"
  ],
  "secret": "your_webhook_secret"
}`)
	id := res.id(http.StatusCreated)
	require.Regexp(t, `^whk_[A-Za-z0-9]+$`, id)
	require.Equal(t, "/webhooks/"+id, res.header.Get("Location"))
	webhook := func(moreEvents string) string {
		return `\{"id":"` + id + `","url":"https://your-server.com/webhooks","events":\["video.uploaded","video.processed","video.published"` + moreEvents +
			`\],"status":"active","createdAt":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"\}`
	}
	require.Regexp(t, `^\{"success":true,"data":`+webhook("")+`\}\n$`, res.body)

	res = c.do("GET", "/webhooks", "")
	require.Equal(t, http.StatusOK, res.status)
	require.Regexp(t, `^\{"success":true,"data":\{"items":\[`+webhook("")+`\]\}\}\n$`, res.body)

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
	require.Regexp(t, `^\{"success":true,"data":`+webhook(`,"video.deleted"`)+`\}\n$`, res.body)

	res = c.do("DELETE", "/webhooks/"+id, "")
	require.Equal(t, http.StatusOK, res.status)
	require.Equal(t, `{"success":true,"data":{"id":"`+id+`"}}`+"\n", res.body)

	res = c.do("GET", "/webhooks", "")
	require.Equal(t, `{"success":true,"data":{"items":[]}}`+"\n", res.body)
	c.do("GET", "/webhooks/"+id, "").fails(http.StatusNotFound, "not_found")
}
