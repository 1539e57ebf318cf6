package client_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/client"
)

var since = time.Date(2024, 3, 31, 12, 0, 0, 0, time.UTC)

// calls are all requests of the API: what is called, and what must then be sent.
var calls = map[string]struct {
	call              func(context.Context, *client.Client) error
	method, uri, body string
}{
	"Webhooks.Register": {func(ctx context.Context, c *client.Client) error {
		_, err := c.Webhooks.Register(ctx, client.NewWebhook{URL: "https://a.example/?a=1&b=2", Events: []string{"video.*"}, Secret: "your_webhook_secret",
			Retry: []client.Duration{0, client.Duration(90 * time.Second)}, Timeout: client.Duration(time.Minute)})
		return err
	}, "POST", "/webhooks", `{"url":"https://a.example/?a=1&b=2","events":["video.*"],"secret":"your_webhook_secret","retry":["0s","1m30s"],"timeout":"1m0s"}`},
	"Events.List": {func(ctx context.Context, c *client.Client) error {
		_, err := c.Events.List(ctx, client.EventListOptions{Type: "video.deleted", Since: time.Date(2024, 3, 31, 12, 0, 0, 0, time.UTC), ListOptions: client.ListOptions{Limit: 2}})
		return err
	}, "GET", "/events?event=video.deleted&limit=2&since=2024-03-31T12%3A00%3A00Z", ""},
	"Webhooks.List": {func(ctx context.Context, c *client.Client) error {
		_, err := c.Webhooks.List(ctx, client.ListOptions{Limit: 2, Cursor: "a&b"})
		return err
	}, "GET", "/webhooks?cursor=a%26b&limit=2", ""},
	"Webhooks.Get": {func(ctx context.Context, c *client.Client) error {
		_, err := c.Webhooks.Get(ctx, "whk_1")
		return err
	}, "GET", "/webhooks/whk_1", ""},
	"Webhooks.Update": {func(ctx context.Context, c *client.Client) error {
		_, err := c.Webhooks.Update(ctx, "whk_1", client.WebhookUpdate{
			Description: new(""), Headers: map[string]string{}, RateLimit: new(0), Secret: new("new_webhook_secret"), SecretOverlap: 24 * time.Hour,
			Retry: []client.Duration{}, Timeout: new(client.Duration),
		})
		return err
	}, "PUT", "/webhooks/whk_1", `{"secret":"new_webhook_secret","description":"","headers":{},"rateLimit":0,"secretOverlap":"24h0m0s","retry":null,"timeout":null}`},
	"Webhooks.Delete": {func(ctx context.Context, c *client.Client) error {
		return c.Webhooks.Delete(ctx, "whk_1")
	}, "DELETE", "/webhooks/whk_1", ""},
	"Webhooks.Test": {func(ctx context.Context, c *client.Client) error {
		_, err := c.Webhooks.Test(ctx, "whk_1")
		return err
	}, "POST", "/webhooks/whk_1/test", ""},
	"Webhooks.TestFilter": {func(ctx context.Context, c *client.Client) error {
		_, err := c.Webhooks.TestFilter(ctx, "data.size > 1", "video.uploaded", map[string]int{"size": 2})
		return err
	}, "POST", "/webhooks/filter-test", `{"filter":"data.size > 1","event":"video.uploaded","data":{"size":2}}`},
	"Webhooks.Pause": {func(ctx context.Context, c *client.Client) error {
		_, err := c.Webhooks.Pause(ctx, "whk_1")
		return err
	}, "PUT", "/webhooks/whk_1", `{"status":"paused"}`},
	"Webhooks.Resume": {func(ctx context.Context, c *client.Client) error {
		_, err := c.Webhooks.Resume(ctx, "whk_1")
		return err
	}, "PUT", "/webhooks/whk_1", `{"status":"active"}`},
	"Webhooks.Replay": {func(ctx context.Context, c *client.Client) error {
		_, err := c.Webhooks.Replay(ctx, "whk_1", client.ReplayRequest{Since: since, Events: []string{"video.*"}, State: "all"})
		return err
	}, "POST", "/webhooks/whk_1/replay", `{"since":"2024-03-31T12:00:00Z","events":["video.*"],"state":"all"}`},
	"Webhooks.Deliveries": {func(ctx context.Context, c *client.Client) error {
		_, err := c.Webhooks.Deliveries(ctx, "whk_1", client.DeliveryListOptions{State: client.StateFailed, Since: since})
		return err
	}, "GET", "/webhooks/whk_1/deliveries?since=2024-03-31T12%3A00%3A00Z&state=failed", ""},
	"Events.Publish": {func(ctx context.Context, c *client.Client) error {
		_, err := c.Events.Publish(ctx, client.Event{
			Type: "video.deleted", Data: json.RawMessage("{\"n\": 12345678901234567890,\n\"h\":\"<\\u00e9>\"}"), ID: "evt_1", Timestamp: since,
		})
		return err
	}, "POST", "/events", "{\"event\":\"video.deleted\",\"id\":\"evt_1\",\"timestamp\":\"2024-03-31T12:00:00Z\",\"data\":{\"n\": 12345678901234567890,\n\"h\":\"<\\u00e9>\"}}"},
	"Events.PublishBatch": {func(ctx context.Context, c *client.Client) error {
		_, err := c.Events.PublishBatch(ctx, []client.Event{
			{Type: "video.deleted", Data: map[string]string{"a": "<&>"}, ID: "a"}, {Type: "video.deleted", Data: struct{}{}, ID: "b"},
		})
		return err
	}, "POST", "/events/batch", `{"events":[{"event":"video.deleted","id":"a","data":{"a":"<&>"}},{"event":"video.deleted","id":"b","data":{}}]}`},
	"Events.Get": {func(ctx context.Context, c *client.Client) error {
		_, err := c.Events.Get(ctx, "evt_1")
		return err
	}, "GET", "/events/evt_1", ""},
	"Events.Delete": {func(ctx context.Context, c *client.Client) error {
		return c.Events.Delete(ctx, "evt_1")
	}, "DELETE", "/events/evt_1", ""},
	"Deliveries.Get": {func(ctx context.Context, c *client.Client) error {
		_, err := c.Deliveries.Get(ctx, "dlv_1")
		return err
	}, "GET", "/deliveries/dlv_1", ""},
	"Deliveries.Retry": {func(ctx context.Context, c *client.Client) error {
		_, err := c.Deliveries.Retry(ctx, "dlv_1")
		return err
	}, "POST", "/deliveries/dlv_1/retry", ""},
	"Deliveries.List": {func(ctx context.Context, c *client.Client) error {
		_, err := c.Deliveries.List(ctx, "whk_1", client.DeliveryListOptions{})
		return err
	}, "GET", "/webhooks/whk_1/deliveries", ""},
	"Deliveries.Search": {func(ctx context.Context, c *client.Client) error {
		_, err := c.Deliveries.Search(ctx, client.DeliverySearch{DeliveryListOptions: client.DeliveryListOptions{State: client.StateFailed}, EventID: "evt_1"})
		return err
	}, "GET", "/deliveries?eventId=evt_1&state=failed", ""},
	"Replays.Get": {func(ctx context.Context, c *client.Client) error {
		_, err := c.Replays.Get(ctx, "rpl_1")
		return err
	}, "GET", "/replays/rpl_1", ""},
	"EventTypes.List": {func(ctx context.Context, c *client.Client) error {
		_, err := c.EventTypes.List(ctx)
		return err
	}, "GET", "/event-types", ""},
	"EventTypes.Put": {func(ctx context.Context, c *client.Client) error {
		_, err := c.EventTypes.Put(ctx, "order.paid", client.EventTypeUpdate{Schema: json.RawMessage(`{"type":"object"}`)})
		return err
	}, "PUT", "/event-types/order.paid", `{"schema":{"type":"object"}}`},
	"EventTypes.Delete": {func(ctx context.Context, c *client.Client) error {
		return c.EventTypes.Delete(ctx, "order.paid")
	}, "DELETE", "/event-types/order.paid", ``},
	"Webhooks.RetryFailed": {func(ctx context.Context, c *client.Client) error {
		_, err := c.Webhooks.RetryFailed(ctx, "whk_1", client.RetryRequest{Event: "video.deleted"})
		return err
	}, "POST", "/webhooks/whk_1/retry", `{"state":"failed","event":"video.deleted"}`},
	"Stats.Get": {func(ctx context.Context, c *client.Client) error {
		_, err := c.Stats.Get(ctx, client.WindowHour)
		return err
	}, "GET", "/stats?window=1h", ``},
	"Webhooks.Stats": {func(ctx context.Context, c *client.Client) error {
		_, err := c.Webhooks.Stats(ctx, "whk_1", client.WindowWeek)
		return err
	}, "GET", "/webhooks/whk_1/stats?window=7d", ``},
	"Replays.List": {func(ctx context.Context, c *client.Client) error {
		_, err := c.Replays.List(ctx, client.ListOptions{Limit: 2})
		return err
	}, "GET", "/replays?limit=2", ``},
	"Replays.Cancel": {func(ctx context.Context, c *client.Client) error {
		_, err := c.Replays.Cancel(ctx, "rpl_1")
		return err
	}, "DELETE", "/replays/rpl_1", ``},
	"APIKeys.Create": {func(ctx context.Context, c *client.Client) error {
		_, err := c.APIKeys.Create(ctx, client.NewAPIKey{Role: client.RoleRead, ExpiresIn: time.Hour})
		return err
	}, "POST", "/api-keys", `{"role":"read","expiresIn":"1h0m0s"}`},
	"APIKeys.List": {func(ctx context.Context, c *client.Client) error {
		_, err := c.APIKeys.List(ctx, client.ListOptions{Limit: 2})
		return err
	}, "GET", "/api-keys?limit=2", ``},
	"APIKeys.Delete": {func(ctx context.Context, c *client.Client) error {
		err := c.APIKeys.Delete(ctx, "key_1")
		return err
	}, "DELETE", "/api-keys/key_1", ``},
	"PortalLinks.Create": {func(ctx context.Context, c *client.Client) error {
		_, err := c.PortalLinks.Create(ctx, client.NewPortalLink{WebhookID: "whk_1"})
		return err
	}, "POST", "/portal-links", `{"webhookId":"whk_1"}`},
	"Accounts.Get": {func(ctx context.Context, c *client.Client) error {
		_, err := c.Accounts.Get(ctx)
		return err
	}, "GET", "/account", ``},
	"Accounts.Update": {func(ctx context.Context, c *client.Client) error {
		none := ""
		_, err := c.Accounts.Update(ctx, client.AccountUpdate{NotifyEmail: []string{}, NotifyURL: &none})
		return err
	}, "PUT", "/account", `{"notifyEmail":[],"notifyUrl":null}`},
	"Accounts.Confirm": {func(ctx context.Context, c *client.Client) error {
		_, err := c.Accounts.Confirm(ctx, "t")
		return err
	}, "POST", "/account/confirm", `{"token":"t"}`},
	"Accounts.Delete": {func(ctx context.Context, c *client.Client) error {
		return c.Accounts.Delete(ctx, "shop.one")
	}, "DELETE", "/accounts/shop.one", ``},
	"Accounts.List": {func(ctx context.Context, c *client.Client) error {
		_, err := c.Accounts.List(ctx, client.ListOptions{Limit: 2})
		return err
	}, "GET", "/accounts?limit=2", ``},
}

