package client

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// SignatureHeader is the header with the signature of the body.
const SignatureHeader = "X-VideoCloud-Signature"

// DefaultTolerance is the default of [VerifyOptions.Tolerance].
const DefaultTolerance = 5 * time.Minute

// Errors of [Verify]. Match them with errors.Is, and answer with status 401.
var (
	ErrSignatureMissing   = errors.New("a webhook-* header is missing")
	ErrSignatureMalformed = errors.New("a webhook-* header is malformed")
	ErrTimestamp          = errors.New("webhook-timestamp is too old or too far ahead; is the clock right?")
	ErrSignatureMismatch  = errors.New("the signature is not that of this body and this secret")
	ErrInvalidPayload     = errors.New("the body is signed, but it is not an event in JSON")
)

// VerifySignature reports whether signature is the X-VideoCloud-Signature of body, which must be the bytes as they were received. It
// returns false for a missing, short or upper-case signature and for an empty secret. others are further accepted secrets, while a secret
// is rotated. It compares in constant time.
func VerifySignature(body []byte, signature, secret string, others ...string) bool {
	mac, err := hex.DecodeString(signature)
	if err != nil || len(mac) != sha256.Size || strings.ToLower(signature) != signature {
		return false
	}
	for _, key := range append([]string{secret}, others...) {
		if key == "" { // anyone can sign with it
			continue
		}
		if isMAC(mac, []byte(key), body) {
			return true
		}
	}
	return false
}

// isMAC reports whether mac is the HMAC-SHA256 of a message. It compares in constant time.
func isMAC(mac, key, message []byte) bool {
	h := hmac.New(sha256.New, key)
	h.Write(message)
	return hmac.Equal(mac, h.Sum(nil))
}

// VerifyOptions change what [Verify] accepts. The zero value has the defaults.
type VerifyOptions struct {
	// Tolerance is how old, or how far ahead, the timestamp may be. Default: [DefaultTolerance].
	Tolerance time.Duration
	// ToleranceOff accepts a timestamp of any age. Default: false.
	ToleranceOff bool
	// OtherSecrets are further accepted secrets, while a secret is rotated. Default: none.
	OtherSecrets []string
	// Now is the time with which the timestamp is compared. Default: the current time.
	Now time.Time
}

// Verify checks a delivery by its Standard Webhooks headers (webhook-id, webhook-timestamp, webhook-signature),
// which sign the event's ID and the time of the attempt as well as the body, and returns the event. The secret of a webhook
// whose signing is ed25519 is its PublicKey (whpk_…).
func Verify(body []byte, header http.Header, secret string, o VerifyOptions) (WebhookEvent, error) {
	var keys []verifier
	for _, s := range append([]string{secret}, o.OtherSecrets...) {
		key, err := verifierOf(s)
		if err != nil {
			return WebhookEvent{}, err
		}
		keys = append(keys, key)
	}
	id, timestamp, value, err := standardHeaders(header)
	if err != nil {
		return WebhookEvent{}, err
	}
	signatures := signaturesFor(keys, value)
	if len(signatures) == 0 {
		return WebhookEvent{}, fmt.Errorf("webhook-signature holds no signature such as this secret checks: %w", ErrSignatureMalformed)
	}
	if err := o.checkAge(timestamp); err != nil {
		return WebhookEvent{}, err
	}
	if !matches(keys, signatures, append([]byte(id+"."+timestamp+"."), body...)) {
		return WebhookEvent{}, ErrSignatureMismatch
	}
	e := WebhookEvent{ID: id}
	if err := json.Unmarshal(body, &e); err != nil || e.Type == "" {
		return WebhookEvent{}, ErrInvalidPayload
	}
	return e, nil
}

// verifier checks signatures of one version of Standard Webhooks: v1 with a secret, v1a with a public key.
type verifier struct {
	version string
	size    int // of a signature
	matches func(message, signature []byte) bool
}

