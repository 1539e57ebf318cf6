package sender

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redistest"
	"github.com/videocloud/webhooks/internal/signature"
	"github.com/videocloud/webhooks/receiver"
)

// signed registers a webhook with a key pair.
func (b *bundle) signed(url string) Webhook {
	b.t.Helper()
	w, _, err := b.CreateWebhook(b.t.Context(), "default", NewWebhook{Settings: Settings{URL: url, Events: []string{"*"}, Signing: SigningEd25519}, Secret: "your_webhook_secret"})
	require.NoError(b.t, err)
	require.Regexp(b.t, `^whpk_[A-Za-z0-9+/]{43}=$`, w.PublicKey)
	return w
}

// setSigning is a change of the signing alone.
func setSigning(signing string) func(*Webhook) error {
	return func(w *Webhook) error { w.Signing = signing; return nil }
}

// deliverTo publishes an event, which goes to a sink, and returns what arrived.
func (b *bundle) deliverTo(to *sink) received {
	b.t.Helper()
	b.reaches(b.publish(guideData), StateSucceeded)
	all := to.got()
	return all[len(all)-1]
}

// versions are those of the values in webhook-signature.
func versions(r received) (list []string) {
	for _, value := range strings.Fields(r.header["Webhook-Signature"][0]) {
		version, _, _ := strings.Cut(value, ",")
		list = append(list, version)
	}
	return list
}

// accepts reports whether a gateway lets a delivery through to its app, by a scheme and a secret.
func accepts(t *testing.T, scheme, secret string, r received) bool {
	t.Helper()
	gateway, err := receiver.New(receiver.Options{Config: config.Receiver{Scheme: scheme, Secrets: []string{secret}}})
	require.NoError(t, err)
	defer gateway.Close()
	in := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", bytes.NewReader(r.body))
	in.Header = r.header.Clone()
	w := httptest.NewRecorder()
	gateway.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })).ServeHTTP(w, in)
	return w.Code == http.StatusNoContent
}

func TestSigningEd25519(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, withKeys(encryptionKey(1))).start()
		to := newSink(t, nil)
		w := b.signed(to.URL)
		require.Equal(t, w.PublicKey, b.hook(w).PublicKey)
		first := b.deliverTo(to)
		require.Equal(t, []string{"v1a"}, versions(first))
		require.True(t, accepts(t, "standard-v1a", w.PublicKey, first))
		require.True(t, accepts(t, "standard", w.PublicKey, first))
		mac, err := signature.NewVideoCloudSigner("your_webhook_secret")
		require.NoError(t, err)
		require.Equal(t, string(mac.Append(nil, first.body)), first.header.Get("X-VideoCloud-Signature"), "the guide's own header keeps the HMAC")

		second := b.update(w, WebhookUpdate{RotateKey: true, SecretOverlap: time.Hour})
		require.NotEqual(t, w.PublicKey, second.PublicKey)
		both := b.deliverTo(to)
		require.Equal(t, []string{"v1a", "v1a"}, versions(both))
		for _, key := range []string{w.PublicKey, second.PublicKey} {
			require.True(t, accepts(t, "standard-v1a", key, both))
		}
		third := b.update(w, WebhookUpdate{RotateKey: true, SecretOverlap: time.Hour}) // as by a client that lost the answer
		three := b.deliverTo(to)
		for _, key := range []string{w.PublicKey, second.PublicKey, third.PublicKey} {
			require.True(t, accepts(t, "standard-v1a", key, three))
		}
		fourth := b.update(w, WebhookUpdate{RotateKey: true})
		last := b.deliverTo(to)
		require.Equal(t, []string{"v1a"}, versions(last), "without an overlap the keys before end at once")
		require.True(t, accepts(t, "standard-v1a", fourth.PublicKey, last))
		require.False(t, accepts(t, "standard-v1a", third.PublicKey, last))

		node(t, []wiredKey{{w.PublicKey, first, true}, {second.PublicKey, both, true}, {w.PublicKey, both, true}, {fourth.PublicKey, last, true}, {w.PublicKey, last, false}})
		require.NotContains(t, everything(t, store), "whsk_")
	})
}

