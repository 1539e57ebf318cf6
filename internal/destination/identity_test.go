package destination

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// asking is an endpoint that asks for client certificates.
func asking(t *testing.T, two bool, config *tls.Config, h http.HandlerFunc) *endpoint {
	t.Helper()
	e := &endpoint{Server: httptest.NewUnstartedServer(h)}
	e.Config.ErrorLog = log.New(io.Discard, "", 0)
	e.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			e.conns.Add(1)
		}
	}
	e.EnableHTTP2, e.TLS = two, config
	e.StartTLS()
	t.Cleanup(e.Close)
	return e
}

// selfSigned makes a client's certificate and key.
func selfSigned(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func newIdentity(t *testing.T, name string) *Identity {
	t.Helper()
	pair := selfSigned(t, name)
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	require.NoError(t, err)
	i, err := NewIdentity(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
	require.NoError(t, err)
	return i
}

// TestIdentitiesShareNothing: neither a kept connection nor a TLS session of one identity serves another, or none.
func TestIdentitiesShareNothing(t *testing.T) {
	t.Parallel()
	for name, two := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := asking(t, two, &tls.Config{ClientAuth: tls.RequestClientCert}, func(w http.ResponseWriter, r *http.Request) {
				who := "nobody"
				if len(r.TLS.PeerCertificates) > 0 {
					who = r.TLS.PeerCertificates[0].Subject.CommonName
				}
				_, _ = io.WriteString(w, who)
			})
			tr := newTransport(t, TransportOptions{TLSConfig: e.roots()})
			callers := map[string]http.RoundTripper{"first": tr.WithIdentity(newIdentity(t, "first")), "second": tr.WithIdentity(newIdentity(t, "second")), "nobody": tr}
			for range 3 {
				for want, by := range callers {
					res, err := by.RoundTrip(request(t, e.URL))
					require.NoError(t, err)
					who, err := io.ReadAll(res.Body)
					require.NoError(t, err)
					require.NoError(t, res.Body.Close())
					require.Equal(t, want, string(who))
				}
			}
			require.EqualValues(t, 3, e.conns.Load(), "each keeps its own connection")
			tr.CloseIdleConnections() // from now on sessions are resumed
			for want, by := range callers {
				res, err := by.RoundTrip(request(t, e.URL))
				require.NoError(t, err)
				who, err := io.ReadAll(res.Body)
				require.NoError(t, err)
				require.NoError(t, res.Body.Close())
				require.Equal(t, want, string(who))
			}
		})
	}
}

// TestMissingCertificateIsSaid: an endpoint that wants a certificate, and gets none, says so after the handshake.
func TestMissingCertificateIsSaid(t *testing.T) {
	t.Parallel()
	for name, two := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(name+" "+tls.VersionName(version), func(t *testing.T) {
				t.Parallel()
				e := asking(t, two, &tls.Config{ClientAuth: tls.RequireAnyClientCert, MaxVersion: version}, func(http.ResponseWriter, *http.Request) {})
				tr := newTransport(t, TransportOptions{TLSConfig: e.roots()})
				res, err := tr.RoundTrip(request(t, e.URL))
				if err == nil {
					_, err = io.ReadAll(res.Body)
				}
				require.Error(t, err)
				require.Contains(t, Describe(err), "tls: ", err)
			})
		}
	}
}

// The alert of an endpoint may be there before the first request is on the connection.
func TestAlertBeforeTheRequestIsSaid(t *testing.T) {
	t.Parallel()
	e := asking(t, true, &tls.Config{ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS13}, func(http.ResponseWriter, *http.Request) {})
	tr := newTransport(t, TransportOptions{TLSConfig: e.roots()})
	target, err := url.Parse(e.URL)
	require.NoError(t, err)
	c, err := tr.pool.get(t.Context(), target, nil)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return c.http.Err() != nil }, 2*time.Minute, time.Millisecond)
	_, _, err = c.send(request(t, e.URL))
	require.ErrorContains(t, err, notEstablished)
	require.ErrorContains(t, c.wire.cause(err), "tls: ")
	require.ErrorContains(t, c.wire.cause(err), "tls: ", "as often as it is asked")
}

func request(t *testing.T, url string) *http.Request {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, nil)
	require.NoError(t, err)
	r.Body, r.ContentLength = NewBody([]byte("{}")), 2
	return r
}

func TestIdentityIsRefused(t *testing.T) {
	t.Parallel()
	pemOf := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	pair, other := selfSigned(t, "a"), selfSigned(t, "b")
	der := func(c tls.Certificate) []byte {
		k, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
		require.NoError(t, err)
		return k
	}
	certificate, key := pemOf("CERTIFICATE", pair.Certificate[0]), pemOf("PRIVATE KEY", der(pair))
	for name, row := range map[string]struct {
		certificate, key []byte
		want             error
	}{
		"nothing":              {nil, nil, ErrCertificate},
		"a key as certificate": {key, key, ErrCertificate},
		"cut":                  {pemOf("CERTIFICATE", pair.Certificate[0][:50]), key, ErrCertificate},
		"no key":               {certificate, nil, ErrKey},
		"an encrypted key":     {certificate, pemOf("ENCRYPTED PRIVATE KEY", []byte("x")), ErrKey},
		"another key":          {certificate, pemOf("PRIVATE KEY", der(other)), ErrKeyPair},
	} {
		_, err := NewIdentity(row.certificate, row.key)
		require.ErrorIs(t, err, row.want, name)
	}
	i, err := NewIdentity(certificate, key)
	require.NoError(t, err)
	require.True(t, i.Leaf().NotAfter.After(time.Now()))
}
