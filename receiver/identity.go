package receiver

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"net/http"

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

// EventKey returns the key of an event ID at the receiver of that name, for [Store.Forget].
func EventKey(name, id string) Key {
	if id == "" {
		return Key{}
	}
	return hashKey(kindID, name, id, nil)
}

// hashKey hashes the parts with their lengths before them, so that they can't run into each other.
func hashKey(kind, name, text string, body []byte) Key {
	h := sha256.New()
	writePart(h, kind)
	writePart(h, name)
	writePart(h, text)
	h.Write(body) // the last part needs no length
	var sum [sha256.Size]byte
	var k Key
	copy(k[:], h.Sum(sum[:0]))
	return k
}

func writePart(h hash.Hash, s string) {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(s)))
	h.Write(n[:])
	h.Write([]byte(s))
}

// identify fills in the event's ID and returns the claim that stands for it, nil where the event has no
// identity and so is let through.
func (r *Receiver) identify(o *Outcome, h http.Header, body []byte, v *signature.Result) *Claim {
	id, signed := v.ID, v.IDSigned
	d := &r.config.Dedup
	switch {
	case d.IDHeader != "":
		// A header is covered by the signature only if it repeats what the scheme signs.
		id = h.Get(d.IDHeader)
		signed = v.IDSigned && id == v.ID
	case d.IDPointer != "":
		id, _ = signature.Field(body, d.IDPointer)
		signed = v.BodySigned
	}
	if len(id) <= maxShownID {
		o.ID = id // longer ones identify the event all the same, but stay out of headers and logs
	}
	if d.Off {
		return nil
	}
	c := Claim{ID: EventKey(r.config.Name, id), Lease: d.Lease, TTL: d.TTL, At: r.now()}
	c.Signed = signed && !c.ID.IsZero()
	// Lesson 46: where the signature covers no body, a digest would be the client's word, and two events
	// with equal bodies one.
	if v.BodySigned && !d.DigestOff {
		content := body
		if len(v.Content) > 0 {
			content = v.Content // the same, however the body spells it
		}
		c.Digest = hashKey(kindDigest, r.config.Name, v.URLSigned, content)
	}
	if c.ID.IsZero() && c.Digest.IsZero() {
		return nil
	}
	claim := NewClaim(c)
	claim.Local = d.OnStoreError != config.OnStoreErrorReject
	primary, _ := claim.keys()
	o.Key = primary.String()
	return claim
}
