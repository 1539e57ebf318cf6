package signature

import (
	"crypto/sha1" // Braintree's key is a SHA-1 of the private one
	"net/url"
	"slices"
	"strings"
	"time"
)

// maxParsed bounds the bodies that are parsed or composed before their signature is verified, in bytes. Some providers send many events in
// one field.
const maxParsed = 1 << 20

// mandrillForm joins the fields as Mailchimp Transactional signs them: sorted by name, each name with its value.
func mandrillForm(r *Request, _ string) (string, error) {
	fields, err := formUpTo(r, maxParsed)
	if err != nil {
		return "", err
	}
	return joinForm(fields, func(b *strings.Builder, name string, values []string) {
		slices.Sort(values)
		for _, value := range values {
			b.WriteString(name)
			b.WriteString(value)
		}
	}), nil
}

// travisForm returns the only field that Travis CI signs.
func travisForm(r *Request, _ string) (string, error) {
	fields, err := formUpTo(r, maxParsed)
	if err != nil {
		return "", err
	}
	return onlyField(fields, "payload")
}

// onlyField returns the value of a field that must be there exactly once.
func onlyField(fields url.Values, name string) (string, error) {
	switch values := fields[name]; {
	case len(values) == 0 || values[0] == "":
		return "", missing("the field " + name)
	case len(values) > 1:
		return "", malformed("the field "+name, "is repeated")
	default:
		return values[0], nil
	}
}

// braintree is the scheme of Braintree: a form with the signature in one field and the signed text in another. The signature names the
// public key, and is an HMAC whose key is the SHA-1 of the private one.
type braintree struct {
	inBody
	keys   []key
	public string
}

func newBraintree(r *row, c Config) (scheme, error) {
	if _, err := r.keys(c); err != nil {
		return nil, err
	}
	s := &braintree{public: c.Options["public_key"]}
	if s.public == "" {
		return nil, badOption("public_key", "the scheme braintree needs it")
	}
	for _, secret := range c.Secrets {
		sum := sha1.Sum([]byte(secret))
		s.keys = append(s.keys, key{mac: newMAC(algSHA1, sum[:])})
	}
	return s, nil
}

func (s *braintree) verify(r *Request, _ time.Time) (Result, error) {
	fields, err := formUpTo(r, maxParsed)
	if err != nil {
		return Result{}, err
	}
	pairs, err := onlyField(fields, "bt_signature")
	if err != nil {
		return Result{}, err
	}
	payload, err := onlyField(fields, "bt_payload")
	if err != nil {
		return Result{}, err
	}
	var d decoded
	for pair := range strings.SplitSeq(pairs, "&") {
		public, text, ok := strings.Cut(pair, "|")
		if ok && public == s.public && encHex.decode(&d, text) {
			break
		}
		d.n = 0
	}
	if d.n != sha1.Size {
		return Result{}, malformed("the field bt_signature", "has no signature for the configured public_key")
	}
	res := Result{BodySigned: true, Content: []byte(payload)}
	if res.Secret = signedBy(s.keys, d.bytes(), res.Content); res.Secret < 0 {
		return Result{}, errMismatch
	}
	return res, nil
}