// verifierOf returns the verifier of a secret or of a public key (whpk_…).
func verifierOf(secret string) (verifier, error) {
	if text, ok := strings.CutPrefix(secret, "whpk_"); ok {
		public, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil || len(public) != ed25519.PublicKeySize {
			return verifier{}, errors.New("what follows whpk_ is not a public key of 32 bytes in base64")
		}
		return verifier{"v1a", ed25519.SignatureSize, func(message, signature []byte) bool { return ed25519.Verify(public, message, signature) }}, nil
	}
	key, err := standardKey(secret)
	return verifier{"v1", sha256.Size, func(message, signature []byte) bool { return isMAC(signature, key, message) }}, err
}

// standardKey returns what follows whsec_, decoded from base64, or the bytes of a secret without that prefix.
func standardKey(secret string) ([]byte, error) {
	if secret == "" {
		return nil, errors.New("the secret is empty")
	}
	text, ok := strings.CutPrefix(secret, "whsec_")
	if !ok {
		return []byte(secret), nil
	}
	key, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil || len(key) == 0 {
		return nil, errors.New("the secret is not base64 after whsec_")
	}
	return key, nil
}

// standardHeaders returns the values of the three webhook-* headers.
func standardHeaders(h http.Header) (id, timestamp, value string, err error) {
	names := [3]string{"webhook-id", "webhook-timestamp", "webhook-signature"}
	var values [3]string
	repeated := ""
	for i, name := range names {
		all := h.Values(name)
		if strings.Join(all, "") == "" {
			return "", "", "", fmt.Errorf("%s: %w", name, ErrSignatureMissing)
		}
		if len(all) > 1 {
			repeated = name
		}
		values[i] = all[0]
	}
	if repeated != "" {
		return "", "", "", fmt.Errorf("%s is there more than once: %w", repeated, ErrSignatureMalformed)
	}
	// Only the canonical spelling of a number is accepted, because its text is signed.
	seconds, err := strconv.ParseInt(values[1], 10, 64)
	if err != nil || seconds < 0 || strconv.FormatInt(seconds, 10) != values[1] {
		return "", "", "", fmt.Errorf("webhook-timestamp is not in unix seconds: %w", ErrSignatureMalformed)
	}
	return values[0], values[1], values[2], nil
}

// standardSignature is one signature of webhook-signature.
type standardSignature struct {
	version string
	bytes   []byte
}

// signaturesFor returns the well-formed signatures that one of the keys can check.
func signaturesFor(keys []verifier, value string) (list []standardSignature) {
	for s := range strings.SplitSeq(value, " ") {
		version, text, _ := strings.Cut(s, ",")
		sum, err := base64.StdEncoding.Strict().DecodeString(text)
		if err == nil && slices.ContainsFunc(keys, func(k verifier) bool { return k.version == version && k.size == len(sum) }) {
			list = append(list, standardSignature{version, sum})
		}
	}
	return list
}

// checkAge checks a timestamp that standardHeaders returned.
func (o VerifyOptions) checkAge(timestamp string) error {
	if o.ToleranceOff {
		return nil
	}
	tolerance, now := o.Tolerance, o.Now
	if tolerance == 0 {
		tolerance = DefaultTolerance
	}
	if now.IsZero() {
		now = time.Now()
	}
	seconds, _ := strconv.ParseInt(timestamp, 10, 64)
	// Compared in whole seconds, as the timestamp is: an age of exactly the tolerance is accepted.
	if age := now.Unix() - seconds; max(age, -age) > int64(tolerance/time.Second) {
		return ErrTimestamp
	}
	return nil
}

// matches tries each signature with each key of its version.
func matches(keys []verifier, signatures []standardSignature, message []byte) bool {
	for _, k := range keys {
		for _, s := range signatures {
			if k.version == s.version && k.matches(message, s.bytes) {
				return true
			}
		}
	}
	return false
}
