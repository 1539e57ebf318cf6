// Package seal protects stored secrets, such as signing secrets and the values of custom headers: it encrypts them with
// the operator's keys before they are stored.
//
// A sealed value is text, safe in JSON and in any store:
//
//	enc1:<key ID>:<base64url of nonce, ciphertext and tag>   XChaCha20-Poly1305, 24 random bytes of nonce
//	plain:<base64url of the value>                           where there are no keys; not encrypted
//
// The key ID names the key that opens a value without revealing anything of that key. So keys can be rotated: the first
// key seals, the others still open, and [Sealer.Open] reports which values should be sealed anew. A store that had no
// keys may get some later; a key must stay for as long as values are sealed with it.
//
// The associated data binds a value to its place: a secret that is copied from one account's record into
// another's does not open. Build it with [AssociatedData].
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

// Errors of [Sealer.Open], to be matched with errors.Is. Their text contains nothing of the value.
var (
	// ErrUnknownKey means that the value was sealed with a key that the Sealer does not have.
	ErrUnknownKey = errors.New("sealed with a key that is not given; add that key after the first one in encryption_key")
	// ErrAuthentication means that the value was altered, or sealed with other associated data.
	ErrAuthentication = errors.New("altered, or copied from another record")
	// ErrFormat means that the text is not a sealed value.
	ErrFormat = errors.New("not a sealed value")
)

const (
	sealedPrefix = "enc1:"
	plainPrefix  = "plain:"
	idBytes      = 6 // 8 characters, enough to tell a few keys apart
)

var encoding = base64.RawURLEncoding.Strict()

// decode accepts only one text for each value: it refuses line ends, which the library would skip.
func decode(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, ErrFormat
	}
	return encoding.DecodeString(text)
}

// Sealer seals with its first key and opens with any of its keys. It is safe for concurrent use.
type Sealer struct {
	keys []key
}

type key struct {
	id   string
	aead cipher.AEAD
}

// New returns a Sealer with keys of [KeySize] bytes each; it fails where one has another size. Without keys the Sealer does not encrypt: the
// values get a prefix that says so.
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

// keyID is the first part of a hash of the key. The hashed prefix makes it differ from any other hash of the key.
func keyID(k []byte) string {
	sum := sha256.Sum256(append([]byte("webhooks seal key ID\x00"), k...))
	return encoding.EncodeToString(sum[:idBytes])
}

// Encrypts reports whether there is a key to seal with.
func (s *Sealer) Encrypts() bool { return len(s.keys) > 0 }

// Seal encrypts plaintext with the first key, or only encodes it where there is none. To open the result, the same associated data is needed.
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

// Open returns the plaintext of a text that [Sealer.Seal] made. current is false where it was sealed with another key than the first, or with
// none: then it should be sealed again. An error wraps [ErrUnknownKey], [ErrAuthentication] or [ErrFormat].
//
// Failure policy: a value that is not encrypted opens even where there are keys, as otherwise keys could not be added to a
// store that had none. So whoever can write to the store can replace a secret, but not read one.
func (s *Sealer) Open(text string, associatedData []byte) (plaintext []byte, current bool, err error) {
	if rest, ok := strings.CutPrefix(text, plainPrefix); ok {
		plaintext, err := decode(rest)
		if err != nil {
			return nil, false, fmt.Errorf("opening: %w", ErrFormat)
		}
		return plaintext, !s.Encrypts(), nil
	}
	rest, ok := strings.CutPrefix(text, sealedPrefix)
	id, body, _ := strings.Cut(rest, ":")
	sealed, err := decode(body)
	if !ok || err != nil || len(sealed) < chacha20poly1305.NonceSizeX+chacha20poly1305.Overhead {
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

// bind puts the header in front of the associated data, so that it is authenticated too. The header of any value that a key can open has
// the same length, so no other pair of header and associated data gives the same bytes.
func bind(header string, associatedData []byte) []byte {
	return append([]byte(header), associatedData...)
}

// AssociatedData encodes the names that make up a place. Two different lists of names never give the same bytes.
func AssociatedData(parts ...string) []byte {
	var data []byte
	for _, p := range parts {
		data = binary.AppendUvarint(data, uint64(len(p)))
		data = append(data, p...)
	}
	return data
}
