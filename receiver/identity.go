package receiver

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"net/http"
	"sync"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/signature"
)

// maxShownID is the longest event ID, in bytes, that gets into headers and logs.
const maxShownID = 256

// The kinds of keys. They are part of what is hashed, so that an ID never has the key of a digest.
const (
	kindID     = "id"
	kindDigest = "digest"
)

// EventKey returns the key of an event ID for [Store.Forget], at the receiver of that name with that scheme or an alias of it.
// Lesson 53: the scheme is part of the key, as two providers behind one name may use the same IDs.
func EventKey(name, scheme, id string) Key {
	if id == "" {
		return Key{}
	}
	return hashKey(kindID, name, signature.Canonical(scheme), id, nil)
}

// hashKey hashes the parts, each behind its length, so that different parts never give the same input.
func hashKey(kind, name, scheme, text string, body []byte) Key {
	h := hashers.Get().(*hasher)
	defer hashers.Put(h)
	h.Reset()
	h.parts = h.parts[:0]
	for _, part := range [...]string{kind, name, scheme, text} {
		h.parts = binary.BigEndian.AppendUint64(h.parts, uint64(len(part)))
		h.parts = append(h.parts, part...)
	}
	h.Write(h.parts)
	h.Write(body) // the last part needs no length
	return Key(h.Sum(h.sum[:0])[:len(Key{})])
}

// hasher is a SHA-256 with its buffers. Hashers are reused, as each request needs two.
type hasher struct {
	hash.Hash
	parts []byte
	sum   [sha256.Size]byte
}

var hashers = sync.Pool{New: func() any { return &hasher{Hash: sha256.New()} }}

// identify fills in the event's ID and returns its claim, or nil for an event without an identity, which always passes.
func (r *Receiver) identify(x *exchange, h http.Header, v *signature.Result) *Claim {
	id, signed := v.ID, v.IDSigned
	counts := !v.NoID // whether the ID tells events apart, which is known of the scheme; an ID that the operator configures does
	d := &r.config.Dedup
	switch {
	case d.IDHeader != "":
		// A header is covered by the signature only if it repeats what the scheme signs.
		id, counts = h.Get(d.IDHeader), true
		signed = v.IDSigned && id == v.ID
	case d.IDPointer != "":
		id, _ = signature.Field(x.body, d.IDPointer)
		counts = true
		signed = v.BodySigned && len(v.Content) == 0 // with Content the signature does not fix where the body begins
	}
	if len(id) <= maxShownID {
		x.ID = id // a longer ID identifies the event too, but stays out of headers and logs
	}
	if d.Off {
		return nil
	}
	c := &x.claim
	blank := Claim{Lease: d.Lease, TTL: d.TTL, At: r.now(), Local: d.OnStoreError != config.OnStoreErrorReject}
	*c = blank
	if len(v.Items) > 0 && !v.NoDigest && !d.DigestOff {
		r.identifyItems(x, v.Items, blank)
		return c
	}
	if counts {
		c.ID = EventKey(r.config.Name, r.scheme, id)
	}
	// With Content the octets identify the event, and the ID alone does not: the signature does not fix where in them it ends.
	c.Signed = signed && !c.ID.IsZero() && len(v.Content) == 0
	// Lesson 46: without a signed body a client could choose the digest, and two events with equal bodies would count
	// as one.
	if (v.BodySigned || len(v.Content) > 0) && !v.NoDigest && !d.DigestOff {
		content, url := x.body, v.URLSigned
		if len(v.Content) > 0 {
			content, url = v.Content, "" // the octets contain the URL, without a fixed end
		}
		c.Digest = hashKey(kindDigest, r.config.Name, r.scheme, url, content)
	}
	if c.ID.IsZero() && c.Digest.IsZero() {
		return nil
	}
	c.setToken()
	primary, _ := c.keys()
	x.Key = primary.String()
	return c
}

// identifyItems makes a claim for each event of a request with several, by the event's own signed octets. The whole list
// does not count, because each event is signed for itself: a stranger could put captured events together into new lists.
func (r *Receiver) identifyItems(x *exchange, items [][]byte, blank Claim) {
	seen := make(map[Key]bool, len(items))
	for _, item := range items {
		key := hashKey(kindDigest, r.config.Name, r.scheme, "", item)
		if seen[key] {
			continue
		}
		seen[key] = true
		c := &x.claim
		if len(seen) > 1 {
			c = new(Claim)
			x.claim.Others = append(x.claim.Others, c)
		} else {
			x.Key = key.String()
		}
		others := c.Others
		*c = blank
		c.Digest, c.Others = key, others
		c.setToken()
	}
}
