package signature

import (
	"cmp"
	"crypto"
	"net/http"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// jwtRules are what a token must say. It must be signed by one of the algorithms: a token never chooses its own.
type jwtRules struct {
	algs          []jose.SignatureAlgorithm
	inBody        bool     // the body is the token
	detached      bool     // the token's payload is the body and is left out of it
	bodyHash      string   // claim with the SHA-256 of the body
	hashEnc       encoding // of that claim
	issuer        []string // one of them, unless the configuration says another
	issuerOption  string   // the option that names the issuer; default issuer
	audience      bool     // the claim aud must be the option audience, or the URL
	email         bool     // the claim email must be the option email, and be verified
	qsh           bool     // the claim qsh must be the hash of method, path and query
	checkIssuedAt bool     // iat is held against the clock, by the tolerance
	mustExpire    bool     // exp must be there
	prefixes      []string // in front of the token; default none
}

// jwtScheme checks a JSON Web Token: in a header, or as the body.
type jwtScheme struct {
	row      *row
	rules    jwtRules
	keys     []key // of secrets
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
	enc, err := r.secretEncoding(c)
	if err != nil {
		return nil, err
	}
	for i, secret := range c.Secrets {
		if why := s.addSecret(secret, enc); why != "" {
			return nil, badSecret(i, why)
		}
	}
	option := cmp.Or(s.rules.issuerOption, "issuer")
	if issuer, ok := c.Options[option]; ok {
		if issuer == "" {
			return nil, badOption(option, "it is empty")
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

// jwtAlgorithms are the values of the option alg (RFC 7518), without "none".
var jwtAlgorithms = []string{"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// options reads the options of the scheme jwt.
func (s *jwtScheme) options(c Config) error {
	r := *s.row
	o := optionReader{options: c.Options}
	r.header = o.header("header", r.header)
	s.row = &r
	if prefix, ok := c.Options["prefix"]; ok {
		s.rules.prefixes = []string{prefix}
	}
	fallback := "HS256"
	if s.ring != nil {
		fallback = "RS256"
	}
	s.rules.algs = []jose.SignatureAlgorithm{jose.SignatureAlgorithm(o.choice("alg", fallback, jwtAlgorithms...))}
	if err := s.detach(c); err != nil {
		return err
	}
	s.rules.bodyHash = c.Options["body_hash"]
	s.rules.hashEnc = o.encoding(encHex)
	o.event(&r)
	if o.err != nil {
		return o.err
	}
	switch symmetric := s.symmetric(); {
	case symmetric && s.ring != nil:
		return badOption("alg", "%s is made with a secret, and jwks has public keys", s.rules.algs[0])
	case !symmetric && s.ring == nil && len(c.Secrets) == 0:
		return badOption("jwks", "%s needs the address or the file of the keys, or a public key as secret", s.rules.algs[0])
	case s.rules.detached && symmetric:
		return badOption("payload", "a JWS without its payload is checked with public keys: give alg one of theirs, not %s", s.rules.algs[0])
	case s.ring != nil && c.Options["issuer"] == "" && !s.rules.detached:
		return badOption("issuer", "a set of keys may be shared by several issuers, so say which one sends")
	}
	return nil
}

// detach reads the option payload, which says that the token's payload is the body and is left out of it. Such a token has no claims.
func (s *jwtScheme) detach(c Config) error {
	payload, ok := c.Options["payload"]
	if !ok {
		return nil
	}
	if payload != "{body}" {
		return badOption("payload", "the payload of a token is its claims, or the body where it is {body}")
	}
	for _, claim := range []string{"audience", "issuer", "body_hash"} {
		if _, given := c.Options[claim]; given {
			return badOption(claim, "it can't be with payload: a token whose payload is the body has no claims")
		}
	}
	s.rules.detached, s.rules.audience, s.rules.mustExpire = true, false, false
	return nil
}

var jwtHashes = map[jose.SignatureAlgorithm]algorithm{jose.HS256: algSHA256, jose.HS384: algSHA384, jose.HS512: algSHA512}

func (s *jwtScheme) symmetric() bool { return strings.HasPrefix(string(s.rules.algs[0]), "HS") }

// addSecret adds a secret, or a public or private key where the algorithm needs one. It returns why that can't be.
func (s *jwtScheme) addSecret(secret string, enc secretEncoding) (why string) {
	if s.symmetric() {
		decoded, why := enc.decode(secret)
		if why == "" {
			s.keys = append(s.keys, key{mac: newMAC(jwtHashes[s.rules.algs[0]], decoded)})
		}
		return why
	}
	if signer := parsePrivateKey(secret); signer != nil {
		s.signer, s.publics = signer, append(s.publics, signer.Public())
		return ""
	}
	public, why := parsePublicKey(secret)
	s.publics = append(s.publics, public)
	return why
}
