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

// The set-up requests that the gateway answers. An echoed text is bounded and printable; a text that is signed for an unknown sender has a
// form that no event has.
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
		return emptyAnswer(http.StatusOK)
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
			return emptyAnswer(http.StatusBadGateway) // Amazon asks again
		}
		return emptyAnswer(http.StatusOK)
	}}

	// handshakeEcho is that of Dropbox and Nylas.
	handshakeEcho = handshake{words: "GET with `challenge`: echoes it", method: http.MethodGet, unsigned: func(_ *Verifier, q *setupRequest) (*Answer, bool) {
		return echo(q.parameter("challenge"))
	}}

	handshakeMeta = handshake{
		words:  "GET with `hub.challenge`: echoes it if `hub.verify_token` is the option `challenge`",
		method: http.MethodGet, needsToken: true, unsigned: answerMeta,
	}

	handshakeCRC = handshake{words: "GET with `crc_token`: signs it", method: http.MethodGet, unsigned: answerCRC}

	handshakeSmartcar = handshake{words: "`verify`: signs the challenge", method: http.MethodPost, inBody: true, unsigned: answerSmartcar, signed: answerSmartcar}

	handshakeMonday = handshake{words: "POST with `challenge`: echoes it", method: http.MethodPost, inBody: true, unsigned: answerMonday, signed: answerMonday}

	handshakeBraintree = handshake{words: "GET with `bt_challenge`: signs it", method: http.MethodGet, unsigned: answerBraintree}

	handshakeEBay = handshake{words: "GET with `challenge_code`: hashes it with the token and `endpoint`", method: http.MethodGet, unsigned: answerEBay}

	handshakeLinkedIn = handshake{words: "GET with `challengeCode`: signs it", method: http.MethodGet, unsigned: answerLinkedIn}

	handshakeOura = handshake{
		words:  "GET with `challenge`: echoes it if `verification_token` is the option `challenge`",
		method: http.MethodGet, needsToken: true, unsigned: func(_ *Verifier, q *setupRequest) (*Answer, bool) {
			return q.withToken("verification_token", "challenge")
		},
	}

	handshakeStrava = handshake{
		words:  "GET with `hub.challenge`: echoes it if `hub.verify_token` is the option `challenge`",
		method: http.MethodGet, needsToken: true, unsigned: func(_ *Verifier, q *setupRequest) (*Answer, bool) {
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
		return emptyAnswer(http.StatusOK)
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

// answerZoom signs the token that Zoom sent, as a proof that we have the secret.
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

// answerDiscord answers the PING of interactions (type 1, without the member "event" that events of that type have) and the PING of webhook
// events (type 0).
func answerDiscord(_ *Verifier, q *setupRequest) (*Answer, bool) {
	kind, _ := rawField(q.Body, "/type")
	_, event := rawField(q.Body, "/event")
	switch {
	case string(kind) == "1" && !event:
		return answerJSON(map[string]int{"type": 1})
	case string(kind) == "0":
		return emptyAnswer(http.StatusNoContent)
	}
	return nil, false
}

// answerMeta echoes the challenge of a request that has the configured token. Without a configured token nothing is answered.
func answerMeta(_ *Verifier, q *setupRequest) (*Answer, bool) {
	if q.token == "" || q.parameter("hub.mode") != "subscribe" {
		return nil, false
	}
	if !hmac.Equal([]byte(q.parameter("hub.verify_token")), []byte(q.token)) {
		return emptyAnswer(http.StatusForbidden)
	}
	return echo(q.parameter("hub.challenge"))
}

// answerCRC signs the token that X sent, as a proof that we have the secret. X does not sign its request, so anyone may choose the text
// that is signed. No event can be forged with that, because an event does not consist of letters and digits alone.
func answerCRC(v *Verifier, q *setupRequest) (*Answer, bool) {
	text := q.parameter("crc_token")
	if !safeToSign(text) {
		return nil, false
	}
	g := v.scheme.(*generic)
	return answerJSON(map[string]string{"response_token": g.prefix + string(g.enc.encode(nil, g.keys[0].mac.sign([]byte(text))))})
}

// answerMonday echoes the challenge in a body that is no event.
func answerMonday(_ *Verifier, q *setupRequest) (*Answer, bool) {
	_, event := rawField(q.Body, "/event")
	_, kind := rawField(q.Body, "/type")
	if len(q.Body) == 0 || len(q.Body) > MaxSetupBody || event || kind {
		return nil, false
	}
	return answerText("challenge", q.field("/challenge"))
}

// answerSmartcar signs the challenge in the body, which is at one of two places.
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

// answerLinkedIn signs a UUID and nothing else, because the same key signs events.
func answerLinkedIn(v *Verifier, q *setupRequest) (*Answer, bool) {
	code := q.parameter("challengeCode")
	if !uuidForm.MatchString(code) {
		return nil, false
	}
	return answerJSON(map[string]string{"challengeCode": code, "challengeResponse": v.signText(code)})
}

// answerEBay hashes the code, the verification token and the address of the gateway.
func answerEBay(v *Verifier, q *setupRequest) (*Answer, bool) {
	code, endpoint := q.parameter("challenge_code"), v.config.Options["endpoint"]
	if !safeToSign(code) || len(v.config.Secrets) == 0 || endpoint == "" {
		return nil, false
	}
	sum := sha256.Sum256([]byte(code + v.config.Secrets[0] + endpoint))
	return answerText("challengeResponse", hex.EncodeToString(sum[:]))
}

var braintreeForm = regexp.MustCompile(`^[a-f0-9]{20,32}$`)

// answerBraintree signs a text that consists of hexadecimal digits only.
func answerBraintree(v *Verifier, q *setupRequest) (*Answer, bool) {
	text := q.parameter("bt_challenge")
	if text == "" {
		return nil, false
	}
	if !braintreeForm.MatchString(text) {
		return emptyAnswer(http.StatusForbidden)
	}
	s := v.scheme.(*braintree)
	return echo(s.public + "|" + string(appendHex(nil, s.keys[0].mac.sign([]byte(text)))))
}

// answerWebSub confirms a subscription or its end, for the configured topic only, so that nobody can subscribe the gateway to other topics.
func answerWebSub(v *Verifier, q *setupRequest) (*Answer, bool) {
	if mode := q.parameter("hub.mode"); mode != "subscribe" && mode != "unsubscribe" {
		return nil, false
	}
	if topic := v.config.Options["topic"]; topic == "" || q.parameter("hub.topic") != topic {
		return emptyAnswer(http.StatusNotFound)
	}
	return echo(q.parameter("hub.challenge"))
}

// withToken echoes the parameter echoed if the parameter tokenName has the configured token, and refuses another token.
func (q *setupRequest) withToken(tokenName, echoed string) (*Answer, bool) {
	given := q.parameter(tokenName)
	if q.token == "" || given == "" {
		return nil, false
	}
	if !hmac.Equal([]byte(given), []byte(q.token)) {
		return emptyAnswer(http.StatusForbidden)
	}
	return answerText(echoed, q.parameter(echoed))
}
