package caddymodule

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/signature"
)

// handshake is one entry of handshakes.json: a provider's set-up request, and the answer that it wants.
type handshake struct {
	Provider    string            `json:"provider"`
	Secret      string            `json:"secret"`
	VerifyToken string            `json:"verify_token"`
	Params      map[string]string `json:"params"`
	Why         string            `json:"why"`
	Request     struct {
		Method  string            `json:"method"`
		Query   string            `json:"query"`
		Headers map[string]string `json:"headers"`
		Body    string            `json:"body"`
	} `json:"request"`
	Response struct {
		Status  int               `json:"status"`
		Body    string            `json:"body"`
		JSON    json.RawMessage   `json:"json"`
		Headers map[string]string `json:"headers"`
	} `json:"response"`
}

// TestLesson43_HandshakesThroughTheGateway: the set-up requests of all providers that we have a scheme for.
func TestLesson43_HandshakesThroughTheGateway(t *testing.T) {
	folder := os.Getenv("WEBHOOK_VECTORS")
	if folder == "" {
		t.Skip("skipped: WEBHOOK_VECTORS does not name the folder with handshakes.json")
	}
	var handshakes []handshake
	for _, file := range []string{"handshakes.json", "handshakes-2.json"} {
		text, err := os.ReadFile(filepath.Join(folder, file))
		require.NoError(t, err)
		var more []handshake
		require.NoError(t, json.Unmarshal(text, &more))
		handshakes = append(handshakes, more...)
	}
	for i, h := range handshakes {
		t.Run(fmt.Sprint(i, " ", h.Provider), func(t *testing.T) {
			if !hasScheme(h.Provider) || h.Provider == "aws-sns" || h.Provider == "ebay" {
				t.Skip("no such scheme, or one whose keys come from elsewhere: see internal/signature")
			}
			h.exchange(t)
		})
	}
}

func hasScheme(name string) bool {
	for _, s := range signature.Schemes() {
		if s.Name == name {
			return true
		}
		for _, alias := range s.Aliases {
			if alias == name {
				return true
			}
		}
	}
	return false
}

func (h *handshake) exchange(t *testing.T) {
	s, app := newServer(t), newBackend(t)
	secret, options := h.Secret, ""
	if secret == "" {
		secret = testSecret
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	if strings.HasPrefix(h.Provider, "discord") {
		secret = hex.EncodeToString(public)
	}
	if h.VerifyToken != "" {
		options += "challenge " + h.VerifyToken
	}
	if h.letThrough() {
		// It brings the key of everything that follows, and nothing signs it: the operator has to let it through on purpose.
		options += "dry_run"
	}
	if h.Provider == "trello" || h.Provider == "mandrill" {
		options += "url https://hooks.example.com/webhooks"
	}
	params := ""
	for name, value := range h.Params {
		params += name + " " + value + "\n"
	}
	if h.Provider == "monday" {
		params = "audience us\n"
	}
	s.load("", receiverSite(fmt.Sprintf("webhook_receiver {\nname a\nscheme %s {\n%s}\nsecret %s\n%s\n}", h.Provider, params, secret, options), app))

	req, err := http.NewRequestWithContext(t.Context(), h.Request.Method, s.url("/webhooks?"+h.Request.Query), strings.NewReader(h.Request.Body))
	require.NoError(t, err)
	for name, value := range h.Request.Headers {
		req.Header.Set(name, value)
	}
	switch {
	case h.unsigned(), h.Provider == "xero", h.letThrough(): // not signed, or wrong on purpose
	case strings.HasPrefix(h.Provider, "discord"):
		at := strconv.FormatInt(time.Now().Unix(), 10)
		req.Header.Set("X-Signature-Timestamp", at)
		req.Header.Set("X-Signature-Ed25519", hex.EncodeToString(ed25519.Sign(private, []byte(at+h.Request.Body))))
	default:
		v, err := signature.New(signature.Config{Scheme: h.Provider, Secrets: []string{secret}})
		require.NoError(t, err)
		signed, err := v.Sign(&signature.Request{Method: h.Request.Method, Header: req.Header, Body: []byte(h.Request.Body)}, "", time.Now())
		require.NoError(t, err)
		for name, values := range signed {
			req.Header[name] = values
		}
	}
	resp, body := do(t, req)
	require.Equal(t, h.Response.Status, resp.StatusCode, "%s: %s", h.Why, body)
	switch {
	case h.Response.JSON != nil:
		require.JSONEq(t, string(h.Response.JSON), body)
	case h.Response.Status == http.StatusOK && !h.letThrough() && (h.Response.Body != "" || len(body) > 0):
		require.Equal(t, h.Response.Body, body)
		require.Equal(t, "text/plain", resp.Header.Get("Content-Type"))
		require.Equal(t, "nosniff", resp.Header.Get("X-Content-Type-Options"))
	}
	for name, value := range h.Response.Headers {
		if h.Provider != "asana" { // it is the app that answers
			require.Equal(t, value, resp.Header.Get(name))
		}
	}
	n, last, reached := app.seen()
	if h.letThrough() {
		require.Equal(t, h.Request.Body, reached)
		require.Empty(t, last.Header.Get("X-Webhook-Verified"))
	}
	if h.Provider == "notion" {
		require.NotContains(t, s.logged(), strings.Split(h.Request.Body, `"`)[3], "it becomes the key")
		return
	}
	if h.letThrough() {
		return
	}
	require.Zero(t, n, "the gateway answers itself")

	if !h.unsigned() && h.Provider != "xero" {
		// Signed ones are answered to nobody else.
		req, err := http.NewRequestWithContext(t.Context(), h.Request.Method, s.url("/webhooks"), strings.NewReader(h.Request.Body))
		require.NoError(t, err)
		resp, _ := do(t, req)
		require.Equal(t, http.StatusUnauthorized, resp.StatusCode)
	}
}

// letThrough reports whether the request brings the key of everything that follows, which the operator has to let through on purpose.
func (h *handshake) letThrough() bool { return h.Provider == "notion" || h.Provider == "asana" }

// unsigned reports whether nothing signs the request.
func (h *handshake) unsigned() bool {
	for _, s := range signature.Schemes() {
		if s.Name == h.Provider {
			return s.HandshakeUnsigned
		}
	}
	return false
}
