package signature

import (
	"regexp"
	"slices"
	"strings"
)

// hmacOptions are the options of the scheme hmac, which describe a row.
var hmacOptions = []string{
	"alg", "encoding", "header", "prefix", "payload",
	"list", "separator", "signature_key", "timestamp_key", "signatures",
	"timestamp_header", "timestamp_json", "timestamp_unit", "timestamp_window",
	"id_header", "id_json", "event_header", "event_json",
}

// option is a documented option of a scheme.
type option struct{ name, values, help string }

// optionHelp documents every option there is.
var optionHelp = []option{
	{"secret_encoding", "utf8, base64, hex, whsec, nfkd or auto", "how the text of a secret becomes the key: its bytes; decoded; `whsec` is base64 after an optional `whsec_`; `nfkd` its bytes in that form of Unicode; `auto` is that only where `whsec_` is there"},
	{"brand", "a word", "in the header names, instead of VideoCloud"},
	{"api_key", "a name", "the issuer that tokens must have"},
	{"app_key", "a text", "the app's key, which is signed in front of the body"},
	{"public_key", "a key", "the public key, in PEM, base64 or hexadecimal (braintree, solidgate: the name of the key that they call so)"},
	{"key", "a name", "the app key that the header must name"},
	{"topic", "an address", "the topic that a subscription may be confirmed for"},
	{"topic_arn", "an ARN", "the topic whose messages pass"},
	{"signature_version", "1 or 2", "the version that a signature must have; default either. The version itself is not signed, and 1 is SHA-1"},
	{"webhook_id", "a text", "the ID of the webhook as PayPal shows it, which is signed"},
	{"cert_pem", "a certificate", "in PEM, whatever address of the provider's a request names, for use without a network: none is fetched then"},
	{"certs", "a JSON object", "certificates in PEM by their address, for use without a network: none is fetched then"},
	{"endpoint", "a URL", "the address of the gateway as eBay has it, for the set-up request"},
	{"jwks", "an https address or a file", "the issuer's JSON Web Key Set. It is kept for an hour, asked again at an unknown key at most once a minute, and the last good one is kept while the address is down"},
	{"jwks_pem", "a JSON object", "public keys in PEM by their ID, for use without a network: none is fetched then"},
	{"audience", "a text", "whom a token must be for"},
	{"issuer", "a text", "whom a token must be from"},
	{"email", "an address", "the service account that a token must be of"},
	{"body_hash", "a claim", "of the token, with the SHA-256 of the body, in the form that `encoding` says"},
	{"alg", "a hash", "hmac: md5, sha1, sha256 (default), sha384 or sha512; cloudinary: sha1 (default) or sha256; kaltura: as hmac; websub: sha1, sha256 (default), sha384 or sha512; rsa: sha256 (default), sha512 or sha1; ecdsa: sha256 (default) or sha1; jwt: HS256 (default), RS256 (default with `jwks`), ES256, EdDSA and the longer ones"},
	{"encoding", "hex, base64 or base64url", "of the signature; default hex (rsa, ecdsa, mongodb-atlas: base64)"},
	{"header", "a header", "with the signature; default X-Signature (token, jwt: Authorization). With a * at its end it is a family of headers, numbered from 1 on, of which any may be right"},
	{"prefix", "any text", "in front of a single signature, such as sha256="},
	{"payload", "a template", "what is signed, from {body}, {body_sha256}, {body_hash}, {t}, {id}, {url}, {url_path}, {query} and {method}; default {body}. jwt: {body}, where the token is a JWS whose payload is the body and is left out of it; only for keys that sign nothing else, as the claims of any other token by them would pass as a body"},
	{"list", "pairs or slashes", "the form of a list's elements: t=…,v1=… (default), or `slashes` for key ID, algorithm and signature with a slash between them, where `signature_key` is the word that must stand for the algorithm. Every secret is tried, whatever the key ID says"},
	{"separator", "one character, space or tab", "between the elements of a list; default a comma"},
	{"signature_key", "a word", "makes the header a list such as t=…,v1=… and names the signatures' key"},
	{"timestamp_key", "a word", "the timestamp's key in that list"},
	{"signatures", "one or any", "whether a list has exactly one signature (default), or several, of which one must be right (rotation)"},
	{"timestamp_header", "a header", "with the timestamp"},
	{"timestamp_json", "a JSON pointer", "of the timestamp in the body"},
	{"timestamp_unit", "s, ms, auto, rfc3339, iso or http-date", "how the timestamp is written; default s. `auto` is s or ms by its length, `iso` as rfc3339 or without a zone, which is UTC then"},
	{"timestamp_window", "both or past", "whether a timestamp may be too far in the future too (default), or only too old"},
	{"id_header", "a header", "with the event's ID; signed if the payload has {id}"},
	{"id_json", "a JSON pointer", "of the event's ID in the body"},
	{"event_header", "a header", "with the event's type"},
	{"event_json", "a JSON pointer", "of the event's type in the body"},
}

var headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$")

// newHMAC builds the scheme that the options describe.
func newHMAC(preset *row, c Config) (scheme, error) {
	r := *preset
	o := optionReader{options: c.Options}
	r.alg = algorithm(o.choice("alg", string(r.alg), string(algMD5), string(algSHA1), string(algSHA256), string(algSHA384), string(algSHA512)))
	o.signature(&r)
	r.several = o.choice("signatures", "one", "one", "any") == "any"
	if strings.HasSuffix(r.header, "*") {
		r.syntax, r.sep, r.several = values, ',', true
	}
	slashed := o.choice("list", "pairs", "pairs", "slashes") == "slashes"
	if r.sigKey = o.word("signature_key"); r.sigKey != "" {
		r.syntax = list
		if slashed {
			r.syntax = slashes
		}
		r.sep = o.separator()
	}
	r.tsKey = o.word("timestamp_key")
	r.tsJSON = o.pointer("timestamp_json", "")
	o.time(&r)
	r.jsonUnit = r.unit
	r.pastOnly = o.choice("timestamp_window", "both", "both", "past") == "past"
	o.event(&r)
	if o.err != nil {
		return nil, o.err
	}
	if err := r.coherent(c); err != nil {
		return nil, err
	}
	return newGeneric(&r, c)
}

// coherent refuses combinations of options that contradict each other, or seem to protect what they don't.
func (r *row) coherent(c Config) error {
	p, err := parsePayload(r.template, nil)
	switch {
	case err != nil:
		return badOption("payload", "%v", err)
	case !p.signsBody():
		return badOption("payload", "without {body} or {body_sha256} anyone could change the body")
	case p.uses["secret"] || p.uses["form"] || p.uses["field"]:
		return badOption("payload", "{secret}, {form} and {field} are for presets only")
	case p.uses["t"] && r.tsHeader == "" && r.tsKey == "":
		return badOption("payload", "{t} needs timestamp_header or timestamp_key")
	case !p.uses["t"] && (r.tsHeader != "" || r.tsKey != "") && r.tsJSON == "":
		return badOption("payload", "without {t} the timestamp is not signed, and protects nothing")
	case r.tsHeader != "" && r.tsKey != "":
		return badOption("timestamp_key", "the timestamp is in the list or in timestamp_header, not in both")
	case p.uses["t"] && r.tsJSON != "":
		return badOption("timestamp_json", "the timestamp is in the body or in the payload's {t}, not in both")
	case p.uses["id"] && len(r.idHeaders) == 0:
		return badOption("payload", "{id} needs id_header")
	case r.sigKey == "" && (r.tsKey != "" || c.Options["signatures"] != "" || c.Options["separator"] != "" || c.Options["list"] != ""):
		return badOption("signature_key", "list, timestamp_key, separator and signatures are for lists, which need it")
	case r.syntax == slashes && r.tsKey != "":
		return badOption("timestamp_key", "a list of slashes has no timestamp: it may be in timestamp_header")
	case r.syntax == slashes && (r.sep == '/' || strings.Contains(r.sigKey, "/")):
		return badOption("list", "neither separator nor signature_key can have a slash there")
	case p.uses["t"] && r.unit == unitEither && r.borders(p).timeSize > 0:
		return badOption("timestamp_unit", "auto needs text around {t}: otherwise digits could move between it and its neighbour")
	case r.sigKey != "" && strings.HasSuffix(r.header, "*"):
		return badOption("signature_key", "a family of headers has a signature in each, not a list")
	case r.sigKey != "" && r.sigKey == r.tsKey:
		return badOption("timestamp_key", "must differ from signature_key")
	case r.sigKey != "" && r.prefix != "":
		return badOption("prefix", "a list has keys instead")
	}
	return nil
}

