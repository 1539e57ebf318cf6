package signature

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"regexp"
	"strings"
)

// The set-up requests that the gateway answers. What is echoed is bounded and printable; what is signed for a stranger has a form that
// no event has.
var (
	handshakeZoom = handshake{words: "`endpoint.url_validation`: signs Zoom's token", signed: answerZoom}

	handshakeSlack = handshake{words: "`url_verification`: echoes the challenge", signed: func(_ *Verifier, q *setupRequest) (*Answer, bool) {
		if q.field("/type") != "url_verification" {
			return nil, false
		}
		return echo(q.field("/challenge"))
	}}

	handshakeTwitch = handshake{words: "`webhook_callback_verification`: echoes the challenge", signed: func(_ *Verifier, q *setupRequest) (*Answer, bool) {
		if q.Header.Get("Twitch-Eventsub-Message-Type") != "webhook_callback_verification" {
			return nil, false
		}
		return echo(q.field("/challenge"))
	}}

	handshakeDiscord = handshake{words: "PING: answers PONG, or 204 to that of webhook events", signed: answerDiscord}

	handshakeXero = handshake{words: "intent to receive: an empty 200", signed: func(_ *Verifier, q *setupRequest) (*Answer, bool) {
		// "Intent to receive": no events, and a 200 that is really empty.
		if events, ok := rawField(q.Body, "/events"); !ok || !isEmptyArray(events) {
			return nil, false
		}
		return empty(http.StatusOK)
	}}

	handshakeTebex = handshake{words: "`validation.webhook`: echoes its ID", signed: func(_ *Verifier, q *setupRequest) (*Answer, bool) {
		if q.field("/type") != "validation.webhook" {
			return nil, false
		}
		return answerText("id", q.field("/id"))
	}}

	handshakeFront = handshake{words: "`x-front-challenge`: echoes it", signed: func(_ *Verifier, q *setupRequest) (*Answer, bool) {
		return echo(optional(q.Header, "X-Front-Challenge"))
	}}

	handshakeSNS = handshake{words: "`SubscriptionConfirmation`: confirms it, at Amazon's address only", signed: func(v *Verifier, q *setupRequest) (*Answer, bool) {
		if q.field("/Type") != snsSubscription {
			return nil, false
		}
		if err := v.scheme.(*sns).confirm(bytes.Clone(q.Body)); err != nil {
			return empty(http.StatusBadGateway) // Amazon asks again
		}
		return empty(http.StatusOK)
	}}

	// handshakeEcho is Dropbox's and Nylas'.
	handshakeEcho = handshake{words: "GET with `challenge`: echoes it", method: http.MethodGet, unsigned: func(_ *Verifier, q *setupRequest) (*Answer, bool) {
		return echo(q.parameter("challenge"))
	}}

	handshakeMeta = handshake{
		words:  "GET with `hub.challenge`: echoes it if `hub.verify_token` is the option `challenge`",
		method: http.MethodGet, showsToken: true, unsigned: answerMeta,
	}

	handshakeCRC = handshake{words: "GET with `crc_token`: signs it", method: http.MethodGet, unsigned: answerCRC}

	handshakeSmartcar = handshake{words: "`verify`: signs the challenge", method: http.MethodPost, inBody: true, unsigned: answerSmartcar, signed: answerSmartcar}

	handshakeMonday = handshake{words: "POST with `challenge`: echoes it", method: http.MethodPost, inBody: true, unsigned: answerMonday, signed: answerMonday}

	handshakeBraintree = handshake{words: "GET with `bt_challenge`: signs it", method: http.MethodGet, unsigned: answerBraintree}

	handshakeEBay = handshake{words: "GET with `challenge_code`: hashes it with the token and `endpoint`", method: http.MethodGet, unsigned: answerEBay}

	handshakeLinkedIn = handshake{words: "GET with `challengeCode`: signs it", method: http.MethodGet, unsigned: answerLinkedIn}

	handshakeOura = handshake{
		words:  "GET with `challenge`: echoes it if `verification_token` is the option `challenge`",
		method: http.MethodGet, showsToken: true, unsigned: func(_ *Verifier, q *setupRequest) (*Answer, bool) {
			return q.withToken("verification_token", "challenge")
		},
	}

	handshakeStrava = handshake{
		words:  "GET with `hub.challenge`: echoes it if `hub.verify_token` is the option `challenge`",
		method: http.MethodGet, showsToken: true, unsigned: func(_ *Verifier, q *setupRequest) (*Answer, bool) {
			if q.parameter("hub.mode") != "subscribe" {
				return nil, false
			}
			return q.withToken("hub.verify_token", "hub.challenge")
		},
	}

	handshakeOkta = handshake{words: "GET with `x-okta-verification-challenge`: echoes it", method: http.MethodGet, unsigned: func(_ *Verifier, q *setupRequest) (*Answer, bool) {
		return answerText("verification", optional(q.Header, "X-Okta-Verification-Challenge"))
	}}

	handshakeHead = handshake{words: "HEAD: an empty 200", method: http.MethodHead, unsigned: func(*Verifier, *setupRequest) (*Answer, bool) {
		return empty(http.StatusOK)
	}}

	handshakeGraph = handshake{words: "POST with `validationToken`: echoes it", method: http.MethodPost, unsigned: func(_ *Verifier, q *setupRequest) (*Answer, bool) {
		return echo(q.parameter("validationToken"))
	}}

	handshakeRingCentral = handshake{words: "POST with `Validation-Token`: echoes it", method: http.MethodPost, unsigned: func(_ *Verifier, q *setupRequest) (*Answer, bool) {
		text := optional(q.Header, "Validation-Token")
		if text == "" || len(text) > maxEcho || len(q.Header["Verification-Token"]) > 0 {
			return nil, false
		}
		return &Answer{Status: http.StatusOK, Header: http.Header{"Validation-Token": {text}}}, true
	}}

	handshakeWebSub = handshake{words: "GET with `hub.challenge`: echoes it for the option `topic`", method: http.MethodGet, unsigned: answerWebSub}
)