func TestCalls(t *testing.T) {
	t.Parallel()
	for name, test := range calls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStub(t, ok(`{"items":[{},{}]}`))
			require.NoError(t, test.call(t.Context(), s.client(t)))
			got := s.seen()[0]
			require.Equal(t, test.method+" "+test.uri, got.method+" "+got.uri)
			require.Equal(t, test.body, got.body)
			require.Equal(t, "Bearer test-key", got.header.Get("Authorization"))
			require.Equal(t, test.body != "", got.header.Get("Content-Type") == "application/json")
			require.Regexp(t, "^videocloud-go/", got.header.Get("User-Agent"))
		})
	}
}

// TestOperations compares the calls with the list that all SDKs share.
func TestOperations(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../sdk/testdata/operations.json")
	require.NoError(t, err)
	var list struct {
		Operations []struct{ Method, Path, Go string }
	}
	require.NoError(t, json.Unmarshal(text, &list))
	require.NotEmpty(t, list.Operations)
	id := regexp.MustCompile(`/((?:whk|evt|dlv|rpl|key)_1|order\.paid|shop\.one)`)
	for _, o := range list.Operations {
		require.Contains(t, calls, o.Go)
		path, _, _ := strings.Cut(calls[o.Go].uri, "?")
		require.Equal(t, o.Method+" "+strings.NewReplacer("{name}", "{id}", "{account}", "{id}").Replace(o.Path), calls[o.Go].method+" "+id.ReplaceAllString(path, "/{id}"))
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	t.Run("the guide's webhook", func(t *testing.T) {
		t.Parallel()
		s := newStub(t, ok(`{"id":"whk_123456","url":"https://your-server.com/webhooks","events":["video.uploaded"],"status":"active",
			"createdAt":"2024-03-31T12:00:00Z","retry":["0s","2d","1h30m"],"timeout":"30s","lastDelivery":{"success":true,"timestamp":"2024-03-31T12:05:00Z"},"futureField":1}`))
		w, err := s.client(t).Webhooks.Get(t.Context(), "whk_123456")
		require.NoError(t, err)
		require.Equal(t, client.Webhook{
			ID: "whk_123456", URL: "https://your-server.com/webhooks", Events: []string{"video.uploaded"}, Status: client.StatusActive,
			CreatedAt: since, LastDelivery: &client.LastDelivery{Success: true, Timestamp: since.Add(5 * time.Minute)},
			Retry: []client.Duration{0, client.Duration(48 * time.Hour), client.Duration(90 * time.Minute)}, Timeout: client.Duration(30 * time.Second),
		}, w)
	})
	t.Run("a batch, errors included", func(t *testing.T) {
		t.Parallel()
		s := newStub(t, ok(`{"items":[{"id":"evt_1","deliveries":[{"id":"dlv_1","webhookId":"whk_1"}]},{"error":{"code":"invalid_field","field":"data","message":"m"}}]}`))
		event := client.Event{Type: "video.deleted", Data: struct{}{}}
		results, err := s.client(t).Events.PublishBatch(t.Context(), []client.Event{event, event})
		require.NoError(t, err)
		require.Nil(t, results[0].Err)
		require.Equal(t, "whk_1", results[0].Published.Deliveries[0].WebhookID)
		require.Equal(t, client.CodeInvalidField, results[1].Err.Code)
		require.Equal(t, "data", results[1].Err.Field)
	})
	t.Run("a batch with an answer too few", func(t *testing.T) {
		t.Parallel()
		_, err := newStub(t, ok(`{"items":[]}`)).client(t).Events.PublishBatch(t.Context(), []client.Event{{Type: "a.b", Data: struct{}{}}})
		require.ErrorContains(t, err, "0 answers to 1 events")
	})
	t.Run("data that big integers survive", func(t *testing.T) {
		t.Parallel()
		e, err := newStub(t, ok(`{"id":"evt_1","data":{"n":12345678901234567890}}`)).client(t).Events.Get(t.Context(), "evt_1")
		require.NoError(t, err)
		require.Equal(t, `{"n":12345678901234567890}`, string(e.Data))
	})
}

func TestAll(t *testing.T) {
	t.Parallel()
	pages := []answer{ok(`{"items":[{"id":"a"},{"id":"b"}],"nextCursor":"next"}`), ok(`{"items":[{"id":"c"}]}`)}
	t.Run("follows the cursor", func(t *testing.T) {
		t.Parallel()
		s := newStub(t, pages...)
		var ids []string
		for w, err := range s.client(t).Webhooks.All(t.Context()) {
			require.NoError(t, err)
			ids = append(ids, w.ID)
		}
		require.Equal(t, []string{"a", "b", "c"}, ids)
		require.Equal(t, "/webhooks?cursor=next&limit=100", s.seen()[1].uri)
	})
	t.Run("keeps its filter", func(t *testing.T) {
		t.Parallel()
		s := newStub(t, pages...)
		for _, err := range s.client(t).Deliveries.All(t.Context(), "whk_1", client.DeliveryListOptions{State: client.StateFailed}) {
			require.NoError(t, err)
		}
		require.Equal(t, "/webhooks/whk_1/deliveries?cursor=next&state=failed", s.seen()[1].uri)
	})
	t.Run("stops when the caller does", func(t *testing.T) {
		t.Parallel()
		s := newStub(t, pages...)
		for range s.client(t).Webhooks.All(t.Context()) {
			break
		}
		require.Len(t, s.seen(), 1)
	})
	t.Run("ends with the error", func(t *testing.T) {
		t.Parallel()
		s := newStub(t, pages[0], refused(401, `{"code":"unauthorized","message":"m"}`))
		var last error
		n := 0
		for _, err := range s.client(t).Webhooks.All(t.Context()) {
			n, last = n+1, err
		}
		require.Equal(t, 3, n)
		var e *client.Error
		require.ErrorAs(t, last, &e)
	})
}

func TestSettings(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ key, base string }{
		"no key":               {"", "https://a.example"},
		"a key with a newline": {"a\nb", "https://a.example"},
		"no scheme":            {"k", "localhost:8080"},
		"another scheme":       {"k", "ftp://a.example"},
		"no host":              {"k", "https://"},
		"a query":              {"k", "https://a.example?x=1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := client.New(test.key, client.WithBaseURL(test.base))
			require.Error(t, err)
		})
	}
	t.Run("a wrong address is told without showing it", func(t *testing.T) {
		t.Parallel()
		for _, u := range []string{"localhost:8080", "ftp://a", "https://", "https://:80", "https://user:hunter2@a", "https://a?key=hunter2", "https://a/#hunter2", "https://a hunter2\n"} {
			_, err := client.New("k", client.WithBaseURL(u))
			require.ErrorContains(t, err, "base URL", u)
			require.NotContains(t, err.Error(), "hunter2")
		}
	})

	t.Run("base URL with a path, account, user agent", func(t *testing.T) {
		t.Parallel()
		s := newStub(t, ok(`{"items":[]}`))
		c := s.client(t, client.WithBaseURL(s.URL+"/v1/"), client.WithAccount("acme"), client.WithUserAgent("tool/1"))
		_, err := c.EventTypes.List(t.Context())
		require.NoError(t, err)
		got := s.seen()[0]
		require.Equal(t, "/v1/event-types", got.uri)
		require.Equal(t, "acme", got.header.Get("X-VideoCloud-Account"))
		require.Regexp(t, "^tool/1 videocloud-go/", got.header.Get("User-Agent"))
	})
	t.Run("the caller's HTTP client stays as it is", func(t *testing.T) {
		t.Parallel()
		h := &http.Client{}
		newStub(t, ok(`{}`)).client(t, client.WithHTTPClient(h))
		require.Nil(t, h.CheckRedirect)
	})
	t.Run("missing IDs and data are told before anything is sent", func(t *testing.T) {
		t.Parallel()
		s := newStub(t, ok(`{}`))
		c := s.client(t)
		for _, id := range []string{"", ".", ".."} {
			require.ErrorContains(t, c.Webhooks.Delete(t.Context(), id), "an ID is needed")
			_, err := c.Deliveries.Retry(t.Context(), id)
			require.Error(t, err)
		}
		for name, data := range map[string]any{
			"nil": nil, "a list": []int{1}, "bytes": []byte("{}"), "a second member": json.RawMessage(`{},"id":"x"`), "broken": json.RawMessage(`{`), "empty": json.RawMessage(``),
		} {
			_, err := c.Events.Publish(t.Context(), client.Event{Type: "video.deleted", Data: data})
			require.ErrorContains(t, err, "data", name)
		}
		require.Empty(t, s.seen())
		_, err := c.Webhooks.Get(t.Context(), "a/../b?c")
		require.NoError(t, err)
		require.Equal(t, "/webhooks/a%2F..%2Fb%3Fc", s.seen()[0].uri)
	})
}

// TestStandardLibraryOnly keeps what a producer pulls in small.
func TestStandardLibraryOnly(t *testing.T) {
	t.Parallel()
	require.Equal(t, "github.com/videocloud/webhooks/client", reflect.TypeFor[client.Client]().PkgPath())
	files, err := os.ReadDir(".")
	require.NoError(t, err)
	imported := regexp.MustCompile(`(?m)^\s+(?:[a-z]+ )?"([^"/]+\.[^"/]+/[^"]+)"$`)
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		text, err := os.ReadFile(f.Name())
		require.NoError(t, err)
		require.Empty(t, imported.FindAllString(string(text), -1), f.Name())
	}
}
