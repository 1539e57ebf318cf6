package sender_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redistest"
	"github.com/videocloud/webhooks/sender"
	"github.com/videocloud/webhooks/sender/api"
	"github.com/videocloud/webhooks/store"
)

// newREST is an API over a sender that delivers nothing. It returns how to ask it: the status, the data or the error, and the whole text.
func newREST(t *testing.T) func(method, path, body string) (int, map[string]any, string) {
	store, err := store.Open(config.Redis{URL: config.Memory, Timeout: redistest.Patience}, store.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = store.Close() })
	s, err := sender.New(sender.Options{Store: store, Config: config.Sender{DeliverOff: true}})
	require.NoError(t, err)
	h, err := api.New(api.Options{Service: s, Anonymous: true})
	require.NoError(t, err)
	return func(method, path, body string) (int, map[string]any, string) {
		r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		text, err := io.ReadAll(w.Body)
		require.NoError(t, err)
		var answer struct{ Data, Error map[string]any }
		require.NoError(t, json.Unmarshal(text, &answer), string(text))
		if w.Code >= http.StatusBadRequest {
			return w.Code, answer.Error, string(text)
		}
		return w.Code, answer.Data, string(text)
	}
}

// TestAuthByREST: what is public is shown, and the object that GET answers may be sent back as it is.
func TestAuthByREST(t *testing.T) {
	t.Parallel()
	do := newREST(t)
	const start = `{"url":"https://hooks.example.com/","events":["*"],"secret":"your_webhook_secret",`
	code, made, text := do("POST", "/webhooks", start+`"signing":"ed25519","auth":{"type":"oauth2","tokenUrl":"https://auth.example.com/token","clientId":"c","clientSecret":"very-secret","scope":"a b"}}`)
	require.Equal(t, 201, code, text)
	require.Equal(t, map[string]any{"type": "oauth2", "tokenUrl": "https://auth.example.com/token", "clientId": "c", "scope": "a b"}, made["auth"])
	path := "/webhooks/" + made["id"].(string)
	_, _, shown := do("GET", path, "")
	require.NotContains(t, shown, "very-secret")
	object, err := json.Marshal(made)
	require.NoError(t, err)
	code, back, text := do("PUT", path, string(object))
	require.Equal(t, 200, code, text)
	require.Equal(t, made, back)
	code, back, text = do("PUT", path, `{"rotateKey":true,"secretOverlap":"1h"}`)
	require.Equal(t, 200, code, text)
	require.NotEqual(t, made["publicKey"], back["publicKey"])
	code, back, text = do("PUT", path, `{"auth":null,"signing":null}`)
	require.Equal(t, 200, code, text)
	require.NotContains(t, back, "auth")
	require.NotContains(t, back, "publicKey")

	for body, field := range map[string]string{
		`"auth":{"type":"basic","username":"u"}}`:                               "auth.password",
		`"auth":{"type":"bearer","token":"t"},"headers":{"Authorization":"x"}}`: "auth",
		`"auth":{"type":"bearer","token":7}}`:                                   "auth.token",
		`"auth":{"token":"t"}}`:                                                 "auth.type",
		`"auth":"bearer"}`:                                                      "auth",
		`"auth":{"type":"bearer","token":"t","secret":"x"}}`:                    "auth.secret",
		`"signing":"rsa"}`:                                                      "signing",
		`"auth":{"type":"oauth2","tokenUrl":"http://x.example.com/","clientId":"c","clientSecret":"s"}}`: "auth.tokenUrl",
	} {
		code, problem, text := do("POST", "/webhooks", start+body)
		require.Equal(t, 422, code, text)
		require.Equal(t, field, problem["field"], text)
	}
}
