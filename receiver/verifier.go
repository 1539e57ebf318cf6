package receiver

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"time"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/signature"
)

// Verifier checks the signatures of a scheme of the caller's own; the schemes of this module are chosen by
// [config.Receiver.Scheme]. It must be safe for concurrent use.
type Verifier interface {
	// Check makes all checks that need the headers alone. It is called before the body is read.
	Check(h http.Header, now time.Time) error
	// Verify makes the whole check. An error is answered with 401, and its text is logged.
	Verify(r *SignedRequest, now time.Time) (Verified, error)
}

// SignedRequest is a request as it arrived, with the body byte for byte.
type SignedRequest struct {
	Method string
	URL    string // the request target, with its query
	Header http.Header
	Body   []byte
}

// Verified is what a request says about itself once its signature is verified.
type Verified struct {
	Secret     int    // the index of the secret that matched
	ID         string // the event's ID; empty if there is none
	IDSigned   bool   // the signature covers the ID
	Event      string // the event's type; empty if unknown
	Timestamp  string // the provider's timestamp as written; empty if there is none
	BodySigned bool   // the signature covers the body
	URLSigned  string // the public URL where the scheme signs it
	// Content, where it is not empty, identifies the event instead of the body. It holds the very octets that were signed,
	// without the time.
	Content []byte
	// Items, where it is not empty, holds the signed octets of each event in the body, each once and in order. Each is claimed
	// as an event of its own.
	Items [][]byte
	// NoID and NoDigest mean that the ID, or the signed octets, may be the same for different events.
	NoID, NoDigest bool
}

// verifier is a scheme of this module, or one of the caller's own.
type verifier interface {
	Check(h http.Header, now time.Time) error
	Verify(r *signature.Request, now time.Time) (signature.Result, error)
}

// requestChecker is a verifier that keeps what Check found with the request, so that Verify need not look again.
type requestChecker interface {
	CheckRequest(r *signature.Request, now time.Time) error
}

// check calls the verifier's check of the headers.
func (c *credentials) check(r *signature.Request, now time.Time) error {
	if v, ok := c.verifier.(requestChecker); ok {
		return v.CheckRequest(r, now)
	}
	return c.verifier.Check(r.Header, now)
}

// customVerifier is a verifier of the caller's own.
type customVerifier struct{ Verifier }

func (f customVerifier) Verify(r *signature.Request, now time.Time) (signature.Result, error) {
	v, err := f.Verifier.Verify(&SignedRequest{Method: r.Method, URL: r.URL, Header: r.Header, Body: r.Body}, now)
	return signature.Result(v), err
}

// SecretHeaders returns those of the caller's verifier, where it has such a method.
func (f customVerifier) SecretHeaders() []string {
	if v, ok := f.Verifier.(interface{ SecretHeaders() []string }); ok {
		return v.SecretHeaders()
	}
	return nil
}

// challenger is a verifier of a scheme whose provider sends set-up requests.
type challenger interface {
	// UnsignedChallenge answers a set-up request without a signature. It may be a GET where the receiver takes no GET.
	UnsignedChallenge(r *signature.Request, token string) (*signature.Answer, bool)
	// Challenge answers a set-up request whose signature was verified.
	Challenge(r *signature.Request, token string) (*signature.Answer, bool)
}

// answer records the gateway's own answer to a set-up request, or returns a refusal where the token is wrong.
func (x *exchange) answer(a *signature.Answer) *Refusal {
	if a.Status >= http.StatusBadRequest {
		return refuse(a.Status, ReasonMismatch, errChallenge)
	}
	x.Result, x.Status, x.challenge = ResultChallenge, a.Status, a
	return nil
}

var errChallenge = errors.New("the token of the set-up request is not the one configured as challenge")

// writeChallenge writes the answer. It echoes what came from outside: the scheme has bounded its length, and its headers
// keep a browser from showing it as a page.
func writeChallenge(w http.ResponseWriter, a *signature.Answer) {
	maps.Copy(w.Header(), a.Header)
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body)
}

// newVerifier makes the scheme's verifier. An option of the receiver that has no meaning for the scheme is an error.
func newVerifier(c *config.Receiver) (verifier, error) {
	v, err := signature.New(signature.Config{
		Scheme: c.Scheme, Options: c.SchemeOptions, Secrets: c.Secrets, Tolerance: c.Tolerance,
		ToleranceOff: c.ToleranceOff, RequireTimestamp: c.RequireTimestamp, URL: c.URL,
	})
	if err != nil {
		return nil, fmt.Errorf("scheme %s: %w", c.Scheme, err)
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

// CheckScheme returns an error for settings that the scheme can't work with. It makes no receiver.
func CheckScheme(c config.Receiver) error {
	c.SetDefaults()
	_, err := newVerifier(&c)
	return err
}
