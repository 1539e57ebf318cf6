package signature

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// The set-up requests of further providers. What is echoed is bounded and printable; what is signed for a stranger has a form that no
// event has.

// unsigned answers those that nobody signs, with any method but those of [Verifier.UnsignedChallenge] itself.
func (v *Verifier) unsigned(r *Request, query url.Values, token string) (*Answer, bool) {
	get, post := r.Method == http.MethodGet, r.Method == http.MethodPost
	switch h := v.row.handshake; {
	case h == handshakeHead && r.Method == http.MethodHead:
		return &Answer{Status: http.StatusOK, Header: http.Header{}}, true
	case h == handshakeOkta && get:
		return answerText("verification", optional(r.Header, "X-Okta-Verification-Challenge"))
	case h == handshakeNylas && get:
		return echo(onlyValue(query, "challenge"))
	case h == handshakeLinkedIn && get:
		return v.linkedIn(onlyValue(query, "challengeCode"))
	case h == handshakeOura && get:
		return withToken(onlyValue(query, "verification_token"), token, "challenge", onlyValue(query, "challenge"))
	case h == handshakeStrava && get && onlyValue(query, "hub.mode") == "subscribe":
		return withToken(onlyValue(query, "hub.verify_token"), token, "hub.challenge", onlyValue(query, "hub.challenge"))
	case h == handshakeEBay && get:
		return v.eBay(onlyValue(query, "challenge_code"))
	case h == handshakeBraintree && get:
		return v.braintree(onlyValue(query, "bt_challenge"))
	case h == handshakeWebSub && get:
		return v.webSub(query)
	case h == handshakeGraph && post && query.Has("validationToken"):
		return echo(onlyValue(query, "validationToken"))
	case h == handshakeRingCentral && post && len(r.Header["Verification-Token"]) == 0:
		text := optional(r.Header, "Validation-Token")
		if text == "" || len(text) > maxEcho {
			return nil, false
		}
		return &Answer{Status: http.StatusOK, Header: http.Header{"Validation-Token": {text}}}, true
	case (h == handshakeMonday || h == handshakeSmartcar) && post:
		return v.inBody(r)
	}
	return nil, false
}

// AsksInBody reports whether an unsigned set-up request of the provider has its question in the body: then
// [Verifier.UnsignedChallenge] wants the body of requests without a signature, up to [MaxQuestion].
func (v *Verifier) AsksInBody() bool {
	return v.row.handshake == handshakeMonday || v.row.handshake == handshakeSmartcar
}

// MaxQuestion bounds the body of such a request.
const MaxQuestion = 4 << 10

// inBody answers the questions of monday.com, which is echoed, and Smartcar, which is signed.
func (v *Verifier) inBody(r *Request) (*Answer, bool) {
	if len(r.Body) == 0 || len(r.Body) > MaxQuestion {
		return nil, false
	}
	if v.row.handshake == handshakeMonday {
		text, _ := Field(r.Body, "/challenge")
		if _, event := rawField(r.Body, "/event"); event {
			return nil, false
		}
		if _, other := rawField(r.Body, "/type"); other {
			return nil, false
		}
		return answerText("challenge", text)
	}
	for _, name := range []string{"/eventName", "/eventType"} {
		if kind, _ := Field(r.Body, name); strings.EqualFold(kind, "verify") {
			for _, place := range []string{"/payload/challenge", "/data/challenge"} {
				if text, _ := Field(r.Body, place); harmless(text) {
					return v.signedText("challenge", text)
				}
			}
		}
	}
	return nil, false
}

// signedText proves that we have the secret by signing a text, whose form has been looked at.
func (v *Verifier) signedText(name, text string) (*Answer, bool) {
	g, ok := v.scheme.(*generic)
	if !ok {
		return nil, false
	}
	return answerJSON(map[string]string{name: string(appendHex(nil, g.keys[0].sum(text)))})
}

var uuidForm = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// linkedIn signs a UUID and nothing else: events are signed with the same key.
func (v *Verifier) linkedIn(code string) (*Answer, bool) {
	g, ok := v.scheme.(*generic)
	if !ok || !uuidForm.MatchString(code) {
		return nil, false
	}
	return answerJSON(map[string]string{"challengeCode": code, "challengeResponse": string(appendHex(nil, g.keys[0].sum(code)))})
}

// eBay hashes its code with the verification token and our address.
func (v *Verifier) eBay(code string) (*Answer, bool) {
	endpoint := v.config.Options["endpoint"]
	if !harmless(code) || len(v.config.Secrets) == 0 || endpoint == "" {
		return nil, false
	}
	sum := sha256.Sum256([]byte(code + v.config.Secrets[0] + endpoint))
	return answerText("challengeResponse", hex.EncodeToString(sum[:]))
}

var braintreeForm = regexp.MustCompile(`^[a-f0-9]{20,32}$`)

func (v *Verifier) braintree(text string) (*Answer, bool) {
	s, ok := v.scheme.(*braintree)
	if !ok || text == "" {
		return nil, false
	}
	if !braintreeForm.MatchString(text) {
		return &Answer{Status: http.StatusForbidden, Header: http.Header{}}, true
	}
	m := s.keys[0].get()
	defer s.keys[0].put(m)
	m.writeString(text)
	return echo(s.public + "|" + string(appendHex(nil, m.total())))
}

// webSub confirms a subscription, or its end, for the configured topic only: nobody else may subscribe us to anything.
func (v *Verifier) webSub(query url.Values) (*Answer, bool) {
	mode, topic := onlyValue(query, "hub.mode"), onlyValue(query, "hub.topic")
	if mode != "subscribe" && mode != "unsubscribe" {
		return nil, false
	}
	if want := v.config.Options["topic"]; want == "" || topic != want {
		return &Answer{Status: http.StatusNotFound, Header: http.Header{}}, true
	}
	return echo(onlyValue(query, "hub.challenge"))
}

// withToken answers a request that shows the configured token, and refuses another.
func withToken(given, want, name, text string) (*Answer, bool) {
	if want == "" || given == "" {
		return nil, false
	}
	if !hmac.Equal([]byte(given), []byte(want)) {
		return &Answer{Status: http.StatusForbidden, Header: http.Header{}}, true
	}
	return answerText(name, text)
}

// answerText echoes a text in a JSON object.
func answerText(name, text string) (*Answer, bool) {
	if !printable(text) || len(text) > maxEcho {
		return nil, false
	}
	return answerJSON(map[string]string{name: text})
}

// signedFurther answers those that are signed as events are.
func (v *Verifier) signedFurther(r *Request) (*Answer, bool) {
	switch v.row.handshake {
	case handshakeTebex:
		if kind, _ := Field(r.Body, "/type"); kind == "validation.webhook" {
			id, _ := Field(r.Body, "/id")
			return answerText("id", id)
		}
	case handshakeFront:
		if text := optional(r.Header, "X-Front-Challenge"); text != "" {
			return echo(text)
		}
	case handshakeMonday, handshakeSmartcar:
		return v.inBody(r)
	case handshakeSNS:
		if kind, _ := Field(r.Body, "/Type"); kind != snsSubscription {
			return nil, false
		}
		s := v.scheme.(*sns)
		if err := s.confirm(bytes.Clone(r.Body)); err != nil {
			return &Answer{Status: http.StatusBadGateway, Header: http.Header{}}, true // Amazon asks again
		}
		return &Answer{Status: http.StatusOK, Header: http.Header{}}, true
	}
	return nil, false
}
