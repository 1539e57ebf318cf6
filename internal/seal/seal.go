// Package seal keeps secrets at rest: signing secrets and the values of custom headers, encrypted with
// the operator's keys before they are stored.
//
// A sealed value is text, safe in JSON and in any store:
//
//	enc1:<key ID>:<base64url of nonce, ciphertext and tag>   XChaCha20-Poly1305, 24 random bytes of nonce
//	plain:<base64url of the value>                           where there are no keys; not encrypted
//
// The key ID says which key opens a value without telling anything of use about it, so keys can be
// rotated: the first key seals, the others still open, and [Sealer.Open] reports what should be sealed
// anew. Keys may be added to a store that had none; they can't be taken away from values sealed with them.
//
// The associated data binds a value to its place: an account's secret copied into another's record does
// not open. Build it with [AssociatedData].
//
//	s, err := seal.New(keys)
//	text, err := s.Seal(secret, seal.AssociatedData(account, webhookID, "secret"))
//	secret, current, err := s.Open(text, seal.AssociatedData(account, webhookID, "secret"))
//	if !current { ... seal it again and store that ... }
package seal

import (
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"
)

// KeySize is the length of a key in bytes.
const KeySize = chacha20poly1305.KeySize

// Why a value can't be opened. Match them with errors.Is; their text holds nothing of the value.
var (
	// ErrUnknownKey means that the key it was sealed with is not among the given ones.
	ErrUnknownKey = errors.New("sealed with a key that is not given; add that key after the first one in encryption_key")
	// ErrAuthentication means that it was altered, or sealed for another place.
	ErrAuthentication = errors.New("altered, or copied from another record")
	// ErrFormat means that it is not a sealed value.
	ErrFormat = errors.New("not a sealed value")
)

const (
	sealedPrefix = "enc1:"
	plainPrefix  = "plain:"
	idBytes      = 6 // 8 characters; keys are few
)

var encoding = base64.RawURLEncoding.Strict()

// decode takes one text for one value only; the library would skip line ends.
func decode(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, ErrFormat
	}
	return encoding.DecodeString(text)
}

// Sealer seals with its first key and opens with all of them. It is safe for concurrent use.
type Sealer struct {
	keys []key
}

type key struct {
	id   string
	aead cipher.AEAD
}

// New returns a Sealer. Without keys it stores values in the clear, under a prefix that says so.
func New(keys [][]byte) (*Sealer, error) {
	s := &Sealer{keys: make([]key, 0, len(keys))}
	for i, k := range keys {
		aead, err := chacha20poly1305.NewX(k)
		if err != nil {
			return nil, fmt.Errorf("setting up key %d: it has %d bytes, not %d", i+1, len(k), KeySize)
		}
		s.keys = append(s.keys, key{id: keyID(k), aead: aead})
	}
	return s, nil
}

// keyID names a key. The prefix keeps it apart from any other use of the key's hash.
func keyID(k []byte) string {
	sum := sha256.Sum256(append([]byte("webhooks seal key ID\x00"), k...))
	return encoding.EncodeToString(sum[:idBytes])
}

// Encrypts reports whether there is a key to seal with.
func (s *Sealer) Encrypts() bool { return len(s.keys) > 0 }

// Seal encrypts plaintext with the first key. Opening it takes the same associated data.
func (s *Sealer) Seal(plaintext, associatedData []byte) (string, error) {
	if !s.Encrypts() {
		return plainPrefix + encoding.EncodeToString(plaintext), nil
	}
	k := s.keys[0]
	nonce := make([]byte, k.aead.NonceSize(), k.aead.NonceSize()+len(plaintext)+k.aead.Overhead())
	if _, err := rand.Read(nonce); err != nil {
		return "", fmt.Errorf("sealing: making a nonce: %w", err)
	}
	header := sealedPrefix + k.id + ":"
	sealed := k.aead.Seal(nonce, nonce, plaintext, bind(header, associatedData))
	return header + encoding.EncodeToString(sealed), nil
}

// Open returns the value of a text that Seal made, and whether Seal would make it with the same key
// now: where it is not current, it should be sealed again. An error is [ErrUnknownKey],
// [ErrAuthentication] or [ErrFormat].
//
// Failure policy: a value in the clear opens also where there are keys, or keys could not be added to a
// store that had none. Whoever can write to the store can therefore replace a secret, though not read one.
func (s *Sealer) Open(text string, associatedData []byte) (plaintext []byte, current bool, err error) {
	if rest, ok := strings.CutPrefix(text, plainPrefix); ok {
		plaintext, err := decode(rest)
		if err != nil {
			return nil, false, fmt.Errorf("opening: %w", ErrFormat)
		}
		return plaintext, !s.Encrypts(), nil
	}
	rest, ok := strings.CutPrefix(text, sealedPrefix)
	if !ok {
		return nil, false, fmt.Errorf("opening: %w", ErrFormat)
	}
	id, body, ok := strings.Cut(rest, ":")
	if !ok {
		return nil, false, fmt.Errorf("opening: %w", ErrFormat)
	}
	sealed, err := decode(body)
	if err != nil || len(sealed) < chacha20poly1305.NonceSizeX+chacha20poly1305.Overhead {
		return nil, false, fmt.Errorf("opening: %w", ErrFormat)
	}
	nonce, sealed := sealed[:chacha20poly1305.NonceSizeX], sealed[chacha20poly1305.NonceSizeX:]
	bound := bind(sealedPrefix+id+":", associatedData)
	failure := ErrUnknownKey
	for i, k := range s.keys {
		if k.id != id {
			continue
		}
		failure = ErrAuthentication
		if plaintext, err := k.aead.Open(nil, nonce, sealed, bound); err == nil {
			return plaintext, i == 0, nil
		}
	}
	return nil, false, fmt.Errorf("opening: %w", failure)
}

// bind authenticates the header too. It has a fixed length wherever a key opens the value, so it can't
// run into what follows.
func bind(header string, associatedData []byte) []byte {
	return append([]byte(header), associatedData...)
}

// AssociatedData joins the names of a place so that no two different lists give the same bytes.
func AssociatedData(parts ...string) []byte {
	var data []byte
	for _, p := range parts {
		data = binary.AppendUvarint(data, uint64(len(p)))
		data = append(data, p...)
	}
	return data
}
