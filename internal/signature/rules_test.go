package signature

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// sum computes an HMAC without any of our code.
func sum(h func() hash.Hash, key, message string) []byte {
	mac := hmac.New(h, []byte(key))
	mac.Write([]byte(message))
	return mac.Sum(nil)
}

func hexSum(key, message string) string { return hex.EncodeToString(sum(sha256.New, key, message)) }

func b64Sum(key, message string) string {
	return base64.StdEncoding.EncodeToString(sum(sha256.New, key, message))
}

// rule is one request to a scheme with the secret "key" at noon, 1700000000.
type rule struct {
	name    string
	scheme  string
	options map[string]string
	secrets []string
	url     string
	method  string
	target  string
	headers []string // name, value, name, value
	body    string
	reason  string // empty: valid
}

func (r rule) run(t *testing.T) {
	t.Parallel()
	if r.secrets == nil {
		r.secrets = []string{"key"}
	}
	v, err := New(Config{Scheme: r.scheme, Options: r.options, Secrets: r.secrets, URL: r.url})
	require.NoError(t, err)
	req := &Request{Method: r.method, URL: r.target, Header: http.Header{}, Body: []byte(r.body)}
	for i := 0; i < len(r.headers); i += 2 {
		req.Header.Add(r.headers[i], r.headers[i+1])
	}
	_, err = v.Verify(req, noon)
	if r.reason == "" {
		require.NoError(t, err)
		return
	}
	requireReason(t, r.reason, err)
}

