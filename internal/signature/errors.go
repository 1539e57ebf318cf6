package signature

import (
	"errors"
	"fmt"
)

// Reasons of an [Error]. The placeholder {http.webhook.error} has them.
const (
	ReasonMissing   = "signature_missing"
	ReasonMalformed = "signature_malformed"
	ReasonTimestamp = "timestamp"
	ReasonMismatch  = "signature_mismatch"
)

// Errors of configuration and signing; match them with errors.Is.
var (
	// ErrSecret is wrapped by [New] for a secret that is missing, empty or not in the scheme's form.
	ErrSecret = errors.New("unusable secret")
	// ErrOption is wrapped by [New] for an unknown scheme, an unknown option or a bad value.
	ErrOption = errors.New("bad option")
	// ErrCannotSign is wrapped by [Verifier.Sign] and [Verifier.SignBody] with the reason: the key only verifies, nobody but the
	// provider has a key that signs, or the signature is part of a body that isn't of the provider's form.
	ErrCannotSign = errors.New("this can't be signed")
)

// errPublicKey is the answer to signing with a key that only verifies.
var errPublicKey = cannotSign("with a public key, or keys that are fetched, requests are only verified; give the private key as the secret")

// Error says why a request was refused. Neither its Reason nor its Message contains a secret, a signature or
// anything else of the request but names of headers.
type Error struct {
	Reason  string
	Message string
}

// Error implements error.
func (e *Error) Error() string { return e.Reason + ": " + e.Message }

var (
	errMismatch  = &Error{ReasonMismatch, "no configured secret makes this signature for this request"}
	errStale     = &Error{ReasonTimestamp, "the timestamp is older than the tolerance allows"}
	errPremature = &Error{ReasonTimestamp, "the timestamp is further in the future than the tolerance allows"}
)

func missing(what string) *Error { return &Error{ReasonMissing, what + " is missing"} }

func malformed(what, why string) *Error { return &Error{ReasonMalformed, what + " " + why} }

func badOption(name, format string, args ...any) error {
	return fmt.Errorf("%s: %s (%w)", name, fmt.Sprintf(format, args...), ErrOption)
}

// errNoSecret is for schemes that need a secret.
var errNoSecret = fmt.Errorf("secret: give at least one; without it nothing can be verified (%w)", ErrSecret)

func badSecret(number int, why string) error {
	return fmt.Errorf("secret: number %d: %s (%w)", number+1, why, ErrSecret)
}
