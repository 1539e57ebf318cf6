package signature

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// Info describes a scheme, for the documentation and for code that registers schemes by name.
type Info struct {
	Name     string
	Aliases  []string
	Provider string
	// Header is the name of the header with the signature; empty where the body has it.
	Header string
	// Algorithm and encoding of the signature, in words.
	Algorithm string
	// Signed is what is signed, as a template in backquotes or in words.
	Signed string
	// SignsBody and SignsURL say what a signature covers. SignsURL needs the URL to be configured.
	SignsBody, SignsURL bool
	// Timestamp is where the timestamp is and how it is written, in words; empty if there is none.
	Timestamp string
	// Tolerance is the default of [Config.Tolerance]; zero without a timestamp.
	Tolerance time.Duration
	// PastOnly says that only the age of a timestamp is checked: it may be in the future.
	PastOnly bool
	// ID is where the event's ID is, in words; empty if there is none.
	ID string
	// IDSigned says that the first place of ID is covered by the signature.
	IDSigned bool
	// Event is where the event's type is, in words; empty if the request does not have it.
	Event string
	// Secret is what to configure as the secret.
	Secret string
	// SecretHeaders are the headers that hold the secret itself, or a token that can be used like it. Keep them out of logs and stores.
	SecretHeaders []string
	// Handshake is the set-up request that the gateway answers, in words; empty if there is none.
	Handshake string
	// HandshakeUnsigned says that the set-up request has no signature.
	HandshakeUnsigned bool
	// Identity says what tells events apart, and why.
	Identity string
	// Source says where the scheme's rules were read, and when. It says so where all sources are third parties.
	Source string
	// Unprotected lists what the signature does not protect.
	Unprotected []string
	// Options of the scheme.
	Options []Option
	// CanSign says that requests can be signed with the scheme, given the right kind of key.
	CanSign bool
}

// Option is one option of a scheme.
type Option struct {
	Name   string
	Values string // in words
	Help   string
}

// Schemes lists every scheme in the order of the documentation.
func Schemes() []Info {
	infos := make([]Info, 0, len(presets))
	for i := range presets {
		infos = append(infos, table()[presets[i].name].info())
	}
	return infos
}

func (r *row) info() Info {
	fixed := map[string]string{}
	for _, name := range r.fixedBy {
		fixed[name] = name
	}
	p, _ := parsePayload(r.template, fixed)
	i := Info{
		Name: r.name, Aliases: r.aliases, Provider: r.provider, Header: r.header,
		Algorithm: r.algorithm(), Signed: r.signs, Secret: r.secretHelp,
		SignsBody: r.signsBody(p), SignsURL: p.signsURL(),
		PastOnly: r.pastOnly, CanSign: r.header != "" && !r.providerSigns,
	}
	setDefault(&i.Secret, "the secret's text")
	if r.sendsSecret() {
		setDefault(&i.Signed, "nothing")
	}
	setDefault(&i.Signed, "`"+strings.ReplaceAll(r.template, "\n", "␤")+"`")
	if r.timestamped() {
		i.Tolerance = r.tolerance
		i.Timestamp = r.timestamp()
	}
	switch {
	case r.jwt != nil && r.jwt.mustExpire:
		i.Timestamp = "`nbf` and `exp` of the token"
	case r.jwt != nil && r.jwt.checkIssuedAt:
		i.Timestamp, i.Tolerance = "`iat` of the token (s)", r.tolerance
	}
	i.ID, i.IDSigned = r.idPlace(p)
	i.Event = strings.Join(append(pointers(r.eventJSON), quoted(r.eventHeader)...), ", else ")
	i.SecretHeaders = r.secretHeaders()
	i.Handshake, i.HandshakeUnsigned = r.handshake.words, r.handshake.unsigned != nil
	i.Source = r.source
	i.Identity = r.identityText(i, p)
	i.Unprotected = r.unprotected(i)
	for _, o := range optionHelp {
		if r.takesOption(o.name) {
			i.Options = append(i.Options, Option{o.name, o.values, o.help})
		}
	}
	return i
}

// publicNames are the algorithms with public keys, in words.
var publicNames = map[algorithm]string{
	algEd25519: "Ed25519", algECDSA: "ECDSA P-256 with SHA-256", algECDSA1: "ECDSA P-256 with SHA-1",
	algRSA1: "RSA with SHA-1", algRSA256: "RSA with SHA-256", algRSA512: "RSA with SHA-512",
}

// algorithm is how the signature is made and encoded, in words.
func (r *row) algorithm() string {
	switch {
	case r.alg == algBasic:
		return "none: name and password"
	case r.alg == algToken:
		return "none: a shared token"
	case r.name == "livekit":
		return "HMAC-SHA256, in a JWT"
	case r.jwt != nil && len(r.jwt.algs) == 0:
		return "a JWT, HS256 or what `alg` says"
	case r.jwt != nil:
		return string(r.jwt.algs[0]) + ", in a JWT"
	case r.usesPublicKey():
		return publicNames[r.alg] + ", " + r.enc.String()
	}
	name := "HMAC-" + strings.ToUpper(string(r.alg))
	if r.plainHash {
		name = "plain " + strings.ToUpper(string(r.alg))
	}
	if r.prefix != "" {
		return name + ", `" + r.prefix + "` and " + r.enc.String()
	}
	return name + ", " + r.enc.String()
}