// TestRules has what official libraries disagree on and what attackers try; each line is decided on the safe side.
func TestRules(t *testing.T) {
	t.Parallel()
	const now = "1700000000"
	upper := strings.ToUpper(hexSum("key", "{}"))
	stripe := func(t string) string { return hexSum("key", t+".{}") }
	standardKey := strings.Repeat("k", 24)
	standard := []string{base64.StdEncoding.EncodeToString([]byte(standardKey))}
	v1 := func(message string) string { return "v1," + b64Sum(standardKey, message) }
	rules := []rule{
		{name: "hex in upper case", scheme: "github", headers: []string{"X-Hub-Signature-256", "sha256=" + upper}, body: "{}"},
		{name: "hex in upper case, videocloud", scheme: "videocloud", headers: []string{"X-VideoCloud-Signature", upper}, body: "{}", reason: ReasonMalformed},
		{name: "prefix in upper case", scheme: "github", headers: []string{"X-Hub-Signature-256", "SHA256=" + upper}, body: "{}", reason: ReasonMalformed},
		{name: "prefix twice", scheme: "github", headers: []string{"X-Hub-Signature-256", "sha256=sha256=" + upper}, body: "{}", reason: ReasonMalformed},
		{name: "right SHA-1 in the SHA-256 header", scheme: "github", headers: []string{"X-Hub-Signature-256", "sha1=" + hex.EncodeToString(sum(sha1.New, "key", "{}"))}, body: "{}", reason: ReasonMalformed},
		{name: "right SHA-512 in the SHA-256 header", scheme: "github", headers: []string{"X-Hub-Signature-256", "sha256=" + hex.EncodeToString(sum(sha512.New, "key", "{}"))}, body: "{}", reason: ReasonMalformed},
		{name: "SHA-256 in the legacy header", scheme: "github-sha1", headers: []string{"X-Hub-Signature", "sha256=" + upper}, body: "{}", reason: ReasonMalformed},

		{name: "comma and space", scheme: "stripe", headers: []string{"Stripe-Signature", "t=" + now + ", v1=" + stripe(now)}, body: "{}"},
		{name: "signature before the timestamp", scheme: "stripe", headers: []string{"Stripe-Signature", "v1=" + stripe(now) + ",t=" + now}, body: "{}"},
		{name: "unreadable v0 and v2 beside it", scheme: "stripe", headers: []string{"Stripe-Signature", "v0=x,t=" + now + ",v2=,v1=" + stripe(now)}, body: "{}"},
		{name: "timestamp twice", scheme: "stripe", headers: []string{"Stripe-Signature", "t=" + now + ",t=" + now + ",v1=" + stripe(now)}, body: "{}", reason: ReasonMalformed},
		{name: "timestamp with a sign", scheme: "stripe", headers: []string{"Stripe-Signature", "t=+" + now + ",v1=" + stripe("+"+now)}, body: "{}", reason: ReasonMalformed},
		{name: "timestamp with a leading zero", scheme: "stripe", headers: []string{"Stripe-Signature", "t=0" + now + ",v1=" + stripe("0"+now)}, body: "{}", reason: ReasonMalformed},
		{name: "timestamp beyond any clock", scheme: "stripe", headers: []string{"Stripe-Signature", "t=99999999999999999999,v1=" + stripe("99999999999999999999")}, body: "{}", reason: ReasonMalformed},
		{name: "timestamp in other digits", scheme: "stripe", headers: []string{"Stripe-Signature", "t=١٧٠٠٠٠٠٠٠٠,v1=" + stripe("١٧٠٠٠٠٠٠٠٠")}, body: "{}", reason: ReasonMalformed},
		{name: "trailing comma", scheme: "stripe", headers: []string{"Stripe-Signature", "t=" + now + ",v1=" + stripe(now) + ","}, body: "{}", reason: ReasonMalformed},
		{name: "key in upper case", scheme: "stripe", headers: []string{"Stripe-Signature", "t=" + now + ",V1=" + stripe(now)}, body: "{}", reason: ReasonMalformed},
		{name: "key without a value", scheme: "stripe", headers: []string{"Stripe-Signature", "t=" + now + ",v1"}, body: "{}", reason: ReasonMalformed},
		{name: "malformed goes before stale", scheme: "stripe", headers: []string{"Stripe-Signature", "t=1,v1=zz"}, body: "{}", reason: ReasonMalformed},
		{name: "stale goes before mismatch", scheme: "stripe", headers: []string{"Stripe-Signature", "t=1,v1=" + stripe(now)}, body: "{}", reason: ReasonTimestamp},
		{name: "empty body", scheme: "stripe", headers: []string{"Stripe-Signature", "t=" + now + ",v1=" + hexSum("key", now+".")}},
		{name: "beginning of the right signature among others", scheme: "stripe", headers: []string{"Stripe-Signature", "t=" + now + ",v1=" + stripe(now)[:8] + strings.Repeat(",v1="+strings.Repeat("0", 64), 2)}, body: "{}", reason: ReasonMismatch},
		{name: "sixteen signatures", scheme: "stripe", headers: []string{"Stripe-Signature", "t=" + now + strings.Repeat(",v1="+strings.Repeat("0", 64), 15) + ",v1=" + stripe(now)}, body: "{}"},
		{name: "seventeen signatures", scheme: "stripe", headers: []string{"Stripe-Signature", "t=" + now + strings.Repeat(",v1="+strings.Repeat("0", 64), 16) + ",v1=" + stripe(now)}, body: "{}", reason: ReasonMalformed},
		{name: "two signatures where no rotation is documented", scheme: "calendly", headers: []string{"Calendly-Webhook-Signature", "t=" + now + ",v1=" + stripe(now) + ",v1=" + stripe(now)}, body: "{}", reason: ReasonMalformed},
		{name: "rotation without a timestamp", scheme: "pagerduty", headers: []string{"X-PagerDuty-Signature", "v1=" + strings.Repeat("0", 64) + ",v1=" + upper}, body: "{}"},

		{name: "standard", scheme: "standard", secrets: standard, headers: []string{"webhook-id", "a", "webhook-timestamp", now, "webhook-signature", v1("a." + now + ".{}")}, body: "{}"},
		{name: "standard, negative timestamp", scheme: "standard", secrets: standard, headers: []string{"webhook-id", "a", "webhook-timestamp", "-" + now, "webhook-signature", v1("a.-" + now + ".{}")}, body: "{}", reason: ReasonMalformed},
		{name: "standard, fraction", scheme: "standard", secrets: standard, headers: []string{"webhook-id", "a", "webhook-timestamp", now + ".0", "webhook-signature", v1("a." + now + ".0.{}")}, body: "{}", reason: ReasonMalformed},
		{name: "standard, empty ID", scheme: "standard", secrets: standard, headers: []string{"webhook-id", "", "webhook-timestamp", now, "webhook-signature", v1("." + now + ".{}")}, body: "{}", reason: ReasonMissing},
		{name: "standard, ID twice", scheme: "standard", secrets: standard, headers: []string{"webhook-id", "a", "webhook-id", "a", "webhook-timestamp", now, "webhook-signature", v1("a." + now + ".{}")}, body: "{}", reason: ReasonMalformed},
		{name: "standard, timestamp twice", scheme: "standard", secrets: standard, headers: []string{"webhook-id", "a", "webhook-timestamp", now, "webhook-timestamp", now, "webhook-signature", v1("a." + now + ".{}")}, body: "{}", reason: ReasonMalformed},
		{name: "standard, no timestamp", scheme: "standard", secrets: standard, headers: []string{"webhook-id", "a", "webhook-signature", v1("a.." + "{}")}, body: "{}", reason: ReasonMissing},
		{name: "standard, long ID", scheme: "standard", secrets: standard, headers: []string{"webhook-id", strings.Repeat("a", 257), "webhook-timestamp", now, "webhook-signature", v1("a." + now + ".{}")}, body: "{}", reason: ReasonMalformed},
		{name: "standard, unversioned", scheme: "standard", secrets: standard, headers: []string{"webhook-id", "a", "webhook-timestamp", now, "webhook-signature", v1("a." + now + ".{}")[3:]}, body: "{}", reason: ReasonMalformed},
		{name: "standard, tab between", scheme: "standard", secrets: standard, headers: []string{"webhook-id", "a", "webhook-timestamp", now, "webhook-signature", "v1,x\t" + v1("a."+now+".{}")}, body: "{}", reason: ReasonMalformed},
		{name: "openai, tab between", scheme: "openai", headers: []string{"webhook-id", "a", "webhook-timestamp", now, "webhook-signature", "v1,x\t" + "v1," + b64Sum("key", "a."+now+".{}")}, body: "{}"},

		{name: "base64 without padding", scheme: "shopify", headers: []string{"X-Shopify-Hmac-Sha256", strings.TrimRight(b64Sum("key", "{}"), "=")}, body: "{}", reason: ReasonMalformed},
		{name: "base64 with a line break", scheme: "shopify", headers: []string{"X-Shopify-Hmac-Sha256", b64Sum("key", "{}")[:20] + "\n" + b64Sum("key", "{}")[20:]}, body: "{}", reason: ReasonMalformed},
		{name: "base64 of the URL alphabet", scheme: "shopify", headers: []string{"X-Shopify-Hmac-Sha256", base64.URLEncoding.EncodeToString(sum(sha256.New, "key", "5"))}, body: "5", reason: ReasonMalformed},
		{name: "base64url with padding", scheme: "sanity", headers: []string{"sanity-webhook-signature", "t=1700000000000,v1=" + base64.URLEncoding.EncodeToString(sum(sha256.New, "key", "1700000000000.{}"))}, body: "{}", reason: ReasonMalformed},
		{name: "base64url", scheme: "sanity", headers: []string{"sanity-webhook-signature", "t=1700000000000,v1=" + base64.RawURLEncoding.EncodeToString(sum(sha256.New, "key", "1700000000000.{}"))}, body: "{}"},

		{name: "timestamp of the body", scheme: "linear", headers: []string{"Linear-Signature", hexSum("key", `{"webhookTimestamp":1700000000000}`), "Linear-Timestamp", "nonsense"}, body: `{"webhookTimestamp":1700000000000}`},
		{name: "stale body, fresh header", scheme: "linear", headers: []string{"Linear-Signature", hexSum("key", `{"webhookTimestamp":1600000000000}`), "Linear-Timestamp", "1700000000000"}, body: `{"webhookTimestamp":1600000000000}`, reason: ReasonTimestamp},
		{name: "only the header", scheme: "linear", headers: []string{"Linear-Signature", upper, "Linear-Timestamp", "1700000000000"}, body: "{}"},
		{name: "only a stale header", scheme: "linear", headers: []string{"Linear-Signature", upper, "Linear-Timestamp", "1600000000000"}, body: "{}", reason: ReasonTimestamp},
		{name: "no timestamp at all", scheme: "linear", headers: []string{"Linear-Signature", upper}, body: "{}", reason: ReasonMissing},
		{name: "unreadable timestamp in the body", scheme: "linear", headers: []string{"Linear-Signature", hexSum("key", `{"webhookTimestamp":"soon"}`)}, body: `{"webhookTimestamp":"soon"}`, reason: ReasonMalformed},
		{name: "wrong signature goes before the body's stale timestamp", scheme: "linear", headers: []string{"Linear-Signature", upper}, body: `{"webhookTimestamp":1600000000000}`, reason: ReasonMismatch},

		{name: "t in milliseconds", scheme: "livepeer", headers: []string{"Livepeer-Signature", "t=1700000000123,v1=" + hexSum("key", `{"timestamp":1700000000123}`)}, body: `{"timestamp":1700000000123}`},
		{name: "t made fresh", scheme: "livepeer", headers: []string{"Livepeer-Signature", "t=1700000000,v1=" + hexSum("key", `{"timestamp":1600000000000}`)}, body: `{"timestamp":1600000000000}`, reason: ReasonMismatch},
		{name: "both stale", scheme: "livepeer", headers: []string{"Livepeer-Signature", "t=1600000000,v1=" + hexSum("key", `{"timestamp":1600000000000}`)}, body: `{"timestamp":1600000000000}`, reason: ReasonTimestamp},
		{name: "no t", scheme: "livepeer", headers: []string{"Livepeer-Signature", "v1=" + upper}, body: "{}", reason: ReasonMalformed},

		{name: "RFC 3339 with a zone", scheme: "zendesk", headers: []string{"X-Zendesk-Webhook-Signature", b64Sum("key", "2023-11-14T23:13:20+01:00{}"), "X-Zendesk-Webhook-Signature-Timestamp", "2023-11-14T23:13:20+01:00"}, body: "{}"},
		{name: "RFC 3339 with a one-digit hour", scheme: "zendesk", headers: []string{"X-Zendesk-Webhook-Signature", b64Sum("key", "2023-11-14T9:13:20.0Z{}"), "X-Zendesk-Webhook-Signature-Timestamp", "2023-11-14T9:13:20.0Z"}, body: "{}", reason: ReasonMalformed},
		{name: "RFC 3339 without a zone", scheme: "zendesk", headers: []string{"X-Zendesk-Webhook-Signature", b64Sum("key", "2023-11-14T22:13:20{}"), "X-Zendesk-Webhook-Signature-Timestamp", "2023-11-14T22:13:20"}, body: "{}", reason: ReasonMalformed},

		{name: "version header of another version", scheme: "hubspot-v2", url: "https://a.example/", headers: []string{"X-HubSpot-Signature", upper, "X-HubSpot-Signature-Version", "v1"}, body: "{}", reason: ReasonMalformed},
		{name: "version header missing", scheme: "hubspot-v2", url: "https://a.example/", headers: []string{"X-HubSpot-Signature", upper}, body: "{}", reason: ReasonMissing},
		{name: "encoded URL signed decoded", scheme: "hubspot-v3", method: "POST", url: "https://a.example/h?q=a%3Ab%2Fc%40d%20e", headers: []string{"X-HubSpot-Request-Timestamp", "1700000000000", "X-HubSpot-Signature-v3", b64Sum("key", "POSThttps://a.example/h?q=a:b/c@d%20e{}1700000000000")}, body: "{}"},
		{name: "encoded URL signed as it is", scheme: "hubspot-v3", method: "POST", url: "https://a.example/h?q=a%3Ab", headers: []string{"X-HubSpot-Request-Timestamp", "1700000000000", "X-HubSpot-Signature-v3", b64Sum("key", "POSThttps://a.example/h?q=a%3Ab{}1700000000000")}, body: "{}"},
		{name: "the common seven only", scheme: "hubspot-v3", method: "POST", url: "https://a.example/h?q=a%3Ab%21", headers: []string{"X-HubSpot-Request-Timestamp", "1700000000000", "X-HubSpot-Signature-v3", b64Sum("key", "POSThttps://a.example/h?q=a:b%21{}1700000000000")}, body: "{}"},
		{name: "the further five", scheme: "hubspot-v3", method: "POST", url: "https://a.example/h?q=a%3ab%21%28", headers: []string{"X-HubSpot-Request-Timestamp", "1700000000000", "X-HubSpot-Signature-v3", b64Sum("key", "POSThttps://a.example/h?q=a:b!({}1700000000000")}, body: "{}"},

		{name: "token", scheme: "gitlab", headers: []string{"X-Gitlab-Token", "key"}},
		{name: "token with a space", scheme: "gitlab", headers: []string{"X-Gitlab-Token", "key "}, reason: ReasonMismatch},
		{name: "beginning of the token", scheme: "gitlab", headers: []string{"X-Gitlab-Token", "ke"}, reason: ReasonMismatch},
	}
	for _, r := range rules {
		t.Run(r.scheme+" "+r.name, r.run)
	}
}

