package signature

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// tokenLifetime is how long the tokens are valid that we sign, where the scheme wants an end.
const tokenLifetime = 5 * time.Minute

// sign makes a token with the first secret, or the private key.
func (s *jwtScheme) sign(r *Request, _ string, now time.Time) (http.Header, error) {
	switch {
	case s.rules.inBody:
		return nil, errInBody
	case len(s.keys) == 0 && s.signer == nil:
		return nil, errPublicKey
	}
	word := ""
	if len(s.rules.prefixes) > 0 {
		word = s.rules.prefixes[0]
	}
	if s.rules.detached {
		return s.signDetached(r.Body, word)
	}
	claims := map[string]any{"iat": now.Unix()}
	if s.rules.mustExpire {
		claims["nbf"], claims["exp"] = now.Unix(), now.Add(tokenLifetime).Unix()
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
		text, err := s.signed(payload, (*jose.JSONWebSignature).CompactSerialize)
		return http.Header{s.header: {word + text}}, err
	}
	signed := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"`+string(s.rules.algs[0])+`","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(payload)
	return http.Header{s.header: {word + signed + "." + base64.RawURLEncoding.EncodeToString(s.keys[0].mac.sign([]byte(signed)))}}, nil
}

// signDetached makes a signature whose payload is the body and is left out.
func (s *jwtScheme) signDetached(body []byte, word string) (http.Header, error) {
	if s.signer == nil {
		return nil, errPublicKey
	}
	text, err := s.signed(body, (*jose.JSONWebSignature).DetachedCompactSerialize)
	return http.Header{s.header: {word + text}}, err
}

// signed is a token with the payload, made with the private key and written in one of its forms.
func (s *jwtScheme) signed(payload []byte, write func(*jose.JSONWebSignature) (string, error)) (string, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: s.rules.algs[0], Key: s.signer}, nil)
	if err != nil {
		return "", cannotSign("%v", err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return write(jws)
}
