package signature

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
)

// sign makes the headers that the row describes.
func (g *generic) sign(r *Request, id string, now time.Time) (http.Header, error) {
	if len(g.keys) == 0 {
		return nil, errPublicKey
	}
	k := &g.keys[0]
	if k.mac == nil && k.token == "" && k.signer == nil {
		return nil, errPublicKey
	}
	m := message{body: r.Body, method: r.Method, url: g.urls(r)[0]}
	if g.form != nil {
		form, err := g.form(r, m.url)
		if err != nil {
			return nil, err
		}
		m.form = form
	}
	h := http.Header{}
	if g.timestamped() {
		m.t = g.unit.format(now)
	}
	if t, ok := Field(r.Body, g.tsJSON); ok && g.tsJSON != "" {
		m.t = t // the list repeats what the body says
	}
	if g.tsHeader != "" && g.tsJSON == "" {
		h.Set(g.tsHeader, m.t)
	}
	if len(g.ids) > 0 {
		if id == "" && g.idSigned {
			id = NewEventID()
		}
		if id != "" {
			h.Set(g.ids[0], id)
		}
		m.id = id
	}
	for _, f := range g.fixed {
		h.Set(f.name, f.value)
	}
	signature, err := g.signature(k, &m)
	if err != nil {
		return nil, err
	}
	h.Set(strings.Replace(g.sigHeader, "*", "1", 1), g.prefix+g.frame(k, signature, m.t))
	return h, nil
}

// signature signs a message with one key and encodes the result.
func (g *generic) signature(k *key, m *message) (string, error) {
	if g.alg == algBasic {
		return base64.StdEncoding.EncodeToString([]byte(k.token)), nil
	}
	if k.token != "" {
		return k.token, nil
	}
	if k.signer != nil {
		digest := g.payload.append(nil, m)
		if k.hash != 0 {
			h := k.hash.New()
			h.Write(digest)
			digest = h.Sum(nil)
		}
		signature, err := k.signer.Sign(rand.Reader, digest, k.hash)
		return string(g.enc.encode(nil, signature)), err
	}
	s := k.mac.get()
	defer k.mac.put(s)
	g.payload.write(s, m)
	return string(g.enc.encode(nil, s.total())), nil
}

// frame puts a signature into the syntax of its header.
func (g *generic) frame(k *key, signature, t string) string {
	switch {
	case g.syntax == versions:
		return k.version + "," + signature
	case g.syntax == ordered:
		return t + string(g.sep) + signature
	case g.syntax == list && g.tsKey != "":
		return g.tsKey + "=" + t + string(g.sep) + k.version + "=" + signature
	case g.syntax == slashes:
		return "1/" + k.version + "/" + signature // any key ID: we ignore it
	case g.syntax == list:
		return k.version + "=" + signature
	}
	return signature
}

// NewEventID returns a new event ID in the product's own form: evt_ and a UUIDv7 (RFC 9562) in hexadecimal without dashes. It serves every
// scheme, because an ID that a scheme signs may be any text.
func NewEventID() string {
	return EventID(uuid.Must(uuid.NewV7())) // fails only if crypto/rand does, which ends the process
}

// EventIDPrefix is the prefix of the event IDs that the product makes.
const EventIDPrefix = "evt_"

// EventID returns the event ID of a UUIDv7.
func EventID(b [16]byte) string {
	var id [len(EventIDPrefix) + 2*len(b)]byte
	hex.Encode(id[copy(id[:], EventIDPrefix):], b[:])
	return string(id[:])
}
