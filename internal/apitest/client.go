package apitest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/sender/api"
)

// Keys of the suite: three roles in two accounts, and one of every account.
var keys = []api.Key{
	{Value: "key-of-account-a-for-publish", Account: "account-a", Role: api.RolePublish},
	{Value: "key-of-account-a-for-manage", Account: "account-a", Role: api.RoleManage},
	{Value: "key-of-account-a-for-all", Account: "account-a", Role: api.RoleAll},
	{Value: "key-of-account-b-for-publish", Account: "account-b", Role: api.RolePublish},
	{Value: "key-of-account-b-for-manage", Account: "account-b", Role: api.RoleManage},
	{Value: "key-of-account-b-for-all", Account: "account-b", Role: api.RoleAll},
	{Value: "key-of-account-a-for-read", Account: "account-a", Role: api.RoleRead},
	{Value: "key-of-account-b-for-read", Account: "account-b", Role: api.RoleRead},
	{Value: "key-of-every-account", Account: api.AnyAccount, Role: api.RoleAll},
}

const (
	keyA   = "key-of-account-a-for-all"
	keyB   = "key-of-account-b-for-all"
	keyAny = "key-of-every-account"
)

// client talks to a handler by real HTTP, every answer checked against the OpenAPI document.
type client struct {
	t   *testing.T
	url string
	key string
}

func newClient(t *testing.T, open Open) *client {
	t.Helper()
	h := open(t, api.Options{Keys: keys})
	server := httptest.NewServer(Checked(t, h, ""))
	t.Cleanup(server.Close)
	return &client{t: t, url: server.URL, key: keyA}
}

// as is the client with another key; "" is none.
func (c *client) as(key string) *client {
	other := *c
	other.key = key
	return &other
}

// in is the client of a subtest.
func (c *client) in(t *testing.T) *client {
	other := *c
	other.t = t
	return &other
}

// response is an answer, read.
type response struct {
	t      *testing.T
	status int
	header http.Header
	body   string
}

// do sends a request; headers are "Name: value", and take the place of the client's own.
func (c *client) do(method, path, body string, headers ...string) *response {
	c.t.Helper()
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body)
	}
	return c.send(method, path, content, headers...)
}

func (c *client) send(method, path string, body io.Reader, headers ...string) *response {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, body)
	require.NoError(c.t, err)
	if c.key != "" {
		r.Header.Set("Authorization", "Bearer "+c.key)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	given := map[string]bool{}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if !given[name] {
			r.Header.Del(name)
			given[name] = true
		}
		if value != "" {
			r.Header.Add(name, value)
		}
	}
	res, err := http.DefaultClient.Do(r)
	require.NoError(c.t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(c.t, err)
	return &response{t: c.t, status: res.StatusCode, header: res.Header, body: string(text)}
}

// ok makes sure of the status and returns the answer's data.
func (r *response) ok(status int) map[string]any {
	r.t.Helper()
	require.Equal(r.t, status, r.status, r.body)
	var answer struct {
		Success bool
		Data    map[string]any
	}
	require.NoError(r.t, json.Unmarshal([]byte(r.body), &answer))
	require.True(r.t, answer.Success)
	return answer.Data
}

// items makes sure of 200 and returns data.items.
func (r *response) items() []any {
	r.t.Helper()
	items, ok := r.ok(http.StatusOK)["items"].([]any)
	require.True(r.t, ok, r.body)
	return items
}

// failure makes sure of the status and returns the error's code and field.
func (r *response) failure(status int) (code, field string) {
	r.t.Helper()
	require.Equal(r.t, status, r.status, r.body)
	var answer struct {
		Success bool
		Error   struct{ Code, Message, Field string }
	}
	require.NoError(r.t, json.Unmarshal([]byte(r.body), &answer))
	require.False(r.t, answer.Success)
	require.NotEmpty(r.t, answer.Error.Message)
	return answer.Error.Code, answer.Error.Field
}

// fails makes sure of the status and the code of an error.
func (r *response) fails(status int, code string) {
	r.t.Helper()
	got, _ := r.failure(status)
	require.Equal(r.t, code, got, r.body)
}

// failsAt makes sure of the status, the code and the field of an error; an empty code stands for any.
func (r *response) failsAt(status int, code, field string) {
	r.t.Helper()
	gotCode, gotField := r.failure(status)
	if code != "" {
		require.Equal(r.t, code, gotCode, r.body)
	}
	require.Equal(r.t, field, gotField, r.body)
}

// document returns the OpenAPI document that the handler serves.
func (c *client) document() *document {
	c.t.Helper()
	res := c.as("").do("GET", "/openapi.json", "")
	require.Equal(c.t, http.StatusOK, res.status)
	d, err := parseDocument([]byte(res.body))
	require.NoError(c.t, err)
	return d
}

// walk reads all pages of a list, from a path with a query, and returns a member of each item and the number of pages.
func (c *client) walk(path, member string) (values []string, pages int) {
	c.t.Helper()
	for cursor := ""; ; {
		page := c.do("GET", path+"&cursor="+cursor, "").ok(http.StatusOK)
		for _, item := range page["items"].([]any) {
			values = append(values, item.(map[string]any)[member].(string))
		}
		pages++
		require.Less(c.t, pages, 1000, "a list without an end")
		var more bool
		if cursor, more = page["nextCursor"].(string); !more {
			return values, pages
		}
	}
}

const newWebhook = `{"url":"https://your-server.com/webhooks","events":["video.uploaded"],"secret":"your_webhook_secret"}`

// webhook registers a webhook and returns its ID.
func (c *client) webhook() string {
	c.t.Helper()
	return c.do("POST", "/webhooks", newWebhook).ok(http.StatusCreated)["id"].(string)
}

// event publishes one event and returns its ID and that of its first delivery.
func (c *client) event() (id, delivery string) {
	c.t.Helper()
	data := c.do("POST", "/events", `{"event":"video.uploaded","data":{"videoId":"vid_123456"}}`).ok(http.StatusAccepted)
	deliveries := data["deliveries"].([]any)
	require.NotEmpty(c.t, deliveries)
	return data["id"].(string), deliveries[0].(map[string]any)["id"].(string)
}
