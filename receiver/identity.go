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

// maxShownID bounds what of a request gets into headers and logs.
const maxShownID = 256

// Two kinds of keys, so that an ID can never be taken for a digest.
const (
	kindID     = "id"
	kindDigest = "digest"
)

// EventKey returns the key of an event ID of that scheme, an alias of it included, at the receiver of that name, for
// [Store.Forget]. Lesson 53: two providers' events behind one name have nothing to do with each other.
func EventKey(name, scheme, id string) Key {
	if id == "" {
		return Key{}
	}
	return hashKey(kindID, name, signature.Canonical(scheme), id, nil)
}

// hashKey hashes the parts with their lengths before them, so that they can't run into each other.
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

// hasher is reused, for each request needs two.
type hasher struct {
	hash.Hash
	parts []byte
	sum   [sha256.Size]byte
}

var hashers = sync.Pool{New: func() any { return &hasher{Hash: sha256.New()} }}

// identify fills in the event's ID and returns the claim that stands for it, nil where the event has no
// identity and so is let through.
func (r *Receiver) identify(x *exchange, h http.Header, v *signature.Result) *Claim {
	id, signed := v.ID, v.IDSigned
	counts := !v.NoID // a scheme's row says whether the provider's ID tells events apart; one that the operator names does
	d := &r.config.Dedup
	switch {
	case d.IDHeader != "":
		// A header is covered by the signature only if it repeats what the scheme signs.
		id, counts = h.Get(d.IDHeader), true
		signed = v.IDSigned && id == v.ID
	case d.IDPointer != "":
		id, _ = signature.Field(x.body, d.IDPointer)
		counts = true
		signed = v.BodySigned && len(v.Content) == 0 // otherwise where the body begins is not fixed
	}
	if len(id) <= maxShownID {
		x.ID = id // longer ones identify the event all the same, but stay out of headers and logs
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
	// Where the octets count, an ID inside them is no more than they are: its border may be moved.
	c.Signed = signed && !c.ID.IsZero() && len(v.Content) == 0
	// Lesson 46: where the signature covers no body, a digest would be the client's word, and two events
	// with equal bodies one.
	if (v.BodySigned || len(v.Content) > 0) && !v.NoDigest && !d.DigestOff {
		content, url := x.body, v.URLSigned
		if len(v.Content) > 0 {
			content, url = v.Content, "" // the octets that were matched, in which the URL has no border of its own
		}
		c.Digest = hashKey(kindDigest, r.config.Name, r.scheme, url, content)
	}
	if c.ID.IsZero() && c.Digest.IsZero() {
		return nil
	}
	c.mark()
	primary, _ := c.keys()
	x.Key = primary.String()
	return c
}

// identifyItems makes a claim for each event of a request with several, by its signed octets alone: whoever has some of
// them can make other lists of them, all signed right.
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
		c.mark()
	}
}
