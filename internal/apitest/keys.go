package apitest

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// testMadeKeys is about keys that are made by requests, and about portal links.
func testMadeKeys(t *testing.T, c *client) {
	c.run("made, used, listed, ended", func(t *testing.T, c *client) {
		made := c.do("POST", "/api-keys", `{"role":"manage","description":"of the shop","expiresIn":"2d"}`)
		k := made.ok(201)
		id, value := k["id"].(string), k["key"].(string)
		require.Regexp(t, `^key_`, id)
		require.Equal(t, "/api-keys/"+id, made.header.Get("Location"))
		require.Equal(t, []any{"account-a", "manage", "of the shop"}, []any{k["account"], k["role"], k["description"]})
		expires, err := time.Parse(time.RFC3339, k["expiresAt"].(string))
		require.NoError(t, err)
		require.WithinRange(t, expires, time.Now().Add(47*time.Hour), time.Now().Add(49*time.Hour))
		c.as(value).do("POST", "/webhooks", newWebhook).ok(201)
		c.as(value).do("POST", "/events", newEvent).failure(403)
		list := c.do("GET", "/api-keys", "")
		require.NotContains(t, list.body, value)
		require.Contains(t, list.body, `"lastUsedAt"`)
		require.Contains(t, list.body, id)
		require.NotContains(t, c.as(keyB).do("GET", "/api-keys", "").body, id)
		require.Contains(t, c.as(keyAny).do("GET", "/api-keys", "").body, id, "without the account header all keys are listed")
		c.as(keyB).do("DELETE", "/api-keys/"+id, "").failure(404)
		c.do("DELETE", "/api-keys/"+id, "").ok(200)
		c.as(value).do("GET", "/webhooks", "").failure(401)
		c.do("DELETE", "/api-keys/"+id, "").failure(404)
	})
	c.run("a key ends with the one that made it", func(t *testing.T, c *client) {
		parent := c.do("POST", "/api-keys", `{"role":"all","expiresIn":"1h"}`).ok(201)
		child := c.as(parent["key"].(string)).do("POST", "/api-keys", `{"role":"all"}`).ok(201)
		grandchild := c.as(child["key"].(string)).do("POST", "/api-keys", `{"role":"publish","expiresIn":"30d"}`).ok(201)
		token := c.as(child["key"].(string)).portalToken(child["key"].(string), "")
		require.Equal(t, parent["expiresAt"], child["expiresAt"], "a key ends with the key that made it")
		require.Equal(t, parent["expiresAt"], grandchild["expiresAt"])
		c.do("DELETE", "/api-keys/"+parent["id"].(string), "").ok(200)
		for _, key := range []string{parent["key"].(string), child["key"].(string), grandchild["key"].(string), token} {
			c.as(key).do("GET", "/event-types", "").failure(401)
		}
		list := c.do("GET", "/api-keys?limit=100", "").body
		for _, k := range []map[string]any{parent, child, grandchild} {
			require.NotContains(t, list, k["id"])
		}
	})
	c.run("no key makes one that may more", func(t *testing.T, c *client) {
		for name, row := range map[string]struct {
			key, body, field string
			status           int
		}{
			"for another account":        {keyA, `{"role":"read","account":"account-b"}`, "account", 403},
			"for every account":          {keyA, `{"role":"read","account":"*"}`, "account", 403},
			"for the portal":             {keyA, `{"role":"portal"}`, "role", 422},
			"no role":                    {keyA, `{}`, "role", 422},
			"another role":               {keyA, `{"role":"admin"}`, "role", 422},
			"no account to be told":      {keyAny, `{"role":"read"}`, "account", 422},
			"an odd account":             {keyAny, `{"role":"read","account":"a b"}`, "account", 422},
			"over at once":               {keyA, `{"role":"read","expiresIn":"0s"}`, "expiresIn", 422},
			"for ever and a day":         {keyA, `{"role":"read","expiresIn":"36500d"}`, "expiresIn", 422},
			"a long description":         {keyA, `{"role":"read","description":"` + strings.Repeat("x", 257) + `"}`, "description", 422},
			"a field that it has not":    {keyA, `{"role":"read","key":"vck_mine"}`, "key", 422},
			"by one that only publishes": {"key-of-account-a-for-publish", `{"role":"publish"}`, "", 403},
		} {
			c.run(name, func(t *testing.T, c *client) {
				c.as(row.key).do("POST", "/api-keys", row.body).failsAt(row.status, "", row.field)
			})
		}
		every := c.as(keyAny).do("POST", "/api-keys", `{"role":"all","account":"*"}`).ok(201)
		other := c.as(every["key"].(string)).do("POST", "/api-keys", `{"role":"read","account":"account-c"}`).ok(201)
		require.Equal(t, "account-c", other["account"])
		require.Empty(t, c.as(other["key"].(string)).do("GET", "/webhooks", "").items())
	})
	c.run("portal links", func(t *testing.T, c *client) {
		id := c.register()
		link := c.do("POST", "/portal-links", `{"webhookId":"`+id+`","expiresIn":"1h"}`).ok(201)
		require.Equal(t, c.url+"/console/portal/#token="+link["token"].(string), link["url"])
		require.Len(t, c.as(link["token"].(string)).do("GET", "/webhooks", "").items(), 1)
		c.as(link["token"].(string)).do("POST", "/portal-links", `{}`).failure(403)
		c.do("DELETE", "/api-keys/"+link["id"].(string), "").ok(200)
		c.as(link["token"].(string)).do("GET", "/webhooks", "").failure(401)
		c.requireRefusals("POST", "/portal-links", []refusal{
			{`{"webhookId":"whk_none"}`, 422, "", "webhookId"},
			{`{"webhookId":"../x"}`, 422, "", "webhookId"},
			{`{"expiresIn":"8d"}`, 422, "", "expiresIn"},
			{`{"account":"account-b"}`, 403, "", "account"},
			{`{"account":"*"}`, 422, "", "account"},
			{`{"role":"all"}`, 422, "", "role"},
			{`{"expiresIn":-1}`, 422, "", "expiresIn"},
			{`{"account":"a","account"}`, 400, "", ""},
		})
	})
	c.run("what is no key", func(t *testing.T, c *client) {
		for _, value := range []string{"vck_", "vck_" + strings.Repeat("A", 43), "key_x", strings.Repeat("x", 4000)} {
			c.as(value).do("GET", "/webhooks", "").fails(http.StatusUnauthorized, "unauthorized")
		}
	})
}
