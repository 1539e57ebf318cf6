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

// testBadToEveryRoute sends to every operation what it must refuse, made from the OpenAPI document, so that a new operation or field is tried as
// well: each answer names what is wrong, and nothing is stored or changed by any.
func testBadToEveryRoute(t *testing.T, c *client) {
	d := c.document()
	for _, o := range operations {
		t.Run(o.name, func(t *testing.T) {
			c := c.in(t)
			webhook, _, method, path := c.setUp(o)
			caller := c
			if o.roles != nil && len(o.roles) == 0 {
				caller = c.as(keyAny)
			}
			before := c.snapshot()
			caller.do(method, path+"?no_such_parameter=1", o.body).failsAt(422, "", "no_such_parameter")
			for id, other := range map[string]string{"whk_": "whk_none", "evt_": "evt_none", "dlv_": "dlv_none", "rpl_": "rpl_none", "key_": "key_none"} {
				if o.private && strings.Contains(path, "/"+id) {
					start := strings.Index(path, "/"+id) + 1
					rest := path[start:]
					if end := strings.Index(rest, "/"); end >= 0 {
						other += rest[end:]
					}
					caller.do(method, path[:start]+other, o.body).failure(404)
					caller.do(method, path[:start]+"a:b", o.body).failure(404)
				}
			}
			if requestBody, takes := d.operation(method, path)["requestBody"].(map[string]any); takes {
				good := o.body
				if good == "" {
					good = "{}"
				}
				caller.badBodies(d, method, path, good, d.resolve(schemaIn(requestBody)))
			}
			require.Equal(t, before, c.snapshot(), "what is refused leaves nothing")
			c.do("DELETE", "/webhooks/"+webhook, "").ok(200)
		})
	}
}

// snapshot is what there is to be seen of account-a.
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

// badBodies sends bodies that are refused whole, and good ones in which one member is what the document refuses for it.
func (c *client) badBodies(d *document, method, path, good string, schema map[string]any) {
	c.t.Helper()
	for _, body := range []string{"null", "[]", `"text"`, "5", "{", good + "}", good + good, "\ufeff" + good, "{\"\xff\":1}"} {
		c.do(method, path, body).fails(400, "invalid_json")
	}
	var members map[string]json.RawMessage
	require.NoError(c.t, json.Unmarshal([]byte(good), &members))
	with := func(name string, value any) string {
		changed := maps.Clone(members)
		text, err := json.Marshal(value)
		require.NoError(c.t, err)
		changed[name] = text
		body, err := json.Marshal(changed)
		require.NoError(c.t, err)
		return string(body)
	}
	code, field := c.do(method, path, with("no_such_field", 1)).failure(422)
	require.Equal(c.t, [2]string{"unknown_field", "no_such_field"}, [2]string{code, field})
	for _, name := range requiredNames(schema) {
		less := maps.Clone(members)
		delete(less, name)
		body, err := json.Marshal(less)
		require.NoError(c.t, err)
		c.do(method, path, string(body)).failsAt(422, "", name)
	}
	properties, _ := schema["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		for _, value := range []any{
			5, -1, 1.5, 1e300, true, "", " ", "a\x00b", "no such thing", strings.Repeat("x", 5000), []any{}, []any{5}, []any{""}, map[string]any{"x": 5},
		} {
			if value == "" && d.validate(properties[name], nil, name) == nil || path == "/events/batch" && name == "events" {
				continue // it clears as null does; each event of a batch is answered on its own
			}
			body := with(name, value)
			parsed, err := parse([]byte(body))
			require.NoError(c.t, err)
			if d.validate(properties[name], parsed.(map[string]any)[name], name) == nil {
				continue // it is right, or only wrong beside others
			}
			res := c.do(method, path, body)
			require.Contains(c.t, []int{400, 403, 413, 422}, res.status, "%s %s: %.200s: %s", method, path, body, res.body)
			_, field := res.failure(res.status)
			if res.status == 413 {
				continue // the whole is too large, before there is a field
			}
			require.True(c.t, field == name || strings.HasPrefix(field, name+"."), "%s %s: %.200s: %s", method, path, body, res.body)
		}
	}
}

func requiredNames(schema map[string]any) (names []string) {
	list, _ := schema["required"].([]any)
	for _, name := range list {
		names = append(names, fmt.Sprint(name))
	}
	return names
}
