package signature

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha512" // for RSA
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"slices"
	"strings"
)

// Prefixes of the keys of Standard Webhooks v1a.
const (
	whpk = "whpk_" // base64 of a 32-byte public key
	whsk = "whsk_" // base64 of the 64-byte private key, whose second half is the public one
)

// versionAsymmetric is the version of Ed25519 signatures in Standard Webhooks.
const versionAsymmetric = "v1a"

// asymmetric reports whether a secret is an Ed25519 key in the form of Standard Webhooks.
func asymmetric(secret string) bool {
	return strings.HasPrefix(secret, whpk) || strings.HasPrefix(secret, whsk)
}

// ed25519Key reads a private or public key in the form of Standard Webhooks: its prefix and base64. It returns the key, or why there is
// none, as all functions here do that read one.
func ed25519Key(secret string) (key, string) {
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
	k.signer = ed25519.PrivateKey(private)
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

// smallOrder reports whether a public key is one of smallOrderKeys.
func smallOrder(public []byte) bool {
	unsigned := bytes.Clone(public)
	unsigned[31] &= 0x7f
	return slices.ContainsFunc(smallOrderKeys, func(weak []byte) bool { return bytes.Equal(unsigned, weak) })
}

func mustHex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// usesPublicKey reports whether signatures are checked with a public key.
func (r *row) usesPublicKey() bool { return r.alg == algEd25519 || publicHashes[r.alg] != 0 }

// publicKey reads a public or private key for the row's algorithm.
func (r *row) publicKey(secret string) (key, string) {
	if signer := parsePrivateKey(secret); signer != nil {
		k, why := r.keyOf(signer.Public())
		k.signer = signer
		return k, why
	}
	public, why := parsePublicKey(secret)
	if why != "" {
		return key{}, why
	}
	return r.keyOf(public)
}

// parsePrivateKey reads a private key in PEM, in any of the forms that openssl writes. It returns nil for anything else.
func parsePrivateKey(text string) crypto.Signer {
	block, rest := pem.Decode([]byte(text))
	if block != nil && block.Type == "EC PARAMETERS" { // openssl ecparam writes it in front of the key
		block, _ = pem.Decode(rest)
	}
	if block == nil {
		return nil
	}
	var private any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		private, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		private, err = x509.ParseECPrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		private, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	}
	if err != nil {
		return nil
	}
	signer, _ := private.(crypto.Signer)
	return signer
}

// keyOf makes a key that checks signatures by the row's algorithm. It refuses a public key of any other algorithm.
func (r *row) keyOf(public crypto.PublicKey) (key, string) {
	switch r.alg {
	case algEd25519:
		if own, ok := public.(ed25519.PublicKey); ok {
			return publicKey("", own)
		}
		return key{}, "it is not an Ed25519 key"
	case algECDSA, algECDSA1:
		own, ok := public.(*ecdsa.PublicKey)
		if !ok || own.Curve != elliptic.P256() {
			return key{}, "it is not an ECDSA P-256 key"
		}
		return key{curve: own, hash: publicHashes[r.alg]}, ""
	}
	own, ok := public.(*rsa.PublicKey)
	if !ok || !allowedSize(own) {
		return key{}, "it is not an RSA key of 2048 to 8192 bits"
	}
	return key{rsa: own, hash: publicHashes[r.alg]}, ""
}

// publicHashes are the hashes that the algorithms with public keys sign. Ed25519, which signs the message itself, has none.
var publicHashes = map[algorithm]crypto.Hash{
	algECDSA: crypto.SHA256, algECDSA1: crypto.SHA1, algRSA1: crypto.SHA1, algRSA256: crypto.SHA256, algRSA512: crypto.SHA512,
}

// parsePublicKey reads a public key in any of the forms that providers publish: PEM (a public key or a certificate), its DER in base64, or the 32 bytes of an
// Ed25519 key in hexadecimal or base64.
func parsePublicKey(text string) (crypto.PublicKey, string) {
	if strings.Contains(text, "-----BEGIN ") {
		block, _ := pem.Decode([]byte(text))
		if block == nil {
			return nil, "its PEM can't be read"
		}
		return parseDER(block.Type, block.Bytes)
	}
	if raw, err := hex.DecodeString(text); err == nil && len(raw) == ed25519.PublicKeySize {
		return ed25519.PublicKey(raw), ""
	}
	if strings.ContainsAny(text, "\r\n") {
		return nil, "it has a line break in its base64"
	}
	der, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, "it is not a public key in PEM, base64 or hexadecimal"
	}
	if len(der) == ed25519.PublicKeySize {
		return ed25519.PublicKey(der), ""
	}
	return parseDER("PUBLIC KEY", der)
}

// parseDER reads a public key or a certificate in DER; kind is the type of its PEM block.
func parseDER(kind string, der []byte) (public crypto.PublicKey, why string) {
	var err error
	switch kind {
	case "CERTIFICATE":
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, "its certificate can't be read"
		}
		return certificate.PublicKey, ""
	case "RSA PUBLIC KEY":
		public, err = x509.ParsePKCS1PublicKey(der)
	default:
		public, err = x509.ParsePKIXPublicKey(der)
	}
	if err != nil {
		return nil, "it is not a public key"
	}
	return public, ""
}
