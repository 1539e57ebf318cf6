package signature

import (
	"crypto/ed25519"
	"encoding/base64"
	"strconv"
	"strings"
)

// VideoCloudSigner makes values of X-VideoCloud-Signature with one secret. It is safe for concurrent use and
// doesn't allocate beyond dst; make one per secret and keep it.
type VideoCloudSigner struct {
	mac *macPool
}

// NewVideoCloudSigner returns a signer whose key is the bytes of the secret. An empty secret is an [ErrSecret].
func NewVideoCloudSigner(secret string) (*VideoCloudSigner, error) {
	if secret == "" {
		return nil, badSecret(0, "it is empty")
	}
	return &VideoCloudSigner{newMAC(algSHA256, []byte(secret))}, nil
}

// Append appends the signature of the body in lower-case hexadecimal. The body consists of the parts in their order.
func (s *VideoCloudSigner) Append(dst []byte, body ...[]byte) []byte {
	m := s.mac.get()
	for _, part := range body {
		m.write(part)
	}
	dst = appendHex(dst, m.total())
	s.mac.put(m)
	return dst
}

// StandardSigner makes values of webhook-signature (Standard Webhooks, v1) with one secret. It is safe for
// concurrent use and doesn't allocate beyond dst; make one per secret and keep it.
type StandardSigner struct {
	mac *macPool
}

// NewStandardSigner returns a signer whose key is what follows whsec_, decoded from base64, or the bytes of a secret without that prefix.
// A secret that is empty or can't be decoded is an [ErrSecret].
func NewStandardSigner(secret string) (*StandardSigner, error) {
	key, why := secAuto.decode(secret)
	if why != "" {
		return nil, badSecret(0, why)
	}
	return &StandardSigner{newMAC(algSHA256, key)}, nil
}

// Append appends "v1,<base64>", the signature of id.timestamp.body. timestamp is in Unix seconds; the body consists of the parts in their
// order. Several values in one header are separated by a space.
func (s *StandardSigner) Append(dst []byte, id string, timestamp int64, body ...[]byte) []byte {
	m := s.mac.get()
	m.writeString(id)
	m.write(append(strconv.AppendInt(append(m.scratch[:0], '.'), timestamp, 10), '.'))
	for _, part := range body {
		m.write(part)
	}
	dst = append(dst, "v1,"...)
	dst = base64.StdEncoding.AppendEncode(dst, m.total())
	s.mac.put(m)
	return dst
}

// KeySigner makes values of webhook-signature (Standard Webhooks, v1a) with one Ed25519 key pair. It is safe for
// concurrent use.
type KeySigner struct {
	private ed25519.PrivateKey
}

// NewSigningKey returns a new key pair in the form of Standard Webhooks: whsk_ and the private key in base64, for a
// [KeySigner], and whpk_ and the public key in base64, for verification.
func NewSigningKey() (private, public string) {
	_, k, _ := ed25519.GenerateKey(nil) // never fails, see crypto/rand
	return whsk + base64.StdEncoding.EncodeToString(k), whpk + base64.StdEncoding.EncodeToString(k[ed25519.SeedSize:])
}

// NewKeySigner returns a signer for a private key in the form of [NewSigningKey]. Any other text is an [ErrSecret].
func NewKeySigner(private string) (*KeySigner, error) {
	text, ok := strings.CutPrefix(private, whsk)
	if !ok {
		return nil, badSecret(0, "a private key starts with whsk_")
	}
	k, why := privateKey(text)
	if why != "" {
		return nil, badSecret(0, why)
	}
	return &KeySigner{k.signer.(ed25519.PrivateKey)}, nil
}

// Append appends "v1a,<base64>" over id.timestamp.body, as [StandardSigner.Append] does for v1.
func (s *KeySigner) Append(dst []byte, id string, timestamp int64, body ...[]byte) []byte {
	size := len(id) + 32
	for _, part := range body {
		size += len(part)
	}
	message := append(make([]byte, 0, size), id...)
	message = append(strconv.AppendInt(append(message, '.'), timestamp, 10), '.')
	for _, part := range body {
		message = append(message, part...)
	}
	dst = append(append(dst, versionAsymmetric...), ',')
	return base64.StdEncoding.AppendEncode(dst, ed25519.Sign(s.private, message))
}
