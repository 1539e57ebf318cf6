package receiver

import "sync"

// partition is a part of a [Memory] with a lock of its own.
type partition struct {
	mu         sync.Mutex
	maxEntries int // entries
	entries    map[Key]entry
	done       []marker // from head on, in the order in which the entries became done
	head       int
	_          [24]byte // keeps the locks of two shards out of one cache line
}

// An entry holds no pointer, so the garbage collector does not scan the map.
type entry struct {
	token   uint64
	expires int64  // unix milliseconds: the end of the lease, or of the TTL once done
	other   Key    // the event's other key; zero for none
	at      uint32 // unix seconds of the claim
	mode    byte
	done    bool
	alias   bool // this is the entry of a digest that is stored along with an ID
}

// A marker refers to a done entry. It is stale where the entry was removed or has changed since.
type marker struct {
	key     Key
	expires int64
}

func (s *partition) live(k Key, now int64) (entry, bool) {
	e, ok := s.entries[k]
	return e, ok && e.expires > now
}

func (s *partition) put(k Key, e entry, now int64) {
	s.entries[k] = e
	s.trim(now)
}

func (s *partition) drop(k Key, token uint64) {
	if e, ok := s.entries[k]; ok && e.token == token {
		delete(s.entries, k)
	}
}

func (s *partition) change(k Key, fresh entry, now int64, change func(entry) (entry, bool)) {
	e, ok := s.entries[k]
	if ok && e.expires > now && (e.token != fresh.token || e.done) {
		return
	}
	e, keep := change(fresh)
	if !keep {
		delete(s.entries, k)
		return
	}
	s.entries[k] = e
	if e.done {
		s.done = append(s.done, marker{k, e.expires})
	}
	s.trim(now)
}

// linkToID records a done copy without signed headers under the signed ID that came after it, as both are the same event. From then on
// another event with the same body and another signed ID is no duplicate.
func (s *partition) linkToID(id Key, digests *partition, digest Key, copied entry, now int64) {
	if !copied.done {
		return
	}
	copied.mode, copied.alias, copied.other = modeSigned, false, digest
	s.entries[id] = copied
	s.done = append(s.done, marker{id, copied.expires})
	digests.entries[digest] = copied.digestEntry(id)
	s.trim(now)
}

// trim removes what has expired and, above the bound, what was done longest ago.
func (s *partition) trim(now int64) {
	for s.head < len(s.done) {
		m := s.done[s.head]
		e, ok := s.entries[m.key]
		fresh := ok && e.done && e.expires == m.expires
		if fresh && m.expires > now && len(s.entries) <= s.maxEntries {
			break
		}
		if fresh {
			delete(s.entries, m.key)
		}
		s.head++
	}
	// Once half of the slice is used up, the rest moves to its front.
	if s.head > 64 && s.head*2 >= len(s.done) {
		s.done = append(s.done[:0], s.done[s.head:]...)
		s.head = 0
	}
	if len(s.done)-s.head > 2*len(s.entries)+1024 {
		s.compact()
	}
}

func (s *partition) compact() {
	kept := s.done[:0]
	for _, m := range s.done[s.head:] {
		if e, ok := s.entries[m.key]; ok && e.done && e.expires == m.expires {
			kept = append(kept, m)
		}
	}
	s.done, s.head = kept, 0
}
