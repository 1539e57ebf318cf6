package apitest

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// testBadToEveryRoute sends bad requests to every operation. They are made from the OpenAPI document, so that new operations and fields are
// tested as well. Each answer must name what is wrong, and no request may store or change anything.
func testBadToEveryRoute(t *testing.T, c *client) {
	d := c.document()
	for _, o := range operations {
		c.run(o.name, func(t *testing.T, c *client) {
			webhook, _, method, path := c.setUp(o)
			caller := c.withRightsFor(o)
			before := c.snapshot()
			caller.do(method, path+"?no_such_parameter=1", o.body).failsAt(422, "", "no_such_parameter")
			for _, prefix := range []string{"/whk_", "/evt_", "/dlv_", "/rpl_", "/key_"} {
				if before, id, ok := strings.Cut(path, prefix); ok && o.ofAccount {
					_, behind, _ := strings.Cut(id, "/")
					caller.do(method, strings.TrimSuffix(before+prefix+"none/"+behind, "/"), o.body).failure(404)
					caller.do(method, before+"/a:b", o.body).failure(404)
				}
			}
			if requestBody, hasBody := d.operation(method, path)["requestBody"].(map[string]any); hasBody {
				caller.sendBadBodies(d, method, path, cmp.Or(o.body, "{}"), d.resolve(schemaIn(requestBody)))
			}
			require.Equal(t, before, c.snapshot(), "a refused request has stored or changed something")
			c.do("DELETE", "/webhooks/"+webhook, "").ok(200)
		})
	}
}

// snapshot returns what the API shows of account-a.
func (c *client) snapshot() (all []string) {
	c.t.Helper()
	for _, path := range []string{"/account", "/event-types", "/webhooks"} {
		all = append(all, c.do("GET", path, "").body)
	}
	for _, path := range []string{"/events", "/deliveries", "/replays", "/api-keys"} {
		for _, item := range c.do("GET", path+"?limit=100", "").items() {
			all = append(all, item.(map[string]any)["id"].(string))
		}
	}
	slices.Sort(all)
	return all
}

// sendBadBodies sends bodies that are no JSON object, and the good body with one member unknown, missing, or with a value that its schema
// excludes.
func (c *client) sendBadBodies(d *document, method, path, good string, schema map[string]any) {
	c.t.Helper()
	for _, body := range []string{"null", "[]", `"text"`, "5", "{", good + "}", good + good, "\ufeff" + good, "{\"\xff\":1}"} {
		c.do(method, path, body).fails(400, "invalid_json")
	}
	var members map[string]json.RawMessage
	require.NoError(c.t, json.Unmarshal([]byte(good), &members))
	with := func(name string, value any) string {
		changed := maps.Clone(members)
		changed[name] = json.RawMessage(jsonOf(c.t, value))
		return jsonOf(c.t, changed)
	}
	c.do(method, path, with("no_such_field", 1)).failsAt(422, "unknown_field", "no_such_field")
	required, _ := schema["required"].([]any)
	for _, name := range required {
		less := maps.Clone(members)
		delete(less, name.(string))
		c.do(method, path, jsonOf(c.t, less)).failsAt(422, "", name.(string))
	}
	properties, _ := schema["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		for _, value := range []any{
			5, -1, 1.5, 1e300, true, "", " ", "a\x00b", "no such thing", strings.Repeat("x", 5000), []any{}, []any{5}, []any{""}, map[string]any{"x": 5},
		} {
			if value == "" && d.validate(properties[name], nil, name) == nil || path == "/events/batch" && name == "events" {
				continue // an empty text clears the member like null; each event of a batch has an answer of its own
			}
			body := with(name, value)
			parsed, err := parseJSON([]byte(body))
			require.NoError(c.t, err)
			if d.validate(properties[name], parsed.(map[string]any)[name], name) == nil {
				continue // the schema allows it
			}
			res := c.do(method, path, body)
			require.Contains(c.t, []int{400, 403, 413, 422}, res.status, "%s %s: %.200s: %s", method, path, body, res.body)
			_, field := res.failure(res.status)
			if res.status == 413 {
				continue // the body is too large, whatever the field
			}
			require.True(c.t, field == name || strings.HasPrefix(field, name+"."), "%s %s: %.200s: %s", method, path, body, res.body)
		}
	}
}
