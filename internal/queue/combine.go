package queue

import "sync"

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
