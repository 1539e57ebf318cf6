package signature

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func sha1B64(message string) string {
	return base64.StdEncoding.EncodeToString(sum(sha1.New, "key", message))
}

func hashHex(text string) string {
	h := sha256.Sum256([]byte(text))
	return hex.EncodeToString(h[:])
}

// TestTwilio checks which URL and which fields are signed.
func TestTwilio(t *testing.T) {
	t.Parallel()
	const form = "application/x-www-form-urlencoded"
	u := "https://a.example/in"
	rules := []rule{
		{name: "form", url: u, headers: []string{"Content-Type", form, "X-Twilio-Signature", sha1B64(u + "A1B2")}, body: "B=2&A=1"},
		{name: "form with a charset", url: u, headers: []string{"Content-Type", form + "; charset=utf-8", "X-Twilio-Signature", sha1B64(u + "A1B2")}, body: "B=2&A=1"},
		{name: "names sorted by their bytes", url: u, headers: []string{"Content-Type", form, "X-Twilio-Signature", sha1B64(u + "B1a2")}, body: "a=2&B=1"},
		{name: "repeated values sorted and once", url: u, headers: []string{"Content-Type", form, "X-Twilio-Signature", sha1B64(u + "A1A2")}, body: "A=2&A=1&A=2"},
		{name: "empty body", url: u, headers: []string{"X-Twilio-Signature", sha1B64(u)}},
		{name: "GET with a query", url: u, method: "GET", target: "/in?A=1", headers: []string{"X-Twilio-Signature", sha1B64(u + "?A=1")}},
		{name: "with the standard port", url: u, headers: []string{"X-Twilio-Signature", sha1B64("https://a.example:443/in")}},
		{name: "with the standard port of HTTP", url: "http://a.example/in", headers: []string{"X-Twilio-Signature", sha1B64("http://a.example:80/in")}},
		{name: "without the configured port", url: "https://a.example:8443/in", headers: []string{"X-Twilio-Signature", sha1B64(u)}},
		{name: "with the configured port", url: "https://a.example:8443/in", headers: []string{"X-Twilio-Signature", sha1B64("https://a.example:8443/in")}},
		{name: "with another port", url: u, headers: []string{"X-Twilio-Signature", sha1B64("https://a.example:8443/in")}, reason: ReasonMismatch},
		{name: "IPv6 host", url: "https://[2001:db8::1]/in", headers: []string{"X-Twilio-Signature", sha1B64("https://[2001:db8::1]:443/in")}},
		{name: "apostrophe escaped", url: u, target: "/in?Body=It's", headers: []string{"X-Twilio-Signature", sha1B64(u + "?Body=It%27s")}},
		{name: "apostrophe as it is", url: u, target: "/in?Body=It's", headers: []string{"X-Twilio-Signature", sha1B64(u + "?Body=It's")}},
		{name: "query encoded again", url: u, target: "/in?Body=It's+amazing&x=%C3%A9&y", headers: []string{"X-Twilio-Signature", sha1B64(u + "?Body=It's%20amazing&x=%C3%A9&y=")}},
		{name: "query encoded again, names together", url: u, target: "/in?a=1&b=2&a=3", headers: []string{"X-Twilio-Signature", sha1B64(u + "?a=1&a=3&b=2")}},
		{name: "query in another order", url: u, target: "/in?a=1&b=2", headers: []string{"X-Twilio-Signature", sha1B64(u + "?b=2&a=1")}, reason: ReasonMismatch},
		{name: "host in upper case", url: "https://A.example/In", headers: []string{"X-Twilio-Signature", sha1B64("https://a.example/In")}},
		{name: "no path", url: "https://a.example", headers: []string{"X-Twilio-Signature", sha1B64("https://a.example/")}},
		{name: "no path, with the port", url: "https://a.example", target: "/?a=1", headers: []string{"X-Twilio-Signature", sha1B64("https://a.example:443/?a=1")}},
		{name: "hash of the body", url: u, target: "/in?bodySHA256=" + hashHex("{}"), headers: []string{"Content-Type", "application/json", "X-Twilio-Signature", sha1B64(u + "?bodySHA256=" + hashHex("{}"))}, body: "{}"},
		{name: "hash of another body", url: u, target: "/in?bodySHA256=" + hashHex("[]"), headers: []string{"Content-Type", "application/json", "X-Twilio-Signature", sha1B64(u + "?bodySHA256=" + hashHex("[]"))}, body: "{}", reason: ReasonMismatch},
		{name: "two hashes", url: u, target: "/in?bodySHA256=" + hashHex("{}") + "&bodySHA256=x", headers: []string{"X-Twilio-Signature", sha1B64(u + "?bodySHA256=" + hashHex("{}") + "&bodySHA256=x")}, body: "{}", reason: ReasonMismatch},
		{name: "empty hash", url: u, target: "/in?bodySHA256=", headers: []string{"X-Twilio-Signature", sha1B64(u + "?bodySHA256=")}, body: "{}", reason: ReasonMismatch},
		{name: "JSON that nothing signs", url: u, headers: []string{"Content-Type", "application/json", "X-Twilio-Signature", sha1B64(u)}, body: "{}", reason: ReasonMismatch},
		{name: "JSON that looks like a field", url: u, headers: []string{"Content-Type", "application/json", "X-Twilio-Signature", sha1B64(u + "{}")}, body: "{}", reason: ReasonMismatch},
		{name: "body without a type", url: u, headers: []string{"X-Twilio-Signature", sha1B64(u)}, body: "A=1", reason: ReasonMismatch},
		{name: "broken form", url: u, headers: []string{"Content-Type", form, "X-Twilio-Signature", sha1B64(u)}, body: "A=%zz", reason: ReasonMalformed},
		{name: "form of very many fields", url: u, headers: []string{"Content-Type", form, "X-Twilio-Signature", sha1B64(u)}, body: strings.Repeat("a&", 2000), reason: ReasonMalformed},
	}
	for _, r := range rules {
		r.scheme = "twilio"
		t.Run(r.name, r.run)
	}
}

