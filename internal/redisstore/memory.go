package redisstore

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// expireEvery is how often keys of the in-memory store are expired: its TTLs don't run by themselves,
// and its ticking mode walks every key at every command.
const expireEvery = 5 * time.Second

// memory is the in-memory store, started by the first connection so that loading a configuration
// starts nothing. Connections are pipes: no port is opened.
type memory struct {
	server *miniredis.Miniredis
	start  sync.Once
	stop   chan struct{}
	done   sync.WaitGroup
}

func newMemory() *memory {
	return &memory{server: miniredis.NewMiniRedis(), stop: make(chan struct{})}
}

func (m *memory) dial(context.Context, string, string) (net.Conn, error) {
	m.start.Do(func() {
		m.done.Add(1)
		go m.expire()
	})
	return m.server.Dial()
}

func (m *memory) expire() {
	defer m.done.Done()
	ticker := time.NewTicker(expireEvery)
	defer ticker.Stop()
	last := time.Now()
	for {
		select {
		case <-m.stop:
			return
		case now := <-ticker.C:
			m.server.FastForward(now.Sub(last))
			last = now
		}
	}
}

func (m *memory) close() {
	m.start.Do(func() {}) // a later dial must not start it again
	close(m.stop)
	m.done.Wait()
	m.server.Close()
}
