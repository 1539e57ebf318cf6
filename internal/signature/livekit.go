package signature

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// liveKit checks a LiveKit webhook: a JSON Web Token (HS256) in Authorization, without the word Bearer, whose claim sha256 is the
// hash of the body. The token says itself how long it is good for.
type liveKit struct {
	row    *row
	keys   []key
	issuer string
}

const liveKitLifetime = 5 * time.Minute // of the tokens we sign, as LiveKit's

func newLiveKit(r *row, c Config) (scheme, error) {
	keys, err := r.keys(c)
	if err != nil {
		return nil, err
	}
	issuer, ok := c.Options["api_key"]
	if ok && issuer == "" {
		return nil, badOption("api_key", "it is empty")
	}
	return &liveKit{r, keys, issuer}, nil
}

// token is a parsed JWT.
type token struct {
	signed    string // header.payload
	signature decoded
	claims    tokenClaims
}

type tokenClaims struct {
	Issuer    string `json:"iss"`
	NotBefore *int64 `json:"nbf,omitempty"`
	Expires   *int64 `json:"exp"`
	Body      string `json:"sha256"`
}

func (s *liveKit) parse(h http.Header) (*token, error) {
	value, err := soleHeader(h, "Authorization")
	if err != nil {
		return nil, err
	}
	bad := malformed("Authorization", "is not a LiveKit token")
	if strings.Count(value, ".") != 2 {
		return nil, bad
	}
	last := strings.LastIndexByte(value, '.')
	header, payload, _ := strings.Cut(value[:last], ".")
	t := token{signed: value[:last]}
	var head struct {
		Algorithm string `json:"alg"`
	}
	// The algorithm is ours to say: a token that names another, "none" among them, is refused.
	if !tokenPart(header, &head) || head.Algorithm != "HS256" || !tokenPart(payload, &t.claims) ||
		!encBase64URL.decode(&t.signature, value[last+1:]) || !s.keys[0].fits(&t.signature) {
		return nil, bad
	}
	if t.claims.Expires == nil {
		return nil, malformed("the token", "never expires")
	}
	return &t, nil
}

func tokenPart(text string, into any) bool {
	part, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return err == nil && distinctNames(part, maxNames) == nil && json.Unmarshal(part, into) == nil
}

// check looks at the token's form and age; whether it is genuine is seen later.
func (s *liveKit) check(h http.Header, now time.Time) error {
	t, err := s.parse(h)
	if err != nil {
		return err
	}
	return t.claims.inTime(now)
}

func (c *tokenClaims) inTime(now time.Time) error {
	switch n := now.Unix(); {
	case n >= *c.Expires:
		return errStale
	case c.NotBefore != nil && n < *c.NotBefore:
		return errPremature
	}
	return nil
}

func (s *liveKit) verify(r *Request, now time.Time) (Result, error) {
	t, err := s.parse(r.Header)
	if err != nil {
		return Result{}, err
	}
	if err := t.claims.inTime(now); err != nil {
		return Result{}, err
	}
	res := Result{Secret: signedBy(s.keys, t.signature.bytes(), []byte(t.signed)), BodySigned: true}
	if res.Secret < 0 {
		return Result{}, errMismatch
	}
	if s.issuer != "" && t.claims.Issuer != s.issuer {
		return Result{}, &Error{ReasonMismatch, "the token is not from the configured api_key"}
	}
	var d decoded
	sum := sha256.Sum256(r.Body)
	if !liveKitHash(&d, t.claims.Body) || !hmac.Equal(d.bytes(), sum[:]) {
		return Result{}, &Error{ReasonMismatch, "the token is not for this body"}
	}
	if res.ID, res.IDSigned = Field(r.Body, s.row.idJSON); res.ID == "" {
		res.IDSigned = false
	}
	res.Event, _ = Field(r.Body, s.row.eventJSON[0])
	return res, nil
}

// liveKitHash decodes the claim: base64 in all SDKs of today, whichever alphabet.
func liveKitHash(d *decoded, text string) bool {
	return encBase64.decode(d, text) || encBase64URL.decode(d, strings.TrimRight(text, "="))
}

func (s *liveKit) sign(r *Request, _ string, now time.Time) (http.Header, error) {
	sum := sha256.Sum256(r.Body)
	start, end := now.Unix(), now.Add(liveKitLifetime).Unix()
	claims, err := json.Marshal(tokenClaims{s.issuer, &start, &end, base64.StdEncoding.EncodeToString(sum[:])})
	if err != nil {
		return nil, err
	}
	signed := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(claims)
	return http.Header{"Authorization": {signed + "." + string(encBase64URL.encode(nil, s.keys[0].mac.sign([]byte(signed))))}}, nil
}
