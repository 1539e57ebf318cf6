package signature

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
)

// heldSite answers only once it is let go.
type heldSite struct {
	*site
	let chan struct{}
}

func (s *heldSite) RoundTrip(r *http.Request) (*http.Response, error) {
	<-s.let
	return s.site.RoundTrip(r)
}

// TestRequestsWaitForTheKeysOfAStart: a gateway that starts has no key yet, and its first requests come all at once. One asks for it; those
// that wait get in with it, or are refused together where it does not come, and so are further ones at once.
func TestRequestsWaitForTheKeysOfAStart(t *testing.T) {
	t.Parallel()
	key, certificateText := certificate(t)
	const jwks = "https://issuer.example/jwks"
	issuer, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &issuer.PublicKey, KeyID: "1", Algorithm: "RS256", Use: "sig"}}})
	require.NoError(t, err)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: issuer, KeyID: "1"}}, nil)
	require.NoError(t, err)
	jws, err := signer.Sign([]byte(`{"aud":"us","iss":"them","exp":32503680000}`))
	require.NoError(t, err)
	token, err := jws.CompactSerialize()
	require.NoError(t, err)

	for name, test := range map[string]struct {
		config  Config
		page    string
		request *Request
	}{
		"keys": {Config{Scheme: "jwt", Options: map[string]string{"jwks": jwks, "audience": "us", "issuer": "them"}}, string(set),
			&Request{Header: headers("Authorization", "Bearer "+token)}},
		"a certificate": {Config{Scheme: "paypal", Options: map[string]string{"webhook_id": "WH-1"}}, certificateText, paypalRequest(t, key, paypalCertURL, "{}")},
	} {
		for outcome, down := range map[string]bool{"it comes": false, "it does not": true} {
			t.Run(name+", "+outcome, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					web := &heldSite{&site{pages: map[string]string{jwks: test.page, paypalCertURL: test.page}, down: down}, make(chan struct{})}
					c := test.config
					c.Transport = web
					v, err := New(c)
					require.NoError(t, err)
					const more = 5
					results := make(chan error, 1+maxWaiting+more)
					for range cap(results) {
						go func() {
							_, err := v.Verify(test.request, noon)
							results <- err
						}()
					}
					synctest.Wait()
					require.Len(t, results, more)
					for range more {
						requireReason(t, ReasonMismatch, <-results)
					}
					close(web.let)
					for range 1 + maxWaiting {
						if err := <-results; down {
							requireReason(t, ReasonMismatch, err)
						} else {
							require.NoError(t, err)
						}
					}
					require.Equal(t, 1, web.requests())
				})
			})
		}
	}
}

// panics is a transport that does.
type panics struct{ times *int }

func (p panics) RoundTrip(*http.Request) (*http.Response, error) {
	*p.times++
	panic("a transport's mistake")
}

// TestAFetchThatPanicsHoldsNobody: the server goes on after a panic, so later requests must not wait for a fetch that has no end.
func TestAFetchThatPanicsHoldsNobody(t *testing.T) {
	t.Parallel()
	const jwks = "https://issuer.example/jwks"
	times := 0
	ring := &keyring{url: jwks, fetch: newFetcher(Config{Transport: panics{&times}}, []string{"issuer.example"})}
	require.Panics(t, func() { ring.key("1", noon) })
	require.Nil(t, ring.key("1", noon), "a fetch was tried a moment ago")
	require.Panics(t, func() { ring.key("1", noon.Add(2*keysPause)) })
	require.Equal(t, 2, times)
}
