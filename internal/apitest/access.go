package apitest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/sender/api"
)

// operation is one row of the table of who may do what.
type operation struct {
	name        string     // "METHOD /path", with {webhook} and the like where the OpenAPI document has {id}
	roles       []api.Role // of the keys that are accepted; nil where no key is needed
	body        string     // of a request that is accepted
	status      int        // of the answer to that
	ofAccount   bool       // the path has the ID of something that belongs to one account
	tokenStatus int        // of the answer to a portal token for the webhook
}

// isOperators reports whether only keys of every account with role "all" are accepted.
func (o operation) isOperators() bool { return o.roles != nil && len(o.roles) == 0 }

// withRightsFor returns the client itself, or one with a key of every account where the operation needs that.
func (c *client) withRightsFor(o operation) *client {
	if o.isOperators() {
		return c.as(keyAny)
	}
	return c
}

// unknownPath is the operation's method, and its path with IDs that do not exist.
func (o operation) unknownPath() (method, path string) {
	method, path, _ = strings.Cut(o.name, " ")
	return method, strings.NewReplacer("{webhook}", "whk_1", "{event}", "evt_1", "{delivery}", "dlv_1", "{replay}", "rpl_1", "{key}", "key_1").Replace(path)
}

var (
	everybody  = []api.Role{api.RolePublish, api.RoleRead, api.RoleManage, api.RolePortal, api.RoleAll}
	publishers = []api.Role{api.RolePublish, api.RoleAll}
	readers    = []api.Role{api.RoleRead, api.RoleManage, api.RolePortal, api.RoleAll}
	managers   = []api.Role{api.RoleManage, api.RolePortal, api.RoleAll}
	owners     = []api.Role{api.RoleAll}
	operators  = []api.Role{} // see isOperators
)

var operations = []operation{
	{"POST /webhooks", managers, newWebhook, 201, false, 403},
	{"GET /webhooks", readers, "", 200, false, 200},
	{"GET /webhooks/{webhook}", readers, "", 200, true, 200},
	{"PUT /webhooks/{webhook}", managers, `{"description":"new"}`, 200, true, 200},
	{"PATCH /webhooks/{webhook}", managers, `{"description":"new"}`, 200, true, 200},
	{"DELETE /webhooks/{webhook}", managers, "", 200, true, 200},
	{"POST /webhooks/{webhook}/test", managers, "", 202, true, 202},
	{"POST /webhooks/filter-test", managers, `{"filter":"true","event":"video.uploaded","data":{}}`, 200, false, 200},
	{"GET /webhooks/{webhook}/deliveries", readers, "", 200, true, 200},
	{"POST /webhooks/{webhook}/replay", managers, `{"since":"2024-03-31T12:00:00Z","state":"all"}`, 202, true, 202},
	{"POST /webhooks/{webhook}/retry", managers, `{"state":"failed"}`, 202, true, 202},
	{"GET /replays", readers, "", 200, false, 200},
	{"GET /replays/{replay}", readers, "", 200, true, 200},
	{"DELETE /replays/{replay}", managers, "", 200, true, 200},
	{"POST /events", publishers, newEvent, 202, false, 403},
	{"POST /events/batch", publishers, `{"events":[{"event":"video.uploaded","data":{}}]}`, 202, false, 403},
	{"GET /events", readers, "", 200, false, 403},
	{"GET /events/{event}", everybody, "", 200, true, 200},
	{"DELETE /events/{event}", []api.Role{api.RoleManage, api.RoleAll}, "", 200, true, 403},
	{"GET /event-types", everybody, "", 200, false, 200},
	{"GET /stats", readers, "", 200, false, 200},
	{"GET /webhooks/{webhook}/stats", readers, "", 200, true, 200},
	{"GET /deliveries", readers, "", 200, false, 200},
	{"PUT /event-types/order.paid", operators, `{"description":"Paid","schema":{"type":"object"}}`, 200, false, 403},
	{"DELETE /event-types/order.paid", operators, "", 200, false, 403},
	{"GET /deliveries/{delivery}", readers, "", 200, true, 200},
	{"POST /deliveries/{delivery}/retry", managers, "", 202, true, 202},
	{"POST /api-keys", owners, `{"role":"read"}`, 201, false, 403},
	{"GET /api-keys", owners, "", 200, false, 403},
	{"DELETE /api-keys/{key}", owners, "", 200, true, 403},
	{"POST /portal-links", owners, `{}`, 201, false, 403},
	{"GET /account", readers, "", 200, false, 403},
	{"PUT /account", owners, `{"name":"The shop"}`, 200, false, 403},
	{"POST /account/confirm", nil, `{"token":"of-no-mail"}`, 404, false, 404},
	{"DELETE /accounts/account-c", operators, "", 200, false, 403},
	{"GET /accounts", operators, "", 200, false, 403},
	{"GET /openapi.json", nil, "", 200, false, 200},
}

