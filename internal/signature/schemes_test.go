package signature

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var noon = time.Unix(1_700_000_000, 0)

// sample is a scheme with what it takes to sign and verify a request of it.
type sample struct {
	Info
	config Config
	wrong  string // another secret of the same form
	body   []byte
	method string
	header http.Header // of the request, beside the signature
	sign   func(r *Request, id string, now time.Time) (http.Header, error)
}

// samples has every scheme. Those that we hold no signing key for get one here.
func samples(t testing.TB) []*sample {
	var all []*sample
	for _, info := range Schemes() {
		s := &sample{
			Info: info, wrong: "another secret", method: http.MethodPost, header: http.Header{},
			config: Config{Scheme: info.Name, Secrets: []string{"a secret"}},
			body:   fmt.Appendf(nil, `{"id":"evt_1","event":"a.b","timestamp":%[1]d,"webhookTimestamp":%[1]d}`, noon.UnixMilli()),
		}
		if info.SignsURL {
			s.config.URL = "https://hooks.example.com/in?a=b"
		}
		s.adjust(t)
		if s.sign == nil && !s.inBody() {
			v := s.verifier(t)
			s.sign = v.Sign
		}
		all = append(all, s)
	}
	return all
}

func (s *sample) adjust(t testing.TB) {
	secret := func(own, wrong string) { s.config.Secrets, s.wrong = []string{own}, wrong }
	r, _ := find(s.Name)
	s.Header = strings.Replace(s.Header, "*", "1", 1)
	if s.Name == "travis-ci" {
		s.body = []byte("payload=%7B%7D")
		s.header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if r.usesPublicKey() && s.Name != "standard-v1a" && s.Name != "aws-sns" && s.Name != "paypal" {
		public, private, wrong := pair(t, r.alg)
		signing := s.config
		signing.Options, signing.Secrets = s.config.Options, []string{private}
		if s.Name == "ebay" {
			return
		}
		secret(public, wrong)
		v, err := New(signing)
		require.NoError(t, err)
		s.sign = v.Sign
		return
	}
	switch s.Name {
	case "standard", "svix", "supabase", "lithic":
		secret("whsec_"+base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 24))), "whsec_"+base64.StdEncoding.EncodeToString([]byte(strings.Repeat("w", 24))))
	case "standard-v1a":
		_, own, err := ed25519.GenerateKey(rand.Reader)
		require.NoError(t, err)
		_, wrong, err := ed25519.GenerateKey(rand.Reader)
		require.NoError(t, err)
		secret(whsk+base64.StdEncoding.EncodeToString(own), whsk+base64.StdEncoding.EncodeToString(wrong))
		v := s.verifier(t)
		s.sign = v.Sign
		s.config.Secrets[0] = whpk + base64.StdEncoding.EncodeToString(own.Public().(ed25519.PublicKey))
	case "adyen-platform", "adyen-standard":
		secret(strings.Repeat("ab", 32), strings.Repeat("cd", 32))
	case "twilio", "plivo-v3", "mandrill":
		s.body = []byte("From=%2B1&To=%2B2&Body=hi")
		s.header.Set("Content-Type", "application/x-www-form-urlencoded")
	case "airtable", "daily", "microsoft-teams":
		secret(base64.StdEncoding.EncodeToString([]byte("a secret")), base64.StdEncoding.EncodeToString([]byte("another")))
	case "basic":
		secret("user:password", "user:other")
	case "braintree", "solidgate":
		s.config.Options = map[string]string{"public_key": "pk"}
	case "tiktok-shop":
		s.config.Options = map[string]string{"app_key": "key"}
	case "contentful":
		secret(strings.Repeat("k", 64), strings.Repeat("w", 64))
		s.config.URL = "https://hooks.example.com/in?a=b"
	case "aws-sns":
		s.config.Secrets = nil
		s.config.Options = map[string]string{"topic_arn": "arn:aws:sns:us-east-1:1:t"}
	case "paypal":
		s.config.Secrets = nil
		s.config.Options = map[string]string{"webhook_id": "WH-1"}
	case "jwt":
		s.config.Options = map[string]string{"audience": "us", "body_hash": "hash"}
		s.SignsBody, s.IDSigned = true, false
	case "monday":
		s.config.Options = map[string]string{"audience": "us"}
	case "google-pubsub", "plaid", "fireblocks", "wix":
		alg := algRSA256
		if s.Name == "plaid" {
			alg = algECDSA
		}
		if s.Name == "google-pubsub" {
			s.config.Options = map[string]string{"audience": "us", "email": "a@b"}
		}
		public, private, wrong := pair(t, alg)
		secret(private, wrong)
		v := s.verifier(t)
		s.sign = v.Sign
		s.config.Secrets[0] = public
	}
}

