package signature

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
)

// key checks signatures with one secret. Exactly one of its kinds is set.
type key struct {
	version string // list key or version of the signatures that it makes
	mac     *macPool
	token   string // compared as it is
	public  ed25519.PublicKey
	private ed25519.PrivateKey // where the secret is one
	curve   *ecdsa.PublicKey
}

// keys turns the configured secrets into keys.
func (r *row) keys(c Config) ([]key, error) {
	if len(c.Secrets) == 0 {
		return nil, badSecret(0, "there is none")
	}
	enc := r.secret
	if name, ok := c.Options["secret_encoding"]; ok && r.keyed() {
		if enc, ok = secretEncodings[name]; !ok {
			return nil, badOption("secret_encoding", "%q is not one of utf8, base64, hex, whsec, auto", name)
		}
	}
	keys := make([]key, 0, len(c.Secrets))
	for i, secret := range c.Secrets {
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
	"utf8": secUTF8, "base64": secBase64, "hex": secHex, "whsec": secWhsec, "auto": secAuto,
}

func (r *row) key(enc secretEncoding, secret string) (k key, why string) {
	switch {
	case secret == "":
		return key{}, "it is empty"
	case r.alg == algToken:
		return key{token: secret}, ""
	case r.alg == algEd25519 || (r.syntax == versions && r.secret == secWhsec && asymmetric(secret)):
		return ed25519Key(r.syntax == versions, secret)
	case r.alg == algECDSA:
		return ecdsaKey(secret)
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
	}
	return d.n > 0
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
	case k.curve != nil:
		sum := sha256.Sum256(p.append(make([]byte, 0, len(m.body)+len(m.t)), m))
		c.whole = bytes.Clone(sum[:])
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
	return c.key.curve != nil && ecdsa.VerifyASN1(c.key.curve, c.whole, signature)
}

// done gives the state back.
func (c *checker) done() {
	if c.state != nil {
		c.key.mac.put(c.state)
	}
}