// String names the encoding.
func (e encoding) String() string {
	return [...]string{"hex", "lower-case hex", "base64", "base64url", "base64 of the hex text", "base64 in either alphabet"}[e]
}

func (r *row) timestamp() string {
	var places []string
	if r.tsJSON != "" {
		places = append(places, pointers([]string{r.tsJSON})[0]+" ("+string(r.jsonUnit)+")")
	}
	if r.tsHeader != "" {
		places = append(places, "`"+r.tsHeader+"` ("+string(r.unit)+")")
	}
	if r.tsKey != "" {
		places = append(places, "`"+r.tsKey+"` ("+string(r.unit)+")")
	}
	return strings.Join(places, ", else ")
}

// signsBody reports whether the signature covers the body, as far as the row says.
func (r *row) signsBody(p payload) bool {
	switch {
	case r.jwt != nil:
		return r.jwt.bodyHash != "" || r.jwt.inBody || r.jwt.detached
	case r.sendsSecret() || r.name == "mailgun":
		return false
	}
	return p.signsBody()
}

func (r *row) idPlace(p payload) (place string, signed bool) {
	if p.uses["id"] || r.name == "videocloud" {
		return "`" + r.idHeaders[0] + "`", true
	}
	places := quoted(r.idHeaders...)
	if r.idJSON != "" {
		places = append(pointers([]string{r.idJSON}), places...)
	}
	return strings.Join(places, ", else "), r.idJSON != "" && (r.signsBody(p) || r.name == "mailgun")
}

// secretHeaders are the headers with the secret, or with a token that whoever reads it can use again.
func (r *row) secretHeaders() []string {
	if r.header == "" || (!r.sendsSecret() && r.header != "Authorization" && r.jwt == nil) {
		return nil
	}
	return []string{http.CanonicalHeaderKey(r.header)}
}

// identityText says what tells events apart: in the row's words, or what follows from the row.
func (r *row) identityText(i Info, p payload) string {
	switch {
	case r.identity != "":
		return r.identity
	case r.name == "hmac":
		return "the ID, where `payload` signs it; the octets that `payload` makes, without the time; an unsigned ID beside them"
	case r.jwt != nil && !i.SignsBody && i.ID == "":
		return "nothing: each request is let through"
	case r.jwt != nil && !i.SignsBody:
		return i.ID + " alone, for the body is not signed"
	case r.borders(p).content != contentBody && i.ID != "":
		return "the octets that are signed, or " + i.ID
	case r.borders(p).content != contentBody:
		return "the octets that are signed"
	case i.IDSigned:
		return i.ID + ", which is signed"
	case !i.SignsBody && i.ID == "":
		return "nothing: each request is let through"
	case !i.SignsBody:
		return i.ID + " alone, for nothing is signed"
	case i.ID != "":
		return "the body, or " + i.ID
	}
	return "the body: two events with equal bodies are one"
}

func quoted(headers ...string) (words []string) {
	for _, name := range headers {
		if name != "" {
			words = append(words, "`"+name+"`")
		}
	}
	return words
}

func pointers(fields []string) (words []string) {
	for _, pointer := range fields {
		words = append(words, "`"+pointer+"` of the body")
	}
	return words
}

// unprotected lists what the signature does not protect, for those who rely on the scheme.
func (r *row) unprotected(i Info) []string {
	var notes []string
	if r.sendsSecret() {
		note := "Nothing is signed: whoever sees one request has the token, and can send any other."
		if r.name == "gitlab" {
			note = "By the secret token nothing is signed: whoever sees one request has the token, and can send any other."
		}
		if r.header != "" {
			note += " Keep the header out of access logs."
		}
		notes = append(notes, note)
	} else if i.Timestamp == "" && r.name != "hmac" {
		notes = append(notes, "There is no timestamp: a captured request stays right for ever, and only `dedup` keeps it out, for its `ttl`.")
	}
	bodyless := r.sendsSecret() || (r.jwt != nil && !i.SignsBody)
	if i.ID != "" && !i.IDSigned && !bodyless && !r.noDigest && !r.noID {
		notes = append(notes, "The ID header is not signed: a captured request can come under another one. The gateway also goes by what is signed.")
	}
	if i.ID == "" && (r.noDigest || (r.jwt != nil && !i.SignsBody && r.name != "jwt")) {
		notes = append(notes, "Nothing tells a captured request from a new one: it reaches the app as often as it is sent.")
	} else if r.noDigest {
		notes = append(notes, "The ID alone tells events apart, and it is not signed: a captured request can come again under another one.")
	}
	if r.note != "" {
		notes = append(notes, r.note)
	}
	return notes
}

// HeaderName returns a canonical header name in the spelling of the scheme's provider.
func (v *Verifier) HeaderName(canonical string) string {
	r := v.row
	if g, ok := v.scheme.(*generic); ok {
		r = g.row // the scheme hmac has one of its own
	}
	names := slices.Concat([]string{r.header, r.tsHeader, r.eventHeader}, r.idHeaders)
	for _, f := range r.fixed {
		names = append(names, f.name)
	}
	if s, ok := v.scheme.(*videoCloud); ok {
		names = append(names, s.documentedNames()...)
	}
	for _, name := range names {
		if http.CanonicalHeaderKey(name) == canonical {
			return name
		}
	}
	return canonical
}
