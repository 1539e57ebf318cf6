package caddymodule

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/signature"
)

// TestLesson60_WhatWasSignedIsTheRequestAsItCameIn: address, query and method, whatever stands in front of the receiver.
func TestLesson60_WhatWasSignedIsTheRequestAsItCameIn(t *testing.T) {
	const public = "https://hooks.example.com"
	receiver := "webhook_receiver {\nname a\nscheme hmac {\npayload \"{method} {url}:{body}\"\n}\nsecret " + testSecret + "\nurl " + public + "\nmethods POST PUT\n}\nrespond \"{uri}\""
	for name, site := range map[string]string{
		"as it is":    "handle {\n" + receiver + "\n}",
		"handle_path": "handle_path /in/* {\n" + receiver + "\n}",
		"uri":         "handle {\nuri strip_prefix /in\nuri query -b\n" + receiver + "\n}",
		"rewrite":     "handle {\nrewrite * /other?c=d\n" + receiver + "\n}",
		"method":      "handle {\nmethod PUT\n" + receiver + "\n}",
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			s.load("", site)
			v, err := signature.New(signature.Config{Scheme: "hmac", Secrets: []string{testSecret}, URL: public,
				Options: map[string]string{"payload": "{method} {url}:{body}"}})
			require.NoError(t, err)
			h, err := v.Sign(&signature.Request{Method: http.MethodPost, URL: "/in/%61?a=b&b=c", Header: http.Header{}, Body: []byte("body")}, "", time.Now())
			require.NoError(t, err)
			send := func(target string) int {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url(target), strings.NewReader("body"))
				require.NoError(t, err)
				req.Header = h
				resp, _ := do(t, req)
				return resp.StatusCode
			}
			require.Equal(t, http.StatusUnauthorized, send("/in/a?a=b&b=d"))
			require.Equal(t, http.StatusOK, send("/in/%61?a=b&b=c"))
		})
	}
}

// TestTooLargeForWhoStandsInFront: the limit of another handler is said like our own.
func TestTooLargeForWhoStandsInFront(t *testing.T) {
	s, app := newServer(t), newBackend(t)
	s.load("", "request_body {\nmax_size 20B\n}\n"+receiverSite("webhook_receiver videocloud "+testSecret, app))
	for _, length := range []int64{int64(len(testEvent)), -1} {
		req := signed(t, s.url("/webhooks"), "evt_1", testEvent)
		req.ContentLength = length
		resp, body := do(t, req)
		require.Equal(t, http.StatusRequestEntityTooLarge, resp.StatusCode)
		require.Equal(t, "refused: too_large", body)
	}
}

// TestPlaceholdersOfErrorsFromElsewhere: they are empty, not the placeholder's name.
func TestPlaceholdersOfErrorsFromElsewhere(t *testing.T) {
	s, app := newServer(t), newBackend(t)
	site := receiverSite("webhook_receiver videocloud "+testSecret, app)
	site = strings.Replace(site, "respond 404", "error 404", 1)
	s.load("", strings.Replace(site, "refused: {http.webhook.error}", "refused: {http.webhook.error} {http.webhook.name} {http.webhook.duplicate}|", 1))
	resp, body := do(t, signed(t, s.url("/elsewhere"), "evt_1", testEvent))
	require.Equal(t, http.StatusNotFound, resp.StatusCode)
	require.Equal(t, "refused:   false|", body)
	req := signed(t, s.url("/webhooks"), "evt_1", testEvent)
	req.Header.Del("X-VideoCloud-Signature")
	_, body = do(t, req)
	require.Equal(t, "refused: signature_missing  false|", body)
}
