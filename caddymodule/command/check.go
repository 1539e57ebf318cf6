package command

import (
	"cmp"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/videocloud/webhooks/internal/signature"
)

// schemeAuto stands for whatever the request looks like.
const schemeAuto = "auto"

// verifyFunc verifies a request and says by which scheme. The Secret of its result is below zero where the scheme needed none.
type verifyFunc = func(r *signature.Request, now time.Time) (scheme string, result signature.Result, err error)

// verifyFunc is what the flags ask for. What the headers alone show to be impossible is an error before a body is there.
func (f *schemeFlags) verifyFunc(c signature.Config, headers http.Header) (verifyFunc, error) {
	if f.scheme != schemeAuto {
		return verifyAs(c)
	}
	d := detector{config: c, made: map[string]verifier{}}
	if err := d.checkHeaders(headers); err != nil {
		return nil, err
	}
	return d.verify, nil
}

// verifyAs verifies by the one scheme of the settings.
func verifyAs(c signature.Config) (verifyFunc, error) {
	v, err := newVerifierOf(c)
	if err != nil {
		return nil, err
	}
	return func(r *signature.Request, now time.Time) (string, signature.Result, error) {
		result, err := v.Verify(r, now)
		if len(c.Secrets) == 0 {
			result.Secret = -1
		}
		return v.Scheme(), result, err
	}, nil
}

// detector verifies requests by the schemes that they look like. It keeps the verifiers, and with them the keys that they fetched.
type detector struct {
	config signature.Config

	mu   sync.Mutex
	made map[string]verifier
}

// verifier verifies by a scheme, or says why that can't be with these settings.
type verifier struct {
	verify verifyFunc
	err    error
}

// verifierOf returns what verifies by a scheme.
func (d *detector) verifierOf(scheme string) (verifyFunc, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	v, ok := d.made[scheme]
	if !ok {
		c := d.config
		c.Scheme = scheme
		v.verify, v.err = verifyUsable(c)
		d.made[scheme] = v
	}
	return v.verify, v.err
}

// checkHeaders is an error where the headers look like schemes of which none can do with these settings.
func (d *detector) checkHeaders(headers http.Header) error {
	names := d.names(headers, nil)
	var unusable error
	for _, name := range names {
		_, err := d.verifierOf(name)
		if err == nil {
			return nil
		}
		unusable = cmp.Or(unusable, err)
	}
	return unusable
}

// names are the schemes that a request looks like. Where an option names a header, a request with that header looks like hmac too.
func (d *detector) names(headers http.Header, body []byte) []string {
	names := signature.DetectSchemes(headers, body)
	if header := d.config.Options["header"]; header != "" && len(headers[textproto.CanonicalMIMEHeaderKey(header)]) > 0 {
		names = append(names, "hmac")
	}
	return names
}

// verify tries the schemes that headers and body look like, the likeliest first. If none says yes, that one's no counts.
func (d *detector) verify(r *signature.Request, now time.Time) (string, signature.Result, error) {
	var refused, unusable error
	var names []string
	var result signature.Result
	guesses := d.names(r.Header, r.Body)
	for _, name := range guesses {
		if !likely(name, d.config.Secrets) || signature.BodyTells(r.Body, guesses[0], name) ||
			(len(names) > 0 && !signature.SameScore(r.Header, r.Body, names[0], name)) {
			continue
		}
		verify, err := d.verifierOf(name)
		if err != nil {
			unusable = cmp.Or(unusable, err)
			continue
		}
		scheme, own, err := verify(r, now)
		if err != nil {
			refused = cmp.Or(refused, err)
			continue
		}
		if len(names) == 0 {
			result = own
		}
		names = append(names, scheme)
	}
	if len(names) > 0 {
		return strings.Join(names, " or "), result, nil // those that nothing tells apart
	}
	if err := cmp.Or(refused, unusable); err != nil {
		return "", signature.Result{}, err
	}
	return "", signature.Result{}, usagef("scheme: headers and body look like none that is known; name it with --scheme")
}

// likely reports whether one of the secrets looks like the scheme's.
func likely(scheme string, secrets []string) bool {
	return len(secrets) == 0 || slices.ContainsFunc(secrets, func(secret string) bool { return signature.SecretFits(scheme, secret) })
}

// verifyUsable is verifyAs with those of the secrets that the scheme can use: of several, some may be other schemes'. Without any, the
// scheme decides whether it needs one.
func verifyUsable(c signature.Config) (verifyFunc, error) {
	given := c.Secrets
	var numbers []int
	c.Secrets = nil
	var unusable error
	for i, secret := range given {
		alone := c
		alone.Secrets = []string{secret}
		if _, err := newVerifierOf(alone); err != nil {
			unusable = cmp.Or(unusable, err)
			continue
		}
		c.Secrets, numbers = append(c.Secrets, secret), append(numbers, i)
	}
	if len(c.Secrets) == 0 && unusable != nil && !signature.Keyless(c.Scheme) {
		return nil, unusable
	}
	verify, err := verifyAs(c)
	if err != nil {
		return nil, err
	}
	return func(r *signature.Request, now time.Time) (string, signature.Result, error) {
		scheme, result, err := verify(r, now)
		if err == nil && result.Secret >= 0 {
			result.Secret = numbers[result.Secret]
		}
		return scheme, result, err
	}, nil
}
