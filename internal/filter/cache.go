package filter

import "sync"

// cacheSize bounds a [Cache]. A compiled expression takes some tens of kilobytes at most.
const cacheSize = 2048

// Cache keeps compiled expressions by their text, so that webhooks with the same filter share one. It is safe for concurrent use, and its
// zero value is ready for use.
type Cache struct {
	mu       sync.Mutex
	compiled map[string]*Filter
}

// Get returns a compiled expression. The error is that of [Compile].
func (c *Cache) Get(source string) (*Filter, error) {
	c.mu.Lock()
	f := c.compiled[source]
	c.mu.Unlock()
	if f != nil {
		return f, nil
	}
	f, err := Compile(source) // outside of the lock: it takes up to a millisecond
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.compiled == nil {
		c.compiled = make(map[string]*Filter)
	}
	if len(c.compiled) >= cacheSize {
		for other := range c.compiled { // any one: it is only compiled again
			delete(c.compiled, other)
			break
		}
	}
	c.compiled[source] = f
	return f, nil
}
