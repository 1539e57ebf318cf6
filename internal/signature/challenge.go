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
	words      string // what is asked and how it is answered, for the documentation
	showsToken bool   // the request shows a token, without which it is not answered
	inBody     bool   // the question is in the body, whether it is signed or not
	method     string // of requests that nobody signs
	unsigned   answerFunc
	signed     answerFunc
}

// answerer answers a set-up request, and is false for everything else.
type answerFunc func(v *Verifier, q *setupRequest) (*Answer, bool)

// question is a request that may be a set-up request.
type setupRequest struct {
	*Request
	query url.Values // only of unsigned ones
	token string     // what the operator configured as challenge
}

// parameter is the value of a parameter of the query that is there once.
func (q *setupRequest) parameter(name string) string {
	if values := q.query[name]; len(values) == 1 {
		return values[0]
	}
	return ""
}

// field is the text at a pointer of the body, empty where there is none.
func (q *setupRequest) field(pointer string) string {
	text, _ := Field(q.Body, pointer)
	return text
}

// maxQuery bounds the query of a set-up request.
const maxQuery = 4 << 10

// maxEcho bounds what an answer repeats of a request, or signs.
const maxEcho = 256

// MaxQuestion bounds the body of an unsigned set-up request: 4 KiB.
const MaxSetupBody = 4 << 10

// AsksForToken reports whether a set-up request of the provider shows a token, without which it is not answered.
func (v *Verifier) NeedsChallengeToken() bool { return v.row.handshake.showsToken }

// AsksInBody reports whether an unsigned set-up request of the provider has its question in the body: then
// [Verifier.UnsignedChallenge] wants the body of requests without a signature, up to [MaxQuestion].
func (v *Verifier) ChallengeInBody() bool { return v.row.handshake.inBody }

// UnsignedChallenge answers the set-up requests that providers don't sign, by whichever method they ask. Ask it before
// [Verifier.Verify] and before methods are judged. It is false for everything else.
// token is what the operator configured as challenge; without one Meta's request is not answered.
//
// What is echoed came from a stranger: it is bounded, printable and sent as text/plain that browsers may not sniff.
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

// Challenge answers the set-up requests that providers sign. Call it after Verify let the request in; it is false for
// events. Discord and Xero also probe with wrong signatures and expect the 401 that those get anyway. token is unused
// today: a signature says more.
func (v *Verifier) Challenge(r *Request, token string) (*Answer, bool) {
	if v.row.handshake.signed == nil {
		return nil, false
	}
	return v.row.handshake.signed(v, &setupRequest{Request: r, token: token})
}

func empty(status int) (*Answer, bool) { return &Answer{Status: status, Header: http.Header{}}, true }

func echo(text string) (*Answer, bool) {
	if !printable(text) || len(text) > maxEcho {
		return nil, false
	}
	return answer("text/plain", []byte(text))
}

func answerJSON(value any) (*Answer, bool) {
	body, err := json.Marshal(value)
	if err != nil {
		return nil, false
	}
	return answer("application/json", body)
}

func answer(kind string, body []byte) (*Answer, bool) {
	return &Answer{http.StatusOK, http.Header{"Content-Type": {kind}, "X-Content-Type-Options": {"nosniff"}}, body}, true
}

// answerText echoes a text in a JSON object.
func answerText(name, text string) (*Answer, bool) {
	if !printable(text) || len(text) > maxEcho {
		return nil, false
	}
	return answerJSON(map[string]string{name: text})
}

// harmless reports whether a text may be signed for a stranger.
func safeToSign(text string) bool {
	for i := 0; i < len(text); i++ {
		c := text[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return text != "" && len(text) <= maxEcho
}

// signText is the MAC of a text, whose form has been looked at, in hexadecimal: it proves that we have the secret.
func (v *Verifier) signText(text string) string {
	return string(appendHex(nil, v.scheme.(*generic).keys[0].mac.sign([]byte(text))))
}

func isEmptyArray(raw []byte) bool {
	return len(raw) > 1 && raw[0] == '[' && len(bytes.TrimSpace(raw[1:len(raw)-1])) == 0
}