// testAccess sends every operation with every role, in two accounts. All that the operations are about belongs to account-a.
func testAccess(t *testing.T, c *client) {
	requireAllDocumented(t, c)
	callers := accountKeys()
	for _, account := range []string{"account-a", "account-b"} {
		callers = append(callers, api.Key{Value: c.portalToken("key-of-"+account+"-for-all", ""), Account: account, Role: api.RolePortal})
	}
	for _, o := range operations {
		for _, k := range callers {
			c.run(fmt.Sprintf("%s as %s for %s", o.name, k.Account, k.Role), func(t *testing.T, c *client) {
				webhook, event, method, path := c.setUp(o)
				res := c.as(k.Value).do(method, path, o.body)
				switch {
				case o.roles != nil && !slices.Contains(o.roles, k.Role):
					res.fails(http.StatusForbidden, "forbidden")
				case o.ofAccount && k.Account != "account-a":
					res.fails(http.StatusNotFound, "not_found")
				default:
					require.Equal(t, o.status, res.status, res.body)
				}
				if k.Account != "account-a" {
					for _, id := range []string{webhook, event} {
						require.NotContains(t, res.body, id, "another account's ID leaks")
					}
					require.Equal(t, 200, c.do("GET", "/webhooks/"+webhook, "").status, "another account's key has changed it")
				}
				c.do("DELETE", "/webhooks/"+webhook, "")
			})
		}
		c.run(o.name+" with keys of every account", func(t *testing.T, c *client) {
			if !o.isOperators() {
				return // such a key needs the header that names an account: see testAccounts
			}
			for role, status := range map[api.Role]int{api.RoleAll: o.status, api.RoleManage: 403, api.RoleRead: 403, api.RolePublish: 403} {
				key := c.as(keyAny).do("POST", "/api-keys", fmt.Sprintf(`{"account":"*","role":%q}`, role)).ok(201)["key"].(string)
				_, _, method, path := c.setUp(o)
				require.Equal(t, status, c.as(key).do(method, path, o.body).status, role)
			}
		})
		c.run(o.name+" with the token of one webhook", func(t *testing.T, c *client) {
			webhook, _, method, path := c.setUp(o)
			require.Equal(t, o.tokenStatus, c.as(c.portalToken(keyA, webhook)).do(method, path, o.body).status)
			if slices.ContainsFunc([]string{"{webhook}", "{delivery}", "{event}", "{replay}"}, func(id string) bool { return strings.Contains(o.name, id) }) {
				// With the token of another webhook of the account, which was registered after the event was published.
				webhook, _, method, path = c.setUp(o)
				other := c.register()
				res := c.as(c.portalToken(keyA, other)).do(method, path, o.body)
				require.Contains(t, []int{http.StatusForbidden, http.StatusNotFound}, res.status, res.body)
				require.Equal(t, 200, c.do("GET", "/webhooks/"+webhook, "").status, "the token of another webhook has changed it")
			}
			if o.name == "GET /webhooks" {
				require.Len(t, c.as(c.portalToken(keyA, webhook)).do(method, path, "").items(), 1)
			}
		})
	}
}

// portalToken makes a token for the portal of the key's account, or of one webhook where one is given.
func (c *client) portalToken(key, webhook string) string {
	c.t.Helper()
	body := `{}`
	if webhook != "" {
		body = `{"webhookId":"` + webhook + `"}`
	}
	return c.as(key).do("POST", "/portal-links", body).ok(201)["token"].(string)
}

// setUp makes what an operation is about, and returns its method and path.
func (c *client) setUp(o operation) (webhook, event, method, path string) {
	c.t.Helper()
	webhook = c.register()
	event, delivery := c.publish()
	path = strings.NewReplacer("{webhook}", webhook, "{event}", event, "{delivery}", delivery).Replace(o.name)
	for _, d := range c.do("GET", "/webhooks/"+webhook+"/deliveries", "").items() {
		path = strings.ReplaceAll(path, delivery, d.(map[string]any)["id"].(string)) // the event may have gone to other webhooks too
	}
	if strings.Contains(path, "{replay}") {
		path = strings.ReplaceAll(path, "{replay}", c.do("POST", "/webhooks/"+webhook+"/replay", `{"since":"2024-03-31T12:00:00Z"}`).id(202))
	}
	if strings.Contains(path, "{key}") {
		path = strings.ReplaceAll(path, "{key}", c.do("POST", "/api-keys", `{"role":"read"}`).id(201))
	}
	method, path, _ = strings.Cut(path, " ")
	if strings.HasSuffix(path, "/account-c") {
		c.as(keyAny).do("PUT", "/account", `{"name":"To go"}`, accountHeader+"account-c").ok(200)
	}
	return webhook, event, method, path
}

