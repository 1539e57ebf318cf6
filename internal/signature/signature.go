// Package signature knows how webhook providers sign: what they sign, where they put the signature, how it is encoded, and what
// it does not protect. It signs and verifies requests, without any knowledge of servers and stores.
//
// Most schemes are rows of data for one parameterised HMAC (see presets.go); only those that a row can't describe have code of their
// own. A [Verifier] is built once from a [Config], and building it reports every mistake in the configuration:
//
//	v, err := signature.New(signature.Config{Scheme: "github", Secrets: []string{secret}})
//	...
//	if err := v.Check(r.Header, time.Now()); err != nil { ... }       // before the body is read
//	res, err := v.Verify(&signature.Request{Method: r.Method, URL: r.RequestURI, Header: r.Header, Body: body}, time.Now())
//
// A refused request is an [*Error] with one of four reasons, which are checked in this order: something is missing, something is
// malformed or repeated, the timestamp is outside of the tolerance, no secret makes this signature. A timestamp
// inside of the body is checked after the signature, because an unsigned one means nothing.
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
	// Scheme is the name or an alias of a scheme; [Schemes] lists them. Required.
	Scheme string
	// Options are the scheme's own options by name; [Info] lists them. Default: none.
	Options map[string]string
	// Secrets are tried in order. At least one is needed, but for schemes that are [Keyless]. Their form depends on the scheme.
	Secrets []string
	// Tolerance is the greatest accepted distance of a timestamp from now, into the past and into the future. Default: the scheme's own.
	Tolerance time.Duration
	// ToleranceOff accepts a timestamp of any age, which must still be present and well-formed.
	ToleranceOff bool
	// RequireTimestamp makes the scheme videocloud require the Standard Webhooks headers. With any other scheme it is an error.
	RequireTimestamp bool
	// URL is the public URL. Required for schemes that sign it.
	URL string
	// Brand is the word in the header names of the scheme videocloud; the option brand comes before it. Default: VideoCloud.
	Brand string
	// Transport fetches keys and certificates, for schemes that need them. Default: a transport that all verifiers share.
	Transport http.RoundTripper
}

// Request is a request to verify or to sign. The body must be the bytes as they were received.
type Request struct {
	Method string
	URL    string // the request target or the whole URL; some schemes sign its query
	Header http.Header
	Body   []byte

	parsed parsedHeaders
}

// parsedHeaders are what the scheme videocloud read from the headers of a request at one instant, kept so that Verify need not read them
// again.
type parsedHeaders struct {
	scheme    *videoCloud
	now       time.Time
	signature decoded
	standard  bool // whether the Standard Webhooks headers are there too, with these claims
	claims    claims
}

// Result describes a verified request.
type Result struct {
	Secret     int    // index of the secret that matched
	ID         string // event ID; empty if there is none
	IDSigned   bool   // whether the signature covers the ID
	Event      string // event type; empty if unknown
	Timestamp  string // the provider's timestamp as written; empty if there is none
	BodySigned bool   // whether the signature covers the body
	URLSigned  string // the public URL in the spelling that was signed; empty where the scheme signs none
	// Content, where it is not empty, identifies the event instead of the body. It holds the bytes that the signature was made of,
	// without the time. An attacker can spell a URL, a form or a list in many ways that one signature covers, and can move the border
	// between two neighbouring parts; these bytes stay the same.
	Content []byte
	// Items are the bytes of each signed event in the body, sorted and each once, for schemes that sign the items of a list. Each of them
	// is an event of its own, because a list can be repeated, cut and recombined while the signature of each item stays valid.
	Items [][]byte
	// NoID says that the provider's ID does not tell events apart, and NoDigest the same of what is signed. See [Info.Identity].
	NoID, NoDigest bool
}

// scheme implements one signature scheme with the secrets of one Config.
type scheme interface {
	check(h http.Header, now time.Time) error                       // as [Verifier.Check]
	verify(r *Request, now time.Time) (Result, error)               // as [Verifier.Verify]
	sign(r *Request, id string, now time.Time) (http.Header, error) // as [Verifier.Sign]
}

// Verifier verifies the requests of one provider. It is safe for concurrent use.
type Verifier struct {
	row    *row
	scheme scheme
	config Config

	secretHeaders []string
}

// videoCloudName is the only scheme that accepts requests without a timestamp and can be told to refuse them.
const videoCloudName = "videocloud"

// New builds a verifier. Its errors name the option at fault and wrap [ErrOption] or [ErrSecret]; they never contain a secret.
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
	s, err := r.build(c)
	if err != nil {
		return nil, err
	}
	v := &Verifier{row: r, scheme: s, config: c}
	v.secretHeaders = v.effectiveRow().secretHeaders()
	return v, nil
}

// build builds the scheme of the row.
func (r *row) build(c Config) (scheme, error) {
	if special, ok := specials[r.name]; ok {
		return special(r, c)
	}
	if r.alg == algJWT {
		return newJWT(r, c)
	}
	return newGeneric(r, c)
}

// Scheme returns the scheme's own name, also where the configuration named an alias.
func (v *Verifier) Scheme() string { return v.row.name }

// SecretHeaders returns the canonical names of the headers that hold the secret itself, or a token that can be used like it. Keep them
// out of logs and stores.
func (v *Verifier) SecretHeaders() []string { return v.secretHeaders }

// Check checks what can be checked before the body is read: that no header is missing, malformed or repeated, and the timestamp where a
// header has it.
func (v *Verifier) Check(h http.Header, now time.Time) error { return v.scheme.check(h, now) }

// CheckRequest is Check for a request that is passed to Verify afterwards, with the same headers and the same time. The headers are then
// read only once.
func (v *Verifier) CheckRequest(r *Request, now time.Time) error {
	if s, ok := v.scheme.(*videoCloud); ok {
		return s.read(r.Header, now, &r.parsed)
	}
	return v.scheme.check(r.Header, now)
}

// Verify checks the whole request, and does what Check does first.
func (v *Verifier) Verify(r *Request, now time.Time) (Result, error) { return v.scheme.verify(r, now) }

// Sign makes the headers that a provider would send with the request, with the first secret. Where the scheme signs an ID, an empty one
// is replaced by one of [NewEventID]. Where it can't sign, it returns an [ErrCannotSign] that says why; see also [Verifier.SignBody].
func (v *Verifier) Sign(r *Request, id string, now time.Time) (http.Header, error) {
	if v.row.providerSigns {
		return nil, cannotSign("only %s has the private key; use a request that it sent", v.row.provider)
	}
	h, err := v.scheme.sign(r, id, now)
	if errors.Is(err, errInBody) {
		if res, refused := v.Verify(r, now); refused == nil && res.Secret == 0 {
			return http.Header{}, nil // the body is signed already
		}
	}
	return h, err
}
