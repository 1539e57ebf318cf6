package sender_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/apitest"
	"github.com/videocloud/webhooks/internal/redistest"
	"github.com/videocloud/webhooks/sender"
	"github.com/videocloud/webhooks/sender/api"
	"github.com/videocloud/webhooks/store"
)

// TestDeliveredAsDescribed has everything delivered that the webhooks section of the OpenAPI document describes, and compares.
func TestDeliveredAsDescribed(t *testing.T) {
	t.Parallel()
	type delivery struct {
		header http.Header
		body   []byte
	}
	var mu sync.Mutex
	arrived := map[string]delivery{} // by event type; a notice, by its kind
	var failing atomic.Bool
	failing.Store(true)
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.Path == "/fails" {
			if failing.Load() {
				w.WriteHeader(http.StatusInternalServerError)
			}
			return
		}
		var sent struct {
			Event string
			Data  struct{ Kind string }
		}
		_ = json.Unmarshal(body, &sent)
		name := sent.Event
		if sent.Data.Kind != "" {
			name = sent.Data.Kind
		}
		mu.Lock()
		defer mu.Unlock()
		arrived[name] = delivery{r.Header.Clone(), body}
	}))
	t.Cleanup(endpoint.Close)
	got := func(name string) (d delivery) {
		require.Eventually(t, func() bool {
			mu.Lock()
			defer mu.Unlock()
			d = arrived[name]
			return d.body != nil
		}, 2*time.Minute, 5*time.Millisecond, "%s arrives", name)
		return d
	}

	st, err := store.Open(config.Redis{URL: config.Memory, Timeout: redistest.Patience}, store.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = st.Close() })
	s, err := sender.New(sender.Options{Store: st, Config: config.Sender{AllowHTTP: true, AllowNetworks: []string{"127.0.0.0/8"}}})
	require.NoError(t, err)
	require.NoError(t, s.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, s.Stop(context.Background())) })
	h, err := api.New(api.Options{Service: s, Anonymous: true})
	require.NoError(t, err)
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	post := func(path, body string) (data map[string]any) {
		res, err := http.Post(server.URL+path, "application/json", strings.NewReader(body))
		require.NoError(t, err)
		defer res.Body.Close()
		var answer struct{ Data map[string]any }
		require.NoError(t, json.NewDecoder(res.Body).Decode(&answer))
		require.Less(t, res.StatusCode, 300, answer)
		return answer.Data
	}

	hook := post("/webhooks", `{"url":"`+endpoint.URL+`","events":["*"]}`)["id"].(string)
	for _, row := range config.DefaultEventTypes() {
		post("/webhooks/"+hook+"/test", `{"event":"`+row.Name+`"}`)
		d := got(row.Name)
		apitest.RequireDelivered(t, server.URL, row.Name, d.header, d.body, true)
	}
	post("/webhooks/"+hook+"/test", "{}")
	d := got(config.EventTest)
	apitest.RequireDelivered(t, server.URL, config.EventTest, d.header, d.body, false)

	post("/webhooks", `{"url":"`+endpoint.URL+`/fails","events":["video.deleted"],"retry":["0s"]}`)
	post("/events", `{"event":"video.deleted","data":{}}`)
	d = got("webhook_failed")
	apitest.RequireDelivered(t, server.URL, "webhook_failed", d.header, d.body, false)
	failing.Store(false)
	post("/events", `{"event":"video.deleted","data":{}}`)
	d = got("webhook_recovered")
	apitest.RequireDelivered(t, server.URL, "webhook_recovered", d.header, d.body, false)
}
