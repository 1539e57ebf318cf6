package signature

import (
	"bytes"
	"crypto"
	"crypto/hmac"
	"crypto/md5"  // for Patreon and the option alg; collisions don't break an HMAC with MD5
	"crypto/sha1" // for providers that still use it; collisions don't break an HMAC with SHA-1
	"crypto/sha256"
	"crypto/sha512"
	"hash"
	"sync"
)

// algorithm is a hash, or one of the asymmetric algorithms.
type algorithm string

const (
	algMD5     algorithm = "md5"
	algSHA1    algorithm = "sha1"
	algSHA256  algorithm = "sha256"
	algSHA384  algorithm = "sha384"
	algSHA512  algorithm = "sha512"
	algEd25519 algorithm = "ed25519"
	algECDSA   algorithm = "ecdsa-p256"
	algECDSA1  algorithm = "ecdsa-p256-sha1"
	algRSA1    algorithm = "rsa-sha1" // PKCS #1 v1.5, as are the others
	algRSA256  algorithm = "rsa-sha256"
	algRSA512  algorithm = "rsa-sha512"
	algToken   algorithm = "token" // no signature: the request has the secret itself
	algBasic   algorithm = "basic" // no signature: the header has name and password
	algJWT     algorithm = "jwt"   // a JSON Web Token, which may contain the hash of the body
)

var hashes = map[algorithm]func() hash.Hash{
	algMD5:    md5.New,
	algSHA1:   sha1.New,
	algSHA256: sha256.New,
	algSHA384: sha512.New384,
	algSHA512: sha512.New,
}

// macPool holds reusable states of a keyed hash, so that a message costs one pass over it and no allocation: from its
// first reset on, a state of crypto/hmac restores the hashed key instead of hashing it again.
// It is safe for concurrent use.
type macPool struct {
	size int // bytes of a sum
	pool sync.Pool
}

// macState is one state with its scratch space. It belongs to the caller of get until put.
type macState struct {
	h       hash.Hash
	key     []byte // what {secret} stands for, where the key is part of the message
	scratch [512]byte
	sum     [sha512.Size]byte
}

// newMAC returns a pool of HMAC states for a key.
func newMAC(alg algorithm, key []byte) *macPool {
	return newPool(hashes[alg], func() hash.Hash { return hmac.New(hashes[alg], key) }, nil)
}

// newPlainHash returns a pool of states of an unkeyed hash, for schemes that put the secret into the message.
func newPlainHash(alg algorithm, key []byte) *macPool {
	return newPool(hashes[alg], hashes[alg], key)
}

// digests are pools of hash states for RSA and ECDSA, which sign the hash of a message.
var digests = map[crypto.Hash]*macPool{
	crypto.SHA1:   newPool(sha1.New, sha1.New, nil),
	crypto.SHA256: newPool(sha256.New, sha256.New, nil),
	crypto.SHA512: newPool(sha512.New, sha512.New, nil),
}

func newPool(sized, state func() hash.Hash, key []byte) *macPool {
	p := &macPool{size: sized().Size()}
	p.pool.New = func() any { return &macState{h: state(), key: key} }
	return p
}

func (p *macPool) get() *macState { return p.pool.Get().(*macState) }

func (p *macPool) put(s *macState) {
	s.h.Reset()
	p.pool.Put(s)
}

// write and writeString add to the message.
func (s *macState) write(b []byte) { _, _ = s.h.Write(b) } // a hash never fails

func (s *macState) writeString(v string) {
	for len(v) > 0 {
		n := copy(s.scratch[:], v)
		s.write(s.scratch[:n])
		v = v[n:]
	}
}

// total returns the MAC or hash of what was written. It is valid until the state is put back.
func (s *macState) total() []byte { return s.h.Sum(s.sum[:0]) }

// sign returns the MAC of a message, which consists of the pieces in their order.
func (p *macPool) sign(message ...[]byte) []byte {
	s := p.get()
	defer p.put(s)
	for _, piece := range message {
		s.write(piece)
	}
	return bytes.Clone(s.total())
}

// signedBy returns the index of the first key that makes this signature of a message, or -1.
func signedBy(keys []key, signature []byte, message ...[]byte) int {
	for i := range keys {
		s := keys[i].mac.get()
		for _, piece := range message {
			s.write(piece)
		}
		equal := hmac.Equal(s.total(), signature)
		keys[i].mac.put(s)
		if equal {
			return i
		}
	}
	return -1
}
