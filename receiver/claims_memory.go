package receiver

import (
	"context"
	"encoding/binary"
	"time"
)

// MemoryOptions bound a [Memory].
type MemoryOptions struct {
	// MaxEntries is how many keys are kept; an event has one or two. Defaults to 1048576.
	MaxEntries int
	// MaxBytes is about how much memory they may take. Defaults to 128 MiB.
	MaxBytes int64
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
}

// entryCost is what one key takes: 72 bytes in the map, 24 in the queue, and the slack of both.
const entryCost = 160

const maxShards = 32

// Memory is a [Store] in this process: for a single gateway, and what a [Guard] falls back on.
// It is bounded, forgets everything at exit, and needs no goroutine: what expired is removed by the
// calls that come by.
//
// Failure policy: when it is full, the event that was done longest ago is forgotten early, so a late copy
// of it would reach the app again. An event in work is never forgotten: those are as many as requests
// in flight, which hold far more memory than their entries.
type Memory struct {
	shards []shard
	mask   uint64
	now    func() time.Time
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
	n := maxShards
	for n > 1 && limit/n < 64 {
		n /= 2
	}
	m := &Memory{shards: make([]shard, n), mask: uint64(n - 1), now: o.Now}
	for i := range m.shards {
		m.shards[i].max = limit / n
		m.shards[i].entries = make(map[Key]entry)
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
		return Claimed, nil // the same claim again
	}
	if taken && !c.outranks(held) {
		// A body that was finished is a duplicate even where its ID is in work again.
		if !held.done && a != nil && !c.Signed {
			if h, ok := a.live(alias, now); ok && h.done {
				return Duplicate, nil
			}
		}
		if a != nil && c.Signed && held.mode == modeUnsigned {
			p.bind(primary, a, alias, held, now) // of the same body, or it would be outranked
		}
		return held.state(), nil
	}
	e := entry{token: c.token, expires: now + c.Lease.Milliseconds(), other: alias, at: uint32(c.At.Unix()), mode: c.mode()}
	if a != nil {
		h, ok := a.live(alias, now)
		switch {
		case ok && !c.Signed:
			return h.state(), nil
		case ok && h.stripped():
			p.bind(primary, a, alias, h, now)
			return h.state(), nil
		}
		if !ok {
			a.put(alias, e.as(primary), now)
		}
	}
	p.put(primary, e, now)
	return Claimed, nil
}

// outranks says whether a signed ID may take the key that an unsigned one of another body holds. Without
// it, whoever holds back one signed request could send it under the ID of another event, and silence that.
func (c *Claim) outranks(held entry) bool {
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

// update changes the claim's keys that are its own and in work, or free. With false the key is dropped.
func (m *Memory) update(c *Claim, now int64, change func(entry) (entry, bool)) {
	primary, alias := c.keys()
	p, a := m.lock(primary, alias)
	defer unlock(p, a)
	fresh := entry{token: c.token, other: alias, at: uint32(c.At.Unix()), mode: c.mode()}
	p.change(primary, fresh, now, change)
	if a != nil {
		a.change(alias, fresh.as(primary), now, change)
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
	// Both keys' shards can only be locked in order, so look again once they are.
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
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		for k, e := range s.entries {
			if !e.done || int64(e.at) < t.Unix() {
				continue
			}
			delete(s.entries, k)
			if !e.alias {
				n++
			}
		}
		s.mu.Unlock()
	}
	return n, nil
}

// Len returns how many keys are kept, expired ones included that no call has come by yet.
func (m *Memory) Len() int {
	n := 0
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		n += len(s.entries)
		s.mu.Unlock()
	}
	return n
}

// drop removes what is the claim's own, done or not.
func (m *Memory) drop(c *Claim) {
	primary, alias := c.keys()
	p, a := m.lock(primary, alias)
	defer unlock(p, a)
	p.drop(primary, c.token)
	if a != nil {
		a.drop(alias, c.token)
	}
}

// finished returns up to n events that are done, as claims whose TTL is what is left of it.
func (m *Memory) finished(n int) []*Claim {
	now := m.now()
	var out []*Claim
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		for k, e := range s.entries {
			if len(out) == n {
				break
			}
			if !e.done || e.alias || e.expires <= now.UnixMilli() {
				continue
			}
			c := &Claim{ID: k, Digest: e.other, token: e.token, At: time.Unix(int64(e.at), 0),
				Signed: e.mode == modeSigned || e.mode == modeSignedOnly,
				TTL:    time.Duration(e.expires-now.UnixMilli()) * time.Millisecond}
			if e.mode == modeDigest {
				c.ID, c.Digest = Key{}, k
			}
			out = append(out, c)
		}
		s.mu.Unlock()
	}
	return out
}

func (m *Memory) index(k Key) uint64 { return binary.LittleEndian.Uint64(k[:]) & m.mask }

// lock takes the keys' shards in the order of their index, so that two calls can't wait for each other.
// The second shard is nil where there is no second key.
func (m *Memory) lock(primary, alias Key) (p, a *shard) {
	i := m.index(primary)
	p = &m.shards[i]
	if alias.IsZero() {
		p.mu.Lock()
		return p, nil
	}
	j := m.index(alias)
	a = &m.shards[j]
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

func unlock(p, a *shard) {
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

// stripped reports whether the entry of a digest is of a claim without a signed ID. For a claim with one it is a copy of its event
// without the signed headers, which came before the real one.
func (e entry) stripped() bool { return e.mode == modeUnsigned || e.mode == modeDigest }

// as returns the entry of the digest that goes along with the ID.
func (e entry) as(id Key) entry {
	e.alias, e.other = true, id
	return e
}
