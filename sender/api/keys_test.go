package api_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/sender"
	"github.com/videocloud/webhooks/sender/api"
)

// counting counts how often the store is asked for a key.
type counting struct {
	*fake
	asked atomic.Int32
	err   error
}

func (c *counting) FindKey(ctx context.Context, value string) (sender.Key, error) {
	c.asked.Add(1)
	if c.err != nil {
		return sender.Key{}, c.err
	}
	return c.fake.FindKey(ctx, value)
}

// Another process deletes a key: this one, which hears nothing of it, refuses the key within a second.
func TestADeletedKeyIsRefusedWithinASecondWhoeverDeletedIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := &counting{fake: newFake()}
		h, err := api.New(api.Options{Service: service, Keys: []api.Key{{Value: demoKey}}})
		require.NoError(t, err)
		do := func(key, method, path, body string) *httptest.ResponseRecorder {
			r := httptest.NewRequest(method, path, strings.NewReader(body))
			r.Header = http.Header{"Content-Type": {"application/json"}, "X-Api-Key": {key}}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return w
		}
		require.Equal(t, 201, do(demoKey, "POST", "/api-keys", `{"role":"read"}`).Code)
		k := service.keys[0]
		for range 1000 {
			require.Equal(t, 200, do(k.value, "GET", "/webhooks", "").Code)
		}
		require.EqualValues(t, 1, service.asked.Load(), "a key in use is found in memory")
		time.Sleep(500 * time.Millisecond)
		require.Equal(t, 200, do(k.value, "GET", "/webhooks", "").Code)
		synctest.Wait()
		require.EqualValues(t, 2, service.asked.Load(), "and asked for again beside a request, before it must be")

		require.NoError(t, service.DeleteKey(t.Context(), "*", k.ID))
		time.Sleep(999 * time.Millisecond)
		require.Equal(t, 401, do(k.value, "GET", "/webhooks", "").Code)

		service.err = errors.New("the store is down")
		require.Equal(t, 503, do("vck_x", "GET", "/webhooks", "").Code, "nobody is let in, or said to be a stranger, unseen")
		require.Equal(t, 200, do(demoKey, "GET", "/webhooks", "").Code, "the keys of the configuration need no store")
	})
}

// late holds back the first answers that a key is there, as a process does that stalls.
type late struct {
	*fake
	held  atomic.Int32 // how many
	heard chan struct{}
	goOn  chan struct{}
}

func (l *late) FindKey(ctx context.Context, value string) (sender.Key, error) {
	k, err := l.fake.FindKey(ctx, value)
	if err == nil && l.held.Add(-1) >= 0 {
		l.heard <- struct{}{}
		<-l.goOn
	}
	return k, err
}

// An answer that is older than the deletion of its key, and comes later, lets nobody in again: neither where another process deleted it, and a request
// was refused since, nor where this one did.
func TestADeletedKeyIsNotTakenAgainByALateAnswer(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		here bool // deleted by the API that is asked
		code int  // of the request that asked before
	}{
		"deleted elsewhere": {false, 401},
		"deleted here":      {true, 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := &late{fake: newFake(), heard: make(chan struct{}), goOn: make(chan struct{})}
			h, err := api.New(api.Options{Service: service, Keys: []api.Key{{Value: demoKey}}})
			require.NoError(t, err)
			do := func(key, method, path, body string) int {
				r := httptest.NewRequest(method, path, strings.NewReader(body))
				r.Header = http.Header{"Content-Type": {"application/json"}, "X-Api-Key": {key}}
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				return w.Code
			}
			require.Equal(t, 201, do(demoKey, "POST", "/api-keys", `{"role":"read"}`))
			k := service.keys[0]
			service.held.Store(1)
			before := make(chan int)
			go func() { before <- do(k.value, "GET", "/webhooks", "") }()
			<-service.heard
			if row.here {
				require.Equal(t, 200, do(demoKey, "DELETE", "/api-keys/"+k.ID, ""))
			} else {
				require.NoError(t, service.DeleteKey(t.Context(), "*", k.ID))
				require.Equal(t, 401, do(k.value, "GET", "/webhooks", ""))
			}
			close(service.goOn)
			require.Equal(t, row.code, <-before)
			require.Equal(t, 401, do(k.value, "GET", "/webhooks", ""))
		})
	}
}

