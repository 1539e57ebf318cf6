package receiver

import (
	"errors"
	"maps"
	"net/http"
	"time"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/signature"
)

// Verifier checks the signatures of a scheme of one's own. Those of this module come from [config.Receiver.Scheme]. It is
// used by many requests at once.
type Verifier interface {
	// Check is everything that can be said from the headers alone, before the body is read.
	Check(h http.Header, now time.Time) error
	// Verify is the whole check. An error is answered 401, and its text is logged.
	Verify(r *SignedRequest, now time.Time) (Verified, error)
}

// SignedRequest is a request as it came in. Its body is the bytes as received.
type SignedRequest struct {
	Method string
	URL    string // the request's target, with its query
	Header http.Header
	Body   []byte
}

// Verified is what a request whose signature is right says about itself.
type Verified struct {
	Secret     int    // the index of the secret that matched
	ID         string // the event's ID; empty if there is none
	IDSigned   bool   // the signature covers the ID
	Event      string // the event's type; empty if unknown
	Timestamp  string // the provider's timestamp as written; empty if there is none
	BodySigned bool   // the signature covers the body
	URLSigned  string // the public URL where the scheme signs it
	// Content, where it is not empty, identifies the event instead of the body: the very octets that were signed, without
	// the time.
	Content []byte
	// Items, where they are not empty, are the signed octets of each event in the body, each once and in order. Every one
	// is an event of its own.
	Items [][]byte
	// NoID and NoDigest say that the ID, or what is signed, does not tell events apart.
	NoID, NoDigest bool
}

// verifier is a scheme of this module, or one of the caller's own.
type verifier interface {
	Check(h http.Header, now time.Time) error
	Verify(r *signature.Request, now time.Time) (signature.Result, error)
}

// requestChecker is a verifier that keeps with the request what Check found, for Verify.
type requestChecker interface {
	CheckRequest(r *signature.Request, now time.Time) error
}

// check is the verifier's Check.
func (c *credentials) check(r *signature.Request, now time.Time) error {
	if v, ok := c.verifier.(requestChecker); ok {
		return v.CheckRequest(r, now)
	}
	return c.verifier.Check(r.Header, now)
}

// foreign is a scheme of the caller's own.
type foreign struct{ Verifier }

func (f foreign) Verify(r *signature.Request, now time.Time) (signature.Result, error) {
	v, err := f.Verifier.Verify(&SignedRequest{Method: r.Method, URL: r.URL, Header: r.Header, Body: r.Body}, now)
	return signature.Result(v), err
}

// SecretHeaders asks the scheme, where it has such a method.
func (f foreign) SecretHeaders() []string {
	if v, ok := f.Verifier.(interface{ SecretHeaders() []string }); ok {
		return v.SecretHeaders()
	}
	return nil
}

// challenger is a verifier of a scheme whose provider sends set-up requests.
type challenger interface {
	// UnsignedChallenge answers those that are not signed, by GET whatever methods are let in.
	UnsignedChallenge(r *signature.Request, token string) (*signature.Answer, bool)
	// Challenge answers those that are, once they were verified.
	Challenge(r *signature.Request, token string) (*signature.Answer, bool)
}

// answer is the gateway's own answer to a set-up request. A wrong token is refused, as everything else that is.
func (x *exchange) answer(a *signature.Answer) *Refusal {
	if a.Status >= http.StatusBadRequest {
		return refuse(a.Status, ReasonMismatch, errChallenge)
	}
	x.Result, x.Status, x.challenge = ResultChallenge, a.Status, a
	return nil
}

var errChallenge = errors.New("the token of the set-up request is not the one configured as challenge")

// writeChallenge sends it. What is echoed came from outside; the scheme bounds it and says that it is no web page.
func writeChallenge(w http.ResponseWriter, a *signature.Answer) {
	maps.Copy(w.Header(), a.Header)
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body)
}

// newVerifier makes the scheme's verifier. Options of the receiver that mean nothing to the scheme are an error.
func newVerifier(c *config.Receiver) (verifier, error) {
	v, err := signature.New(signature.Config{
		Scheme: c.Scheme, Options: c.SchemeOptions, Secrets: c.Secrets, Tolerance: c.Tolerance,
		ToleranceOff: c.ToleranceOff, RequireTimestamp: c.RequireTimestamp, URL: c.URL,
	})
	if err != nil {
		return nil, verifierError(c.Scheme, err)
	}
	for _, use := range []struct {
		option      string
		given, used bool
		problem     string
	}{
		{"tolerance", c.Tolerance != 0 || c.ToleranceOff, v.UsesTimestamp(), "has no timestamp to judge"},
		{"url", c.URL != "", v.UsesURL(), "does not sign the URL"},
		{"challenge", c.Challenge != "", v.NeedsChallengeToken(), "has no set-up request that shows a token"},
	} {
		if use.given && !use.used {
			return nil, &config.Conflict{Option: use.option, Other: "scheme", Problem: c.Scheme + " " + use.problem + "; remove " + use.option}
		}
	}
	return v, nil
}

// CheckScheme reports settings that the scheme can't work with, without making a receiver.
func CheckScheme(c config.Receiver) error {
	c.SetDefaults()
	_, err := newVerifier(&c)
	return err
}
