package signature

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLesson71_PrivateKeysAsOpenSSLWritesThem: what signs for a gateway under test is a key in whichever form a tool wrote it.
func TestLesson71_PrivateKeysAsOpenSSLWritesThem(t *testing.T) {
	t.Parallel()
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	large, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	sec1, err := x509.MarshalECPrivateKey(curve)
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(curve)
	require.NoError(t, err)
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	for name, test := range map[string]struct{ scheme, secret string }{
		"openssl genpkey":             {"sendgrid", block("PRIVATE KEY", pkcs8)},
		"openssl ecparam -noout":      {"sendgrid", block("EC PRIVATE KEY", sec1)},
		"openssl ecparam":             {"sendgrid", block("EC PARAMETERS", []byte{6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7}) + block("EC PRIVATE KEY", sec1)},
		"openssl genrsa -traditional": {"rsa", block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(large))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, err := New(Config{Scheme: test.scheme, Secrets: []string{test.secret}})
			require.NoError(t, err)
			r := &Request{Method: http.MethodPost, URL: "/", Header: http.Header{}, Body: []byte(`[]`)}
			r.Header, err = v.Sign(r, "", noon)
			require.NoError(t, err)
			_, err = v.Verify(r, noon)
			require.NoError(t, err)
		})
	}
	_, err = New(Config{Scheme: "sendgrid", Secrets: []string{block("EC PRIVATE KEY", sec1[:20])}})
	require.Error(t, err)
}
