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

// RunBounds runs the tests of the bounds, which need a Service that has them.
func RunBounds(t *testing.T, open Open) {
	t.Run("Webhooks", func(t *testing.T) { t.Parallel(); testBounds(t, newClient(t, open)) })
	t.Run("BadToEveryRoute", func(t *testing.T) { t.Parallel(); testBadToEveryRoute(t, newClient(t, open)) })
}

// testBounds compares the bounds of the OpenAPI document with those of the API: of each member of a webhook, what is
// just within its bounds is taken, and what is just beyond is refused with the member's name.
func testBounds(t *testing.T, c *client) {
	d := c.document()
	schema := d.resolve(schemaIn(d.operation("POST", "/webhooks")["requestBody"].(map[string]any)))
	bounded := 0
	for _, name := range slices.Sorted(maps.Keys(schema["properties"].(map[string]any))) {
		property := d.resolve(schema["properties"].(map[string]any)[name])
		for keyword, bound := range property {
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
			t.Run(fmt.Sprintf("%s %s %d", name, keyword, n), func(t *testing.T) {
				c := c.in(t)
				c.do("POST", "/webhooks", webhookWith(t, name, valueOf(name, keyword, beyond))).failsAt(422, "", name)
				if name != "events" { // there are not as many event types as a list may hold
					c.do("POST", "/webhooks", webhookWith(t, name, valueOf(name, keyword, int(n)))).ok(201)
				}
			})
		}
	}
	require.GreaterOrEqual(t, bounded, 13)
}

// valueOf makes a value of a member as long, many or large as n.
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
	object := map[string]any{"url": "https://your-server.com/webhooks", "events": []string{"*"}, name: value}
	body, err := json.Marshal(object)
	require.NoError(t, err)
	return string(body)
}