// TestTwilioContentIsCanonical makes sure that a captured form is the same content however it is written down again.
func TestTwilioContentIsCanonical(t *testing.T) {
	t.Parallel()
	v, err := New(Config{Scheme: "twilio", Secrets: []string{"key"}, URL: "https://a.example/in"})
	require.NoError(t, err)
	h := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "X-Twilio-Signature": {sha1B64("https://a.example/inA1B2")}}
	var contents []string
	for _, body := range []string{"A=1&B=2", "B=2&A=1", "%41=1&B=2", "A=1&A=1&B=2", "A1=B2"} {
		res, err := v.Verify(&Request{Method: "POST", Header: h, Body: []byte(body)}, noon)
		require.NoError(t, err, body)
		contents = append(contents, string(res.Content))
	}
	for _, content := range contents {
		require.Equal(t, contents[0], content)
	}
}

func TestPublicURL(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ configured, target, want string }{
		"no request":                 {"https://a.example/in", "", "https://a.example/in"},
		"path of the configuration":  {"https://a.example/in", "/internal", "https://a.example/in"},
		"query of the request":       {"https://a.example/in", "/in?x=1", "https://a.example/in?x=1"},
		"query replaces":             {"https://a.example/in?y=2", "/in?x=1", "https://a.example/in?x=1"},
		"configured query":           {"https://a.example/in?y=2", "/in", "https://a.example/in?y=2"},
		"empty query":                {"https://a.example/in", "/in?", "https://a.example/in?"},
		"whole URL":                  {"https://a.example/in", "https://evil.example/x?x=1", "https://a.example/in?x=1"},
		"whole URL without a path":   {"https://a.example", "https://a.example", "https://a.example"},
		"origin takes the path":      {"https://a.example", "/in?x=1", "https://a.example/in?x=1"},
		"origin without a path":      {"https://a.example", "/", "https://a.example"},
		"root is a path":             {"https://a.example/", "/in", "https://a.example/"},
		"a query that has a URL":     {"https://a.example/in", "/in?u=http://b.example/?q", "https://a.example/in?u=http://b.example/?q"},
		"a path that looks like one": {"https://a.example/in", "/in/http://b.example/", "https://a.example/in"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, publicURL(c.configured, c.target))
		})
	}
}

func TestURLIsNeededAndChecked(t *testing.T) {
	t.Parallel()
	for _, u := range []string{"", "a.example/in", "/in", "ftp://a.example", "https://", "https://user@a.example/", "https://a.example/#x", "https://a b/"} {
		_, err := New(Config{Scheme: "square", Secrets: []string{"key"}, URL: u})
		require.ErrorIs(t, err, ErrOption, u)
		require.ErrorContains(t, err, "url: ")
	}
}

