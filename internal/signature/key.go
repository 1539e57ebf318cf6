package signature

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rsa"
	"strings"
)

// key checks signatures with one secret. Exactly one of its kinds is set.
type key struct {
	version string // list key or version of the signatures that it makes
	mac     *macPool
	token   string // compared as it is
	public  ed25519.PublicKey
	curve   *ecdsa.PublicKey
	rsa     *rsa.PublicKey
	hash    crypto.Hash   // of curve and rsa
	signer  crypto.Signer // where the secret is a private key
}

// keys turns the configured secrets into keys.
func (r *row) keys(c Config) ([]key, error) {
	secrets := c.Secrets
	if public, ok := c.Options["public_key"]; ok && r.public() {
		secrets = append(secrets[:len(secrets):len(secrets)], public)
	}
	if len(secrets) == 0 {
		return nil, errNoSecret
	}
	enc := r.secret
	if name, ok := c.Options["secret_encoding"]; ok && r.keyed() {
		if enc, ok = secretEncodings[name]; !ok {
			return nil, badOption("secret_encoding", "%q is not one of utf8, base64, hex, whsec, nfkd, auto", name)
		}
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

var secretEncodings = map[string]secretEncoding{
	"utf8": secUTF8, "base64": secBase64, "hex": secHex, "whsec": secWhsec, "nfkd": secNFKD, "auto": secAuto,
}

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
	case r.public() && r.syntax != versions:
		return r.publicKey(secret)
	case r.alg == algEd25519 || (r.syntax == versions && r.secret == secWhsec && asymmetric(secret)):
		return ed25519Key(secret)
	}
	own, why := enc.decode(secret)
	if why != "" {
		return key{}, why
	}
	if r.plain {
		return key{mac: newPlainHash(r.alg, own)}, ""
	}
	return key{mac: newMAC(r.alg, own)}, ""
}

// fits reports whether a decoded signature has this key's length.
func (k *key) fits(d *decoded) bool {
	switch {
	case k.mac != nil:
		return d.n == k.mac.size
	case k.public != nil:
		return d.n == ed25519.SignatureSize
	case k.rsa != nil:
		return d.n == k.rsa.Size()
	}
	return d.n > 0
}

// affordable is how many candidates are checked for a body of a size: an Ed25519 check hashes the body each time.
func (k *key) affordable(size int) int {
	if k.public == nil || size == 0 {
		return maxCandidates
	}
	return min(maxCandidates, max(1, (1<<20)/size))
}

// checker compares candidates with what one key makes of one message. The costly part is done once a message.
type checker struct {
	key   *key
	state *macState // HMAC and plain hash
	want  []byte
	whole []byte // what the asymmetric algorithms verify
}

func (k *key) checker(p *payload, m *message) checker {
	c := checker{key: k}
	switch {
	case k.mac != nil:
		c.state = k.mac.get()
		p.write(c.state, m)
		c.want = c.state.total()
	case k.public != nil:
		c.whole = p.append(make([]byte, 0, len(m.body)+len(m.t)+len(m.id)+8), m)
	case k.hash != 0:
		h := k.hash.New()
		h.Write(p.append(make([]byte, 0, len(m.body)+len(m.t)), m))
		c.whole = h.Sum(nil)
	}
	return c
}

func (c *checker) matches(signature []byte) bool {
	if c.key.mac != nil {
		return hmac.Equal(c.want, signature)
	}
	return c.verifies(bytes.Clone(signature)) // so that only the costly algorithms put it on the heap
}

func (c *checker) verifies(signature []byte) bool {
	if c.key.public != nil {
		return len(signature) == ed25519.SignatureSize && ed25519.Verify(c.key.public, c.whole, signature)
	}
	if c.key.rsa != nil {
		return rsa.VerifyPKCS1v15(c.key.rsa, c.key.hash, c.whole, signature) == nil
	}
	return c.key.curve != nil && ecdsa.VerifyASN1(c.key.curve, c.whole, signature)
}

// done gives the state back.
func (c *checker) done() {
	if c.state != nil {
		c.key.mac.put(c.state)
	}
}
