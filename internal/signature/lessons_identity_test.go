package signature

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// keysOf are what a gateway knows a request by: a second request with one of them is a duplicate.
func keysOf(r *Request, res *Result) map[string]bool {
	keys := map[string]bool{}
	if res.ID != "" && !res.NoID {
		keys["id "+res.ID] = true
	}
	if decisive := res.IDSigned && res.ID != "" && !res.NoID && len(res.Content) == 0; decisive || res.NoDigest || (!res.BodySigned && len(res.Content) == 0) {
		return keys
	}
	if len(res.Content) > 0 {
		keys["digest "+string(res.Content)] = true
	} else {
		keys["digest "+res.URLSigned+" "+string(r.Body)] = true
	}
	return keys
}

func duplicate(first, second map[string]bool) bool {
	for key := range second {
		if first[key] {
			return true
		}
	}
	return false
}

func (c Config) keysOf(t *testing.T, r *Request) map[string]bool {
	t.Helper()
	v, err := New(c)
	require.NoError(t, err)
	res, err := v.Verify(r, noon)
	require.NoError(t, err)
	return keysOf(r, &res)
}

func headers(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

// TestLesson62_IdentityIsWhatWasMatched replays one captured request in the spellings that its signature allows. Each of
// them verifies, and each is the event that was there before.
func TestLesson62_IdentityIsWhatWasMatched(t *testing.T) {
	t.Parallel()
	const form = "application/x-www-form-urlencoded"
	base := "https://a.example/in"
	hash := hashHex(`{}`)
	square := b64Sum("key", base+"?a=b"+`{"x":{"event_id":"2"},"event_id":"1"}`)
	twilio := func(octets string) http.Header {
		return headers("Content-Type", form, "X-Twilio-Signature", sha1B64(octets), "I-Twilio-Idempotency-Token", "t1")
	}
	again := func(h http.Header, name, value string) http.Header {
		h = h.Clone()
		h.Set(name, value)
		return h
	}
	const stamp = "2023-11-14T22:13:20Z"
	twitch := `{"a":"` + stamp + `"}`
	twitchHeaders := headers("Twitch-Eventsub-Message-Id", "e1", "Twitch-Eventsub-Message-Timestamp", stamp,
		"Twitch-Eventsub-Message-Signature", "sha256="+hexSum("key", "e1"+stamp+twitch))
	for name, c := range map[string]struct {
		config  Config
		first   Request
		replays []Request
	}{
		"Twilio, an empty parameter": {
			Config{Scheme: "twilio", URL: base},
			Request{Method: "POST", URL: "/in?bodySHA256=" + hash, Header: twilio(base + "?bodySHA256=" + hash), Body: []byte(`{}`)},
			[]Request{
				{Method: "POST", URL: "/in?bodySHA256=" + hash + "&", Header: again(twilio(base+"?bodySHA256="+hash), "I-Twilio-Idempotency-Token", "t2"), Body: []byte(`{}`)},
				{Method: "POST", URL: "/in?&&bodySHA256=" + hash, Header: again(twilio(base+"?bodySHA256="+hash), "I-Twilio-Idempotency-Token", "t3"), Body: []byte(`{}`)},
				{Method: "POST", URL: "/in?body%53HA256=" + hash, Header: again(twilio(base+"?bodySHA256="+hash), "I-Twilio-Idempotency-Token", "t4"), Body: []byte(`{}`)},
			},
		},
		"Twilio, fields moved into the query": {
			Config{Scheme: "twilio", URL: base},
			Request{Method: "POST", URL: "/in?x=1", Header: twilio(base + "?x=1A1B2"), Body: []byte("A=1&B=2")},
			[]Request{
				{Method: "POST", URL: "/in?x=1A1B2", Header: again(twilio(base+"?x=1A1B2"), "I-Twilio-Idempotency-Token", "t2")},
				{Method: "POST", URL: "/in?x=1A1", Header: again(twilio(base+"?x=1A1B2"), "I-Twilio-Idempotency-Token", "t3"), Body: []byte("B=2")},
				{Method: "POST", URL: "/in?x=1", Header: again(twilio(base+"?x=1A1B2"), "I-Twilio-Idempotency-Token", "t4"), Body: []byte("A=1B2")},
			},
		},
		"Plivo, fields moved into each other": {
			Config{Scheme: "plivo-v3", URL: base},
			Request{Method: "POST", URL: "/in", Header: headers("Content-Type", form, "X-Plivo-Signature-V3", b64Sum("key", base+"?A1B2.n1"), "X-Plivo-Signature-V3-Nonce", "n1"), Body: []byte("A=1&B=2")},
			[]Request{
				{Method: "POST", URL: "/in", Header: headers("Content-Type", form, "X-Plivo-Signature-V3", b64Sum("key", base+"?A1B2.n1"), "X-Plivo-Signature-V3-Nonce", "n1"), Body: []byte("A=1B2")},
				{Method: "POST", URL: "/in?", Header: headers("Content-Type", form, "X-Plivo-Signature-V3", b64Sum("key", base+"?A1B2.n1"), "X-Plivo-Signature-V3-Nonce", "n1"), Body: []byte("B=2&A=1")},
			},
		},
		"Square, the border between URL and body": {
			Config{Scheme: "square", URL: base},
			Request{Method: "POST", URL: "/in?a=b", Header: headers("x-square-hmacsha256-signature", square), Body: []byte(`{"x":{"event_id":"2"},"event_id":"1"}`)},
			[]Request{
				{Method: "POST", URL: `/in?a=b{"x":`, Header: headers("x-square-hmacsha256-signature", square), Body: []byte(`{"event_id":"2"},"event_id":"1"}`)},
				{Method: "POST", URL: `/in?a=b{"x":{"event_id":"2"},"event_id":"1"}`, Header: headers("x-square-hmacsha256-signature", square)},
			},
		},
		"HubSpot, another spelling of the URL": {
			Config{Scheme: "hubspot-v3", URL: base},
			Request{Method: "POST", URL: "/in?u=https://x", Header: headers("X-HubSpot-Signature-v3", b64Sum("key", "POST"+base+"?u=https://x[]1700000000000"), "X-HubSpot-Request-Timestamp", "1700000000000"), Body: []byte("[]")},
			[]Request{
				{Method: "POST", URL: "/in?u=https%3A//x", Header: headers("X-HubSpot-Signature-v3", b64Sum("key", "POST"+base+"?u=https://x[]1700000000000"), "X-HubSpot-Request-Timestamp", "1700000000000"), Body: []byte("[]")},
				{Method: "POST", URL: "/in?u=https://x[", Header: headers("X-HubSpot-Signature-v3", b64Sum("key", "POST"+base+"?u=https://x[]1700000000000"), "X-HubSpot-Request-Timestamp", "1700000000000"), Body: []byte("]")},
			},
		},
		"MessageBird, another spelling of the query": {
			Config{Scheme: "messagebird", URL: base},
			Request{Method: "POST", URL: "/in?a=1&b=%41", Header: headers("MessageBird-Request-Timestamp", "1700000000", "MessageBird-Signature", b64Sum("key", "1700000000\na=1&b=A\n"+sha256Raw("{}"))), Body: []byte("{}")},
			[]Request{
				{Method: "POST", URL: "/in?b=A&a=1", Header: headers("MessageBird-Request-Timestamp", "1700000000", "MessageBird-Signature", b64Sum("key", "1700000000\na=1&b=A\n"+sha256Raw("{}"))), Body: []byte("{}")},
			},
		},
		"Twitch, the border between ID and body": {
			Config{Scheme: "twitch"},
			Request{Header: twitchHeaders, Body: []byte(twitch)},
			[]Request{
				{Header: again(twitchHeaders, "Twitch-Eventsub-Message-Id", "e1"+stamp+`{"a":"`), Body: []byte(`"}`)},
			},
		},
		"hmac, an ID beside the body": {
			Config{Scheme: "hmac", Options: map[string]string{"payload": "{id}{body}", "id_header": "Id"}},
			Request{Header: headers("X-Signature", hexSum("key", "a1{}"), "Id", "a1"), Body: []byte("{}")},
			[]Request{
				{Header: headers("X-Signature", hexSum("key", "a1{}"), "Id", "a"), Body: []byte("1{}")},
				{Header: headers("X-Signature", hexSum("key", "a1{}"), "Id", "a1{"), Body: []byte("}")},
			},
		},
		"hmac, a method, a URL and a body on one line": {
			Config{Scheme: "hmac", URL: base, Options: map[string]string{"payload": "{method}{url}{body}", "id_json": "/id"}},
			Request{Method: "POST", URL: "/in?", Header: headers("X-Signature", hexSum("key", "POST"+base+`?{"a":{"id":2}}`)), Body: []byte(`{"a":{"id":2}}`)},
			[]Request{
				{Method: "POST", URL: `/in?{"a":`, Header: headers("X-Signature", hexSum("key", "POST"+base+`?{"a":{"id":2}}`)), Body: []byte(`{"id":2}}`)},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.config.Secrets = []string{"key"}
			seen := c.config.keysOf(t, &c.first)
			require.NotEmpty(t, seen)
			for _, r := range c.replays {
				if r.Method == "" {
					r.Method = "POST"
				}
				// What moves into the ID header of Twitch is the replayer's choice, too: the octets tell.
				require.True(t, duplicate(seen, c.config.keysOf(t, &r)), "%s %s %s", r.URL, r.Header, r.Body)
			}
		})
	}
}

func sha256Raw(text string) string {
	sum := sha256.Sum256([]byte(text))
	return string(sum[:])
}

// TestLesson62_BordersThatCannotMove: where a timestamp touches its neighbour it has one length, and an ID in which another timestamp
// could begin is refused.
func TestLesson62_BordersThatCannotMove(t *testing.T) {
	t.Parallel()
	off := func(c Config) Config { c.ToleranceOff, c.Secrets = true, []string{"key"}; return c }
	for name, c := range map[string]struct {
		config Config
		header http.Header
		body   string
	}{
		"a digit of the body before a time of any length": {
			off(Config{Scheme: "cloudinary"}),
			headers("X-Cld-Timestamp", "1700000000", "X-Cld-Signature", sha1Hex("body11700000000key")), "body1",
		},
		"a digit from the time into the body": {
			off(Config{Scheme: "hmac", Options: map[string]string{"payload": "{t}{body}", "timestamp_header": "T"}}),
			headers("T", "170000000", "X-Signature", hexSum("key", "1700000000{}")), "0{}",
		},
		"an ID with a timestamp behind it": {
			off(Config{Scheme: "svix"}),
			headers("svix-id", "msg.1700000000", "svix-timestamp", "1700000001", "svix-signature", "v1,"+b64Sum("key", "msg.1700000000.1700000001.{}")), "{}",
		},
		"an ID with a timestamp and more": {
			off(Config{Scheme: "standard"}),
			headers("webhook-id", "msg.1700000000.x", "webhook-timestamp", "1700000001", "webhook-signature", "v1,"+b64Sum("key", "msg.1700000000.x.1700000001.{}")), "{}",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.config.Scheme == "svix" || c.config.Scheme == "standard" {
				c.config.Options = map[string]string{"secret_encoding": "utf8"}
			}
			v, err := New(c.config)
			require.NoError(t, err)
			_, err = v.Verify(&Request{Method: "POST", Header: c.header, Body: []byte(c.body)}, noon)
			requireReason(t, ReasonMalformed, err)
		})
	}
	// An ID may have dots of its own.
	v, err := New(Config{Scheme: "standard", Secrets: []string{"key"}, Options: map[string]string{"secret_encoding": "utf8"}})
	require.NoError(t, err)
	_, err = v.Verify(&Request{Header: headers("webhook-id", "msg.a.1", "webhook-timestamp", "1700000000", "webhook-signature", "v1,"+b64Sum("key", "msg.a.1.1700000000.{}")), Body: []byte("{}")}, noon)
	requireReason(t, ReasonMalformed, err) // 1 is a timestamp, of 1970
	_, err = v.Verify(&Request{Header: headers("webhook-id", "msg.a.b1", "webhook-timestamp", "1700000000", "webhook-signature", "v1,"+b64Sum("key", "msg.a.b1.1700000000.{}")), Body: []byte("{}")}, noon)
	require.NoError(t, err)
}

