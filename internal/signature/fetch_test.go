package signature

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

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

// drips answers at once, and then one octet a second for ever; silent ones never answer. Both end only with the request.
type drips struct {
	silent bool
	asked  *atomic.Int32
}

func (d drips) RoundTrip(r *http.Request) (*http.Response, error) {
	d.asked.Add(1)
	if d.silent {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Request: r, Body: io.NopCloser(slowly{r.Context()})}, nil
}

// slowly is a body without an end.
type slowly struct{ ctx context.Context }

func (s slowly) Read(p []byte) (int, error) {
	select {
	case <-s.ctx.Done():
		return 0, s.ctx.Err()
	case <-time.After(time.Second):
		return copy(p, " "), nil
	}
}

// TestSlowServersHoldNobodyForLong: an address that accepts and says nothing, or sends for ever, holds a request for the time of a fetch
// and no longer, and those that come in the next minute not at all. A set that is known goes on being used meanwhile.
func TestSlowServersHoldNobodyForLong(t *testing.T) {
	t.Parallel()
	key, _ := certificate(t)
	public := key.Public()
	signed := paypalRequest(t, key, paypalCertURL, "{}")
	for name, silent := range map[string]bool{"silent": true, "dripping": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var asked atomic.Int32
				transport := drips{silent, &asked}
				v, err := New(Config{Scheme: "paypal", Options: map[string]string{"webhook_id": "WH-1"}, Transport: transport})
				require.NoError(t, err)
				start := time.Now()
				_, err = v.Verify(signed, noon)
				requireReason(t, ReasonMismatch, err)
				require.Equal(t, fetchTimeout, time.Since(start))
				_, err = v.Verify(signed, noon)
				requireReason(t, ReasonMismatch, err)
				require.Equal(t, fetchTimeout, time.Since(start), "the second does not wait")
				require.EqualValues(t, 1, asked.Load())

				ring := &keyring{url: "https://issuer.example/jwks", fetch: newFetcher(Config{Transport: transport}, []string{"issuer.example"}),
					keys: map[string]crypto.PublicKey{"known": public}, fetched: noon}
				later := noon.Add(2 * keysFresh)
				start = time.Now()
				require.Equal(t, public, ring.key("known", later), "old, but nothing better came")
				require.Zero(t, time.Since(start), "it is renewed behind the request")
				require.Nil(t, ring.key("unknown", later), "it waits for the fetch that is under way")
				require.Equal(t, fetchTimeout, time.Since(start))
				require.Nil(t, ring.key("unknown", later))
				require.Equal(t, public, ring.key("known", later))
				require.Equal(t, fetchTimeout, time.Since(start))
				require.EqualValues(t, 2, asked.Load())
			})
		})
	}
}

// TestSetsOfKeysHoldWhatTheyMay: of a hostile or careless set nothing counts but public keys with an ID that are for signatures: a
// symmetric or private one, which the whole world can read there, signs nothing, and a huge set is cut.
func TestSetsOfKeysHoldWhatTheyMay(t *testing.T) {
	t.Parallel()
	key, _ := certificate(t)
	entry := func(k jose.JSONWebKey) string {
		text, err := k.MarshalJSON()
		require.NoError(t, err)
		return string(text)
	}
	good := entry(jose.JSONWebKey{Key: key.Public(), KeyID: "good", Use: "sig"})
	keys, err := keysOfSet([]byte(`{"keys":[` + strings.Join([]string{
		entry(jose.JSONWebKey{Key: []byte("a secret that all can read"), KeyID: "oct"}),
		entry(jose.JSONWebKey{Key: key, KeyID: "private"}),
		entry(jose.JSONWebKey{Key: key.Public(), KeyID: "enc", Use: "enc"}),
		entry(jose.JSONWebKey{Key: key.Public()}),
		`{"kty":"RSA","kid":"none","n":"AA","e":"AQAB"}`, `{"kty":"RSA","kid":"short","n":"` + strings.Repeat("_", 170) + `","e":"AQAB"}`, `{"kty":"RSA","kid":"dear","n":"` + strings.Repeat("_", 4096) + `","e":"AQAB"}`, `{"kty":"quantum","kid":"new"}`, `{}`, `[]`, `null`, `7`, good,
	}, ",") + `]}`))
	require.NoError(t, err)
	require.Equal(t, []string{"good"}, slices.Collect(maps.Keys(keys)))

	var many []string
	for i := range 2 * maxKeys {
		many = append(many, entry(jose.JSONWebKey{Key: key.Public(), KeyID: fmt.Sprint(i)}))
	}
	keys, err = keysOfSet([]byte(`{"keys":[` + strings.Join(many, ",") + `]}`))
	require.NoError(t, err)
	require.Len(t, keys, maxKeys)

	for _, text := range []string{``, `{}`, `[]`, `{"keys":{}}`, `{"keys":null}`, `{"keys":[null]}`, `<html>`, `{"keys":[` + good, strings.Repeat("[", 1<<16)} {
		_, err := keysOfSet([]byte(text))
		require.Error(t, err, "%.40s", text)
	}
}