// pair returns a key of an algorithm, the public and the private half in PEM, and the public half of another: the same two for every
// caller, as some take long to make.
func pair(t testing.TB, alg algorithm) (public, private, wrong string) {
	testKeys.Lock()
	defer testKeys.Unlock()
	for len(testKeys.made[alg]) < 2 {
		testKeys.made[alg] = append(testKeys.made[alg], newPrivate(t, alg))
	}
	own, other := testKeys.made[alg][0], testKeys.made[alg][1]
	return publicOf(t, own), own, publicOf(t, other)
}

var testKeys = struct {
	sync.Mutex
	made map[algorithm][]string
}{made: map[algorithm][]string{}}

func newPrivate(t testing.TB, alg algorithm) string {
	var signer crypto.Signer
	var err error
	switch alg {
	case algEd25519:
		_, signer, err = ed25519.GenerateKey(rand.Reader)
	case algECDSA, algECDSA1:
		signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	default:
		signer, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(signer)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// publicOf is the public half of a private key.
func publicOf(t testing.TB, private string) string {
	der, err := x509.MarshalPKIXPublicKey(parsePrivateKey(private).Public())
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func spki(t testing.TB, k *ecdsa.PrivateKey) string {
	der, err := x509.MarshalPKIXPublicKey(&k.PublicKey)
	require.NoError(t, err)
	return base64.StdEncoding.EncodeToString(der)
}

func (s *sample) verifier(t testing.TB, change ...func(c *Config)) *Verifier {
	c := s.config
	for _, f := range change {
		f(&c)
	}
	v, err := New(c)
	require.NoError(t, err)
	return v
}

// request is a signed one.
func (s *sample) request(t testing.TB, now time.Time) *Request {
	r := &Request{Method: s.method, URL: "/in?a=b", Header: s.header.Clone(), Body: s.body}
	signed, err := s.sign(r, "evt_1", now)
	require.NoError(t, err)
	maps.Copy(r.Header, signed)
	return r
}

// inBody are the schemes whose signature is part of the body, or that only the provider can sign with; they have tests of their own.
func (s *sample) inBody() bool { return s.Header == "" || !s.CanSign }

// forEachScheme runs a test with every scheme that signs in headers.
func forEachScheme(t *testing.T, test func(t *testing.T, s *sample)) {
	t.Parallel()
	for _, s := range samples(t) {
		if !s.inBody() {
			t.Run(s.Name, func(t *testing.T) {
				t.Parallel()
				test(t, s)
			})
		}
	}
}

func requireReason(t *testing.T, reason string, err error) {
	t.Helper()
	var refused *Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, reason, refused.Reason, refused.Message)
}

func TestEverySchemeVerifiesWhatItSigns(t *testing.T) {
	forEachScheme(t, func(t *testing.T, s *sample) {
		r := s.request(t, noon)
		v := s.verifier(t)
		require.NoError(t, v.Check(r.Header, noon))
		res, err := v.Verify(r, noon)
		require.NoError(t, err)
		require.Zero(t, res.Secret)
		require.Equal(t, s.SignsBody, res.BodySigned)
		if s.Name != "contentful" { // whose URL is among the octets that count
			require.Equal(t, s.SignsURL, res.URLSigned != "")
		}
		if row, _ := find(s.Name); s.ID != "" && s.IDSigned && (row.idJSON == "" || row.idJSON == "/id") && s.Name != "jwt" {
			require.Equal(t, "evt_1", res.ID)
			require.True(t, res.IDSigned)
		}
		if !s.IDSigned && s.Name != "hook0" { // which signs it where the signature says so
			require.False(t, res.IDSigned)
		}
	})
}

func TestEverySchemeTriesAllSecrets(t *testing.T) {
	forEachScheme(t, func(t *testing.T, s *sample) {
		r := s.request(t, noon)
		if s.Name == "box" {
			t.Skip("skipped: its two secrets are bound to two headers")
		}
		res, err := s.verifier(t, func(c *Config) { c.Secrets = []string{s.wrong, s.wrong, c.Secrets[0]} }).Verify(r, noon)
		require.NoError(t, err)
		require.Equal(t, 2, res.Secret)
	})
}

func TestEverySchemeRefusesAnotherSecret(t *testing.T) {
	forEachScheme(t, func(t *testing.T, s *sample) {
		_, err := s.verifier(t, func(c *Config) { c.Secrets = []string{s.wrong} }).Verify(s.request(t, noon), noon)
		requireReason(t, ReasonMismatch, err)
	})
}

func TestEverySchemeRefusesAnotherBody(t *testing.T) {
	forEachScheme(t, func(t *testing.T, s *sample) {
		if !s.SignsBody {
			t.Skip("skipped: it does not sign the body")
		}
		r := s.request(t, noon)
		for i := range r.Body {
			changed := slices.Clone(r.Body)
			changed[i] ^= 1
			_, err := s.verifier(t).Verify(&Request{Method: r.Method, URL: r.URL, Header: r.Header, Body: changed}, noon)
			require.Error(t, err, "byte %d", i)
		}
		_, err := s.verifier(t).Verify(&Request{Method: r.Method, URL: r.URL, Header: r.Header, Body: append(slices.Clone(r.Body), '\n')}, noon)
		if s.Name != "nowpayments" { // which signs the JSON, not its spelling
			require.Error(t, err)
		}
	})
}

func TestEverySchemeRefusesAnotherURL(t *testing.T) {
	forEachScheme(t, func(t *testing.T, s *sample) {
		if !s.SignsURL {
			t.Skip("skipped: it does not sign the URL")
		}
		r := s.request(t, noon)
		_, err := s.verifier(t, func(c *Config) { c.URL = "https://other.example.com/in?a=b" }).Verify(r, noon)
		if s.Name != "messagebird" && s.Name != "jira-connect" && s.Name != "contentful" { // they sign no host
			requireReason(t, ReasonMismatch, err)
		}
		r.URL = "/in?a=c"
		_, err = s.verifier(t).Verify(r, noon)
		if s.Name != "plivo-v2" {
			requireReason(t, ReasonMismatch, err)
		}
	})
}

func TestEverySchemeNeedsItsHeaderOnce(t *testing.T) {
	forEachScheme(t, func(t *testing.T, s *sample) {
		header := http.CanonicalHeaderKey(s.Header)
		v := s.verifier(t)

		r := s.request(t, noon)
		value := r.Header.Get(header)
		r.Header.Del(header)
		_, err := v.Verify(r, noon)
		requireReason(t, ReasonMissing, err)
		require.Equal(t, err, v.Check(r.Header, noon))

		r.Header[header] = []string{""}
		_, err = v.Verify(r, noon)
		requireReason(t, ReasonMissing, err)

		for _, values := range [][]string{{value, value}, {value, "x"}, {"x", value}, {value, ""}} {
			if row, _ := find(s.Name); row.repeatedHeader && values[1] == value {
				continue // it may come several times
			}
			r.Header[header] = values
			_, err = v.Verify(r, noon)
			requireReason(t, ReasonMalformed, err)
		}
		r.Header.Set(header, value+strings.Repeat(" ", maxHeader))
		_, err = v.Verify(r, noon)
		requireReason(t, ReasonMalformed, err)
	})
}

func TestEverySchemeRefusesCutAndExtendedSignatures(t *testing.T) {
	forEachScheme(t, func(t *testing.T, s *sample) {
		header := http.CanonicalHeaderKey(s.Header)
		r := s.request(t, noon)
		value := r.Header.Get(header)
		v := s.verifier(t)
		// Without the first elements a list has no signature at all; what follows it may be more of them.
		changed := []string{"x" + value, value + "x", value + "00", value + "AAAA", value + "\r\n", "\n" + value, value + "=", value + "\x00"}
		for i := 1; i < len(value); i++ {
			changed = append(changed, value[:i])
		}
		for _, text := range changed {
			r.Header.Set(header, text)
			_, err := v.Verify(r, noon)
			require.Error(t, err, "%q", text)
		}
	})
}

func TestEverySchemeBoundsItsTimestamp(t *testing.T) {
	forEachScheme(t, func(t *testing.T, s *sample) {
		if s.Tolerance == 0 {
			t.Skip("skipped: it has no timestamp")
		}
		for name, tolerance := range map[string]time.Duration{"own": s.Tolerance, "given": 7 * time.Second} {
			t.Run(name, func(t *testing.T) {
				v := s.verifier(t, func(c *Config) {
					if name == "given" {
						c.Tolerance = tolerance
					}
				})
				r := s.request(t, noon)
				check := func(now time.Time) error {
					_, err := v.Verify(r, now)
					return err
				}
				whole := tolerance.Truncate(time.Second)
				require.NoError(t, check(noon.Add(whole)), "oldest")
				requireReason(t, ReasonTimestamp, check(noon.Add(whole+time.Second)))
				if s.PastOnly {
					require.NoError(t, check(noon.Add(-24*time.Hour)))
					return
				}
				require.NoError(t, check(noon.Add(-whole)), "most premature")
				requireReason(t, ReasonTimestamp, check(noon.Add(-whole-time.Second)))
			})
		}
		_, err := s.verifier(t, func(c *Config) { c.ToleranceOff = true }).Verify(s.request(t, noon), noon.Add(1000*time.Hour))
		require.NoError(t, err)
	})
}

func TestSecondsAreComparedAsSeconds(t *testing.T) {
	t.Parallel()
	v, err := New(Config{Scheme: "stripe", Secrets: []string{"s"}})
	require.NoError(t, err)
	r := &Request{Body: []byte("{}")}
	r.Header, err = v.Sign(r, "", noon)
	require.NoError(t, err)
	require.NoError(t, v.Check(r.Header, noon.Add(300*time.Second+999*time.Millisecond)))
	requireReason(t, ReasonTimestamp, v.Check(r.Header, noon.Add(301*time.Second)))
}

// TestErrorsHoldNoSecrets looks for secrets and signatures in every error.
func TestErrorsHoldNoSecrets(t *testing.T) {
	forEachScheme(t, func(t *testing.T, s *sample) {
		r := s.request(t, noon)
		v := s.verifier(t, func(c *Config) { c.Secrets = []string{s.wrong} })
		signature := r.Header.Get(s.Header)
		for _, now := range []time.Time{noon, noon.Add(1000 * time.Hour)} {
			if _, err := v.Verify(r, now); err != nil {
				require.NotContains(t, err.Error(), s.wrong)
				require.NotContains(t, err.Error(), signature)
			}
		}
		r.Header.Set(s.Header, "secretive "+signature)
		_, err := v.Verify(r, noon)
		require.Error(t, err)
		require.NotContains(t, err.Error(), "secretive")
	})
}

func TestNoSecretAndEmptySecretAreErrors(t *testing.T) {
	t.Parallel()
	for _, s := range samples(t) {
		if len(s.config.Secrets) == 0 || s.Name == "ebay" {
			continue // its keys are published
		}
		for name, secrets := range map[string][]string{"none": nil, "empty": {""}, "one empty": {s.config.Secrets[0], ""}} {
			if secrets == nil && Keyless(s.Name) {
				continue // they may come as options
			}
			t.Run(s.Name+" "+name, func(t *testing.T) {
				t.Parallel()
				c := s.config
				c.Secrets = secrets
				_, err := New(c)
				require.ErrorIs(t, err, ErrSecret)
				require.ErrorContains(t, err, "secret: ")
			})
		}
	}
}

// TestVerifiersAreSafeForConcurrentUse is for the race detector.
func TestVerifiersAreSafeForConcurrentUse(t *testing.T) {
	forEachScheme(t, func(t *testing.T, s *sample) {
		v, r := s.verifier(t), s.request(t, noon)
		other := &Request{Method: r.Method, URL: r.URL, Header: r.Header, Body: append(slices.Clone(r.Body), 'x')}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 20 {
					if _, err := v.Verify(r, noon); err != nil {
						t.Error(err)
					}
					if _, err := v.Verify(other, noon); err == nil && s.SignsBody {
						t.Error("another body was let in")
					}
				}
			})
		}
		wg.Wait()
	})
}

func TestHeaderNameSpellsAsDocumented(t *testing.T) {
	t.Parallel()
	v, err := New(Config{Scheme: "videocloud", Secrets: []string{"s"}})
	require.NoError(t, err)
	require.Equal(t, "X-VideoCloud-Signature", v.HeaderName("X-Videocloud-Signature"))
	require.Equal(t, "X-VideoCloud-Event-Id", v.HeaderName("X-Videocloud-Event-Id"))
	require.Equal(t, "webhook-id", v.HeaderName("Webhook-Id"))
	require.Equal(t, "X-Other", v.HeaderName("X-Other"))
}
