package apitest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/sender/api"
)

const (
	keyA   = "key-of-account-a-for-all"
	keyB   = "key-of-account-b-for-all"
	keyAny = "key-of-every-account"

	accountHeader = "X-VideoCloud-Account: " // names the account in a request with keyAny
)

// accountKeys are the configured keys of two accounts, one for each role.
func accountKeys() (keys []api.Key) {
	for _, account := range []string{"account-a", "account-b"} {
		for _, role := range []api.Role{api.RolePublish, api.RoleManage, api.RoleAll, api.RoleRead} {
			keys = append(keys, api.Key{Value: fmt.Sprintf("key-of-%s-for-%s", account, role), Account: account, Role: role})
		}
	}
	return keys
}

// client sends real HTTP requests to a handler, with a key. Every answer is checked against the OpenAPI document.
type client struct {
	t   *testing.T
	url string
	key string
}

func newClient(t *testing.T, open Open) *client {
	t.Helper()
	h := open(t, api.Options{Keys: append(accountKeys(), api.Key{Value: keyAny, Account: api.AnyAccount, Role: api.RoleAll})})
	server := httptest.NewServer(Checked(t, h, ""))
	t.Cleanup(server.Close)
	return &client{t: t, url: server.URL, key: keyA}
}

// as returns the client with another key; "" sends none.
func (c *client) as(key string) *client {
	other := *c
	other.key = key
	return &other
}

// run runs a subtest, with a client that reports failures to it.
func (c *client) run(name string, subtest func(t *testing.T, c *client)) {
	c.t.Run(name, func(t *testing.T) {
		other := *c
		other.t = t
		subtest(t, &other)
	})
}

// response is an answer whose body has been read.
type response struct {
	t      *testing.T
	status int
	header http.Header
	body   string
}

// do sends a request, without a body where that is "". Headers are "Name: value": they replace those that the client sets,
// and an empty value only removes them.
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

// answer is the envelope of every answer.
type answer struct {
	Success bool
	Data    map[string]any
	Error   struct{ Code, Message, Field string }
}

// answer requires the status and the value of success, and returns the envelope.
func (r *response) answer(status int, success bool) (a answer) {
	r.t.Helper()
	require.Equal(r.t, status, r.status, r.body)
	require.NoError(r.t, json.Unmarshal([]byte(r.body), &a))
	require.Equal(r.t, success, a.Success)
	return a
}

// ok requires a success with the status, and returns its data.
func (r *response) ok(status int) map[string]any {
	r.t.Helper()
	return r.answer(status, true).Data
}

// id requires a success with the status, and returns the ID in its data.
func (r *response) id(status int) string {
	r.t.Helper()
	return r.ok(status)["id"].(string)
}

// items requires a success with status 200, and returns data.items.
func (r *response) items() []any {
	r.t.Helper()
	items, ok := r.ok(http.StatusOK)["items"].([]any)
	require.True(r.t, ok, r.body)
	return items
}

// failure requires an error with the status, and returns its code and field.
func (r *response) failure(status int) (code, field string) {
	r.t.Helper()
	a := r.answer(status, false)
	require.NotEmpty(r.t, a.Error.Message)
	return a.Error.Code, a.Error.Field
}

// fails requires an error with the status and the code.
func (r *response) fails(status int, code string) {
	r.t.Helper()
	got, _ := r.failure(status)
	require.Equal(r.t, code, got, r.body)
}

// failsAt requires an error with the status, the code ("" for any) and the field.
func (r *response) failsAt(status int, code, field string) {
	r.t.Helper()
	gotCode, gotField := r.failure(status)
	if code != "" {
		require.Equal(r.t, code, gotCode, r.body)
	}
	require.Equal(r.t, field, gotField, r.body)
}

// refusal is a request body that the API must refuse, and the error that it must answer.
type refusal struct {
	body   string
	status int
	code   string // "" for any
	field  string
}

// requireRefusals sends each of the bodies.
func (c *client) requireRefusals(method, path string, rows []refusal) {
	c.t.Helper()
	for _, row := range rows {
		c.do(method, path, row.body).failsAt(row.status, row.code, row.field)
	}
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

// allPages reads a list to its end. The path has a query. It returns the named member of each item, and the number of pages.
func (c *client) allPages(path, member string) (values []string, pages int) {
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

const (
	newWebhook = `{"url":"https://your-server.com/webhooks","events":["video.uploaded"],"secret":"your_webhook_secret"}`
	newEvent   = `{"event":"video.uploaded","data":{}}`
)

// register registers a webhook for video.uploaded, and returns its ID.
func (c *client) register() string {
	c.t.Helper()
	return c.do("POST", "/webhooks", newWebhook).id(http.StatusCreated)
}

// publish publishes a video.uploaded event, and returns its ID and that of its first delivery.
func (c *client) publish() (event, delivery string) {
	c.t.Helper()
	data := c.do("POST", "/events", `{"event":"video.uploaded","data":{"videoId":"vid_123456"}}`).ok(http.StatusAccepted)
	deliveries := data["deliveries"].([]any)
	require.NotEmpty(c.t, deliveries)
	return data["id"].(string), deliveries[0].(map[string]any)["id"].(string)
}

// jsonOf encodes a value that JSON can represent.
func jsonOf(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	require.NoError(t, err)
	return string(text)
}
