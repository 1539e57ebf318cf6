package client_test

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/client"
)

func TestErrors(t *testing.T) {
	t.Parallel()
	t.Run("a refusal", func(t *testing.T) {
		t.Parallel()
		a := refused(422, `{"code":"unsafe_url","message":"use https","field":"url"}`)
		a.header = http.Header{"X-Request-Id": {"req_1"}}
		_, err := newStub(t, a).client(t).Webhooks.Register(t.Context(), client.NewWebhook{})
		var e *client.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, &client.Error{Code: client.CodeUnsafeURL, Status: 422, Field: "url", Message: "use https", RequestID: "req_1", RetryAfter: -1}, e)
		require.ErrorContains(t, err, "sending POST /webhooks: unsafe_url: use https (url)")
	})
	for name, a := range map[string]answer{
		"a page of HTML":      {status: 404, body: "<html>"},
		"HTML with 200":       {status: 200, body: "<html>"},
		"another JSON":        {status: 200, body: `[]`},
		"null":                {status: 200, body: `null`},
		"success with a 404":  {status: 404, body: `{"success":true,"data":{}}`},
		"a redirect":          {status: 302, header: http.Header{"Location": {"http://127.0.0.1:1/"}}},
		"an error with a 200": {status: 200, body: `{"success":false}`},
	} {
		t.Run("not the API's answer: "+name, func(t *testing.T) {
			t.Parallel()
			s := newStub(t, a)
			_, err := s.client(t).Webhooks.Get(t.Context(), "whk_1")
			var e *client.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, client.CodeUnexpectedResponse, e.Code)
			require.Equal(t, a.status, e.Status)
			require.Len(t, s.seen(), 1)
		})
	}
	t.Run("data of another form", func(t *testing.T) {
		t.Parallel()
		_, err := newStub(t, ok(`{"id":7}`)).client(t).Webhooks.Get(t.Context(), "whk_1")
		require.ErrorContains(t, err, "decoding the answer")
	})
	t.Run("no answer in time", func(t *testing.T) {
		t.Parallel()
		release := make(chan struct{})
		srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
		t.Cleanup(func() { close(release); srv.Close() })
		c, err := client.New("k", client.WithBaseURL(srv.URL), client.WithTimeout(10*time.Millisecond), client.WithRetries(0))
		require.NoError(t, err)
		_, err = c.Webhooks.Get(t.Context(), "whk_1")
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

func TestRetries(t *testing.T) {
	t.Parallel()
	t.Run("publish repeats the very same event", func(t *testing.T) {
		t.Parallel()
		limited := refused(429, `{"code":"limit_reached","message":""}`)
		limited.header = http.Header{"Retry-After": {"0"}}
		s := newStub(t, unavailable(), answer{drop: true}, limited, ok(`{"id":"evt_1","duplicate":true}`))
		p, err := s.client(t).Events.Publish(t.Context(), client.Event{Type: "video.deleted", Data: struct{}{}})
		require.NoError(t, err)
		require.True(t, p.Duplicate)
		got := s.seen()
		require.Len(t, got, 4)
		for _, r := range got {
			require.Equal(t, got[0].body, r.body)
		}
		require.Regexp(t, `^"evt_[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}"$`, member(t, got[0].body, "id"))
	})
	t.Run("a new publish has a new ID", func(t *testing.T) {
		t.Parallel()
		s := newStub(t, ok(`{}`))
		c := s.client(t)
		for range 2 {
			_, err := c.Events.Publish(t.Context(), client.Event{Type: "video.deleted", Data: struct{}{}})
			require.NoError(t, err)
		}
		require.NotEqual(t, member(t, s.seen()[0].body, "id"), member(t, s.seen()[1].body, "id"))
	})

	once := map[string]bool{"Webhooks.Register": true, "Webhooks.Test": true, "Webhooks.Replay": true, "Webhooks.Update": true, "Deliveries.Retry": true, "Webhooks.RetryFailed": true, "APIKeys.Create": true, "PortalLinks.Create": true, "Accounts.Confirm": true}
	for name, test := range calls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStub(t, unavailable(), ok(`{"items":[{},{}]}`))
			err := test.call(t.Context(), s.client(t))
			if once[name] { // Update: because the test's has an overlap
				var e *client.Error
				require.ErrorAs(t, err, &e)
				require.Equal(t, 503, e.Status)
				require.Len(t, s.seen(), 1)
				return
			}
			require.NoError(t, err)
			require.Len(t, s.seen(), 2)
		})
	}

	t.Run("a plain update and a dry run are repeated", func(t *testing.T) {
		t.Parallel()
		s := newStub(t, unavailable(), ok(`{}`), unavailable(), ok(`{}`))
		c := s.client(t)
		_, err := c.Webhooks.Update(t.Context(), "whk_1", client.WebhookUpdate{Events: []string{"*"}})
		require.NoError(t, err)
		_, err = c.Webhooks.Replay(t.Context(), "whk_1", client.ReplayRequest{Since: since, DryRun: true})
		require.NoError(t, err)
	})
	t.Run("a registration with a key and a secret is repeated", func(t *testing.T) {
		t.Parallel()
		s := newStub(t, unavailable(), ok(`{}`))
		in := client.NewWebhook{URL: "https://example.com/", Events: []string{"*"}, Secret: "your_webhook_secret", IdempotencyKey: "shop-1"}
		_, err := s.client(t).Webhooks.Register(t.Context(), in)
		require.NoError(t, err)
		for _, r := range s.seen() {
			require.Equal(t, "shop-1", r.header.Get("Idempotency-Key"))
			require.NotContains(t, r.body, "shop-1")
		}
		s = newStub(t, unavailable(), ok(`{}`))
		in.Secret = ""
		_, err = s.client(t).Webhooks.Register(t.Context(), in)
		require.Error(t, err, "its secret would be in the first answer alone")
		require.Len(t, s.seen(), 1)
		in.IdempotencyKey = "with a\nbreak"
		_, err = s.client(t).Webhooks.Register(t.Context(), in)
		require.ErrorContains(t, err, "IdempotencyKey")
		require.Len(t, s.seen(), 1)
	})
	t.Run("a refusal is not repeated", func(t *testing.T) {
		t.Parallel()
		s := newStub(t, refused(404, `{"code":"not_found","message":""}`))
		var e *client.Error
		require.ErrorAs(t, s.client(t).Webhooks.Delete(t.Context(), "whk_1"), &e)
		require.Len(t, s.seen(), 1)
	})
	t.Run("a delete whose first answer was lost has worked", func(t *testing.T) {
		t.Parallel()
		s := newStub(t, unavailable(), refused(404, `{"code":"not_found","message":""}`))
		require.NoError(t, s.client(t).Webhooks.Delete(t.Context(), "whk_1"))
		require.Len(t, s.seen(), 2)
	})
	t.Run("end after as many as set", func(t *testing.T) {
		t.Parallel()
		s := newStub(t, unavailable())
		_, err := s.client(t, client.WithRetries(2)).EventTypes.List(t.Context())
		require.Error(t, err)
		require.Len(t, s.seen(), 3)
	})
	t.Run("do not wait for a server that asks for an hour", func(t *testing.T) {
		t.Parallel()
		a := unavailable()
		a.header = http.Header{"Retry-After": {"3600"}}
		s := newStub(t, a)
		_, err := s.client(t).EventTypes.List(t.Context())
		var e *client.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, time.Hour, e.RetryAfter)
		require.Len(t, s.seen(), 1)
	})
	for value, want := range map[string]time.Duration{
		"0": 0, "2.5": 2500 * time.Millisecond, "Thu, 01 Jan 1970 00:00:00 GMT": 0, "-1": -1, "soon": -1, "1e3": -1, "": -1, ".": -1,
		strings.Repeat("9", 400): math.MaxInt32 * time.Second,
	} {
		t.Run("Retry-After: "+value, func(t *testing.T) {
			t.Parallel()
			a := unavailable()
			a.header = http.Header{"Retry-After": {value}}
			_, err := newStub(t, a).client(t, client.WithRetries(0)).EventTypes.List(t.Context())
			var e *client.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, want, e.RetryAfter)
		})
	}
	t.Run("the wait ends with the context", func(t *testing.T) {
		t.Parallel()
		a := unavailable()
		a.header = http.Header{"Retry-After": {"60"}}
		s := newStub(t, a)
		ctx, cancel := context.WithCancel(t.Context())
		_, err := s.client(t, client.WithHTTPClient(&http.Client{Transport: whenRead(func() { time.AfterFunc(50*time.Millisecond, cancel) })})).EventTypes.List(ctx)
		require.Error(t, err)
		require.Len(t, s.seen(), 1)
	})
	t.Run("a context that is over sends nothing", func(t *testing.T) {
		t.Parallel()
		s := newStub(t, ok(`{}`))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := s.client(t).EventTypes.List(ctx)
		require.True(t, errors.Is(err, context.Canceled))
		require.Empty(t, s.seen())
	})
}

// whenRead is called once the first answer was read, after which there is nothing but the wait.
type whenRead func()

func (w whenRead) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err == nil {
		answer.Body = closing{answer.Body, w}
	}
	return answer, err
}

type closing struct {
	io.ReadCloser
	closed func()
}

func (c closing) Close() error {
	defer c.closed()
	return c.ReadCloser.Close()
}
