package redisstore_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/internal/redistest"
)

// pair is a certificate with its key, in files too.
type pair struct {
	tls.Certificate
	cert, key string
}

// certificate makes one that signs itself, for a name.
func certificate(t *testing.T, name string) pair {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	require.NoError(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	p := pair{cert: filepath.Join(t.TempDir(), "cert.pem"), key: filepath.Join(t.TempDir(), "key.pem")}
	certPEM, keyPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
	require.NoError(t, os.WriteFile(p.cert, certPEM, 0o600))
	require.NoError(t, os.WriteFile(p.key, keyPEM, 0o600))
	p.Certificate, err = tls.X509KeyPair(certPEM, keyPEM)
	require.NoError(t, err)
	return p
}

// Lesson 13, towards Redis: its certificate is verified, always.
func TestTLS(t *testing.T) {
	t.Parallel()
	its, ours, other := certificate(t, "redis.example"), certificate(t, "client.example"), certificate(t, "other.example")
	clients := x509.NewCertPool()
	leaf, err := x509.ParseCertificate(ours.Certificate.Certificate[0])
	require.NoError(t, err)
	clients.AddCert(leaf)
	start := func(t *testing.T, conf *tls.Config) string {
		conf.Certificates = []tls.Certificate{its.Certificate}
		s, err := server.NewServerTLS("127.0.0.1:0", conf)
		require.NoError(t, err)
		t.Cleanup(s.Close)
		answer(t, s, "redis_version:7.0.0\r\n")
		return s.Addr().String()
	}
	mutual := &tls.Config{ClientCAs: clients, ClientAuth: tls.RequireAndVerifyClientCert}
	for name, test := range map[string]struct {
		server *tls.Config
		client config.RedisTLS
		ok     bool
	}{
		"its authority and name":     {client: config.RedisTLS{CA: its.cert, ServerName: "redis.example"}, ok: true},
		"another name":               {client: config.RedisTLS{CA: its.cert, ServerName: "elsewhere.example"}},
		"the address is no name":     {client: config.RedisTLS{CA: its.cert}},
		"another authority":          {client: config.RedisTLS{CA: other.cert, ServerName: "redis.example"}},
		"the system's authorities":   {client: config.RedisTLS{ServerName: "redis.example"}},
		"a certificate of ours":      {server: mutual, client: config.RedisTLS{CA: its.cert, ServerName: "redis.example", Cert: ours.cert, Key: ours.key}, ok: true},
		"no certificate of ours":     {server: mutual, client: config.RedisTLS{CA: its.cert, ServerName: "redis.example"}},
		"a certificate not of ours":  {server: mutual, client: config.RedisTLS{CA: its.cert, ServerName: "redis.example", Cert: other.cert, Key: other.key}},
		"an old version of protocol": {server: &tls.Config{MaxVersion: tls.VersionTLS11}, client: config.RedisTLS{CA: its.cert, ServerName: "redis.example"}},
	} {
		for form, c := range map[string]func(string) config.Redis{
			"addresses": func(addr string) config.Redis { return config.Redis{Addresses: []string{addr}} },
			"url":       func(addr string) config.Redis { return config.Redis{URL: "rediss://" + addr} },
			"plain url": func(addr string) config.Redis { return config.Redis{URL: "redis://" + addr} },
		} {
			t.Run(name+", "+form, func(t *testing.T) {
				t.Parallel()
				conf := test.server
				if conf == nil {
					conf = &tls.Config{}
				}
				settings := c(start(t, conf.Clone()))
				settings.TLS = &test.client
				err := redistest.Open(t, settings).Ready(t.Context())
				if test.ok {
					require.NoError(t, err)
				} else {
					require.ErrorIs(t, err, redisstore.ErrUnreachable)
				}
			})
		}
	}
}

// Files that can't be used are told of when the store is opened.
func TestTLSFiles(t *testing.T) {
	t.Parallel()
	one, other := certificate(t, "a.example"), certificate(t, "b.example")
	for name, test := range map[string]struct {
		tls  config.RedisTLS
		says string
	}{
		"no such authority":    {config.RedisTLS{CA: "/nowhere/ca.pem"}, "ca"},
		"an authority's key":   {config.RedisTLS{CA: one.key}, "ca"},
		"no such certificate":  {config.RedisTLS{Cert: "/nowhere/cert.pem", Key: one.key}, "cert"},
		"another's key":        {config.RedisTLS{Cert: one.cert, Key: other.key}, "cert"},
		"a key that is none":   {config.RedisTLS{Cert: one.cert, Key: one.cert}, "key"},
		"a certificate as key": {config.RedisTLS{Cert: one.key, Key: one.key}, "cert"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := redisstore.Open(config.Redis{Addresses: []string{"localhost:6379"}, TLS: &test.tls}, "", nil)
			require.ErrorContains(t, err, test.says)
		})
	}
}
