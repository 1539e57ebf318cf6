// Package signature knows how webhook providers sign: what they sign, where they put it, how it is encoded, and what
// that does not protect. It signs and verifies; it knows neither servers nor stores.
//
// Most schemes are rows of data over one parameterised HMAC (see presets.go); code of their own have only those
// that need it. A [Verifier] is built once from a [Config], which is where every mistake of configuration shows:
//
//	v, err := signature.New(signature.Config{Scheme: "github", Secrets: []string{secret}})
//	...
//	if err := v.Check(r.Header, time.Now()); err != nil { ... }       // before the body is read
//	res, err := v.Verify(&signature.Request{Method: r.Method, URL: r.RequestURI, Header: r.Header, Body: body}, time.Now())
//
// What is refused is an [*Error] with one of four reasons, found in this order: something is missing, something is
// malformed or repeated, the timestamp is outside the tolerance, no secret makes this signature. A timestamp
// inside the body is looked at after the signature, for only then does it mean anything.
//
// The sender signs with [VideoCloudSigner] and [StandardSigner], which allocate nothing.
package signature

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"time"
)

// Config says which scheme to verify and with what.
type Config struct {
	// Scheme is the name or an alias of a scheme. See [Schemes].
	Scheme string
	// Options are the scheme's own options. See [Info].
	Options map[string]string
	// Secrets are tried in order; at least one is needed. What each must look like depends on the scheme.
	Secrets []string
	// Tolerance is the accepted distance of a timestamp from now, inclusive and both ways. Zero is the scheme's own default.
	Tolerance time.Duration
	// ToleranceOff accepts a timestamp of any age, though it must still be there and well-formed.
	ToleranceOff bool
	// RequireTimestamp makes the scheme videocloud demand the Standard Webhooks headers. No other scheme takes it.
	RequireTimestamp bool
	// URL is the public URL, for schemes that sign it.
	URL string
	// Brand is the word in the headers of the scheme videocloud. Default: VideoCloud. The option brand says the same.
	Brand string
	// Transport fetches keys and certificates, for schemes that need it. Nil is a transport of this package's.
	Transport http.RoundTripper
}

// Request is what is verified. The body must be the bytes as received.
type Request struct {
	Method string
	URL    string // request target or whole URL; its query is signed by some schemes
	Header http.Header
	Body   []byte

	checked checked
}

// checked is what a scheme found in the headers of a request, at one instant: Verify need not read them again.
type checked struct {
	by        *videoCloud
	now       time.Time
	signature decoded
	standard  bool // the Standard Webhooks headers are there as well, and are these claims
	claims    claims
}

// Result is what a verified request says about itself.
type Result struct {
	Secret     int    // index of the secret that matched
	ID         string // event ID; empty if there is none
	IDSigned   bool   // the ID is covered by the signature
	Event      string // event type; empty if unknown
	Timestamp  string // the provider's timestamp as written; empty if there is none
	BodySigned bool   // the signature covers the body
	URLSigned  string // the public URL where the scheme signs it
	// Content, where it is not empty, is what identifies the event instead of the body: the very octets that the signature was
	// made of, without the time. A stranger can spell a URL, a form or a list in many ways that one signature covers, and
	// can move the border between neighbours; the octets stay the same.
	Content []byte
	// Items, where there are several or the body has more than one place for them, are the octets of each signed event in the body, each
	// once and in order. Every one of them is an event of its own: a list of them can be repeated, cut and put
	// together anew while each signature stays right.
	Items [][]byte
	// NoID and NoDigest say that the provider's ID, or what is signed, does not tell events apart: see [Info.Identity].
	NoID, NoDigest bool
}

// scheme is what a Verifier is made of.
type scheme interface {
	check(h http.Header, now time.Time) error
	verify(r *Request, now time.Time) (Result, error)
	sign(r *Request, id string, now time.Time) (http.Header, error)
}

// Verifier verifies the requests of one provider. It is safe for concurrent use.
type Verifier struct {
	row    *row
	scheme scheme
	config Config

	secretHeaders []string
}

// videoCloudName is the scheme that can do without a timestamp, and be told not to.
const videoCloudName = "videocloud"

// New builds a verifier. Its errors name the option at fault and wrap [ErrOption] or [ErrSecret]; they hold no secret.
func New(c Config) (*Verifier, error) {
	r, ok := find(c.Scheme)
	if !ok {
		return nil, badOption("scheme", "there is no scheme %q", c.Scheme)
	}
	for _, option := range slices.Sorted(maps.Keys(c.Options)) {
		if !r.takesOption(option) {
			return nil, badOption(option, "the scheme %s has no such option; %s", r.name, r.listOptions())
		}
	}
	if c.RequireTimestamp && r.name != videoCloudName {
		return nil, badOption("require_timestamp", "only the scheme %s knows it; remove it, for %s has rules of its own for timestamps", videoCloudName, r.name)
	}
	build, ok := specials[r.name]
	switch {
	case ok:
	case r.alg == algJWT:
		build = newJWT
	default:
		build = newGeneric
	}
	s, err := build(r, c)
	if err != nil {
		return nil, err
	}
	v := &Verifier{row: r, scheme: s, config: c}
	v.secretHeaders = v.described().secretHeaders()
	return v, nil
}

// Scheme is the scheme's own name, whatever alias it was asked for by.
func (v *Verifier) Scheme() string { return v.row.name }

// SecretHeaders are the canonical names of the headers that hold the secret itself, or a token that stands for it: keep
// them out of logs and stores.
func (v *Verifier) SecretHeaders() []string { return v.secretHeaders }

// Check judges what can be judged before the body is read: headers that are missing, malformed or repeated, and the
// timestamp where it is in a header.
func (v *Verifier) Check(h http.Header, now time.Time) error { return v.scheme.check(h, now) }

// CheckRequest is Check for a request that Verify is to judge afterwards, with the same headers and at the same time: what they say is
// read once.
func (v *Verifier) CheckRequest(r *Request, now time.Time) error {
	if s, ok := v.scheme.(*videoCloud); ok {
		return s.read(r.Header, now, &r.checked)
	}
	return v.scheme.check(r.Header, now)
}

// Verify judges the whole request. It includes Check.
func (v *Verifier) Verify(r *Request, now time.Time) (Result, error) { return v.scheme.verify(r, now) }

// Sign makes the headers that a provider would send with the request, using the first secret. An empty id becomes
// one of [NewEventID] where the scheme needs one. Where it can't sign it returns an [ErrCannotSign] that says why; see [Verifier.SignBody].
func (v *Verifier) Sign(r *Request, id string, now time.Time) (http.Header, error) {
	if v.row.providerSigns {
		return nil, cannotSign("only %s has the private key; use a request that it sent", v.row.provider)
	}
	h, err := v.scheme.sign(r, id, now)
	if errors.Is(err, errInBody) {
		if res, refused := v.Verify(r, now); refused == nil && res.Secret == 0 {
			return http.Header{}, nil // a body that is signed is sent as it is
		}
	}
	return h, err
}