// optionReader reads options and keeps the first error. Each of its methods reads the option of a name and returns fallback if that is not
// set.
type optionReader struct {
	options map[string]string
	err     error
}

func (o *optionReader) fail(name, format string, args ...any) {
	if o.err == nil {
		o.err = badOption(name, format, args...)
	}
}

func (o *optionReader) text(name, fallback string) string {
	value, ok := o.options[name]
	if !ok {
		return fallback
	}
	if value == "" {
		o.fail(name, "it is empty")
	}
	return value
}

func (o *optionReader) choice(name, fallback string, values ...string) string {
	value := o.text(name, fallback)
	if !slices.Contains(values, value) {
		o.fail(name, "%q is not one of %s", value, strings.Join(values, ", "))
	}
	return value
}

func (o *optionReader) header(name, fallback string) string {
	value := o.text(name, fallback)
	if value != "" && !headerName.MatchString(value) {
		o.fail(name, "%q is not the name of a header", value)
	}
	return value
}

func (o *optionReader) word(name string) string {
	value := o.text(name, "")
	if strings.ContainsAny(value, "=,; \t") {
		o.fail(name, "%q is not a key of a list", value)
	}
	return value
}

func (o *optionReader) pointer(name, fallback string) string {
	value := o.text(name, fallback)
	if value != "" && value[0] != '/' {
		o.fail(name, "a JSON pointer starts with a slash, such as /id")
	}
	return value
}

// encoding reads the option encoding.
func (o *optionReader) encoding(fallback encoding) encoding {
	switch o.choice("encoding", fallback.String(), "hex", "base64", "base64url") {
	case "base64":
		return encBase64
	case "base64url":
		return encBase64URL
	}
	return encHex
}

// signature reads the options about the signature into a row. Fields without an option stay as they are.
func (o *optionReader) signature(r *row) {
	r.header = o.header("header", r.header)
	if prefix, ok := o.options["prefix"]; ok {
		r.prefix = prefix
	}
	r.enc = o.encoding(r.enc)
	r.template = o.text("payload", r.template)
}

// time reads the options about a timestamp in a header into a row.
func (o *optionReader) time(r *row) {
	r.tsHeader = o.header("timestamp_header", r.tsHeader)
	r.unit = unit(o.choice("timestamp_unit", string(r.unit), timeUnits...))
}

// event reads the options about an event's ID and type into a row.
func (o *optionReader) event(r *row) {
	if name := o.header("id_header", ""); name != "" {
		r.idHeaders = []string{name}
	}
	r.idJSON = o.pointer("id_json", r.idJSON)
	r.eventHeader = o.header("event_header", r.eventHeader)
	if pointer := o.pointer("event_json", ""); pointer != "" {
		r.eventJSON = []string{pointer}
	}
}

func (o *optionReader) separator() byte {
	switch value := o.text("separator", ","); {
	case value == "space":
		return ' '
	case value == "tab":
		return '\t'
	case len(value) == 1 && value != "=":
		return value[0]
	default:
		o.fail("separator", "%q is not one character", value)
		return 0
	}
}
