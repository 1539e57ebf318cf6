package receiver

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"time"
)

// Store remembers which events are in work and which are done. [NewMemory] and [NewRedis] make one;
// a [Guard] keeps a gateway going while its store is down.
//
// Every method is atomic and safe for concurrent use. It is also safe to repeat with the same claim, so a call whose
// answer was lost can be made again.
type Store interface {
	// Claim takes the claim's keys for its lease, both or neither, unless the event is in work or done.
	// With a signed ID the ID's key alone decides, and the digest's key is taken as well where it is free.
	Claim(ctx context.Context, c *Claim) (State, error)
	// Renew starts the lease anew, and takes keys again that expired meanwhile. It never takes a key
	// that another claim holds.
	Renew(ctx context.Context, c *Claim) error
	// Done remembers the event for the claim's TTL. It never changes a key that another claim holds.
	Done(ctx context.Context, c *Claim) error
	// Release frees the claim's keys, so that the next copy of the event can be claimed.
	Release(ctx context.Context, c *Claim) error
	// Forget removes a done event, found by the key of its ID or of its digest, together with its other
	// key. It returns the number of events removed. An event in work is kept.
	Forget(ctx context.Context, k Key) (int, error)
	// ForgetSince removes the done events that were claimed at or after t. It returns their number.
	ForgetSince(ctx context.Context, t time.Time) (int, error)
}

// ErrStore is matched by every error of a store that does not answer.
var ErrStore = errors.New("the store of claims is not reachable")

// State is the result of [Store.Claim].
type State uint8

// The results of [Store.Claim]. Redis answers with these numbers, see claims.lua.
const (
	Claimed   State = iota // the caller holds the claim, and settles it with Done or Release
	InFlight               // another claim holds the event
	Duplicate              // the event was finished before
)

// Key is the hash of an event ID or of a body, different for each receiver's name and scheme. The zero Key is none.
type Key [16]byte

// IsZero reports whether there is no key.
func (k Key) IsZero() bool { return k == Key{} }

// String returns the key as it stands in Redis, in logs and in {http.webhook.key}: 22 characters, or none for the zero Key.
func (k Key) String() string {
	if k.IsZero() {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(k[:])
}

// ParseKey parses what [Key.String] returned. ok is false for any other text, the empty one included.
func ParseKey(s string) (k Key, ok bool) {
	if len(s) != keyLength {
		return k, false
	}
	n, err := base64.RawURLEncoding.Strict().Decode(k[:], []byte(s))
	return k, err == nil && n == len(k) && !k.IsZero()
}

// Claim is one request's hold on an event. Make it with [NewClaim], which gives it a random token: the token tells it from
// every other claim on the same event.
type Claim struct {
	ID     Key // of the event ID; zero where there is none
	Digest Key // of the body; zero where it must not identify the event
	// Signed means that the signature covers the ID. Then the ID alone decides, and the digest is only stored along with it.
	Signed bool
	// Local permits a claim in this process's memory alone while the store is down.
	Local bool
	Lease time.Duration // how long the claim lasts without being renewed
	TTL   time.Duration // how long the event is remembered once it is done
	At    time.Time     // when it was claimed, for [Store.ForgetSince]
	// Others are the claims of the further events of the same request, where it has several. A [Store] ignores them. An
	// [Enqueuer] takes the request where none of its events is in work and at least one is new.
	Others []*Claim

	token uint64
	value string                                 // of Value, once it was asked for
	redis struct{ tag, id, digest, held string } // the claim's two keys under a tag, and what they hold
}

// NewClaim returns the claim with a token.
func NewClaim(c Claim) *Claim {
	c.setToken()
	return &c
}

func (c *Claim) setToken() {
	for c.token == 0 {
		c.token = rand.Uint64()
	}
}

// keys returns the key that names the event, and as alias the digest that is stored along with an ID.
func (c *Claim) keys() (primary, alias Key) {
	if c.ID.IsZero() {
		return c.Digest, Key{}
	}
	return c.ID, c.Digest
}

// The modes of a claim, which are the first character of its value: which keys it has, and whether the ID is signed.
const (
	modeSigned       = 's' // a signed ID, and a digest
	modeSignedOnly   = 'S' // a signed ID, and no digest
	modeUnsigned     = 'u' // an unsigned ID and a digest: both keys are taken or neither
	modeUnsignedOnly = 'i' // an unsigned ID, and no digest
	modeDigest       = 'd' // a digest, and no ID
)

func (c *Claim) mode() byte {
	switch {
	case c.ID.IsZero():
		return modeDigest
	case c.Signed && !c.Digest.IsZero():
		return modeSigned
	case c.Signed:
		return modeSignedOnly
	case !c.Digest.IsZero():
		return modeUnsigned
	default:
		return modeUnsignedOnly
	}
}

// Layout of a claim's value: the mode (1 character), the token (11), unix seconds (8 hex digits), and the digest (22, or none).
// With the state in front of it, it fits into the 44 bytes of a string that Redis stores without another allocation.
const (
	stateWork         = 'w'
	stateDone         = 'd'
	keyLength         = 22
	tokenLength       = 11
	valuePrefixLength = 1 + tokenLength + 8
)

// Value returns what a store in Redis keeps under the claim's keys, behind one character for the state: "w" for in work,
// "d" for done. Two values are equal only where the tokens are.
func (c *Claim) Value() string {
	if c.value == "" {
		c.value = string(c.appendValue(make([]byte, 0, valuePrefixLength+keyLength)))
	}
	return c.value
}

// inRedis returns the claim's two keys under the receiver's [Tag], and what they hold in that state. All three are parts of
// one string, which is one allocation.
func (c *Claim) inRedis(tag string, state byte) (id, digest, held string) {
	b := make([]byte, 0, 2*(len(tag)+len(keyID)+keyLength)+1+valuePrefixLength+keyLength)
	b = appendRedisKey(b, tag, keyID, c.ID)
	first := len(b)
	b = appendRedisKey(b, tag, keyDigest, c.Digest)
	second := len(b)
	all := string(c.appendValue(append(b, state)))
	return all[:first], all[first:second], all[second:]
}

func (c *Claim) appendValue(b []byte) []byte {
	var token [8]byte
	var at [4]byte
	binary.BigEndian.PutUint64(token[:], c.token)
	binary.BigEndian.PutUint32(at[:], uint32(c.At.Unix()))
	b = base64.RawURLEncoding.AppendEncode(append(b, c.mode()), token[:])
	b = hex.AppendEncode(b, at[:])
	if !c.Digest.IsZero() {
		b = base64.RawURLEncoding.AppendEncode(b, c.Digest[:])
	}
	return b
}