// TestSigningChanges: from one signing to the other, with what signed before as a second value where that is asked for.
func TestSigningChanges(t *testing.T) {
	t.Parallel()
	b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), nil).start()
	to := newSink(t, nil)
	w := b.webhook(to.URL)
	require.Equal(t, []string{"v1"}, versions(b.deliverTo(to)))
	keyed := b.update(w, WebhookUpdate{Change: setSigning(SigningEd25519), SecretOverlap: time.Hour})
	r := b.deliverTo(to)
	require.Equal(t, []string{"v1a", "v1"}, versions(r))
	require.True(t, accepts(t, "standard-v1a", keyed.PublicKey, r))
	require.True(t, accepts(t, "videocloud", "your_webhook_secret", r))
	require.Equal(t, keyed.PublicKey, b.update(w, WebhookUpdate{Change: setSigning(SigningEd25519)}).PublicKey, "what it has already stays")
	back := b.update(w, WebhookUpdate{Change: setSigning(""), SecretOverlap: time.Hour})
	require.Empty(t, back.PublicKey)
	r = b.deliverTo(to)
	require.Equal(t, []string{"v1", "v1a"}, versions(r))
	require.True(t, accepts(t, "standard-v1a", keyed.PublicKey, r))
	again := b.update(w, WebhookUpdate{Change: setSigning(SigningEd25519), Secret: ptr("another_webhook_secret")})
	r = b.deliverTo(to)
	require.Equal(t, []string{"v1a"}, versions(r))
	require.NotEqual(t, keyed.PublicKey, again.PublicKey)
	b.update(w, WebhookUpdate{Change: setSigning("")})
	require.True(t, accepts(t, "videocloud", "another_webhook_secret", b.deliverTo(to)))
}

func TestSigningContradictions(t *testing.T) {
	t.Parallel()
	b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), nil)
	_, _, err := b.CreateWebhook(t.Context(), "default", NewWebhook{Settings: Settings{URL: "http://127.0.0.1:1", Events: []string{"*"}, Signing: "rsa"}})
	requireError(t, err, CodeInvalidField, "signing")
	keyed, plain := b.signed("http://127.0.0.1:1"), b.webhook("http://127.0.0.1:1")
	for name, row := range map[string]struct {
		w     Webhook
		u     WebhookUpdate
		field string
	}{
		"a key to rotate where there is none":   {plain, WebhookUpdate{RotateKey: true}, "rotateKey"},
		"an overlap of nothing":                 {keyed, WebhookUpdate{SecretOverlap: time.Hour}, "secretOverlap"},
		"an overlap of the signing it has":      {keyed, WebhookUpdate{Change: setSigning(SigningEd25519), SecretOverlap: time.Hour}, "secretOverlap"},
		"an overlap for which there is no room": {keyed, WebhookUpdate{Secret: ptr("another_webhook_secret"), SecretOverlap: time.Hour}, "secretOverlap"},
		"a signing that does not exist":         {plain, WebhookUpdate{Change: setSigning("ED25519")}, "signing"},
	} {
		_, err := b.UpdateWebhook(t.Context(), "default", row.w.ID, row.u)
		require.Error(t, err, name)
		requireError(t, err, CodeInvalidField, row.field)
		require.Equal(t, row.w, b.hook(row.w), name)
	}
}

// wiredKey is a delivery for Node to judge.
type wiredKey struct {
	key  string
	r    received
	want bool
}

// node has Node's crypto verify deliveries.
func node(t *testing.T, all []wiredKey) {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		giveUp(t, "node is not on PATH: its crypto can't be asked")
	}
	type delivery struct {
		PublicKey string            `json:"publicKey"`
		Headers   map[string]string `json:"headers"`
		Body      []byte            `json:"body"`
	}
	var in []delivery
	var want []bool
	for _, w := range all {
		in = append(in, delivery{w.key, wiredOf("", w.r, "", verdict{}).Headers, w.r.body})
		want = append(want, w.want)
	}
	text, err := json.Marshal(in)
	require.NoError(t, err)
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "node", "testdata/verify-ed25519.mjs")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(text), &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	var got []bool
	require.NoError(t, json.Unmarshal(out, &got))
	require.Equal(t, want, got)
}
