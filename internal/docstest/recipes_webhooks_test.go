//go:build unix

package docstest

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redistest"
	"github.com/videocloud/webhooks/sender"
	"github.com/videocloud/webhooks/sender/api"
	"github.com/videocloud/webhooks/store"
)

var exampleHost = regexp.MustCompile(`https://[a-z]+\.example\.com`)

// webhookRecipe is a recipe's request for a webhook, done against a sender that delivers, with an endpoint of the test's in place of the one there.
type webhookRecipe struct {
	t       *testing.T
	handler http.Handler
	shown   map[string]any // the webhook as it is answered
	came    chan *http.Request
}

// newWebhookRecipe does the request under a heading.
func newWebhookRecipe(t *testing.T, heading string) *webhookRecipe {
	t.Helper()
	text := ""
	for _, b := range blocks(t, "docs/recipes.md") {
		if b.language == "http" && b.heading == heading {
			require.Empty(t, text, "one request")
			text = b.text
		}
	}
	require.NotEmpty(t, text, "docs/recipes.md has no request under ## %s", heading)
	r := &webhookRecipe{t: t, came: make(chan *http.Request, 100)}
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/oauth2/token" {
			if user, word, _ := req.BasicAuth(); user != "videocloud" || word != "change-me" || req.FormValue("scope") != "webhooks.write" {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"access_token":"granted","token_type":"Bearer","expires_in":3600}`))
			return
		}
		r.came <- req
	}))
	t.Cleanup(endpoint.Close)
	store, err := store.Open(config.Redis{URL: config.Memory, Timeout: redistest.Patience}, store.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = store.Close() })
	s, err := sender.New(sender.Options{Store: store, Config: config.Sender{AllowHTTP: true, AllowNetworks: []string{"127.0.0.0/8"}, Timeout: 2 * time.Minute}})
	require.NoError(t, err)
	require.NoError(t, s.Start(t.Context()))
	t.Cleanup(func() { _ = s.Stop(context.Background()) })
	r.handler, err = api.New(api.Options{Service: s, Anonymous: true})
	require.NoError(t, err)

	head, body, _ := strings.Cut(text, "\n\n")
	method, path, _ := strings.Cut(strings.Split(head, "\n")[0], " ")
	r.shown = r.do(method, path, exampleHost.ReplaceAllString(body, endpoint.URL))
	return r
}

func (r *webhookRecipe) do(method, path, body string) map[string]any {
	r.t.Helper()
	req := httptest.NewRequestWithContext(r.t.Context(), method, path, strings.NewReader(strings.TrimSpace(body)))
	req.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	r.handler.ServeHTTP(w, req)
	require.Equal(r.t, 2, w.Code/100, w.Body.String())
	var answer struct{ Data map[string]any }
	require.NoError(r.t, json.Unmarshal(w.Body.Bytes(), &answer))
	return answer.Data
}

// publish publishes an event and says to how many webhooks it goes.
func (r *webhookRecipe) publish(kind, data string) int {
	r.t.Helper()
	return len(r.do("POST", "/events", `{"event":"`+kind+`","data":`+data+`}`)["deliveries"].([]any))
}

// next is the next delivery that comes.
func (r *webhookRecipe) next() (came *http.Request) {
	r.t.Helper()
	require.Eventually(r.t, func() bool {
		select {
		case came = <-r.came:
			return true
		default:
			return false
		}
	}, 2*time.Minute, 5*time.Millisecond)
	return came
}

// TestRecipesOfWebhooks does what the recipes of webhooks say, and looks whether the endpoint gets what they promise.
func TestRecipesOfWebhooks(t *testing.T) {
	t.Parallel()
	t.Run("Only large videos", func(t *testing.T) {
		t.Parallel()
		r := newWebhookRecipe(t, "Only large videos")
		require.Equal(t, 0, r.publish("video.uploaded", `{"size":1000,"userId":"usr_1"}`))
		require.Equal(t, 0, r.publish("video.deleted", `{"size":2000000000,"userId":"usr_1"}`))
		require.Equal(t, 1, r.publish("video.uploaded", `{"size":2000000000,"userId":"usr_1"}`))
		r.next()
		require.Equal(t, 1, r.publish("video.uploaded", `{"size":1000,"userId":"usr_123456"}`))
		r.next()
		require.Equal(t, 1, r.publish("video.uploaded", `{"userId":"usr_1"}`), "one that it fails on")
		require.EqualValues(t, 1, r.do("GET", "/webhooks/"+r.shown["id"].(string), "")["filterErrors"])
	})
	t.Run("One at a time", func(t *testing.T) {
		t.Parallel()
		r := newWebhookRecipe(t, "One at a time")
		require.Equal(t, true, r.shown["ordered"])
		require.Equal(t, []any{"0s", "10s", "1m"}, r.shown["retry"])
		var want, got []string
		for range 20 {
			p := r.do("POST", "/events", `{"event":"video.uploaded","data":{}}`)
			want = append(want, p["id"].(string))
		}
		for range want {
			got = append(got, r.next().Header.Get(config.HeaderWebhookID))
		}
		require.Equal(t, want, got)
	})
	t.Run("An endpoint with retries of its own", func(t *testing.T) {
		t.Parallel()
		r := newWebhookRecipe(t, "An endpoint with retries of its own")
		require.Equal(t, "1m", r.shown["timeout"])
		require.Len(t, r.shown["retry"], 5)
		again := r.do("PUT", "/webhooks/"+r.shown["id"].(string), `{"retry": null, "timeout": null}`)
		require.NotContains(t, again, "retry")
		require.NotContains(t, again, "timeout")
	})
	t.Run("Behind OAuth", func(t *testing.T) {
		t.Parallel()
		r := newWebhookRecipe(t, "Behind OAuth")
		require.NotContains(t, r.shown["auth"], "clientSecret")
		require.Equal(t, 1, r.publish("video.uploaded", `{}`))
		require.Equal(t, "Bearer granted", r.next().Header.Get("Authorization"))
	})
}
