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

// NewVideoCloudSigner uses the secret's bytes as given. An empty secret is an [ErrSecret].
func NewVideoCloudSigner(secret string) (*VideoCloudSigner, error) {
	if secret == "" {
		return nil, badSecret(0, "it is empty")
	}
	return &VideoCloudSigner{newMAC(algSHA256, []byte(secret))}, nil
}

// Append appends the lower-case hex of the signature over the body, whose parts are taken one after the other.
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

// NewStandardSigner decodes a secret that starts with whsec_ from base64 and uses any other as its UTF-8 bytes.
// A secret that is empty or doesn't decode is an [ErrSecret].
func NewStandardSigner(secret string) (*StandardSigner, error) {
	key, why := secAuto.decode(secret)
	if why != "" {
		return nil, badSecret(0, why)
	}
	return &StandardSigner{newMAC(algSHA256, key)}, nil
}

// Append appends "v1,<base64>" over id.timestamp.body, where timestamp is in unix seconds and the parts of the
// body are taken one after the other. Several values in one header are separated by a space.
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

// NewSigningKey makes a key pair in the form of Standard Webhooks: whsk_ and the private key in base64, for a
// [KeySigner], and whpk_ and the public one, for those who verify.
func NewSigningKey() (private, public string) {
	_, k, _ := ed25519.GenerateKey(nil) // never fails, see crypto/rand
	return whsk + base64.StdEncoding.EncodeToString(k), whpk + base64.StdEncoding.EncodeToString(k[ed25519.SeedSize:])
}

// NewKeySigner takes a private key as [NewSigningKey] makes it. Another is an [ErrSecret].
func NewKeySigner(private string) (*KeySigner, error) {
	text, is := strings.CutPrefix(private, whsk)
	if !is {
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