func TestAKeyEndsWithTheKeyOfTheConfiguration(t *testing.T) {
	t.Parallel()
	b := newBench(t, api.Options{})
	b.do("POST", "/api-keys", `{"role":"all"}`)
	made := b.service.keys[0].value
	ask := func(keys ...api.Key) int {
		h, err := api.New(api.Options{Service: b.service, Keys: keys})
		require.NoError(t, err)
		r := httptest.NewRequest("GET", "/webhooks", nil)
		r.Header.Set("X-API-Key", made)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	require.Equal(t, 200, ask(api.Key{Value: "another"}, api.Key{Value: demoKey}))
	require.Equal(t, 401, ask(api.Key{Value: "another"}))
}

func TestNobodyWithoutAKeyMakesKeys(t *testing.T) {
	t.Parallel()
	b := newBench(t, api.Options{Anonymous: true})
	for path, body := range map[string]string{"/api-keys": `{"role":"read"}`, "/portal-links": `{}`} {
		require.Equal(t, 403, b.do("POST", path, body).Code)
	}
	require.Equal(t, 403, b.do("GET", "/api-keys", "").Code)
	require.Empty(t, b.service.keys)
}

// A link made of the Host header could lead a customer, and the token, anywhere.
func TestPortalLinksLeadToThePortal(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		portal, host, remote string
		want                 string // "": refused
	}{
		"as configured":          {"https://hooks.example.com/console/portal/", "evil.example", "192.0.2.1:1234", "https://hooks.example.com/console/portal/#token="},
		"on this machine":        {"", "localhost:8080", "127.0.0.1:1234", "http://localhost:8080/console/portal/#token="},
		"on this machine, IPv6":  {"", "[::1]:8080", "[::1]:1234", "http://[::1]:8080/console/portal/#token="},
		"from elsewhere":         {"", "localhost:8080", "192.0.2.1:1234", ""},
		"another host":           {"", "hooks.example.com", "127.0.0.1:1234", ""},
		"looks like this one":    {"", "localhost.example.com", "127.0.0.1:1234", ""},
		"as configured, locally": {"https://hooks.example.com/p/", "localhost", "127.0.0.1:1", "https://hooks.example.com/p/#token="},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, api.Options{PortalURL: row.portal})
			r := httptest.NewRequest("POST", "/portal-links", strings.NewReader(`{}`))
			r.Host, r.RemoteAddr = row.host, row.remote
			r.Header = http.Header{"Content-Type": {"application/json"}, "X-Api-Key": {demoKey}}
			w := b.serve(r)
			if row.want == "" {
				require.Equal(t, 422, w.Code, w.Body)
				require.Contains(t, w.Body.String(), `"field":"portal_url"`)
				require.Empty(t, b.service.keys, "nothing is made that nobody gets")
				return
			}
			require.Equal(t, 201, w.Code, w.Body)
			require.Contains(t, w.Body.String(), `"url":"`+row.want)
		})
	}
}

func TestWhatIsChangedIsLoggedWithItsKey(t *testing.T) {
	t.Parallel()
	b := newBench(t, api.Options{})
	b.do("POST", "/webhooks", hook)
	b.do("POST", "/api-keys", `{"role":"manage"}`)
	made := b.service.keys[0]
	r := httptest.NewRequest("DELETE", "/webhooks/"+b.service.accounts["default"].webhooks[0].ID, nil)
	r.Header.Set("X-API-Key", made.value)
	b.serve(r)
	b.do("POST", "/events", event)
	b.do("GET", "/webhooks", "")
	for _, line := range []string{`"msg":"createWebhook","key_id":"api_key 1"`, `"msg":"createKey","key_id":"api_key 1"`, `"msg":"deleteWebhook","key_id":"` + made.ID + `"`} {
		require.Contains(t, b.log.String(), line)
	}
	require.Equal(t, 3, strings.Count(b.log.String(), `"key_id"`), "publishing and reading change nothing")
	require.NotContains(t, b.log.String(), made.value)
	require.NotContains(t, b.log.String(), demoKey)
}
