package receiver

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLesson43_EchoedChallengesAreHarmless(t *testing.T) {
	t.Parallel()
	meta := func(token, challenge string) *http.Request {
		q := url.Values{"hub.mode": {"subscribe"}, "hub.verify_token": {token}, "hub.challenge": {challenge}}
		return httptest.NewRequest(http.MethodGet, "/webhooks?"+q.Encode(), nil)
	}
	var outcome Outcome
	g := newGateway(t, func(o *Options) {
		o.Config.Scheme, o.Config.Challenge = "meta", "my-token"
		o.Config.Allow = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
		o.Observe = func(o Outcome) { outcome = o }
	})
	t.Run("the right token", func(t *testing.T) {
		w := g.serve(meta("my-token", "1158201444"))
		require.Equal(t, http.StatusOK, w.Code)
		require.Equal(t, "1158201444", w.Body.String())
		require.Equal(t, "text/plain", w.Header().Get("Content-Type"))
		require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
		require.Equal(t, ResultChallenge, outcome.Result)
		require.Empty(t, outcome.Error)
	})
	t.Run("a wrong token", func(t *testing.T) {
		status, reason := g.refusedReason(t, meta("wrong", "1158201444"))
		require.Equal(t, http.StatusForbidden, status)
		require.Equal(t, ReasonMismatch, reason)
	})
	t.Run("from elsewhere", func(t *testing.T) {
		r := meta("my-token", "1158201444")
		r.RemoteAddr = "203.0.113.1:1"
		status, reason := g.refusedReason(t, r)
		require.Equal(t, http.StatusForbidden, status)
		require.Equal(t, ReasonIP, reason)
	})
	t.Run("without end", func(t *testing.T) {
		status, reason := g.refusedReason(t, meta("my-token", strings.Repeat("1", 10_000)))
		require.Equal(t, http.StatusMethodNotAllowed, status)
		require.Equal(t, ReasonMethod, reason)
	})
	t.Run("no challenge", func(t *testing.T) {
		_, reason := g.refusedReason(t, httptest.NewRequest(http.MethodGet, "/webhooks", nil))
		require.Equal(t, ReasonMethod, reason)
	})
	require.Zero(t, g.app.count())
}

func TestSignedChallengesAreVerifiedFirstAndAnsweredEachTime(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(o *Options) {
		o.Config.Scheme = "slack"
		o.Store = untouchable{t}
	})
	request := func(signature string) *http.Request {
		body, err := json.Marshal(map[string]string{"type": "url_verification", "challenge": "3eZbrw1aBm2r"})
		require.NoError(t, err)
		at := strconv.FormatInt(time.Now().Unix(), 10)
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(string(body)))
		r.Header.Set("X-Slack-Request-Timestamp", at)
		if signature == "" {
			signature = "v0=" + sign("v0:"+at+":"+string(body))
		}
		r.Header.Set("X-Slack-Signature", signature)
		return r
	}
	for range 2 {
		w := g.serve(request(""))
		require.Equal(t, http.StatusOK, w.Code)
		require.Equal(t, "3eZbrw1aBm2r", w.Body.String())
		require.Empty(t, w.Header().Get("X-Webhook-Duplicate"))
	}
	_, reason := g.refusedReason(t, request("v0="+sign("forged")))
	require.Equal(t, ReasonMismatch, reason)
	require.Zero(t, g.app.count())
}
