package signature

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rsa"
	"slices"
	"strings"
	"sync"
)

// key checks signatures with one secret. Exactly one of mac, token, public, curve and rsa is set.
type key struct {
	version string // list key or version of the signatures that it makes
	mac     *macPool
	token   string // the secret itself, which requests contain
	public  ed25519.PublicKey
	curve   *ecdsa.PublicKey
	rsa     *rsa.PublicKey
	hash    crypto.Hash   // of curve and rsa
	signer  crypto.Signer // where the secret is a private key
}

// keys turns the configured secrets into keys.
func (r *row) keys(c Config) ([]key, error) {
	secrets := c.Secrets
	if public, ok := c.Options["public_key"]; ok && r.usesPublicKey() {
		secrets = append(secrets[:len(secrets):len(secrets)], public)
	}
	if len(secrets) == 0 {
		return nil, errNoSecret
	}
	enc, err := r.secretEncoding(c)
	if err != nil {
		return nil, err
	}
	keys := make([]key, 0, len(secrets))
	for i, secret := range secrets {
		k, why := r.key(enc, secret)
		if why != "" {
			return nil, badSecret(i, why)
		}
		setDefault(&k.version, r.sigKey)
		keys = append(keys, k)
	}
	return keys, nil
}

// secretEncoding is how the text of a secret becomes the key: as the option says, or else as the row does.
func (r *row) secretEncoding(c Config) (secretEncoding, error) {
	name, ok := c.Options["secret_encoding"]
	switch enc := secretEncoding(name); {
	case !ok || !r.takesOption("secret_encoding"):
		return r.secret, nil
	case slices.Contains([]secretEncoding{secUTF8, secBase64, secHex, secWhsec, secNFKD, secAuto}, enc):
		return enc, nil
	}
	return "", badOption("secret_encoding", "%q is not one of utf8, base64, hex, whsec, nfkd, auto", name)
}

// key turns one secret into a key. It returns why that can't be.
func (r *row) key(enc secretEncoding, secret string) (k key, why string) {
	switch {
	case secret == "":
		return key{}, "it is empty"
	case r.alg == algBasic:
		if name, _, ok := strings.Cut(secret, ":"); !ok || name == "" {
			return key{}, "write it as name:password"
		}
		return key{token: secret}, ""
	case r.alg == algToken:
		return key{token: secret}, ""
	case r.usesPublicKey() && r.syntax != versions:
		return r.publicKey(secret)
	case r.alg == algEd25519 || (r.syntax == versions && r.secret == secWhsec && asymmetric(secret)):
		return ed25519Key(secret)
	}
	own, why := enc.decode(secret)
	if why != "" {
		return key{}, why
	}
	if r.plainHash {
		return key{mac: newPlainHash(r.alg, own)}, ""
	}
	return key{mac: newMAC(r.alg, own)}, ""
}

// fits reports whether a decoded signature has this key's length.
func (k *key) fits(d *decoded) bool { return k.fitsLength(d.n) }

// fitsLength is fits for a length in bytes.
func (k *key) fitsLength(n int) bool {
	switch {
	case k.mac != nil:
		return n == k.mac.size
	case k.public != nil:
		return n == ed25519.SignatureSize
	case k.rsa != nil:
		return n == k.rsa.Size()
	}
	return n > 0
}

// maxChecks is how many candidate signatures are checked for a body of so many bytes. A check with a public key costs some hundred times
// as much as the comparison of a MAC, and with Ed25519 each check hashes the body again.
func (k *key) maxChecks(size int) int {
	switch {
	case k.mac != nil:
		return maxCandidates
	case k.public == nil || size == 0:
		return maxPublicChecks
	}
	return min(maxPublicChecks, max(1, (256<<10)/size))
}

// maxPublicChecks is how many signatures are checked with one public key: a rotation has two.
const maxPublicChecks = 4

// checker checks candidate signatures of one message with one key. Hashing the message, which costs most, is done only once. Call release
// at the end.
type checker struct {
	key    *key
	pool   *macPool  // to which state belongs
	state  *macState // HMAC, plain hash, and the digest that RSA and ECDSA sign
	want   []byte    // the MAC or hash that state computed
	signed []byte    // what Ed25519 signs, in one piece
	buffer *[]byte   // that holds signed, where it is not the body alone
}

func (k *key) checker(p *payload, m *message) checker {
	c := checker{key: k}
	switch {
	case k.mac != nil:
		c.feed(k.mac, p, m)
	case k.hash != 0:
		c.feed(digests[k.hash], p, m)
	case k.public != nil && p.isBody():
		c.signed = m.body
	case k.public != nil:
		c.buffer = buffers.Get().(*[]byte)
		*c.buffer = p.append((*c.buffer)[:0], m)
		c.signed = *c.buffer
	}
	return c
}

func (c *checker) feed(pool *macPool, p *payload, m *message) {
	c.pool, c.state = pool, pool.get()
	p.write(c.state, m)
	c.want = c.state.total()
}

// buffers are reused for messages that have to be in one piece: to allocate one for a large body costs more than the check itself.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

func (c *checker) matches(signature []byte) bool {
	if c.key.mac != nil {
		return hmac.Equal(c.want, signature)
	}
	return c.verifies(bytes.Clone(signature)) // so that the signature is on the heap only for algorithms with public keys
}

func (c *checker) verifies(signature []byte) bool {
	if c.key.public != nil {
		return len(signature) == ed25519.SignatureSize && ed25519.Verify(c.key.public, c.signed, signature)
	}
	if c.key.rsa != nil {
		return rsa.VerifyPKCS1v15(c.key.rsa, c.key.hash, c.want, signature) == nil
	}
	return c.key.curve != nil && ecdsa.VerifyASN1(c.key.curve, c.want, signature)
}

// release gives the state or the buffer back.
func (c *checker) release() {
	if c.state != nil {
		c.pool.put(c.state)
	}
	if c.buffer != nil {
		buffers.Put(c.buffer)
	}
}
