package signature

import (
	"net/http"
	"slices"
	"time"
)

// row is one scheme as data: a line of the table of presets, or what the options of the scheme hmac describe.
// Its zero values are the commonest: a bare hexadecimal HMAC-SHA256 of the body.
type row struct {
	name     string
	provider string
	source   string // where the row's rules stand, and when they were read
	aliases  []string

	// How it is signed.
	alg      algorithm      // default sha256
	plain    bool           // a hash instead of an HMAC; the payload holds {secret}
	enc      encoding       // of the signature
	secret   secretEncoding // default utf8
	template string         // of the payload, default {body}

	// Where the signature is.
	header string   // with a * at its end: a family of headers, numbered from 1 on
	prefix string   // in front of a single signature
	often  bool     // the header may come several times, for a rotation
	inJSON []string // pointers to the secret itself in the body, where * is every element: all of them must have it
	syntax syntax
	sep    byte   // between the elements of a list or of versions
	sigKey string // list key or version of the signatures
	bare   bool   // versions: an unversioned signature counts too
	multi  bool   // list: several signatures are a rotation; otherwise exactly one

	// Where the timestamp is: in a header, in the list, or in the signed body. The body's counts before the others.
	tsHeader  string
	tsKey     string
	tsJSON    string
	unit      unit // of tsHeader or tsKey, default s
	jsonUnit  unit // of tsJSON
	tolerance time.Duration
	pastOnly  bool

	// Where the event's ID and type are. A header named by {id} is signed, other headers never are; a field of the body is
	// signed where the body is. The first that is there counts.
	idJSON      string
	idHeaders   []string
	eventJSON   []string
	eventHeader string

	// What tells events apart, where it is not both the ID and what is signed; and what that rests on.
	noID, noDigest bool
	asksAgain      func(url, form string) bool // requests that are alike and yet not the same, where an ID tells them apart
	identity       string

	telltale      string                                       // pointer into the body, or what it begins with: tells providers apart that share a header
	fixed         []fixedHeader                                // further headers that must have this value
	urls          func(string) []string                        // spellings of the URL that the provider may have signed
	userInfo      bool                                         // the URL may have a user's name and password, which is signed too
	form          func(r *Request, url string) (string, error) // what {form} stands for
	handshake     handshake                                    // which set-up requests are answered
	options       []string                                     // of this scheme, beside secret_encoding
	fixedBy       []string                                     // options that placeholders of the template stand for, and that are required
	kidHeader     string                                       // names the key
	jwt           *jwtRules                                    // what a token must say
	hosts         []string                                     // where keys may be fetched from
	jwksURL       string                                       // where the provider's keys are
	secretIs      string                                       // what the secret is called at the provider
	providerSigns bool                                         // nobody but the provider has a key that signs
	note          string                                       // what the signature doesn't protect, beyond what the row says by itself
	how           string                                       // what is signed, where the template can't say it
}

type fixedHeader struct{ name, value string }

const defaultTolerance = 5 * time.Minute

// complete returns the row with its defaults filled in.
func (r row) complete() *row {
	setDefault(&r.alg, algSHA256)
	setDefault(&r.secret, secUTF8)
	if !r.tokens() && r.alg != algJWT {
		setDefault(&r.template, "{body}")
	}
	setDefault(&r.unit, unitSeconds)
	setDefault(&r.jsonUnit, unitSeconds)
	setDefault(&r.tolerance, defaultTolerance)
	if r.syntax == versions {
		setDefault(&r.sep, ' ')
	}
	return &r
}

func setDefault[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}

// timestamped reports whether the scheme has a timestamp at all.
func (r *row) timestamped() bool { return r.tsHeader != "" || r.tsKey != "" || r.tsJSON != "" }

// keyed reports whether the secret's encoding can be chosen.
func (r *row) keyed() bool { return hashes[r.alg] != nil }

// keyless reports whether the scheme can do without a secret: its keys are published, or options.
func (r *row) keyless() bool {
	return r.providerSigns || (r.public() && r.header != "") || (r.jwt != nil && (r.jwksURL != "" || slices.Contains(r.options, "jwks_pem")))
}

// Keyless reports whether a scheme can do without a secret, as its keys are published or given as options.
func Keyless(scheme string) bool {
	r, ok := find(scheme)
	return ok && r.keyless()
}

// tokens reports whether the secret itself is in the request.
func (r *row) tokens() bool { return r.alg == algToken || r.alg == algBasic }

// window is the row's window with the configuration's say.
func (r *row) window(c Config) window {
	w := window{off: c.ToleranceOff, size: r.tolerance, pastOnly: r.pastOnly}
	if c.Tolerance > 0 {
		w.size = c.Tolerance
	}
	return w
}

// takesOption reports whether the scheme takes an option.
func (r *row) takesOption(option string) bool {
	return (option == "secret_encoding" && r.keyed()) || slices.Contains(r.options, option)
}

// soleHeader returns the only value of a header that must be there once and not be empty. name is canonical.
func soleHeader(h http.Header, name string) (string, error) {
	values := h[name]
	switch {
	case len(values) == 0 || (len(values) == 1 && values[0] == ""):
		return "", missing(name)
	case len(values) > 1:
		return "", malformed(name, "is repeated")
	case len(values[0]) > maxHeader:
		return "", malformed(name, "is too long")
	}
	return values[0], nil
}

// optional returns a header's value where it is there once and can be passed on.
func optional(h http.Header, name string) string {
	if values := h[name]; len(values) == 1 && printable(values[0]) {
		return values[0]
	}
	return ""
}