func TestSecretForms(t *testing.T) {
	t.Parallel()
	body := "{}"
	for name, c := range map[string]struct{ scheme, encoding, secret, key, why string }{
		"text":                     {"github", "", "s3cret", "s3cret", ""},
		"base64":                   {"github", "base64", "AP8=", "\x00\xff", ""},
		"base64 unpadded":          {"github", "base64", "AP8", "\x00\xff", ""},
		"base64 overpadded":        {"github", "base64", "AP8==", "", "padding"},
		"base64 of nothing":        {"github", "base64", "==", "", "padding"},
		"not base64":               {"github", "base64", "!!", "", "not base64"},
		"hex":                      {"github", "hex", "00FF", "\x00\xff", ""},
		"odd hex":                  {"github", "hex", "00F", "", "not hexadecimal"},
		"whsec where it is base64": {"github", "whsec", "whsec_AP8=", "\x00\xff", ""},
		"auto, whsec":              {"github", "auto", "whsec_AP8=", "\x00\xff", ""},
		"auto, text":               {"github", "auto", "AP8=", "AP8=", ""},
		"whsec of nothing":         {"github", "whsec", "whsec_", "", "empty key"},
		"whsec is text to stripe":  {"github", "", "whsec_AP8=", "whsec_AP8=", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := Config{Scheme: c.scheme, Secrets: []string{c.secret}}
			if c.encoding != "" {
				config.Options = map[string]string{"secret_encoding": c.encoding}
			}
			v, err := New(config)
			if c.why != "" {
				require.ErrorIs(t, err, ErrSecret)
				require.ErrorContains(t, err, c.why)
				return
			}
			require.NoError(t, err)
			_, err = v.Verify(&Request{Header: http.Header{"X-Hub-Signature-256": {"sha256=" + hexSum(c.key, body)}}, Body: []byte(body)}, noon)
			require.NoError(t, err)
		})
	}
}