// answerZoom proves that we have the secret by signing the token that Zoom sent.
func answerZoom(v *Verifier, q *setupRequest) (*Answer, bool) {
	plain := q.field("/payload/plainToken")
	if q.field("/event") != "endpoint.url_validation" || !safeToSign(plain) {
		return nil, false
	}
	return answerJSON(struct {
		Plain     string `json:"plainToken"`
		Encrypted string `json:"encryptedToken"`
	}{plain, v.signText(plain)})
}

// answerDiscord answers the PING of interactions (type 1, where events of that type carry an "event") and that of webhook
// events (type 0).
func answerDiscord(_ *Verifier, q *setupRequest) (*Answer, bool) {
	kind, _ := rawField(q.Body, "/type")
	_, event := rawField(q.Body, "/event")
	switch {
	case string(kind) == "1" && !event:
		return answerJSON(map[string]int{"type": 1})
	case string(kind) == "0":
		return empty(http.StatusNoContent)
	}
	return nil, false
}

// answerMeta echoes the challenge of who shows the configured token, which there has to be.
func answerMeta(_ *Verifier, q *setupRequest) (*Answer, bool) {
	if q.token == "" || q.parameter("hub.mode") != "subscribe" {
		return nil, false
	}
	if !hmac.Equal([]byte(q.parameter("hub.verify_token")), []byte(q.token)) {
		return empty(http.StatusForbidden)
	}
	return echo(q.parameter("hub.challenge"))
}

// answerCRC proves to X that we have the secret. X does not sign its question: the answer is a signature of a text that anyone may
// choose. No event can be forged with it, because an event is not made of letters and digits.
func answerCRC(v *Verifier, q *setupRequest) (*Answer, bool) {
	text := q.parameter("crc_token")
	if !safeToSign(text) {
		return nil, false
	}
	g := v.scheme.(*generic)
	return answerJSON(map[string]string{"response_token": g.prefix + string(g.enc.encode(nil, g.keys[0].mac.sign([]byte(text))))})
}

// answerMonday echoes a challenge that stands in the body and is no event.
func answerMonday(_ *Verifier, q *setupRequest) (*Answer, bool) {
	_, event := rawField(q.Body, "/event")
	_, kind := rawField(q.Body, "/type")
	if len(q.Body) == 0 || len(q.Body) > MaxSetupBody || event || kind {
		return nil, false
	}
	return answerText("challenge", q.field("/challenge"))
}

// answerSmartcar signs a challenge that stands in the body, in one of two places.
func answerSmartcar(v *Verifier, q *setupRequest) (*Answer, bool) {
	if len(q.Body) == 0 || len(q.Body) > MaxSetupBody {
		return nil, false
	}
	if !strings.EqualFold(q.field("/eventName"), "verify") && !strings.EqualFold(q.field("/eventType"), "verify") {
		return nil, false
	}
	for _, place := range []string{"/payload/challenge", "/data/challenge"} {
		if text := q.field(place); safeToSign(text) {
			return answerText("challenge", v.signText(text))
		}
	}
	return nil, false
}

var uuidForm = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// answerLinkedIn signs a UUID and nothing else: events are signed with the same key.
func answerLinkedIn(v *Verifier, q *setupRequest) (*Answer, bool) {
	code := q.parameter("challengeCode")
	if !uuidForm.MatchString(code) {
		return nil, false
	}
	return answerJSON(map[string]string{"challengeCode": code, "challengeResponse": v.signText(code)})
}

// answerEBay hashes the code with the verification token and our address.
func answerEBay(v *Verifier, q *setupRequest) (*Answer, bool) {
	code, endpoint := q.parameter("challenge_code"), v.config.Options["endpoint"]
	if !safeToSign(code) || len(v.config.Secrets) == 0 || endpoint == "" {
		return nil, false
	}
	sum := sha256.Sum256([]byte(code + v.config.Secrets[0] + endpoint))
	return answerText("challengeResponse", hex.EncodeToString(sum[:]))
}

var braintreeForm = regexp.MustCompile(`^[a-f0-9]{20,32}$`)

func answerBraintree(v *Verifier, q *setupRequest) (*Answer, bool) {
	text := q.parameter("bt_challenge")
	if text == "" {
		return nil, false
	}
	if !braintreeForm.MatchString(text) {
		return empty(http.StatusForbidden)
	}
	s := v.scheme.(*braintree)
	return echo(s.public + "|" + string(appendHex(nil, s.keys[0].mac.sign([]byte(text)))))
}

// answerWebSub confirms a subscription, or its end, for the configured topic only: nobody else may subscribe us to anything.
func answerWebSub(v *Verifier, q *setupRequest) (*Answer, bool) {
	if mode := q.parameter("hub.mode"); mode != "subscribe" && mode != "unsubscribe" {
		return nil, false
	}
	if topic := v.config.Options["topic"]; topic == "" || q.parameter("hub.topic") != topic {
		return empty(http.StatusNotFound)
	}
	return echo(q.parameter("hub.challenge"))
}

// withToken answers a request that shows the configured token, and refuses another.
func (q *setupRequest) withToken(shown, echoed string) (*Answer, bool) {
	given := q.parameter(shown)
	if q.token == "" || given == "" {
		return nil, false
	}
	if !hmac.Equal([]byte(given), []byte(q.token)) {
		return empty(http.StatusForbidden)
	}
	return answerText(echoed, q.parameter(echoed))
}