func TestBoxKeysAreBoundToTheirHeaders(t *testing.T) {
	t.Parallel()
	const stamp = "2023-11-14T22:13:20Z"
	fixed := []string{"box-signature-version", "1", "box-signature-algorithm", "HmacSHA256", "box-delivery-timestamp", stamp}
	primary, secondary := b64Sum("one", "{}"+stamp), b64Sum("two", "{}"+stamp)
	wrong := b64Sum("three", "{}"+stamp)
	rules := []rule{
		{name: "both", headers: []string{"box-signature-primary", primary, "box-signature-secondary", secondary}},
		{name: "only the primary right", headers: []string{"box-signature-primary", primary, "box-signature-secondary", wrong}},
		{name: "only the secondary right", headers: []string{"box-signature-primary", wrong, "box-signature-secondary", secondary}},
		{name: "only the secondary there", headers: []string{"box-signature-secondary", secondary}},
		{name: "only the primary there", headers: []string{"box-signature-primary", primary}},
		{name: "swapped", headers: []string{"box-signature-primary", secondary, "box-signature-secondary", primary}, reason: ReasonMismatch},
		{name: "none", reason: ReasonMissing},
		{name: "secondary without its key", secrets: []string{"one"}, headers: []string{"box-signature-secondary", secondary}, reason: ReasonMissing},
	}
	for _, r := range rules {
		r.scheme, r.body = "box", "{}"
		if r.secrets == nil {
			r.secrets = []string{"one", "two"}
		}
		r.headers = append(r.headers, fixed...)
		t.Run(r.name, r.run)
	}
	_, err := New(Config{Scheme: "box", Secrets: []string{"one", "two", "three"}})
	require.ErrorIs(t, err, ErrSecret)
}

func TestMailgun(t *testing.T) {
	t.Parallel()
	body := func(stamp, token, signature string) string {
		return fmt.Sprintf(`{"signature":{"timestamp":%q,"token":%q,"signature":%q},"event-data":{"event":"opened"}}`, stamp, token, signature)
	}
	right := hexSum("key", "1700000000"+"abc")
	rules := []rule{
		{name: "right", body: body("1700000000", "abc", right)},
		{name: "number", body: `{"signature":{"timestamp":1700000000,"token":"abc","signature":"` + right + `"}}`},
		{name: "stale", body: body("1600000000", "abc", hexSum("key", "1600000000abc")), reason: ReasonTimestamp},
		{name: "digit moved into the token", body: body("170000000", "0abc", right), reason: ReasonTimestamp},
		{name: "wrong goes before stale", body: body("1600000000", "abc", right), reason: ReasonMismatch},
		{name: "short", body: body("1700000000", "abc", right[:62]), reason: ReasonMalformed},
		{name: "no token", body: `{"signature":{"timestamp":"1700000000","signature":"` + right + `"}}`, reason: ReasonMissing},
		{name: "not JSON", body: `signature`, reason: ReasonMissing},
		{name: "empty", body: ``, reason: ReasonMissing},
	}
	for _, r := range rules {
		r.scheme = "mailgun"
		t.Run(r.name, r.run)
	}
	v, err := New(Config{Scheme: "mailgun", Secrets: []string{"key"}})
	require.NoError(t, err)
	res, err := v.Verify(&Request{Body: []byte(body("1700000000", "abc", right))}, noon)
	require.NoError(t, err)
	require.Equal(t, Result{ID: "abc", IDSigned: true, Event: "opened", Timestamp: "1700000000"}, res)
	_, err = v.Sign(&Request{}, "", noon)
	require.ErrorIs(t, err, ErrCannotSign)
}

