package queue

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// combiner collects the events of a shard that are handed in while a call is under way, and sends them as one call. So the number of
// calls follows the speed of the store, not the number of events.
//
// Batches, and events that go to many lanes, are another matter: they are sent one call after the other for each account, so that its
// events are queued in their order, and over all shards only as many at a time as there are turns. Nobody else's event shares a call
// with them, so it waits for what is under way and no longer.
type combiner struct {
	// send makes one call of some events. It returns those that are left, in order: an event that it began and did not finish, and
	// those that it did not come to. It must see to it that each other event's publisher learns of the end.
	send func([]*pushed) []*pushed
	// turns holds one value for each call of serials under way. It is all shards'.
	turns chan struct{}
	room  int // lanes of one call

	mu      sync.Mutex
	waiting []*pushed
	running int

	serials map[string]*serial // by account
	queued  []*serial          // those that wait for their turn
	working bool               // the goroutine that goes through queued is there
}

// patience is how long a call of serials waits for its turn.
const patience = 50 * time.Millisecond

// serial is what one account has to send one call after the other.
type serial struct {
	account string
	waiting []*pushed
	wide    *pushed // the latest that went to many lanes: what is like it need not look for them again
	lanes   int     // how many the latest of its events went to: as many are expected of the next
}

// manyLanes is from how many lanes on finding them again is worth sparing.
const manyLanes = 64

// liken tells those of a batch that are like the latest wide event which that was.
func (s *serial) liken(batch []*pushed) {
	for _, p := range batch {
		if s.wide != nil && slices.Equal(p.event.Topics, s.wide.event.Topics) {
			p.like = s.wide.answer.Job
		}
	}
}

// learn notes what a batch tells of the next one.
func (s *serial) learn(batch []*pushed) {
	for _, p := range batch {
		if p.answer.Outcome != "" {
			s.lanes = len(p.answer.Lanes)
		}
		if p.answer.Outcome == PushNew && len(p.answer.Lanes) > manyLanes && p.event.target() == "" {
			s.wide = p
		}
	}
}

// add hands events in. It does not wait.
func (c *combiner) add(ps ...*pushed) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range ps {
		if c.serials[p.event.Account] != nil || len(ps) > 1 {
			c.serialize(p)
			continue
		}
		c.waiting = append(c.waiting, p)
		if c.running < pushCalls {
			c.running++
			go c.run()
		}
	}
}

// serialize has an event sent after those of its account that are sent one call after the other.
func (c *combiner) serialize(p *pushed) {
	account := p.event.Account
	s := c.serials[account]
	if s == nil {
		s = &serial{account: account}
		c.serials[account] = s
		c.queued = append(c.queued, s)
	}
	s.waiting = append(s.waiting, p)
	if !c.working {
		c.working = true
		go c.runSerials()
	}
}

// runSerials sends what accounts have in turn, one call each, until nothing waits.
func (c *combiner) runSerials() {
	for {
		c.mu.Lock()
		if len(c.queued) == 0 {
			c.working = false
			c.mu.Unlock()
			return
		}
		s := c.queued[0]
		c.queued = c.queued[1:]
		batch := cut(&s.waiting, c.room, s.lanes)
		c.mu.Unlock()

		s.liken(batch)
		end := c.turn()
		rest := c.send(batch)
		end()
		s.learn(batch)

		c.mu.Lock()
		if s.waiting = append(rest, s.waiting...); len(s.waiting) > 0 {
			c.queued = append(c.queued, s)
		} else {
			delete(c.serials, s.account)
		}
		c.mu.Unlock()
	}
}

// turn waits until there is a turn, but not for a store that does not answer another shard's call. end gives it back.
func (c *combiner) turn() (end func()) {
	soon := time.NewTimer(patience)
	defer soon.Stop()
	select {
	case c.turns <- struct{}{}:
		return func() { <-c.turns }
	case <-soon.C:
		return func() {}
	}
}

// run sends what else waits until nothing does.
func (c *combiner) run() {
	for {
		c.mu.Lock()
		takeTurns(c.waiting)
		batch := cut(&c.waiting, c.room, 1)
		if len(batch) == 0 {
			c.running--
			c.mu.Unlock()
			return
		}
		c.mu.Unlock()
		if rest := c.send(batch); len(rest) > 0 {
			c.putBack(rest)
		}
	}
}

// putBack hands in again what a call left. It goes before what came later; events that were begun go on by themselves.
func (c *combiner) putBack(rest []*pushed) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var first []*pushed
	for _, p := range append(rest, c.waiting...) {
		if p.begun || c.serials[p.event.Account] != nil { // what came later stays behind it
			c.serialize(p)
		} else {
			first = append(first, p)
		}
	}
	c.waiting = first
}

// takeTurns orders what waits so that each account's first event comes before any account's second: nobody waits for all that
// another publishes. An account's own events keep their order.
func takeTurns(waiting []*pushed) {
	one := true
	for _, p := range waiting {
		one = one && p.event.Account == waiting[0].event.Account
	}
	if one {
		return
	}
	turns, of := make(map[*pushed]int, len(waiting)), map[string]int{}
	for _, p := range waiting {
		turns[p] = of[p.event.Account]
		of[p.event.Account]++
	}
	// Among first events, that of the account with the fewest: the other may go to many webhooks, and end the call.
	slices.SortStableFunc(waiting, func(a, b *pushed) int {
		return cmp.Or(cmp.Compare(turns[a], turns[b]), cmp.Compare(of[a.event.Account], of[b.event.Account]))
	})
}

// withdraw takes back what waits. It will not be sent.
func (c *combiner) withdraw() []*pushed {
	c.mu.Lock()
	defer c.mu.Unlock()
	waiting := c.waiting
	c.waiting = nil
	for _, s := range c.serials {
		waiting = append(waiting, s.waiting...)
		s.waiting = nil
	}
	return waiting
}

// cut cuts one call's worth off what waits, which is at least one event: by their size, and by the lanes that they are expected to go to,
// each to as many. What was begun has a call of its own, see push.lua. What a call does not come to is sent in vain, and again with
// each call until it does.
func cut(waiting *[]*pushed, room, lanes int) []*pushed {
	all := *waiting
	n, size := 0, 0
	for n < len(all) && (n == 0 || room > 0) {
		p := all[n]
		if size += len(p.event.Payload); n > 0 && (size > pushBytes || p.begun) {
			break
		}
		if room -= max(lanes, 1); p.begun {
			room = 0
		}
		n++
	}
	*waiting = all[n:]
	if n == len(all) {
		*waiting = nil // let the array go
	}
	return all[:n:n]
}
