package receiver

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"time"
)

// Store remembers which events are in work and which are done. [NewMemory] and [NewRedis] make one;
// a [Guard] keeps a gateway going while its store is down.
//
// Every method is atomic, safe for concurrent use and safe to repeat with the same claim: a call whose
// answer got lost may simply be made again.
type Store interface {
	// Claim takes the claim's keys for its lease, both or neither, unless the event is in work or done.
	// With a signed ID the ID's key alone decides; the digest's is taken along where it is free.
	Claim(ctx context.Context, c *Claim) (State, error)
	// Renew starts the lease anew, and takes back keys that had expired meanwhile. It never takes a key
	// that someone else holds.
	Renew(ctx context.Context, c *Claim) error
	// Done remembers the event for the claim's TTL. It never touches a key that someone else holds.
	Done(ctx context.Context, c *Claim) error
	// Release gives the keys back, so that the next copy of the event is taken.
	Release(ctx context.Context, c *Claim) error
	// Forget removes a done event, found by the key of its ID or of its digest, together with its other
	// key. It reports how many events that were; one that is in work stays.
	Forget(ctx context.Context, k Key) (int, error)
	// ForgetSince removes the events claimed at or after t that are done.
	ForgetSince(ctx context.Context, t time.Time) (int, error)
}

// ErrStore is matched by every error that means: the store can't be asked.
var ErrStore = errors.New("the store of claims is not reachable")

// State is what a store says of a claim.
type State uint8

const (
	Claimed   State = iota // ours now; settle it with Done or Release
	InFlight               // somebody else is working on it
	Duplicate              // it was finished before
)

// Key is the hash of an event ID or of a body, scoped by the receiver's name. The zero Key is none.
type Key [16]byte

// IsZero reports whether there is no key.
func (k Key) IsZero() bool { return k == Key{} }

// String returns the form that appears in Redis, in logs and in {http.webhook.key}: 22 characters.
func (k Key) String() string {
	if k.IsZero() {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(k[:])
}

// ParseKey reads what [Key.String] wrote.
func ParseKey(s string) (Key, bool) {
	var k Key
	if len(s) != keyText {
		return Key{}, false
	}
	n, err := base64.RawURLEncoding.Strict().Decode(k[:], []byte(s))
	return k, err == nil && n == len(k) && !k.IsZero()
}

// Claim is one request's hold on an event. Make it with [NewClaim]: its token tells it from every other
// claim on the same event.
type Claim struct {
	ID     Key // of the event ID, zero where there is none
	Digest Key // of the body, zero where it may not identify the event
	// Signed means that the signature covers the ID: the ID decides alone, the digest is only noted.
	Signed bool
	// Local lets the claim be taken in this process's memory while the store is down.
	Local bool
	Lease time.Duration // how long the claim lives without being renewed
	TTL   time.Duration // how long the event is remembered once done
	At    time.Time     // when it was claimed, for [Store.ForgetSince]
	// Others are the claims of the further events of the same request, where it has several. A [Store] leaves them alone; an
	// [Enqueuer] takes the request where at least one of all is new and none is in work.
	Others []*Claim

	token uint64
	text  string // memo of Value
	redis struct{ tag, id, digest, held string }
}

// NewClaim fills in the claim's token.
func NewClaim(c Claim) *Claim {
	c.mark()
	return &c
}

func (c *Claim) mark() {
	for c.token == 0 {
		c.token = rand.Uint64()
	}
}

// keys returns the key that names the event and the one that goes along with it.
func (c *Claim) keys() (primary, alias Key) {
	if c.ID.IsZero() {
		return c.Digest, Key{}
	}
	return c.ID, c.Digest
}

// The modes of a claim, the first character of its value: which keys it has, and whether the ID is signed.
const (
	modeSigned       = 's' // signed ID, digest noted
	modeSignedOnly   = 'S' // signed ID, no digest
	modeUnsigned     = 'u' // ID and digest, both or neither
	modeUnsignedOnly = 'i' // ID only
	modeDigest       = 'd' // digest only
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

// Layout of a claim's value: mode (1), token (11), unix seconds (8 hex digits), digest (22, or none).
// With the state before it - in work, or done - it fits Redis' 44 bytes for embedded strings.
const (
	stateWork = 'w'
	stateDone = 'd'
	keyText   = 22
	tokenText = 11
	valueHead = 1 + tokenText + 8
)

// Value is what a store in Redis keeps under the claim's keys, after one character for the state:
// "w" in work, "d" done. Comparing it as a whole compares the token.
func (c *Claim) Value() string {
	if c.text == "" {
		c.text = string(c.appendValue(make([]byte, 0, valueHead+keyText)))
	}
	return c.text
}

// inRedis returns the claim's two keys under the receiver's [Tag] and what they hold in that state, all in one string.
func (c *Claim) inRedis(tag string, state byte) (id, digest, held string) {
	b := make([]byte, 0, 2*(len(tag)+len(keyID)+keyText)+1+valueHead+keyText)
	b = appendRedisKey(b, tag, keyID, c.ID)
	first := len(b)
	b = appendRedisKey(b, tag, keyDigest, c.Digest)
	second := len(b)
	all := string(c.appendValue(append(b, state)))
	return all[:first], all[first:second], all[second:]
}

func (c *Claim) appendValue(b []byte) []byte {
	var token [8]byte
	var at [8]byte
	binary.BigEndian.PutUint64(token[:], c.token)
	putHex(at[:], uint32(c.At.Unix()))
	b = append(b, c.mode())
	b = base64.RawURLEncoding.AppendEncode(b, token[:])
	b = append(b, at[:]...)
	if !c.Digest.IsZero() {
		b = base64.RawURLEncoding.AppendEncode(b, c.Digest[:])
	}
	return b
}

func putHex(dst []byte, v uint32) {
	const digits = "0123456789abcdef"
	for i := 7; i >= 0; i-- {
		dst[i] = digits[v&15]
		v >>= 4
	}
}
