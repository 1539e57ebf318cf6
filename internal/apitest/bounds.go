package apitest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// RunBounds runs the tests that send values beyond their bounds. They need a Service that refuses those.
func RunBounds(t *testing.T, open Open) {
	runTests(t, open, []test{{"Webhooks", testBounds}, {"BadToEveryRoute", testBadToEveryRoute}})
}

// testBounds compares the bounds in the OpenAPI document with those of the API. For each bound of a member of a webhook, the API accepts
// the value at the bound, and refuses the next one beyond with the name of the member.
func testBounds(t *testing.T, c *client) {
	d := c.document()
	schema := d.resolve(schemaIn(d.operation("POST", "/webhooks")["requestBody"]))
	bounded := 0
	for _, name := range slices.Sorted(maps.Keys(schema["properties"].(map[string]any))) {
		for keyword, bound := range d.resolve(schema["properties"].(map[string]any)[name]) {
			number, isNumber := bound.(json.Number)
			if !isNumber {
				continue
			}
			bounded++
			n, err := number.Int64()
			require.NoError(t, err)
			beyond := int(n) + 1
			if strings.HasPrefix(keyword, "min") {
				beyond = int(n) - 1
			}
			c.run(fmt.Sprintf("%s %s %d", name, keyword, n), func(t *testing.T, c *client) {
				c.do("POST", "/webhooks", webhookWith(t, name, valueOf(name, keyword, beyond))).failsAt(422, "", name)
				if name != "events" { // the list may hold more than there are event types
					c.do("POST", "/webhooks", webhookWith(t, name, valueOf(name, keyword, int(n)))).ok(201)
				}
			})
		}
	}
	require.GreaterOrEqual(t, bounded, 13)
}

// valueOf makes a value of a member for which the keyword counts n: its characters, its items, its members, or the number itself.
func valueOf(name, keyword string, n int) any {
	switch {
	case strings.HasSuffix(keyword, "Length") && name == "url":
		const start = "https://your-server.com/"
		return start + strings.Repeat("x", n-len(start))
	case strings.HasSuffix(keyword, "Length") && name == "filter":
		const start = `event != "`
		return start + strings.Repeat("x", n-len(start)-1) + `"`
	case strings.HasSuffix(keyword, "Length"):
		return strings.Repeat("x", n)
	case strings.HasSuffix(keyword, "Items") && name == "retry":
		return slices.Repeat([]string{"1s"}, n)
	case strings.HasSuffix(keyword, "Items"):
		return slices.Repeat([]string{"video.*"}, n)
	case strings.HasSuffix(keyword, "Properties"):
		members := map[string]string{}
		for i := range n {
			members[fmt.Sprintf("X-%d", i)] = "x"
		}
		return members
	}
	return n
}

func webhookWith(t *testing.T, name string, value any) string {
	return jsonOf(t, map[string]any{"url": "https://your-server.com/webhooks", "events": []string{"*"}, name: value})
}