func TestAdyenStandard(t *testing.T) {
	t.Parallel()
	key := strings.Repeat("ab", 32)
	raw, err := hex.DecodeString(key)
	require.NoError(t, err)
	sign := func(payload string) string {
		mac := hmac.New(sha256.New, raw)
		mac.Write([]byte(payload))
		return base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	item := func(reference, signature, more string) string {
		return `{"NotificationRequestItem":{"pspReference":"` + reference + `","merchantAccountCode":"M","amount":{"value":10,"currency":"EUR"},` +
			`"eventCode":"AUTHORISATION","success":"true"` + more + `,"additionalData":{"hmacSignature":"` + signature + `"}}}`
	}
	body := func(items ...string) string {
		return `{"live":"false","notificationItems":[` + strings.Join(items, ",") + `]}`
	}
	one, two := sign("1::M::10:EUR:AUTHORISATION:true"), sign("2::M::10:EUR:AUTHORISATION:true")
	rules := []rule{
		{name: "one item", body: body(item("1", one, ""))},
		{name: "two items", body: body(item("1", one, ""), item("2", two, ""))},
		{name: "second item wrong", body: body(item("1", one, ""), item("2", one, "")), reason: ReasonMismatch},
		{name: "field that isn't signed", body: body(item("1", one, `,"reason":"x"`))},
		{name: "changed field", body: body(item("3", one, "")), reason: ReasonMismatch},
		{name: "field twice", body: body(item("3", one, `,"pspReference":"1"`)), reason: ReasonMalformed},
		{name: "field twice in other case", body: body(item("1", one, `,"PSPREFERENCE":"3"`)), reason: ReasonMalformed},
		{name: "field twice in another script", body: body(item("3", one, `,"pſpReference":"1"`)), reason: ReasonMalformed},
		{name: "no signature", body: body(item("1", "", "")), reason: ReasonMissing},
		{name: "no items", body: body(), reason: ReasonMissing},
		{name: "not JSON", body: "x", reason: ReasonMalformed},
		{name: "very many items", body: body(strings.Split(strings.Repeat(item("1", one, "")+"\n", 101), "\n")[:101]...), reason: ReasonMissing},
	}
	for _, r := range rules {
		r.scheme, r.secrets = "adyen-standard", []string{key}
		t.Run(r.name, r.run)
	}
}

func TestLiveKit(t *testing.T) {
	t.Parallel()
	body := `{"event":"room_started","id":"EV_1"}`
	bodySum := sha256.Sum256([]byte(body))
	hash := base64.StdEncoding.EncodeToString(bodySum[:])
	jwt := func(header, key string, claims map[string]any) string {
		payload, err := json.Marshal(claims)
		require.NoError(t, err)
		signed := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString(payload)
		return signed + "." + base64.RawURLEncoding.EncodeToString(sum(sha256.New, key, signed))
	}
	hs := `{"alg":"HS256","typ":"JWT"}`
	claims := func(change map[string]any) map[string]any {
		c := map[string]any{"iss": "me", "nbf": noon.Unix(), "exp": noon.Unix() + 300, "sha256": hash}
		for name, value := range change {
			c[name] = value
		}
		return c
	}
	right := jwt(hs, "key", claims(nil))
	unsigned := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + strings.TrimSuffix(right[strings.Index(right, "."):], right[strings.LastIndex(right, ".")+1:])
	rules := []rule{
		{name: "right", headers: []string{"Authorization", right}},
		{name: "no api_key configured", options: map[string]string{}, headers: []string{"Authorization", jwt(hs, "key", claims(map[string]any{"iss": "other"}))}},
		{name: "hash in the URL alphabet", headers: []string{"Authorization", jwt(hs, "key", claims(map[string]any{"sha256": base64.URLEncoding.EncodeToString(bodySum[:])}))}},
		{name: "Bearer", headers: []string{"Authorization", "Bearer " + right}, reason: ReasonMalformed},
		{name: "algorithm none", headers: []string{"Authorization", unsigned}, reason: ReasonMalformed},
		{name: "another algorithm", headers: []string{"Authorization", jwt(`{"alg":"HS512"}`, "key", claims(nil))}, reason: ReasonMalformed},
		{name: "algorithm twice", headers: []string{"Authorization", jwt(`{"alg":"none","alg":"HS256"}`, "key", claims(nil))}, reason: ReasonMalformed},
		{name: "another key", headers: []string{"Authorization", jwt(hs, "other", claims(nil))}, reason: ReasonMismatch},
		{name: "another issuer", headers: []string{"Authorization", jwt(hs, "key", claims(map[string]any{"iss": "other"}))}, reason: ReasonMismatch},
		{name: "no hash", headers: []string{"Authorization", jwt(hs, "key", claims(map[string]any{"sha256": ""}))}, reason: ReasonMismatch},
		{name: "expired", headers: []string{"Authorization", jwt(hs, "key", claims(map[string]any{"exp": noon.Unix()}))}, reason: ReasonTimestamp},
		{name: "not yet", headers: []string{"Authorization", jwt(hs, "key", claims(map[string]any{"nbf": noon.Unix() + 1}))}, reason: ReasonTimestamp},
		{name: "never expires", headers: []string{"Authorization", jwt(hs, "key", claims(map[string]any{"exp": nil}))}, reason: ReasonMalformed},
		{name: "an end before 1970", headers: []string{"Authorization", jwt(hs, "key", claims(map[string]any{"exp": -1}))}, reason: ReasonTimestamp},
		{name: "an end with an exponent", headers: []string{"Authorization", jwt(hs, "key", claims(map[string]any{"exp": json.RawMessage("9999999999.5e-9")}))}, reason: ReasonTimestamp},
		{name: "an end with a fraction", headers: []string{"Authorization", jwt(hs, "key", claims(map[string]any{"exp": float64(noon.Unix()) + 1.5}))}},
		{name: "signature cut off", headers: []string{"Authorization", right[:strings.LastIndex(right, ".")+1]}, reason: ReasonMalformed},
		{name: "signature too short", headers: []string{"Authorization", right[:len(right)-4]}, reason: ReasonMalformed},
		{name: "two parts", headers: []string{"Authorization", right[:strings.LastIndex(right, ".")]}, reason: ReasonMalformed},
		{name: "four parts", headers: []string{"Authorization", right + ".x"}, reason: ReasonMalformed},
	}
	for _, claim := range []string{"nbf", "exp"} {
		for _, value := range []string{`"1800000300"`, `[1800000300]`, `true`, `{}`, `null`, `1e400`} {
			rules = append(rules, rule{name: claim + " " + value, headers: []string{"Authorization", jwt(hs, "key", claims(map[string]any{claim: json.RawMessage(value)}))}, reason: ReasonMalformed})
		}
	}
	for _, value := range []string{`1.8000003e10`, `18000003e3`, `1e30`, `9999999999999999`} {
		rules = append(rules, rule{name: "nbf " + value, headers: []string{"Authorization", jwt(hs, "key", claims(map[string]any{"nbf": json.RawMessage(value)}))}, reason: ReasonTimestamp})
	}
	for claim, values := range map[string][]string{"sha256": {`5`, `{}`, `["` + hash + `"]`}, "iss": {`5`, `["me"]`}} {
		for _, value := range values {
			rules = append(rules, rule{name: claim + " " + value, headers: []string{"Authorization", jwt(hs, "key", claims(map[string]any{claim: json.RawMessage(value)}))}, reason: ReasonMalformed})
		}
	}
	for _, r := range rules {
		r.scheme, r.body = "livekit", body
		if r.options == nil {
			r.options = map[string]string{"api_key": "me"}
		}
		t.Run(r.name, r.run)
	}
	_, err := New(Config{Scheme: "livekit", Secrets: []string{"key"}, Options: map[string]string{"api_key": ""}})
	require.ErrorIs(t, err, ErrOption)
}

// TestLiveKitTokensExpireWhateverTheTolerance says: the token carries its own lifetime.
func TestLiveKitTokensExpireWhateverTheTolerance(t *testing.T) {
	t.Parallel()
	v, err := New(Config{Scheme: "livekit", Secrets: []string{"key"}, ToleranceOff: true})
	require.NoError(t, err)
	r := &Request{Body: []byte("{}")}
	r.Header, err = v.Sign(r, "", noon)
	require.NoError(t, err)
	require.NoError(t, v.Check(r.Header, noon))
	requireReason(t, ReasonTimestamp, v.Check(r.Header, noon.Add(5*time.Minute)))
}

func TestPlivoSortsQueryAndFields(t *testing.T) {
	t.Parallel()
	const form = "application/x-www-form-urlencoded"
	u := "https://a.example/in"
	rules := []rule{
		{name: "POST without a query", url: u, method: "POST", headers: []string{"Content-Type", form, "X-Plivo-Signature-V3", b64Sum("key", u+"?A1B2.7"), "X-Plivo-Signature-V3-Nonce", "7"}, body: "B=2&A=1"},
		{name: "POST with a query", url: u, method: "POST", target: "/in?d=4&c=3", headers: []string{"Content-Type", form, "X-Plivo-Signature-V3", b64Sum("key", u+"?c=3&d=4.A1.7"), "X-Plivo-Signature-V3-Nonce", "7"}, body: "A=1"},
		{name: "POST with nothing", url: u, method: "POST", headers: []string{"X-Plivo-Signature-V3", b64Sum("key", u+".7"), "X-Plivo-Signature-V3-Nonce", "7"}},
		{name: "GET", url: u, method: "GET", target: "/in?d=4&c=3", headers: []string{"X-Plivo-Signature-V3", b64Sum("key", u+"?c=3&d=4.7"), "X-Plivo-Signature-V3-Nonce", "7"}},
		{name: "another nonce", url: u, method: "GET", headers: []string{"X-Plivo-Signature-V3", b64Sum("key", u+".7"), "X-Plivo-Signature-V3-Nonce", "8"}, reason: ReasonMismatch},
		{name: "no nonce", url: u, method: "GET", headers: []string{"X-Plivo-Signature-V3", b64Sum("key", u+".")}, reason: ReasonMissing},
		{name: "JSON", url: u, method: "POST", headers: []string{"Content-Type", "application/json", "X-Plivo-Signature-V3", b64Sum("key", u+".7"), "X-Plivo-Signature-V3-Nonce", "7"}, body: "{}", reason: ReasonMismatch},
	}
	for _, r := range rules {
		r.scheme = "plivo-v3"
		t.Run(r.name, r.run)
	}
}
