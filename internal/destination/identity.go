package destination

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
)

// Identity is a client certificate with which requests are made (mutual TLS). [NewIdentity] reads one.
type Identity struct {
	certificate tls.Certificate
	fingerprint string // SHA-256; keeps connections and TLS sessions of different identities apart
}

// Errors of [NewIdentity], in words for whoever gave the certificate and its key.
var (
	ErrCertificate = errors.New("the certificate is not PEM that can be read; give the certificate, and those between it and its root, as -----BEGIN CERTIFICATE-----")
	ErrKey         = errors.New("the key is not a private key in PEM that can be read; give it unencrypted, as -----BEGIN PRIVATE KEY-----")
	ErrKeyPair     = errors.New("the key does not belong to the certificate")
)

// NewIdentity reads a certificate, followed by those between it and its root, and its private key, both in PEM. Its
// errors are [ErrCertificate], [ErrKey] and [ErrKeyPair].
func NewIdentity(certificate, key []byte) (*Identity, error) {
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, keyPairError(certificate, key)
	}
	sum := sha256.New()
	for _, der := range pair.Certificate {
		_, _ = sum.Write(der)
	}
	return &Identity{pair, string(sum.Sum(nil))}, nil
}

// keyPairError returns which of the two is wrong. The library's own error is not shown: it may quote them.
func keyPairError(certificate, key []byte) error {
	if block, _ := pem.Decode(certificate); block == nil || block.Type != "CERTIFICATE" {
		return ErrCertificate
	} else if _, err := x509.ParseCertificate(block.Bytes); err != nil {
		return ErrCertificate
	}
	block, _ := pem.Decode(key)
	if block == nil {
		return ErrKey
	}
	_, pkcs8 := x509.ParsePKCS8PrivateKey(block.Bytes)
	_, pkcs1 := x509.ParsePKCS1PrivateKey(block.Bytes)
	_, sec1 := x509.ParseECPrivateKey(block.Bytes)
	if pkcs8 != nil && pkcs1 != nil && sec1 != nil {
		return ErrKey
	}
	return ErrKeyPair
}

// Leaf returns the certificate itself, without those between it and its root.
func (i *Identity) Leaf() *x509.Certificate { return i.certificate.Leaf }

type identityKey struct{}

func contextWithIdentity(ctx context.Context, i *Identity) context.Context {
	if i == nil {
		return ctx
	}
	return context.WithValue(ctx, identityKey{}, i)
}

func identityOf(ctx context.Context) *Identity {
	i, _ := ctx.Value(identityKey{}).(*Identity)
	return i
}

// offerTo makes a handshake present this certificate whenever the endpoint asks for one, even if none of the
// authorities that the endpoint names has issued it: its error is then about this certificate, not about a missing one.
func (i *Identity) offerTo(config *tls.Config) {
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &i.certificate, nil }
}

// WithIdentity returns a transport that presents a client certificate, over the pool of t. Its connections and TLS
// sessions serve no request of another identity or of none: whoever resumed such a session would be taken for the
// holder of the certificate.
func (t *Transport) WithIdentity(i *Identity) http.RoundTripper {
	return &Transport{pool: t.pool, identity: i}
}
