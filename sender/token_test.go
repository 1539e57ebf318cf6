package sender

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redistest"
)

// authorizer is an authorization server: it gives token-1, token-2, …, unless answer does something else.
type authorizer struct {
	*sink
	mu     sync.Mutex
	given  int
	answer func(w http.ResponseWriter, r *http.Request) bool // reports whether it answered
}

func newAuthorizer(t *testing.T, expires int) *authorizer {
	a := &authorizer{}
	a.sink = newSink(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.answer != nil && a.answer(w, r) {
			return
		}
		a.given++
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"access_token":"token-%d","token_type":"bearer","expires_in":%d}`, a.given, expires)
	})
	return a
}

func (a *authorizer) answers(f func(w http.ResponseWriter, r *http.Request) bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer = f
}

func (a *authorizer) auth() *Auth {
	return &Auth{Type: AuthOAuth2, TokenURL: a.URL + "/token", ClientID: "client", ClientSecret: "client-secret", Scope: "events videos"}
}

// tokensOf are the tokens that came with deliveries.
func tokensOf(to *sink) (list []string) {
	for _, r := range to.got() {
		list = append(list, strings.TrimPrefix(r.header.Get("Authorization"), "Bearer "))
	}
	return list
}

// TestTokenIsAskedForOnce: by many attempts at once, by several processes, and after a restart.
func TestTokenIsAskedForOnce(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		by, to := newAuthorizer(t, 3600), newSink(t, nil)
		first, second := newBundle(t, store, withKeys(encryptionKey(1))).start(), newBundle(t, store, withKeys(encryptionKey(1))).start()
		w := first.authed(to.URL, by.auth())
		require.Equal(t, &Auth{Type: AuthOAuth2, TokenURL: by.URL + "/token", ClientID: "client", Scope: "events videos"}, w.Auth)
		deliver := func(b *bundle, n int) {
			var all []Published
			for range n {
				all = append(all, b.publish(guideData))
			}
			for _, p := range all {
				b.reaches(p, StateSucceeded)
			}
		}
		deliver(first, 50)
		deliver(second, 50)
		first.update(w, WebhookUpdate{Change: func(w *Webhook) error { w.Description = "another"; return nil }}) // makes the endpoint anew
		deliver(newBundle(t, store, withKeys(encryptionKey(1))).start(), 50)
		asked := by.got()
		require.Len(t, asked, 1)
		user, password, _ := (&http.Request{Header: asked[0].header}).BasicAuth()
		require.Equal(t, []string{"client", "client-secret"}, []string{user, password})
		require.Equal(t, "grant_type=client_credentials&scope=events+videos", string(asked[0].body))
		for _, token := range tokensOf(to) {
			require.Equal(t, "token-1", token)
		}
		stored := everything(t, store)
		for _, secret := range []string{"token-1", "client-secret"} {
			require.NotContains(t, stored, secret)
		}
		require.Contains(t, stored, "token:"+laneOf(w.ID))
		require.NoError(t, first.DeleteWebhook(t.Context(), "default", w.ID))
		require.NotContains(t, everything(t, store), "token:"+laneOf(w.ID))
	})
}

// TestTokenIsDroppedBy401: once, by the first of those that it was refused to; the next attempt brings another.
func TestTokenIsDroppedBy401(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		by := newAuthorizer(t, 3600)
		revoked := false
		var mu sync.Mutex
		to := newSink(t, func(_ int, w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			if revoked && r.Header.Get("Authorization") == "Bearer token-1" {
				w.WriteHeader(http.StatusUnauthorized)
			}
		})
		retries := func(o *Options) { o.Config.Retry = []time.Duration{0, 0, 0} }
		first, second := newBundle(t, store, retries).start(), newBundle(t, store, retries).start()
		first.authed(to.URL, by.auth())
		first.reaches(first.publish(guideData), StateSucceeded)
		mu.Lock()
		revoked = true
		mu.Unlock()
		var all []Published
		for range 40 {
			all = append(all, first.publish(guideData), second.publish(guideData))
		}
		for _, p := range all {
			d := first.reaches(p, StateSucceeded)
			require.LessOrEqual(t, len(d.Attempts), 3)
		}
		require.Len(t, by.got(), 2)
		require.Contains(t, tokensOf(to), "token-2")
	})
}

// TestTokenIsRenewed: before it ends, by one attempt; while the authorization server is down, the one there is stays in use.
func TestTokenIsRenewed(t *testing.T) {
	t.Parallel()
	by := newAuthorizer(t, 3600)
	b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), nil)
	w := b.authed("http://127.0.0.1:1", by.auth())
	_, r, err := b.record(t.Context(), "default", w.ID)
	require.NoError(t, err)
	e, err := b.endpoint(laneOf(w.ID), r.Meta)
	require.NoError(t, err)
	e.tokens.renewWait = time.Hour // a new one is waited for, however slow its server is
	get := func() string {
		found, err := e.tokens.get(t.Context())
		require.NoError(t, err)
		return found.Token
	}
	require.Equal(t, "token-1", get())
	require.InDelta(t, time.Hour.Seconds(), time.Until(e.tokens.current.expires).Seconds(), 60)
	require.InDelta(t, 60, e.tokens.current.expires.Sub(e.tokens.current.renewAt).Seconds(), 1)
	due := func() { e.tokens.current.renewAt = time.Now().Add(-time.Second) }
	due()
	by.answers(func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(500); return true })
	require.Equal(t, "token-1", get())
	require.True(t, e.tokens.current.renewAt.After(time.Now()), "the next try is a while away")
	by.answers(nil)
	due()
	require.Equal(t, "token-2", get())
	require.Equal(t, "token-2", get())
	require.Len(t, by.got(), 3)
	e.tokens.current.expires = time.Now().Add(-time.Second)
	require.Equal(t, "token-3", get())
	b.running.Wait()
}

// TestTokenOfAnotherAuth: new client credentials, a new scope or another server never go out with the token of before.
func TestTokenOfAnotherAuth(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		by, other, to := newAuthorizer(t, 3600), newAuthorizer(t, 3600), newSink(t, nil)
		b := newBundle(t, store, nil).start()
		w := b.authed(to.URL, by.auth())
		b.deliverTo(to)
		a := by.auth()
		a.ClientSecret = "another-secret"
		b.update(w, WebhookUpdate{Auth: a})
		require.Equal(t, "Bearer token-2", b.deliverTo(to).header.Get("Authorization"))
		b.update(w, WebhookUpdate{Auth: other.auth()})
		require.Equal(t, "Bearer token-1", b.deliverTo(to).header.Get("Authorization"))
		require.Len(t, other.got(), 1)
	})
}

// TestTokenByParameters: a server that takes credentials in the body only is asked in that way, and from then on at once.
func TestTokenByParameters(t *testing.T) {
	t.Parallel()
	by, to := newAuthorizer(t, 3600), newSink(t, nil)
	by.answers(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Authorization") != "" {
			http.Error(w, `{"error":"invalid_client"}`, http.StatusUnauthorized)
			return true
		}
		return false
	})
	b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), nil).start()
	b.authed(to.URL, by.auth())
	require.Equal(t, "Bearer token-1", b.deliverTo(to).header.Get("Authorization"))
	require.Contains(t, string(by.got()[1].body), "client_secret=client-secret")
}

// TestTokenFailures: a failed attempt says in the owner's words what the authorization server did, and reaches the
// endpoint not at all; neither its error nor any log repeats a secret.
func TestTokenFailures(t *testing.T) {
	t.Parallel()
	answer := func(status int, kind, body string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", kind)
			w.Header().Set("Location", "https://elsewhere.example.com/")
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
			return true
		}
	}
	const form = "application/x-www-form-urlencoded"
	for name, row := range map[string]struct {
		answer func(http.ResponseWriter, *http.Request) bool
		says   string
	}{
		"wrong credentials": {answer(401, "application/json", `{"error":"invalid_client","error_description":"client-secret is wrong"}`), "the authorization server answered 401 (invalid_client); check clientId and clientSecret"},
		"an unknown scope":  {answer(400, "application/json", `{"error":"invalid_scope"}`), "the authorization server answered 400 (invalid_scope); check scope"},
		"an unknown error":  {answer(400, "application/json", `{"error":"client-secret"}`), "the authorization server answered 400"},
		"an error with 200": {answer(200, "application/json", `{"error":"invalid_grant"}`), "the authorization server answered 200 (invalid_grant); check clientId and clientSecret"},
		"an outage":         {answer(503, "text/html", "client-secret"), "the authorization server answered 503"},
		"a redirect":        {answer(307, "text/html", ""), "the authorization server answered 307; redirects are not followed, give the final URL as tokenUrl"},
		"no JSON":           {answer(200, "application/json", "client-secret"), "the authorization server's answer holds no token"},
		"no token":          {answer(200, form, "token=client-secret"), "the authorization server's answer holds no token"},
		"another type":      {answer(200, "application/json", `{"access_token":"client-secret","token_type":"mac"}`), "the authorization server gave a token that is not of type Bearer, and no other can be used"},
		"a line end":        {answer(200, "application/json", `{"access_token":"client-secret\r\nX: y"}`), "the authorization server gave a token that can't stand in a header"},
		"an endless answer": {answer(200, "application/json", `{"access_token":"`+strings.Repeat("x", 70<<10)+`"}`), "the authorization server's answer has more than 64 KiB"},
		"a hang-up": {func(w http.ResponseWriter, _ *http.Request) bool {
			c, _, _ := w.(http.Hijacker).Hijack()
			_ = c.Close()
			return true
		}, "asking the authorization server for a token: the connection was closed before an answer came"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log logText
			by, to := newAuthorizer(t, 3600), newSink(t, nil)
			by.answers(row.answer)
			b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), func(o *Options) {
				o.Config.Retry, o.Logger = []time.Duration{0}, log.logger()
			}).start()
			b.authed(to.URL, by.auth())
			d := b.reaches(b.publish(guideData), StateFailed)
			require.Equal(t, row.says, d.Attempts[0].Error)
			require.Zero(t, d.Attempts[0].StatusCode)
			require.Empty(t, to.got())
			require.NotContains(t, log.String(), "client-secret")
		})
	}
}

// TestTokenServerIsADestination: its address is judged as a destination's is, when it is dialled.
func TestTokenServerIsADestination(t *testing.T) {
	t.Parallel()
	by, to := newAuthorizer(t, 3600), newSink(t, nil)
	store := redistest.Open(t, config.Redis{URL: config.Memory})
	newBundle(t, store, nil).authed(to.URL, by.auth())
	b := newBundle(t, store, func(o *Options) { o.Config.AllowNetworks, o.Config.Retry = nil, []time.Duration{0} }).start()
	d := b.reaches(b.publish(guideData), StateFailed)
	require.Contains(t, d.Attempts[0].Error, "asking the authorization server for a token: the URL's host has no public address")
	require.Empty(t, by.got())
}
