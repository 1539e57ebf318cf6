package queue

import (
	"cmp"
	"slices"
	"sync"
)

// combiner collects events that are handed in while a call is under way, and sends them as one call. So the number of
// calls follows the speed of the store, not the number of events.
type combiner struct {
	// send makes one call of some events. It must see to it that each event's publisher learns of the end.
	send func([]*pushed)

	mu      sync.Mutex
	waiting []*pushed
	running int
}

// add hands events in. It does not wait.
func (c *combiner) add(ps ...*pushed) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = append(c.waiting, ps...)
	if c.running < pushCalls {
		c.running++
		go c.run()
	}
}

// putBack hands in again what a call did not come to. It goes before what came later.
func (c *combiner) putBack(ps []*pushed) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = append(ps[:len(ps):len(ps)], c.waiting...)
}

// takeTurns orders what waits so that each account's first event comes before any account's second: nobody waits for the whole of
// another's batch. An account's own events keep their order.
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
	// Among first events, that of the account with the fewest: the other may go to a thousand webhooks, and end the call.
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
	return waiting
}

// run sends what waits until nothing does.
func (c *combiner) run() {
	for {
		c.mu.Lock()
		batch := c.take()
		if len(batch) == 0 {
			c.running--
			c.mu.Unlock()
			return
		}
		c.mu.Unlock()
		c.send(batch)
	}
}

// take cuts off one call's worth, which is at least one event.
func (c *combiner) take() []*pushed {
	takeTurns(c.waiting)
	n, size := 0, 0
	for n < len(c.waiting) && n < pushEvents {
		if size += len(c.waiting[n].event.Payload); n > 0 && size > pushBytes {
			break
		}
		n++
	}
	batch := c.waiting[:n:n]
	c.waiting = c.waiting[n:]
	if len(c.waiting) == 0 {
		c.waiting = nil // let the array go
	}
	return batch
}
