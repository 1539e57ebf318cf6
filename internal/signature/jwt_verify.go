package signature

import (
	"bytes"
	"crypto"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
)

func (s *jwtScheme) verify(r *Request, now time.Time) (Result, error) {
	text, err := s.token(r)
	if err != nil {
		return Result{}, err
	}
	t, err := s.parse(text, r.Body)
	if err != nil {
		return Result{}, err
	}
	if err := s.checkTimes(t, now); err != nil {
		return Result{}, err
	}
	matched, err := s.match(t, r.Body, now)
	if err != nil {
		return Result{}, err
	}
	if err := s.checkClaims(t, r); err != nil {
		return Result{}, err
	}
	res := Result{Secret: matched, BodySigned: s.rules.bodyHash != "" || s.rules.inBody || s.rules.detached, NoID: s.row.noID, NoDigest: s.row.noDigest}
	if s.rules.qsh {
		res.URLSigned = publicURL(s.url, r.URL)
	}
	if _, ok, _ := t.claimTime("iat"); ok {
		res.Timestamp = string(t.claims["iat"])
	}
	s.identify(&res, t, r)
	return res, nil
}

// token returns the token, from the header or the body.
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

// match returns the index of the key that signed the token.
func (s *jwtScheme) match(t *webToken, body []byte, now time.Time) (int, error) {
	try := func(key any) bool {
		if s.rules.detached {
			return t.verifyDetached(body, key)
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
	// The library refuses short secrets, which many providers have, so the MAC is computed here.
	last := strings.LastIndexByte(t.text, '.')
	if i := signedBy(s.keys, t.jws.Signatures[0].Signature, []byte(t.text[:last])); i >= 0 {
		return i, nil
	}
	for i, public := range s.publics {
		if try(public) {
			return i, nil
		}
	}
	return -1, errMismatch
}

// rsaHashes are the algorithms whose signature is an RSA PKCS #1 v1.5 one of a hash.
var rsaHashes = map[string]crypto.Hash{"RS256": crypto.SHA256, "RS384": crypto.SHA384, "RS512": crypto.SHA512}

// verifyDetached verifies a token whose payload is the body. With RSA the body is hashed as it is encoded: the library makes two copies of it,
// and takes twice as long. Tokens that ask for another encoding (RFC 7797) are left to the library, as are those of other keys.
func (t *webToken) verifyDetached(body []byte, key any) bool {
	header := t.jws.Signatures[0].Protected
	public, isRSA := key.(*rsa.PublicKey)
	hash, isHashed := rsaHashes[header.Algorithm]
	if !isRSA || !isHashed || header.ExtraHeaders["crit"] != nil || header.ExtraHeaders["b64"] != nil {
		return t.jws.DetachedVerify(body, key) == nil
	}
	h := hash.New()
	protected, _, _ := strings.Cut(t.text, ".")
	h.Write([]byte(protected + "."))
	payload := base64.NewEncoder(base64.RawURLEncoding, h)
	_, _ = payload.Write(body) // a hash takes all
	_ = payload.Close()
	return rsa.VerifyPKCS1v15(public, hash, h.Sum(nil), t.jws.Signatures[0].Signature) == nil
}

// checkClaims checks what a token says whose signature is verified.
func (s *jwtScheme) checkClaims(t *webToken, r *Request) error {
	refuse := func(why string) error { return &Error{ReasonMismatch, "the token " + why} }
	if len(s.issuer) > 0 && !slices.Contains(s.issuer, t.claimString("iss")) {
		return refuse("is not from the issuer that is expected")
	}
	if s.rules.audience && !slices.Contains(t.claimStrings("aud"), s.audience) {
		return refuse("is for another audience")
	}
	if s.rules.email && (t.claimString("email") != s.email || string(t.claims["email_verified"]) != "true") {
		return refuse("is from another account")
	}
	if s.rules.qsh && subtle.ConstantTimeCompare([]byte(t.claimString("qsh")), []byte(queryHash(r.Method, publicURL(s.url, r.URL)))) != 1 {
		return refuse("is for another request")
	}
	if claim := s.rules.bodyHash; claim != "" {
		var d decoded
		sum := sha256.Sum256(r.Body)
		if !s.rules.hashEnc.decode(&d, t.claimString(claim)) || !hmac.Equal(d.bytes(), sum[:]) {
			return refuse("is not for this body")
		}
	}
	return nil
}

// queryHash is the query string hash of Atlassian Connect: the SHA-256 of method, path and the query in canonical form.
func queryHash(method, u string) string {
	_, _, _, tail := cutURL(u)
	path, query, _ := strings.Cut(tail, "?")
	values := map[string][]string{}
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if name == "" || name == "jwt" {
			continue
		}
		name = string(appendEscaped(nil, unescaped(name), "-_.~")) // RFC 3986
		values[name] = append(values[name], string(appendEscaped(nil, unescaped(value), "-_.~")))
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		slices.Sort(values[name])
		b.WriteString(name + "=" + strings.Join(values[name], ","))
	}
	if path = strings.TrimSuffix(path, "/"); path == "" {
		path = "/"
	}
	sum := sha256.Sum256([]byte(strings.ToUpper(method) + "&" + path + "&" + b.String()))
	return hex.EncodeToString(sum[:])
}

// identify fills in the event's ID and type.
func (s *jwtScheme) identify(res *Result, t *webToken, r *Request) {
	if s.rules.inBody {
		// Wix wraps an event in three layers of JSON. The outermost stays the same when a retry is signed again.
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
		res.ID, res.IDSigned = Field(r.Body, s.row.idJSON)
		res.IDSigned = res.IDSigned && res.BodySigned
	}
	res.Event = firstField(r.Body, s.row.eventJSON)
}
