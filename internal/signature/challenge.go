package signature

import (
	"bytes"
	"crypto/hmac"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// Answer is the gateway's own answer to a provider's set-up request.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// handshake is the set-up request of a provider that the gateway answers itself.
type handshake uint8

const (
	handshakeNone    handshake = iota
	handshakeZoom              // signed
	handshakeSlack             // signed
	handshakeTwitch            // signed
	handshakeDiscord           // signed
	handshakeXero              // signed
	handshakeDropbox           // unsigned
	handshakeMeta              // unsigned, with a token
	handshakeCRC               // unsigned

	handshakeTebex       // signed
	handshakeFront       // signed
	handshakeSmartcar    // signed or not
	handshakeSNS         // signed
	handshakeBraintree   // unsigned
	handshakeEBay        // unsigned
	handshakeNylas       // unsigned
	handshakeLinkedIn    // unsigned
	handshakeOura        // unsigned, with a token
	handshakeStrava      // unsigned, with a token
	handshakeOkta        // unsigned
	handshakeHead        // unsigned
	handshakeGraph       // unsigned
	handshakeRingCentral // unsigned
	handshakeMonday      // unsigned, in the body
	handshakeWebSub      // unsigned
)

// maxQuery bounds the query of a set-up request.
const maxQuery = 4 << 10

// maxEcho bounds what an answer repeats of a request, or signs.
const maxEcho = 256

// AsksForToken reports whether a set-up request of the provider shows a token, without which it is not answered.
func (v *Verifier) AsksForToken() bool { return v.row.handshake.asksForToken() }

func (h handshake) asksForToken() bool {
	return h == handshakeMeta || h == handshakeOura || h == handshakeStrava
}

// UnsignedChallenge answers the set-up requests that providers don't sign, by whichever method they ask. Ask it before [Verifier.Verify] and before methods are judged. It is false for everything else.
// token is what the operator configured as challenge; without one Meta's request is not answered.
//
// What is echoed came from a stranger: it is bounded, printable and sent as text/plain that browsers may not sniff.
func (v *Verifier) UnsignedChallenge(r *Request, token string) (*Answer, bool) {
	if v.row.handshake == handshakeNone {
		return nil, false
	}
	_, raw, _ := strings.Cut(r.URL, "?")
	if len(raw) > maxQuery {
		return nil, false
	}
	query, err := url.ParseQuery(raw)
	if err != nil {
		return nil, false
	}
	if r.Method != http.MethodGet {
		return v.unsigned(r, query, token)
	}
	switch v.row.handshake {
	case handshakeDropbox:
		return echo(onlyValue(query, "challenge"))
	case handshakeMeta:
		if token == "" || onlyValue(query, "hub.mode") != "subscribe" {
			return nil, false
		}
		if !hmac.Equal([]byte(onlyValue(query, "hub.verify_token")), []byte(token)) {
			return &Answer{Status: http.StatusForbidden, Header: http.Header{}}, true
		}
		return echo(onlyValue(query, "hub.challenge"))
	case handshakeCRC:
		return v.crc(onlyValue(query, "crc_token"))
	}
	return v.unsigned(r, query, token)
}

// Challenge answers the set-up requests that providers sign. Call it after Verify let the request in; it is false for
// events. Discord and Xero also probe with wrong signatures and expect the 401 that those get anyway. token is unused
// today: a signature says more.
func (v *Verifier) Challenge(r *Request, token string) (*Answer, bool) {
	switch v.row.handshake {
	case handshakeZoom:
		if kind, _ := Field(r.Body, "/event"); kind == "endpoint.url_validation" {
			return v.zoom(r)
		}
	case handshakeSlack:
		if kind, _ := Field(r.Body, "/type"); kind == "url_verification" {
			text, _ := Field(r.Body, "/challenge")
			return echo(text)
		}
	case handshakeTwitch:
		if r.Header.Get("Twitch-Eventsub-Message-Type") == "webhook_callback_verification" {
			text, _ := Field(r.Body, "/challenge")
			return echo(text)
		}
	case handshakeDiscord:
		return discordPing(r)
	case handshakeXero:
		// "Intent to receive": no events, and a 200 that is really empty.
		if events, ok := rawField(r.Body, "/events"); ok && isEmptyArray(events) {
			return &Answer{Status: http.StatusOK, Header: http.Header{}}, true
		}
	}
	return v.signedFurther(r)
}

func isEmptyArray(raw []byte) bool {
	return len(raw) > 1 && raw[0] == '[' && len(bytes.TrimSpace(raw[1:len(raw)-1])) == 0
}

// onlyValue is the value of a parameter that is there once.
func onlyValue(query url.Values, name string) string {
	if values := query[name]; len(values) == 1 {
		return values[0]
	}
	return ""
}

func echo(text string) (*Answer, bool) {
	if !printable(text) || len(text) > maxEcho {
		return nil, false
	}
	return &Answer{http.StatusOK, http.Header{
		"Content-Type":           {"text/plain"},
		"X-Content-Type-Options": {"nosniff"},
	}, []byte(text)}, true
}

func answerJSON(value any) (*Answer, bool) {
	body, err := json.Marshal(value)
	if err != nil {
		return nil, false
	}
	return &Answer{http.StatusOK, http.Header{
		"Content-Type":           {"application/json"},
		"X-Content-Type-Options": {"nosniff"},
	}, body}, true
}

// zoom proves that we have the secret by signing the token that Zoom sent.
func (v *Verifier) zoom(r *Request) (*Answer, bool) {
	plain, _ := Field(r.Body, "/payload/plainToken")
	g, ok := v.scheme.(*generic)
	if !ok || !harmless(plain) {
		return nil, false
	}
	return answerJSON(struct {
		Plain     string `json:"plainToken"`
		Encrypted string `json:"encryptedToken"`
	}{plain, string(appendHex(nil, g.keys[0].sum(plain)))})
}

// crc proves the same to X, which does not sign its question: the answer is a signature of a text that anyone may
// choose. No event can be forged with it, because an event is not made of letters and digits.
func (v *Verifier) crc(text string) (*Answer, bool) {
	g, ok := v.scheme.(*generic)
	if !ok || !harmless(text) {
		return nil, false
	}
	return answerJSON(struct {
		Token string `json:"response_token"`
	}{g.prefix + string(g.enc.encode(nil, g.keys[0].sum(text)))})
}

// harmless reports whether a text may be signed for a stranger.
func harmless(text string) bool {
	for i := 0; i < len(text); i++ {
		c := text[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return text != "" && len(text) <= maxEcho
}

// sum is the key's MAC of a text.
func (k *key) sum(text string) []byte {
	s := k.mac.get()
	defer k.mac.put(s)
	s.writeString(text)
	return bytes.Clone(s.total())
}

// discordPing answers the PING of interactions (type 1, where events of that type carry an "event") and that of webhook
// events (type 0).
func discordPing(r *Request) (*Answer, bool) {
	kind, _ := rawField(r.Body, "/type")
	_, event := rawField(r.Body, "/event")
	switch {
	case string(kind) == "1" && !event:
		return answerJSON(struct {
			Type int `json:"type"`
		}{1})
	case string(kind) == "0":
		return &Answer{Status: http.StatusNoContent, Header: http.Header{}}, true
	}
	return nil, false
}
