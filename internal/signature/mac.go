package signature

import (
	"bytes"
	"crypto"
	"crypto/hmac"
	"crypto/md5"  // for Patreon, and who names it; an HMAC with it is not broken by collisions
	"crypto/sha1" // for providers that still sign with it; an HMAC with SHA-1 is not broken by collisions
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
	algToken   algorithm = "token" // no signature at all: the header is the secret
	algBasic   algorithm = "basic" // the same, as name and password
	algJWT     algorithm = "jwt"   // a JSON Web Token, which may have the body's hash
)

var hashes = map[algorithm]func() hash.Hash{
	algMD5:    md5.New,
	algSHA1:   sha1.New,
	algSHA256: sha256.New,
	algSHA384: sha512.New384,
	algSHA512: sha512.New,
}

// macPool keeps states of a keyed hash ready, so that a message costs one pass over it and no allocation: after
// its first reset, a state of crypto/hmac restores the hashed key instead of hashing it again.
// It is safe for concurrent use.
type macPool struct {
	size int // bytes of a sum
	pool sync.Pool
}

// macState is one state with its scratch space. Only its holder may use it.
type macState struct {
	h       hash.Hash
	key     []byte // for {secret}, where the key is part of the message instead
	scratch [512]byte
	sum     [sha512.Size]byte
}

// newMAC makes HMAC states for a key.
func newMAC(alg algorithm, key []byte) *macPool {
	return newPool(hashes[alg], func() hash.Hash { return hmac.New(hashes[alg], key) }, nil)
}

// newPlainHash makes states of an unkeyed hash for schemes that put the secret into the message.
func newPlainHash(alg algorithm, key []byte) *macPool {
	return newPool(hashes[alg], hashes[alg], key)
}

// digests make what RSA and ECDSA sign of a message.
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

// write and writeString feed the state.
func (s *macState) write(b []byte) { _, _ = s.h.Write(b) } // a hash never fails

func (s *macState) writeString(v string) {
	for len(v) > 0 {
		n := copy(s.scratch[:], v)
		s.write(s.scratch[:n])
		v = v[n:]
	}
}

// total is the sum of what was written. It is valid until the state is put back.
func (s *macState) total() []byte { return s.h.Sum(s.sum[:0]) }

// sign returns what the key makes of a message, whose pieces are taken one after the other.
func (p *macPool) sign(message ...[]byte) []byte {
	s := p.get()
	defer p.put(s)
	for _, piece := range message {
		s.write(piece)
	}
	return bytes.Clone(s.total())
}

// signedBy is the index of the first key that makes this signature of a message, -1 where there is none.
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
