package receiver

import (
	"context"
	"encoding/binary"
	"iter"
	"time"
)

// MemoryOptions bound a [Memory].
type MemoryOptions struct {
	// MaxEntries is the number of keys that are kept; an event has one or two. Defaults to 1048576.
	MaxEntries int
	// MaxBytes is about the memory that the keys may take, in bytes. Defaults to 128 MiB.
	MaxBytes int64
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
}

// entryCost is the memory of one key in bytes: 72 in the map, 24 in the list of done events, and the spare room of both.
const entryCost = 160

const maxPartitions = 32

// Memory is a [Store] in this process, for a single gateway, and the one that a [Guard] falls back on.
// It is bounded, forgets everything when the process ends, and needs no goroutine: later calls remove what has expired.
//
// Failure policy: when it is full, the event that was done longest ago is forgotten before its TTL, so a late copy
// of it would reach the app again. An event in work is never forgotten: there are no more of these than requests
// in flight, which take far more memory than their entries.
type Memory struct {
	partitions []partition // each with a lock of its own; a key's first bits choose the one that holds it
	mask       uint64
	now        func() time.Time
}

// NewMemory returns an empty store.
func NewMemory(o MemoryOptions) *Memory {
	if o.MaxEntries <= 0 {
		o.MaxEntries = 1 << 20
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = 128 << 20
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	limit := max(1, min(o.MaxEntries, int(o.MaxBytes/entryCost)))
	n := maxPartitions
	for n > 1 && limit/n < 64 {
		n /= 2
	}
	m := &Memory{partitions: make([]partition, n), mask: uint64(n - 1), now: o.Now}
	for i := range m.partitions {
		m.partitions[i].maxEntries = limit / n
		m.partitions[i].entries = make(map[Key]entry)
	}
	return m
}

// Claim implements [Store].
func (m *Memory) Claim(_ context.Context, c *Claim) (State, error) {
	now := m.now().UnixMilli()
	primary, alias := c.keys()
	p, a := m.lock(primary, alias)
	defer unlock(p, a)

	held, taken := p.live(primary, now)
	if taken && held.token == c.token {
		return Claimed, nil // a repeated call
	}
	if taken && !c.overrides(held) {
		// A body that was finished is a duplicate, even where its unsigned ID is in work.
		if !held.done && a != nil && !c.Signed {
			if h, ok := a.live(alias, now); ok && h.done {
				return Duplicate, nil
			}
		}
		if a != nil && c.Signed && held.mode == modeUnsigned {
			p.linkToID(primary, a, alias, held, now) // the bodies are equal, or the claim would have outranked the entry
		}
		return held.state(), nil
	}
	e := entry{token: c.token, expires: now + c.Lease.Milliseconds(), other: alias, at: uint32(c.At.Unix()), mode: c.mode()}
	if a != nil {
		h, ok := a.live(alias, now)
		switch {
		case ok && !c.Signed:
			return h.state(), nil
		case ok && h.lacksSignedID():
			p.linkToID(primary, a, alias, h, now)
			return h.state(), nil
		}
		if !ok {
			a.put(alias, e.digestEntry(primary), now)
		}
	}
	p.put(primary, e, now)
	return Claimed, nil
}

// overrides reports whether a claim with a signed ID may take the key that the same ID, unsigned and with another body,
// holds. Otherwise somebody who captured a signed request could send it under the ID of another event, and so make
// that event a duplicate.
func (c *Claim) overrides(held entry) bool {
	return c.Signed && held.mode == modeUnsigned && held.other != c.Digest
}

// Renew implements [Store].
func (m *Memory) Renew(_ context.Context, c *Claim) error {
	now := m.now().UnixMilli()
	m.update(c, now, func(e entry) (entry, bool) {
		e.expires = now + c.Lease.Milliseconds()
		return e, true
	})
	return nil
}

// Done implements [Store].
func (m *Memory) Done(_ context.Context, c *Claim) error {
	now := m.now().UnixMilli()
	m.update(c, now, func(e entry) (entry, bool) {
		e.done = true
		e.expires = now + c.TTL.Milliseconds()
		return e, true
	})
	return nil
}

// Release implements [Store].
func (m *Memory) Release(_ context.Context, c *Claim) error {
	m.update(c, m.now().UnixMilli(), func(e entry) (entry, bool) { return e, false })
	return nil
}

// update changes those of the claim's keys that are free, or that the claim itself has in work. Where change returns false,
// the key is removed.
func (m *Memory) update(c *Claim, now int64, change func(entry) (entry, bool)) {
	primary, alias := c.keys()
	p, a := m.lock(primary, alias)
	defer unlock(p, a)
	fresh := entry{token: c.token, other: alias, at: uint32(c.At.Unix()), mode: c.mode()}
	p.change(primary, fresh, now, change)
	if a != nil {
		a.change(alias, fresh.digestEntry(primary), now, change)
	}
}

// Forget implements [Store].
func (m *Memory) Forget(_ context.Context, k Key) (int, error) {
	now := m.now().UnixMilli()
	p, _ := m.lock(k, Key{})
	e, ok := p.live(k, now)
	unlock(p, nil)
	if !ok || !e.done {
		return 0, nil
	}
	// Two shards must be locked in the order of their index, so the entry is read again once both are.
	p, a := m.lock(k, e.other)
	defer unlock(p, a)
	if again, ok := p.live(k, now); !ok || again != e {
		return 0, nil
	}
	delete(p.entries, k)
	if a != nil {
		if o, ok := a.entries[e.other]; ok && o.token == e.token {
			delete(a.entries, e.other)
		}
	}
	return 1, nil
}

// ForgetSince implements [Store].
func (m *Memory) ForgetSince(_ context.Context, t time.Time) (int, error) {
	n := 0
	for s := range m.locked() {
		for k, e := range s.entries {
			if !e.done || int64(e.at) < t.Unix() {
				continue
			}
			delete(s.entries, k)
			if !e.alias {
				n++
			}
		}
	}
	return n, nil
}

// Len returns the number of keys that are kept, with those that have expired and are not removed yet.
func (m *Memory) Len() int {
	n := 0
	for s := range m.locked() {
		n += len(s.entries)
	}
	return n
}

// locked yields one shard after the other, each locked meanwhile.
func (m *Memory) locked() iter.Seq[*partition] {
	return func(yield func(*partition) bool) {
		for i := range m.partitions {
			s := &m.partitions[i]
			s.mu.Lock()
			more := yield(s)
			s.mu.Unlock()
			if !more {
				return
			}
		}
	}
}

// drop removes the keys that the claim itself holds, in work or done.
func (m *Memory) drop(c *Claim) {
	primary, alias := c.keys()
	p, a := m.lock(primary, alias)
	defer unlock(p, a)
	p.drop(primary, c.token)
	if a != nil {
		a.drop(alias, c.token)
	}
}

// finished returns up to n events that are done, as claims with the rest of their TTL.
func (m *Memory) finished(n int) []*Claim {
	now := m.now().UnixMilli()
	var out []*Claim
	for s := range m.locked() {
		for k, e := range s.entries {
			if len(out) == n {
				return out
			}
			if !e.done || e.alias || e.expires <= now {
				continue
			}
			c := &Claim{ID: k, Digest: e.other, token: e.token, At: time.Unix(int64(e.at), 0),
				Signed: e.mode == modeSigned || e.mode == modeSignedOnly, TTL: time.Duration(e.expires-now) * time.Millisecond}
			if e.mode == modeDigest {
				c.ID, c.Digest = Key{}, k
			}
			out = append(out, c)
		}
	}
	return out
}

func (m *Memory) index(k Key) uint64 { return binary.LittleEndian.Uint64(k[:]) & m.mask }

// lock locks the shards of both keys in the order of their index, so that two calls can't wait for each other.
// a is nil where alias is zero.
func (m *Memory) lock(primary, alias Key) (p, a *partition) {
	i := m.index(primary)
	p = &m.partitions[i]
	if alias.IsZero() {
		p.mu.Lock()
		return p, nil
	}
	j := m.index(alias)
	a = &m.partitions[j]
	switch {
	case i == j:
		p.mu.Lock()
	case i < j:
		p.mu.Lock()
		a.mu.Lock()
	default:
		a.mu.Lock()
		p.mu.Lock()
	}
	return p, a
}

func unlock(p, a *partition) {
	p.mu.Unlock()
	if a != nil && a != p {
		a.mu.Unlock()
	}
}

func (e entry) state() State {
	if e.done {
		return Duplicate
	}
	return InFlight
}

// lacksSignedID reports whether the entry of a digest belongs to a claim without a signed ID. To a claim with a signed ID, such an
// entry is a copy of the same event that came before it, with the signed headers removed.
func (e entry) lacksSignedID() bool { return e.mode == modeUnsigned || e.mode == modeDigest }

// digestEntry returns the entry for the digest's key of the claim whose ID's key holds e.
func (e entry) digestEntry(id Key) entry {
	e.alias, e.other = true, id
	return e
}
