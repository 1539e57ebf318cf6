package signature

import (
	"bytes"
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

// handshake describes the set-up request of a provider that the gateway answers itself. The table of them is in handshake.go.
type handshake struct {
	words      string // what is asked and how it is answered, for the documentation; empty: there is none
	needsToken bool   // the request must have the token that the operator configured
	inBody     bool   // the challenge is in the body, signed or not
	method     string // of unsigned set-up requests
	unsigned   answerFunc
	signed     answerFunc
}

// answerFunc answers a set-up request, and is false for everything else.
type answerFunc func(v *Verifier, q *setupRequest) (*Answer, bool)

// setupRequest is a request that may be a set-up request.
type setupRequest struct {
	*Request
	query url.Values // nil where the request is signed
	token string     // what the operator configured as challenge
}

// parameter returns the value of a parameter that the query has exactly once, otherwise the empty string.
func (q *setupRequest) parameter(name string) string {
	if values := q.query[name]; len(values) == 1 {
		return values[0]
	}
	return ""
}

// field returns the text at a JSON pointer of the body, empty where there is none.
func (q *setupRequest) field(pointer string) string {
	text, _ := Field(q.Body, pointer)
	return text
}

// maxQuery bounds the query of a set-up request, in bytes.
const maxQuery = 4 << 10

// maxEcho bounds the text of a request that an answer repeats or signs, in bytes.
const maxEcho = 256

// MaxSetupBody bounds the body of an unsigned set-up request: 4 KiB.
const MaxSetupBody = 4 << 10

// NeedsChallengeToken reports whether a set-up request of the provider has to contain the configured token to be answered.
func (v *Verifier) NeedsChallengeToken() bool { return v.row.handshake.needsToken }

// ChallengeInBody reports whether an unsigned set-up request of the provider has its challenge in the body. Then
// [Verifier.UnsignedChallenge] needs the body of requests without a signature, up to [MaxSetupBody].
func (v *Verifier) ChallengeInBody() bool { return v.row.handshake.inBody }

// UnsignedChallenge answers the set-up requests that providers don't sign, whatever their method. Call it before [Verifier.Verify] and
// before the method is checked. It returns false for every other request. token is what the operator configured as challenge; without
// one, set-up requests that need a token are not answered.
//
// The echoed text comes from an unknown sender. So it is bounded, printable, and sent with a type that browsers may not change by sniffing.
func (v *Verifier) UnsignedChallenge(r *Request, token string) (*Answer, bool) {
	h := &v.row.handshake
	if h.unsigned == nil || r.Method != h.method {
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
	return h.unsigned(v, &setupRequest{r, query, token})
}

// Challenge answers the set-up requests that providers sign. Call it after Verify accepted the request; it returns false for events.
// Discord and Xero also send wrong signatures, to see them refused with 401. No signed set-up request needs the token so far.
func (v *Verifier) Challenge(r *Request, token string) (*Answer, bool) {
	if v.row.handshake.signed == nil {
		return nil, false
	}
	return v.row.handshake.signed(v, &setupRequest{Request: r, token: token})
}

// emptyAnswer answers with a status and no body.
func emptyAnswer(status int) (*Answer, bool) {
	return &Answer{Status: status, Header: http.Header{}}, true
}

// echo answers with the text itself, if it is printable and short.
func echo(text string) (*Answer, bool) {
	if !printable(text) || len(text) > maxEcho {
		return nil, false
	}
	return answer("text/plain", []byte(text))
}

// answerJSON answers with a value in JSON.
func answerJSON(value any) (*Answer, bool) {
	body, err := json.Marshal(value)
	if err != nil {
		return nil, false
	}
	return answer("application/json", body)
}

// answer answers with a body of a content type.
func answer(kind string, body []byte) (*Answer, bool) {
	return &Answer{http.StatusOK, http.Header{"Content-Type": {kind}, "X-Content-Type-Options": {"nosniff"}}, body}, true
}

// answerText answers with a JSON object that has the text as its only member, if the text is printable and short.
func answerText(name, text string) (*Answer, bool) {
	if !printable(text) || len(text) > maxEcho {
		return nil, false
	}
	return answerJSON(map[string]string{name: text})
}

// safeToSign reports whether a text that anyone may have sent can be signed: it is short and has only letters, digits, dashes and
// underscores, which no event consists of.
func safeToSign(text string) bool {
	for i := 0; i < len(text); i++ {
		c := text[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return text != "" && len(text) <= maxEcho
}

// signText returns the MAC of a text in hexadecimal, as a proof that we have the secret. The text must be [safeToSign].
func (v *Verifier) signText(text string) string {
	return string(appendHex(nil, v.scheme.(*generic).keys[0].mac.sign([]byte(text))))
}

func isEmptyArray(raw []byte) bool {
	return len(raw) > 1 && raw[0] == '[' && len(bytes.TrimSpace(raw[1:len(raw)-1])) == 0
}
