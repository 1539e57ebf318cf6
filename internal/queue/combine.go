package queue

import "sync"

// Combiner collects items that are handed in while a call is under way, and sends them as one call. So the number of
// calls follows the speed of the store, not the number of items.
type Combiner[T any] struct {
	// Send makes one call of some items. It must see to it that each item's owner learns of the end.
	Send func(items []T)
	// Size is the bytes of one item.
	Size func(T) int
	// MaxItems and MaxBytes bound one call, so that none holds the store for long. One item is always sent.
	MaxItems, MaxBytes int
	// Calls is how many may be under way at once: while the store works on one, the next is collected.
	Calls int

	mu      sync.Mutex
	waiting []T
	running int
}

// Add hands items in. It does not wait.
func (c *Combiner[T]) Add(items ...T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = append(c.waiting, items...)
	if c.running < c.Calls {
		c.running++
		go c.run()
	}
}

// Withdraw takes back what waits. It will not be sent.
func (c *Combiner[T]) Withdraw() []T {
	c.mu.Lock()
	defer c.mu.Unlock()
	waiting := c.waiting
	c.waiting = nil
	return waiting
}

// run sends what waits until nothing does.
func (c *Combiner[T]) run() {
	for {
		c.mu.Lock()
		batch := c.take()
		if len(batch) == 0 {
			c.running--
			c.mu.Unlock()
			return
		}
		c.mu.Unlock()
		c.Send(batch)
	}
}

// take cuts off one call's worth.
func (c *Combiner[T]) take() []T {
	n, size := 0, 0
	for n < len(c.waiting) && n < c.MaxItems {
		if size += c.Size(c.waiting[n]); n > 0 && size > c.MaxBytes {
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