// requireAllDocumented requires that the table has every operation of the document, and no other.
func requireAllDocumented(t *testing.T, c *client) {
	documented := strings.NewReplacer("{webhook}", "{id}", "{event}", "{id}", "{delivery}", "{id}", "{replay}", "{id}", "{key}", "{id}",
		"order.paid", "{name}", "account-c", "{account}")
	var tested []string
	for _, o := range operations {
		tested = append(tested, documented.Replace(o.name))
	}
	slices.Sort(tested)
	require.Equal(t, c.document().operations(), tested)
}

// testKeys is about the headers that a key is given in.
func testKeys(t *testing.T, c *client) {
	for name, headers := range map[string][]string{
		"no key":                    nil,
		"unknown key":               {"Authorization: Bearer nobody-knows-this-key"},
		"unknown X-API-Key":         {"X-API-Key: nobody-knows-this-key"},
		"start of a key":            {"Authorization: Bearer " + keyA[:len(keyA)-1]},
		"key in another case":       {"Authorization: Bearer " + strings.ToUpper(keyA)},
		"another scheme":            {"Authorization: Basic " + keyA},
		"the key alone":             {"Authorization: " + keyA},
		"empty bearer":              {"Authorization: Bearer "},
		"two different keys":        {"Authorization: Bearer " + keyA, "X-API-Key: " + keyB},
		"a right and a wrong key":   {"Authorization: Bearer " + keyA, "X-API-Key: wrong"},
		"the key twice":             {"Authorization: Bearer " + keyA, "Authorization: Bearer " + keyA},
		"X-API-Key twice":           {"X-API-Key: " + keyA, "X-API-Key: " + keyB},
		"keys in a list":            {"X-API-Key: " + keyA + "," + keyB},
		"key with something behind": {"Authorization: Bearer " + keyA + " x"},
	} {
		c.run(name, func(t *testing.T, c *client) {
			for _, o := range operations {
				if o.roles == nil {
					continue
				}
				method, path := o.unknownPath()
				res := c.as("").do(method, path, o.body, headers...)
				res.fails(http.StatusUnauthorized, "unauthorized")
				require.Equal(t, "Bearer", res.header.Get("WWW-Authenticate"))
				require.NotContains(t, res.body, keyA[:12], "an answer shows a key")
			}
		})
	}
	for name, headers := range map[string][]string{
		"bearer":                        {"Authorization: Bearer " + keyA},
		"bearer in another letter case": {"Authorization: bearer " + keyA},
		"X-API-Key":                     {"X-API-Key: " + keyA},
		"both the same":                 {"Authorization: Bearer " + keyA, "X-API-Key: " + keyA},
		"a proxy's own Authorization":   {"Authorization: Basic dXNlcjpwYXNz", "X-API-Key: " + keyA},
		"its own account named":         {"X-API-Key: " + keyA, accountHeader + "account-a"},
		"any account":                   {"X-API-Key: " + keyAny, accountHeader + "account-a"},
	} {
		c.run(name, func(t *testing.T, c *client) { c.as("").do("GET", "/webhooks", "", headers...).items() })
	}
	testAccounts(t, c)
}

// testAccounts is about the header that names the account of a request with a key of every account.
func testAccounts(t *testing.T, c *client) {
	id := c.register()
	require.Len(t, c.as(keyAny).do("GET", "/webhooks", "", accountHeader+"account-a").items(), 1)
	require.Empty(t, c.as(keyAny).do("GET", "/webhooks", "", accountHeader+"account-b").items())
	c.as(keyAny).do("GET", "/webhooks/"+id, "", accountHeader+"account-b").failure(404)

	c.as(keyB).do("GET", "/webhooks", "", accountHeader+"account-a").fails(403, "forbidden")
	for name, headers := range map[string][]string{
		"none":     nil,
		"two":      {accountHeader + "account-a", accountHeader + "account-b"},
		"every":    {accountHeader + "*"},
		"a colon":  {accountHeader + "a:b"},
		"a brace":  {accountHeader + "a}b"},
		"too long": {"X-VideoCloud-Account: " + strings.Repeat("a", 65)},
	} {
		c.run("account: "+name, func(t *testing.T, c *client) {
			c.as(keyAny).do("GET", "/webhooks", "", headers...).failsAt(422, "invalid_field", "X-VideoCloud-Account")
		})
	}
	require.NotEmpty(t, c.as(keyAny).do("GET", "/event-types", "").items(), "event types concern no account")
}
