package signature

import (
	"bytes"
	"crypto"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// jwtRules are what a token must say, beside being signed by one of the algorithms: a token never chooses its own.
type jwtRules struct {
	algs     []jose.SignatureAlgorithm
	inBody   bool     // the body is the token
	detached bool     // the token's payload is the body and is left out of it
	bodyHash string   // claim with the SHA-256 of the body
	hashEnc  encoding // of that claim
	issuer   []string // one of them, unless the configuration says another
	audience bool     // the claim aud must be the option audience, or the URL
	email    bool     // the claim email must be the option email, and be verified
	qsh      bool     // the claim qsh must be the hash of method, path and query
	age      bool     // iat is held against the clock, by the tolerance
	expires  bool     // exp must be there
	words    []string // in front of the token; default none
}

// jwtScheme checks a JSON Web Token: in a header, or as the body.
type jwtScheme struct {
	row      *row
	rules    jwtRules
	macs     []*macPool
	publics  []crypto.PublicKey
	signer   crypto.Signer // where a secret is a private key
	ring     *keyring
	window   window
	header   string
	url      string
	audience string
	issuer   []string
	email    string
}

func newJWT(r *row, c Config) (scheme, error) {
	s := &jwtScheme{row: r, rules: *r.jwt, window: r.window(c), url: c.URL, issuer: r.jwt.issuer, audience: c.Options["audience"], email: c.Options["email"]}
	var err error
	if s.ring, err = r.keyring(c); err != nil {
		return nil, err
	}
	if r.name == "jwt" {
		if err := s.options(c); err != nil {
			return nil, err
		}
	}
	s.header = http.CanonicalHeaderKey(s.row.header)
	if len(c.Secrets) == 0 && s.ring == nil {
		return nil, errNoSecret
	}
	for i, secret := range c.Secrets {
		if why := s.add(secret, c.Options["secret_encoding"]); why != "" {
			return nil, badSecret(i, why)
		}
	}
	if issuer, ok := c.Options["issuer"]; ok {
		if issuer == "" {
			return nil, badOption("issuer", "it is empty")
		}
		s.issuer = []string{issuer}
	}
	if s.rules.audience && s.audience == "" {
		if s.audience = c.URL; s.audience == "" || r.name == "jwt" {
			return nil, badOption("audience", "the scheme %s needs it: whoever else gets tokens of this issuer could send them here", r.name)
		}
	}
	if s.rules.email && s.email == "" {
		return nil, badOption("email", "the scheme %s needs it: any project can get a token for this audience", r.name)
	}
	if s.rules.qsh && c.URL == "" {
		return nil, badOption("url", "the scheme %s signs the public URL, so it has to be given", r.name)
	}
	if c.URL != "" {
		if err := r.checkURL(c.URL); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// jwtAlgorithms are those that can be asked for. None of them is "none".
var jwtAlgorithms = []string{"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// options reads those of the generic scheme.
func (s *jwtScheme) options(c Config) error {
	r := *s.row
	o := hmacReader{options: c.Options}
	r.header = o.header("header", r.header)
	s.row = &r
	if prefix, ok := c.Options["prefix"]; ok {
		s.rules.words = []string{prefix}
	}
	fallback := "HS256"
	if s.ring != nil {
		fallback = "RS256"
	}
	s.rules.algs = []jose.SignatureAlgorithm{jose.SignatureAlgorithm(o.choice("alg", fallback, jwtAlgorithms...))}
	s.rules.bodyHash = c.Options["body_hash"]
	switch o.choice("encoding", "hex", "hex", "base64", "base64url") {
	case "base64":
		s.rules.hashEnc = encBase64
	case "base64url":
		s.rules.hashEnc = encBase64URL
	}
	r.idJSON, r.eventJSON = o.pointer("id_json"), nil
	if pointer := o.pointer("event_json"); pointer != "" {
		r.eventJSON = []string{pointer}
	}
	if o.err != nil {
		return o.err
	}
	symmetric := strings.HasPrefix(string(s.rules.algs[0]), "HS")
	switch {
	case symmetric && s.ring != nil:
		return badOption("alg", "%s is made with a secret, and jwks has public keys", s.rules.algs[0])
	case !symmetric && s.ring == nil && len(c.Secrets) == 0:
		return badOption("jwks", "%s needs the address or the file of the keys, or a public key as secret", s.rules.algs[0])
	case s.ring != nil && c.Options["issuer"] == "":
		return badOption("issuer", "a set of keys may be shared by several issuers, so say which one sends")
	}
	return nil
}

var jwtHashes = map[jose.SignatureAlgorithm]algorithm{jose.HS256: algSHA256, jose.HS384: algSHA384, jose.HS512: algSHA512}

func (s *jwtScheme) symmetric() bool { return strings.HasPrefix(string(s.rules.algs[0]), "HS") }

// add takes a secret, or a public key where the algorithm is one for those.
func (s *jwtScheme) add(secret, enc string) string {
	if !s.symmetric() {
		if signer := parsePrivateKey(secret); signer != nil {
			s.signer, s.publics = signer, append(s.publics, signer.Public())
			return ""
		}
		public, why := parsePublicKey(secret)
		s.publics = append(s.publics, public)
		return why
	}
	encoding := s.row.secret
	if enc != "" {
		var ok bool
		if encoding, ok = secretEncodings[enc]; !ok {
			return "secret_encoding is not one of utf8, base64, hex, whsec, nfkd, auto"
		}
	}
	key, why := encoding.decode(secret)
	if why == "" {
		s.macs = append(s.macs, newMAC(jwtHashes[s.rules.algs[0]], key))
	}
	return why
}

// webToken is a parsed token.
type webToken struct {
	jws    *jose.JSONWebSignature
	text   string // as it came
	claims map[string]json.RawMessage
	kid    string
}

func (s *jwtScheme) check(h http.Header, now time.Time) error {
	if s.rules.inBody {
		return nil
	}
	text, err := s.text(h)
	if err != nil || s.rules.detached {
		return err
	}
	t, err := s.parse(text, nil)
	if err != nil {
		return err
	}
	return s.inTime(t, now)
}

// text is the token in the header.
func (s *jwtScheme) text(h http.Header) (string, error) {
	value, err := one(h, s.header)
	if err != nil {
		return "", err
	}
	if len(s.rules.words) == 0 {
		return value, nil
	}
	for _, word := range s.rules.words {
		if len(value) > len(word) && strings.EqualFold(value[:len(word)], word) {
			return value[len(word):], nil
		}
	}
	return "", malformed(s.header, "does not begin with "+strings.TrimSpace(s.rules.words[0]))
}

func (s *jwtScheme) parse(text string, body []byte) (*webToken, error) {
	bad := malformed("the token", "is not one of the scheme's form and algorithm")
	if len(text) > s.most() || !canonicalToken(text) {
		return nil, bad
	}
	t := webToken{text: text}
	var err error
	if s.rules.detached {
		if len(body) > maxParsed {
			return nil, malformed("the body", "is too large") // it is copied and encoded to be verified
		}
		if !strings.Contains(text, "..") {
			return nil, malformed("the token", "has a payload of its own, which would not be the body")
		}
		t.jws, err = jose.ParseDetached(text, body, s.rules.algs)
	} else {
		t.jws, err = jose.ParseSignedCompact(text, s.rules.algs)
	}
	if err != nil || len(t.jws.Signatures) != 1 {
		return nil, bad
	}
	t.kid = t.jws.Signatures[0].Protected.KeyID
	if s.rules.detached {
		return &t, nil
	}
	payload := t.jws.UnsafePayloadWithoutVerification()
	if len(payload) > maxHeader && !s.rules.inBody {
		return nil, bad
	}
	if json.Unmarshal(payload, &t.claims) != nil || (!s.rules.inBody && distinctNames(payload, maxNames) != nil) {
		return nil, bad
	}
	return &t, nil
}

// canonicalToken reports whether a text has three parts in the one spelling that base64url has.
func canonicalToken(text string) bool {
	parts := strings.Split(text, ".")
	if len(parts) != 3 || strings.ContainsAny(text, "\r\n") {
		return false
	}
	for _, part := range parts {
		if _, err := strictBase64URL.DecodeString(part); err != nil {
			return false
		}
	}
	return true
}

func (s *jwtScheme) most() int {
	if s.rules.inBody {
		return maxParsed
	}
	return maxHeader
}

// inTime holds the token's own times against the clock: exp and nbf whatever the tolerance is, iat by it.
func (s *jwtScheme) inTime(t *webToken, now time.Time) error {
	expires, hasExpiry := t.number("exp")
	switch {
	case s.rules.expires && !hasExpiry:
		return malformed("the token", "never expires")
	case hasExpiry && now.Unix() >= expires:
		return errStale
	}
	if since, ok := t.number("nbf"); ok && now.Unix() < since {
		return errPremature
	}
	if !s.rules.age || s.window.off {
		return nil
	}
	at, ok := t.number("iat")
	if !ok {
		return missing("the time iat in the token")
	}
	return s.window.check(at*1000, 1000, now)
}

// number is a claim of seconds. A fraction is cut off.
func (t *webToken) number(name string) (int64, bool) {
	whole, _, _ := strings.Cut(string(t.claims[name]), ".")
	return digits(whole)
}

// words are the strings of a claim: one, or several.
func (t *webToken) words(name string) []string {
	var one string
	if json.Unmarshal(t.claims[name], &one) == nil && t.claims[name] != nil {
		return []string{one}
	}
	var several []string
	_ = json.Unmarshal(t.claims[name], &several)
	return several
}

func (t *webToken) word(name string) string {
	if words := t.words(name); len(words) == 1 {
		return words[0]
	}
	return ""
}

func (s *jwtScheme) verify(r *Request, now time.Time) (Result, error) {
	text, err := s.token(r)
	if err != nil {
		return Result{}, err
	}
	t, err := s.parse(text, r.Body)
	if err != nil {
		return Result{}, err
	}
	if err := s.inTime(t, now); err != nil {
		return Result{}, err
	}
	matched, err := s.match(t, r.Body, now)
	if err != nil {
		return Result{}, err
	}
	if err := s.judge(t, r); err != nil {
		return Result{}, err
	}
	res := Result{Secret: matched, BodySigned: s.rules.bodyHash != "" || s.rules.inBody || s.rules.detached, NoID: s.row.noID, NoDigest: s.row.noDigest}
	if s.rules.qsh {
		res.URLSigned = publicURL(s.url, r.URL)
	}
	if at, ok := t.claims["iat"]; ok && printable(string(at)) {
		res.Timestamp = string(at)
	}
	s.identify(&res, t, r)
	return res, nil
}

// token is the text of the one in the header, or in the body.
func (s *jwtScheme) token(r *Request) (string, error) {
	if !s.rules.inBody {
		return s.text(r.Header)
	}
	text := bytes.TrimSpace(r.Body)
	switch {
	case len(text) == 0:
		return "", missing("the token in the body")
	case len(text) > maxParsed:
		return "", malformed("the token", "is too large")
	}
	return string(text), nil
}

// match returns which key signed the token.
func (s *jwtScheme) match(t *webToken, body []byte, now time.Time) (int, error) {
	try := func(key any) bool {
		if s.rules.detached {
			return t.jws.DetachedVerify(body, key) == nil
		}
		_, err := t.jws.Verify(key)
		return err == nil
	}
	if s.ring != nil {
		public := s.ring.key(t.kid, now)
		if public == nil {
			return -1, errUnknownKey
		}
		if try(public) {
			return 0, nil
		}
		return -1, errMismatch
	}
	// Providers' secrets are often shorter than the library lets them be, so the MAC is made here.
	last := strings.LastIndexByte(t.text, '.')
	for i, mac := range s.macs {
		m := mac.get()
		m.writeString(t.text[:last])
		equal := hmac.Equal(m.total(), t.jws.Signatures[0].Signature)
		mac.put(m)
		if equal {
			return i, nil
		}
	}
	for i, public := range s.publics {
		if try(public) {
			return i, nil
		}
	}
	return -1, errMismatch
}

// judge looks at what a genuine token says.
func (s *jwtScheme) judge(t *webToken, r *Request) error {
	refuse := func(why string) error { return &Error{ReasonMismatch, "the token " + why} }
	if len(s.issuer) > 0 && !slices.Contains(s.issuer, t.word("iss")) {
		return refuse("is not from the issuer that is expected")
	}
	if s.rules.audience && !slices.Contains(t.words("aud"), s.audience) {
		return refuse("is for another audience")
	}
	if s.rules.email && (t.word("email") != s.email || string(t.claims["email_verified"]) != "true") {
		return refuse("is from another account")
	}
	if s.rules.qsh && subtle.ConstantTimeCompare([]byte(t.word("qsh")), []byte(queryHash(r.Method, publicURL(s.url, r.URL)))) != 1 {
		return refuse("is for another request")
	}
	if claim := s.rules.bodyHash; claim != "" {
		var d decoded
		sum := sha256.Sum256(r.Body)
		if !s.rules.hashEnc.decode(&d, t.word(claim)) || !hmac.Equal(d.bytes(), sum[:]) {
			return refuse("is not for this body")
		}
	}
	return nil
}

// queryHash is Atlassian's: SHA-256 over method, path and the query in its canonical form.
func queryHash(method, u string) string {
	_, _, _, tail := cutURL(u)
	path, query, _ := strings.Cut(tail, "?")
	values := map[string][]string{}
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if name == "" || name == "jwt" {
			continue
		}
		name = string(appendRFC3986(nil, unescaped(name)))
		values[name] = append(values[name], string(appendRFC3986(nil, unescaped(value))))
	}
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	sort.Strings(names)
	var b strings.Builder
	for i, name := range names {
		if i > 0 {
			b.WriteByte('&')
		}
		sort.Strings(values[name])
		b.WriteString(name + "=" + strings.Join(values[name], ","))
	}
	if path = strings.TrimSuffix(path, "/"); path == "" {
		path = "/"
	}
	sum := sha256.Sum256([]byte(strings.ToUpper(method) + "&" + path + "&" + b.String()))
	return hex.EncodeToString(sum[:])
}

// appendRFC3986 escapes all but unreserved characters.
func appendRFC3986(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || isDigit(c) || strings.IndexByte("-_.~", c) >= 0 {
			dst = append(dst, c)
			continue
		}
		dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
	}
	return dst
}

// identify fills in the event's ID and type.
func (s *jwtScheme) identify(res *Result, t *webToken, r *Request) {
	doc := r.Body
	if s.rules.inBody {
		// Wix wraps an event three times; the outer layer is what stays the same when it is signed anew.
		var outer, inner string
		if json.Unmarshal(t.claims["data"], &outer) == nil {
			res.Content = []byte(outer)
			res.Event, _ = Field(res.Content, "/eventType")
			if raw, ok := rawField(res.Content, "/data"); ok && json.Unmarshal(raw, &inner) == nil {
				res.ID, res.IDSigned = Field([]byte(inner), "/id")
			}
		}
		return
	}
	if s.row.idJSON != "" {
		res.ID, res.IDSigned = Field(doc, s.row.idJSON)
		res.IDSigned = res.IDSigned && res.BodySigned
	}
	for _, name := range s.row.idHeaders {
		if res.ID == "" {
			res.ID = optional(r.Header, http.CanonicalHeaderKey(name))
		}
	}
	for _, pointer := range s.row.eventJSON {
		if res.Event == "" {
			res.Event, _ = Field(doc, pointer)
		}
	}
	if res.Event == "" && s.row.eventHeader != "" {
		res.Event = optional(r.Header, http.CanonicalHeaderKey(s.row.eventHeader))
	}
}

// sign makes a token with the first secret. Public keys can't.
func (s *jwtScheme) sign(r *Request, _ string, now time.Time) (http.Header, error) {
	if s.rules.inBody || (len(s.macs) == 0 && s.signer == nil) {
		return nil, ErrCannotSign
	}
	word := ""
	if len(s.rules.words) > 0 {
		word = s.rules.words[0]
	}
	if s.rules.detached {
		return s.signDetached(r.Body, word)
	}
	claims := map[string]any{"iat": now.Unix()}
	if s.rules.expires {
		claims["exp"] = now.Add(liveKitLifetime).Unix()
	}
	if len(s.issuer) > 0 {
		claims["iss"] = s.issuer[0]
	}
	if s.audience != "" {
		claims["aud"] = s.audience
	}
	if s.email != "" {
		claims["email"], claims["email_verified"] = s.email, true
	}
	if s.rules.qsh {
		claims["qsh"] = queryHash(r.Method, publicURL(s.url, r.URL))
	}
	if s.rules.bodyHash != "" {
		sum := sha256.Sum256(r.Body)
		claims[s.rules.bodyHash] = string(s.rules.hashEnc.encode(nil, sum[:]))
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return nil, err
	}
	if s.signer != nil {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: s.rules.algs[0], Key: s.signer}, nil)
		if err != nil {
			return nil, ErrCannotSign
		}
		jws, err := signer.Sign(payload)
		if err != nil {
			return nil, err
		}
		text, err := jws.CompactSerialize()
		return http.Header{s.header: {word + text}}, err
	}
	signed := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"`+string(s.rules.algs[0])+`","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(payload)
	mac := s.macs[0].get()
	defer s.macs[0].put(mac)
	mac.writeString(signed)
	return http.Header{s.header: {word + signed + "." + base64.RawURLEncoding.EncodeToString(mac.total())}}, nil
}

// signDetached makes a signature whose payload is the body and is left out.
func (s *jwtScheme) signDetached(body []byte, word string) (http.Header, error) {
	if s.signer == nil {
		return nil, ErrCannotSign
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: s.rules.algs[0], Key: s.signer}, nil)
	if err != nil {
		return nil, ErrCannotSign
	}
	jws, err := signer.Sign(body)
	if err != nil {
		return nil, err
	}
	text, err := jws.DetachedCompactSerialize()
	return http.Header{s.header: {word + text}}, err
}
