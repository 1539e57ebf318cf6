package signature

import (
	"net/http"
	"slices"
	"time"
)

// row is one scheme as data: a line of the table of presets, or what the options of the scheme hmac describe.
// The zero value is the most common scheme: an HMAC-SHA256 of the body in hexadecimal.
type row struct {
	name     string
	provider string
	source   string // where the rules of the scheme were read, and when
	aliases  []string

	// How it is signed.
	alg       algorithm      // default sha256
	plainHash bool           // a hash instead of an HMAC; the payload has {secret}
	enc       encoding       // of the signature
	secret    secretEncoding // default utf8
	template  string         // of the payload, default {body}

	// Where the signature is.
	header         string   // with a * at its end: a family of headers, numbered from 1 on
	prefix         string   // in front of a single signature
	repeatedHeader bool     // the header may be there several times, while a key is rotated
	secretPointers []string // JSON pointers to the secret itself in the body; * stands for every element, and each must have it
	syntax         syntax
	sep            byte   // between the elements of a list or of versions
	sigKey         string // list key or version of the signatures
	unversioned    bool   // syntax versions: a signature without a version counts too
	several        bool   // lists: several signatures are allowed, while a key is rotated; otherwise exactly one

	// Where the timestamp is: in a header, in the list, or in the signed body. That of the body comes before the others.
	tsHeader  string
	tsKey     string
	tsJSON    string
	unit      unit // of tsHeader or tsKey, default s
	jsonUnit  unit // of tsJSON, default s
	tolerance time.Duration
	pastOnly  bool // a timestamp in the future is accepted

	// Where the event's ID and type are. The first place that has one counts. The header of the placeholder {id} is signed, other headers
	// are not; a field of the body is signed where the body is.
	idJSON      string
	idHeaders   []string
	eventJSON   []string
	eventHeader string

	// What tells events apart, where that is not both the ID and what is signed.
	noID, noDigest  bool                        // as in [Result]
	repeatsRequests func(url, form string) bool // whether equal requests may be different events, which only an ID tells apart
	identity        string                      // what tells events apart, and why, for the documentation

	telltale      string                                       // a pointer into the body, or its first character: tells apart providers that share a header
	fixed         []fixedHeader                                // further headers that must have this value
	urls          func(string) []string                        // spellings of the URL that the provider may have signed
	userInfo      bool                                         // the URL may contain a user's name and password, which are signed too
	form          func(r *Request, url string) (string, error) // what {form} or {field} stands for
	handshake     handshake                                    // the set-up requests that are answered
	options       []string                                     // of this scheme, beside secret_encoding
	fixedBy       []string                                     // required options, for which placeholders of the template stand
	kidHeader     string                                       // the header that names the key
	jwt           *jwtRules                                    // what a token must say
	hosts         []string                                     // from which keys may be fetched
	jwksURL       string                                       // where the provider publishes its keys
	secretHelp    string                                       // what the provider calls the secret
	providerSigns bool                                         // only the provider has a key that signs
	note          string                                       // what the signature doesn't protect, beyond what follows from the row
	signs         string                                       // what is signed, in words, where the template can't say it
}

// fixedHeader is a header that must have a certain value.
type fixedHeader struct{ name, value string }

const defaultTolerance = 5 * time.Minute

// complete returns the row with its defaults filled in.
func (r row) complete() *row {
	setDefault(&r.alg, algSHA256)
	setDefault(&r.secret, secUTF8)
	if !r.sendsSecret() && r.alg != algJWT {
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

// setDefault sets v to value where it is zero.
func setDefault[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}

// timestamped reports whether the scheme has a timestamp.
func (r *row) timestamped() bool { return r.tsHeader != "" || r.tsKey != "" || r.tsJSON != "" }

// usesMAC reports whether the signature is a hash with a secret, whose encoding can be chosen.
func (r *row) usesMAC() bool { return hashes[r.alg] != nil }

// keyless reports whether the scheme needs no secret, because its keys are published or given as options.
func (r *row) keyless() bool {
	return r.providerSigns || (r.usesPublicKey() && r.header != "") || (r.jwt != nil && (r.jwksURL != "" || slices.Contains(r.options, "jwks_pem")))
}

// Keyless reports whether a scheme needs no secret, because its keys are published or given as options.
func Keyless(scheme string) bool {
	r, ok := find(scheme)
	return ok && r.keyless()
}

// sendsSecret reports whether requests contain the secret itself.
func (r *row) sendsSecret() bool { return r.alg == algToken || r.alg == algBasic }

// window is the accepted distance of timestamps: the configuration's, or else the row's.
func (r *row) window(c Config) window {
	w := window{off: c.ToleranceOff, size: r.tolerance, pastOnly: r.pastOnly}
	if c.Tolerance > 0 {
		w.size = c.Tolerance
	}
	return w
}

// takesOption reports whether the scheme has the option.
func (r *row) takesOption(option string) bool {
	return (option == "secret_encoding" && r.usesMAC()) || slices.Contains(r.options, option)
}

// soleHeader returns the value of a header that must be there exactly once and not be empty. name is canonical.
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

// optional returns the value of a header that is there once and printable, otherwise the empty string. name is canonical.
func optional(h http.Header, name string) string {
	if values := h[name]; len(values) == 1 && printable(values[0]) {
		return values[0]
	}
	return ""
}

// firstField is the text at the first pointer of the list that has one in the document, empty where none has.
func firstField(doc []byte, pointers []string) (text string) {
	for i := 0; text == "" && i < len(pointers); i++ {
		text, _ = Field(doc, pointers[i])
	}
	return text
}

// firstHeader is the value of the first header of the list that is there and can be passed on. The names are canonical.
func firstHeader(h http.Header, names []string) (value string) {
	for i := 0; value == "" && i < len(names); i++ {
		value = optional(h, names[i])
	}
	return value
}

// eventType is the event's type: where the body has it, otherwise from the header of that canonical name.
func (r *row) eventType(h http.Header, body []byte, header string) string {
	if text := firstField(body, r.eventJSON); text != "" {
		return text
	}
	return optional(h, header)
}
