package signature

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// Prefixes of the keys of Standard Webhooks v1a.
const (
	whpk = "whpk_" // base64 of a 32-byte public key
	whsk = "whsk_" // base64 of the 64-byte private key, whose second half is the public one
)

const versionAsymmetric = "v1a"

func asymmetric(secret string) bool {
	return strings.HasPrefix(secret, whpk) || strings.HasPrefix(secret, whsk)
}

// ed25519Key reads a public key: base64 with the prefixes of Standard Webhooks, or hexadecimal as Discord shows it.
// The length is checked here because crypto/ed25519 panics on any other.
func ed25519Key(standard bool, secret string) (key, string) {
	if !standard {
		public, err := hex.DecodeString(secret)
		if err != nil {
			return key{}, "it is not the public key in hexadecimal"
		}
		return publicKey("", public)
	}
	if rest, ok := strings.CutPrefix(secret, whsk); ok {
		return privateKey(rest)
	}
	public, why := base64Key(strings.TrimPrefix(secret, whpk))
	if why != "" {
		return key{}, why
	}
	return publicKey(versionAsymmetric, public)
}

func publicKey(version string, public []byte) (key, string) {
	if len(public) != ed25519.PublicKeySize {
		return key{}, "an Ed25519 public key has 32 bytes"
	}
	if smallOrder(public) {
		return key{}, "it is a key of small order, for which anyone can make signatures"
	}
	return key{version: version, public: public}, ""
}

func privateKey(text string) (key, string) {
	private, why := base64Key(text)
	if why != "" {
		return key{}, why
	}
	if len(private) != ed25519.PrivateKeySize {
		return key{}, "an Ed25519 private key has 64 bytes, the public key included"
	}
	if !bytes.Equal(ed25519.NewKeyFromSeed(private[:ed25519.SeedSize]), private) {
		return key{}, "its public half does not belong to its private half"
	}
	k, why := publicKey(versionAsymmetric, private[ed25519.SeedSize:])
	k.private = private
	return k, why
}

// smallOrderKeys are the encodings of the points whose order divides 8, without their sign bit: zero, one, the two of
// order eight, p-1, p and p+1. A signature of zeros verifies under them for many messages.
var smallOrderKeys = [][]byte{
	mustHex("0000000000000000000000000000000000000000000000000000000000000000"),
	mustHex("0100000000000000000000000000000000000000000000000000000000000000"),
	mustHex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
	mustHex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
	mustHex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
	mustHex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
	mustHex("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
}

func smallOrder(public []byte) bool {
	unsigned := bytes.Clone(public)
	unsigned[31] &= 0x7f
	for _, weak := range smallOrderKeys {
		if bytes.Equal(unsigned, weak) {
			return true
		}
	}
	return false
}

func mustHex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// ecdsaKey reads a base64 SubjectPublicKeyInfo with a P-256 key.
func ecdsaKey(secret string) (key, string) {
	der, err := base64.StdEncoding.Strict().DecodeString(secret)
	if err != nil || strings.ContainsAny(secret, "\r\n") {
		return key{}, "it is not a public key in base64"
	}
	public, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return key{}, "it is not a public key"
	}
	curve, ok := public.(*ecdsa.PublicKey)
	if !ok || curve.Curve != elliptic.P256() {
		return key{}, "it is not an ECDSA P-256 key"
	}
	return key{curve: curve}, ""
}