func sha1Hex(text string) string {
	sum := sha1.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

// TestLesson62_ItemsOfAListAreEventsOfTheirOwn: Adyen's list can be repeated, cut and sorted while each signature stays right.
func TestLesson62_ItemsOfAListAreEventsOfTheirOwn(t *testing.T) {
	t.Parallel()
	key := strings.Repeat("ab", 32)
	raw, err := hex.DecodeString(key)
	require.NoError(t, err)
	item := func(reference string) string {
		mac := hmac.New(sha256.New, raw)
		mac.Write([]byte(reference + "::M::10:EUR:AUTHORISATION:true"))
		return `{"NotificationRequestItem":{"pspReference":"` + reference + `","merchantAccountCode":"M","amount":{"value":10,"currency":"EUR"},` +
			`"eventCode":"AUTHORISATION","success":"true","additionalData":{"hmacSignature":"` + base64.StdEncoding.EncodeToString(mac.Sum(nil)) + `"}}}`
	}
	v, err := New(Config{Scheme: "adyen-standard", Secrets: []string{key}})
	require.NoError(t, err)
	of := func(items ...string) Result {
		res, err := v.Verify(&Request{Body: []byte(`{"notificationItems":[` + strings.Join(items, ",") + `]}`)}, noon)
		require.NoError(t, err)
		return res
	}
	one, both := of(item("1")), of(item("1"), item("2"))
	require.Equal(t, one.Content, of(item("1"), item("1")).Content)
	require.Equal(t, one.Items, of(item("1"), item("1"), item("1")).Items)
	require.Equal(t, both.Items, of(item("2"), item("1")).Items)
	require.Len(t, both.Items, 2)
	require.Contains(t, both.Items, one.Items[0])
}

// TestLesson69_IDsThatAreNotTheEvents: what a provider gives to several events does not make them one, and what is alike is not the same
// where nothing says so.
func TestLesson69_IDsThatAreNotTheEvents(t *testing.T) {
	t.Parallel()
	voice := func(token string) Request {
		return Request{Method: "POST", Header: headers("Content-Type", "application/x-www-form-urlencoded", "X-Twilio-Signature", sha1B64("https://a.example/inCallSidCA1"), "I-Twilio-Idempotency-Token", token), Body: []byte("CallSid=CA1")}
	}
	for name, c := range map[string]struct {
		config Config
		a, b   Request
		same   bool
	}{
		"GitHub: two apps share a GUID": {
			Config{Scheme: "github"},
			Request{Header: headers("X-GitHub-Delivery", "g"), Body: []byte(`{"installation":1}`)}, Request{Header: headers("X-GitHub-Delivery", "g"), Body: []byte(`{"installation":2}`)}, false,
		},
		"GitHub: delivered again": {
			Config{Scheme: "github"},
			Request{Header: headers("X-GitHub-Delivery", "g"), Body: []byte(`{"a":1}`)}, Request{Header: headers("X-GitHub-Delivery", "h"), Body: []byte(`{"a":1}`)}, true,
		},
		"WooCommerce: one ID a second": {
			Config{Scheme: "woocommerce"},
			Request{Header: headers("X-WC-Webhook-Delivery-ID", "g"), Body: []byte(`{"id":1}`)}, Request{Header: headers("X-WC-Webhook-Delivery-ID", "g"), Body: []byte(`{"id":2}`)}, false,
		},
		"GitLab: a recursion": {
			Config{Scheme: "gitlab"},
			Request{Header: headers("X-Gitlab-Event-UUID", "g"), Body: []byte(`{"id":1}`)}, Request{Header: headers("X-Gitlab-Event-UUID", "g"), Body: []byte(`{"id":2}`)}, false,
		},
		"GitLab: a retry": {
			Config{Scheme: "gitlab"},
			Request{Header: headers("Idempotency-Key", "g"), Body: []byte(`{"id":1}`)}, Request{Header: headers("Idempotency-Key", "g"), Body: []byte(`{"id":1}`)}, true,
		},
		"Dropbox: all alike": {Config{Scheme: "dropbox"}, Request{Body: []byte(`{}`)}, Request{Body: []byte(`{}`)}, false},
		"Bunny: all alike":   {Config{Scheme: "bunny-stream"}, Request{Body: []byte(`{}`)}, Request{Body: []byte(`{}`)}, false},
		"Zendesk: a body of its owner's": {
			Config{Scheme: "zendesk"},
			Request{Header: headers("X-Zendesk-Webhook-Invocation-Id", "1"), Body: []byte(`{}`)}, Request{Header: headers("X-Zendesk-Webhook-Invocation-Id", "2"), Body: []byte(`{}`)}, false,
		},
		"Sanity: a body of its owner's": {
			Config{Scheme: "sanity"},
			Request{Header: headers("idempotency-key", "1"), Body: []byte(`{}`)}, Request{Header: headers("idempotency-key", "2"), Body: []byte(`{}`)}, false,
		},
		"Sanity: a retry": {
			Config{Scheme: "sanity"},
			Request{Header: headers("idempotency-key", "1"), Body: []byte(`{}`)}, Request{Header: headers("idempotency-key", "1"), Body: []byte(`{}`)}, true,
		},
		"Twilio asks again":      {Config{Scheme: "twilio", URL: "https://a.example/in"}, voice("1"), voice("2"), false},
		"Twilio tries again":     {Config{Scheme: "twilio", URL: "https://a.example/in"}, voice("1"), voice("1"), true},
		"Twilio without a token": {Config{Scheme: "twilio", URL: "https://a.example/in"}, voice(""), voice(""), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.config.Secrets = []string{"key"}
			v, err := New(c.config)
			require.NoError(t, err)
			for _, r := range []*Request{&c.a, &c.b} {
				if r.Header == nil {
					r.Header = http.Header{}
				}
				if c.config.Scheme == "twilio" {
					continue
				}
				signed, err := v.Sign(r, "", noon)
				require.NoError(t, err)
				maps.Copy(r.Header, signed)
			}
			require.Equal(t, c.same, duplicate(c.config.keysOf(t, &c.a), c.config.keysOf(t, &c.b)))
		})
	}
}
