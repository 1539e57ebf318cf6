package apitest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// testAccountRecords is about the settings of an account, and about the operator's list of accounts.
func testAccountRecords(t *testing.T, c *client) {
	c.run("set, shown, cleared", func(t *testing.T, c *client) {
		a := c.do("GET", "/account", "").ok(200)
		require.Equal(t, "account-a", a["account"])
		require.NotEmpty(t, a["createdAt"])
		require.Len(t, a, 2, "what was not set is not there")

		set := c.do("PUT", "/account", `{"name":"The shop","notifyEmail":["ops@example.com","Boss@Example.com"],"notifyUrl":"https://your-server.com/notices","notifySecret":"your_webhook_secret"}`)
		require.NotContains(t, set.body, "your_webhook_secret")
		a = set.ok(200)
		require.Equal(t, "The shop", a["name"])
		require.Equal(t, []any{map[string]any{"address": "ops@example.com", "confirmed": false}, map[string]any{"address": "Boss@Example.com", "confirmed": false}}, a["notifyEmail"])
		require.Equal(t, "https://your-server.com/notices", a["notifyUrl"])
		require.NotContains(t, a, "notifySecret")

		shown := c.do("GET", "/account", "")
		require.Equal(t, a, shown.ok(200))
		object := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(shown.body), `{"success":true,"data":`), `}`)
		require.Equal(t, a, c.do("PUT", "/account", object).ok(200), "what GET shows can be sent as it is")
		require.Equal(t, a, c.do("PUT", "/account", `{}`).ok(200))

		a = c.do("PUT", "/account", `{"notifyEmail":null,"notifyUrl":null,"name":null}`).ok(200)
		require.Len(t, a, 2)
		made := c.do("PUT", "/account", `{"notifyUrl":"https://your-server.com/notices"}`).ok(200)
		require.Regexp(t, "^whsec_", made["notifySecret"], "what is sent is always signed")
		require.NotContains(t, c.do("GET", "/account", "").ok(200), "notifySecret")
	})
	c.as(keyB).run("refused", func(t *testing.T, c *client) {
		for body, field := range map[string]string{
			`{"name":5}`: "name",
			`{"name":"` + strings.Repeat("x", 257) + `"}`:                             "name",
			`{"notifyEmail":"ops@example.com"}`:                                       "notifyEmail",
			`{"notifyEmail":["ops"]}`:                                                 "notifyEmail",
			`{"notifyEmail":["Ops <ops@example.com>"]}`:                               "notifyEmail",
			`{"notifyEmail":["a@example.com\r\nRCPT TO:<b@example.com>"]}`:            "notifyEmail",
			`{"notifyEmail":["a@b.example","a@b.example"]}`:                           "notifyEmail",
			`{"notifyEmail":[5]}`:                                                     "notifyEmail",
			`{"notifyEmail":[{"address":5}]}`:                                         "notifyEmail",
			`{"notifyEmail":["a@x.de","b@x.de","c@x.de","d@x.de","e@x.de","f@x.de"]}`: "notifyEmail",
			`{"notifySecret":"your_webhook_secret"}`:                                  "notifySecret",
			`{"notifyUrl":"https://example.com/","notifySecret":"short"}`:             "notifySecret",
			`{"notifySecret":null}`:                                                   "notifySecret",
			`{"account":"account-a"}`:                                                 "account",
		} {
			c.do("PUT", "/account", body).failsAt(422, "invalid_field", field)
		}
		c.requireRefusals("PUT", "/account", []refusal{
			{`{"notifyUrl":"http://example.com"}`, 422, "unsafe_url", "notifyUrl"},
			{`{"notifyUrl":"https://127.0.0.1/"}`, 422, "unsafe_url", "notifyUrl"},
			{`{"confirmed":true}`, 422, "unknown_field", "confirmed"},
		})
		require.Len(t, c.do("GET", "/account", "").ok(200), 2, "nothing was stored")
	})
	c.as(keyAny).run("listed for the operator", func(t *testing.T, c *client) {
		for _, name := range []string{"zebra", "shop.one", "shop.two"} {
			c.do("PUT", "/account", `{"name":"of `+name+`"}`, accountHeader+name).ok(200)
		}
		names, _ := c.allPages("/accounts?limit=2", "account")
		require.IsIncreasing(t, names)
		require.Subset(t, names, []string{"shop.one", "shop.two", "zebra"})
		require.Len(t, c.do("GET", "/account", "", accountHeader+"never-seen").ok(200), 2)
		require.NotContains(t, c.do("GET", "/accounts?limit=100", "").body, "never-seen", "reading makes no account")
	})
}

// testDeletedAccounts is about deleting an account with all that belongs to it.
func testDeletedAccounts(t *testing.T, c *client) {
	c = c.as(keyAny)
	listed := func() string { return c.do("GET", "/accounts?limit=100", "").body }
	c.do("POST", "/events", newEvent, accountHeader+"publishes").ok(202)
	key := c.do("POST", "/api-keys", `{"role":"all","account":"has.keys"}`).ok(201)["key"].(string)
	for _, name := range []string{"publishes", "has.keys"} {
		require.Contains(t, listed(), name, "it is listed once it has stored something")
	}
	webhook := c.as(key).do("POST", "/webhooks", newWebhook).id(201)
	event := c.as(key).do("POST", "/events", newEvent).id(202)

	require.Equal(t, map[string]any{"account": "has.keys"}, c.do("DELETE", "/accounts/has.keys", "").ok(200))
	c.as(key).do("GET", "/webhooks", "").failure(401)
	for _, path := range []string{"/webhooks/" + webhook, "/events/" + event} {
		c.do("GET", path, "", accountHeader+"has.keys").failure(404)
	}
	for _, list := range []string{"/webhooks", "/events", "/deliveries", "/replays", "/api-keys"} {
		require.Empty(t, c.do("GET", list, "", accountHeader+"has.keys").items(), list)
	}
	require.NotContains(t, listed(), "has.keys")
	require.Contains(t, listed(), "publishes")
	for _, name := range []string{"has.keys", "never-there", "*", "a:b", "no~name"} {
		c.do("DELETE", "/accounts/"+name, "").fails(404, "not_found")
	}
	c.do("POST", "/webhooks", newWebhook, accountHeader+"has.keys").ok(201)
	require.Len(t, c.do("GET", "/webhooks", "", accountHeader+"has.keys").items(), 1, "its name is used afresh")
}

// testExpunged is about deleting an event.
func testExpunged(t *testing.T, c *client) {
	c.register()
	const event = `{"event":"video.uploaded","data":{"n":1},"id":"order-1"}`
	c.do("POST", "/events", event).ok(202)
	require.Equal(t, map[string]any{"id": "order-1"}, c.do("DELETE", "/events/order-1", "").ok(200))
	for _, method := range []string{"GET", "DELETE"} {
		c.do(method, "/events/order-1", "").fails(404, "not_found")
	}
	c.do("POST", "/events", event).failsAt(409, "conflict", "id")
	c.as(keyB).do("POST", "/events", event).ok(202)
	c.do("DELETE", "/events/never-there", "").failure(404)
}