func TestKeysThatCantBeConfigured(t *testing.T) {
	t.Parallel()
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	for name, c := range map[string]struct{ scheme, secret string }{
		"discord, not hex":              {"discord", "zz"},
		"discord, short":                {"discord", strings.Repeat("ab", 31)},
		"discord, long":                 {"discord", strings.Repeat("ab", 33)},
		"discord, all zero":             {"discord", strings.Repeat("00", 32)},
		"discord, one":                  {"discord", "01" + strings.Repeat("00", 31)},
		"discord, order eight, sign":    {"discord", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85"},
		"standard, empty":               {"standard", "whsec_"},
		"standard, not base64":          {"standard", "whsec_!!"},
		"standard, public key short":    {"standard", "whpk_AAAA"},
		"standard, public key zero":     {"standard", "whpk_" + base64.StdEncoding.EncodeToString(make([]byte, 32))},
		"standard, private key half":    {"standard", "whsk_" + base64.StdEncoding.EncodeToString(make([]byte, 32))},
		"standard, private key of two":  {"standard", "whsk_" + base64.StdEncoding.EncodeToString(append(make([]byte, 32), []byte(strings.Repeat("a", 32))...))},
		"v1a with a symmetric secret":   {"standard-v1a", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
		"sendgrid, text":                {"sendgrid", "text"},
		"sendgrid, not a key":           {"sendgrid", "AAAA"},
		"sendgrid, P-384":               {"sendgrid", spki(t, p384)},
		"adyen, text":                   {"adyen-platform", "no digits"},
		"videocloud, undecodable whsec": {"videocloud", "whsec_!!"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := New(Config{Scheme: c.scheme, Secrets: []string{c.secret}})
			require.ErrorIs(t, err, ErrSecret)
			require.NotContains(t, err.Error(), c.secret)
		})
	}
}

func TestStaleSignaturesOfBothKinds(t *testing.T) {
	t.Parallel()
	v, err := New(Config{Scheme: "slack", Secrets: []string{"key"}, Tolerance: time.Minute})
	require.NoError(t, err)
	r := &Request{Body: []byte("{}")}
	r.Header, err = v.Sign(r, "", noon)
	require.NoError(t, err)
	_, err = v.Verify(r, noon.Add(time.Minute+time.Second))
	require.ErrorIs(t, err, errStale)
	_, err = v.Verify(r, noon.Add(-time.Minute-time.Second))
	require.ErrorIs(t, err, errPremature)
}

// TestSecretsWithTheVersionOfTheirSignatures: some providers show a secret of Standard Webhooks as v1,whsec_….
func TestSecretsWithTheVersionOfTheirSignatures(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"standard", "svix", "videocloud"} {
		const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
		plain, err := New(Config{Scheme: scheme, Secrets: []string{secret}})
		require.NoError(t, err, scheme)
		shown, err := New(Config{Scheme: scheme, Secrets: []string{"v1," + secret}})
		require.NoError(t, err, scheme)
		now := time.Now()
		r := &Request{Method: "POST", Header: http.Header{}, Body: []byte("{}")}
		h, err := plain.Sign(r, "evt_1", now)
		require.NoError(t, err)
		if scheme == "videocloud" {
			continue // the guide's own header is by the text as given
		}
		_, err = shown.Verify(&Request{Method: "POST", Header: h, Body: r.Body}, now)
		require.NoError(t, err, scheme)
	}
}
