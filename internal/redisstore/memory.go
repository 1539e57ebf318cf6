package redisstore

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// expireInterval is how often keys of the in-memory store are expired. The library does not count TTLs down by
// itself, except in a mode that walks every key at every command.
const expireInterval = 5 * time.Second

// memory is the in-memory store. The first connection starts it, so that loading a configuration starts
// nothing. Connections are pipes: no port is opened.
type memory struct {
	server   *miniredis.Miniredis
	interval time.Duration // expireInterval, except in tests
	start    sync.Once
	end      sync.Once
	stop     chan struct{}  // closed to end expire
	done     sync.WaitGroup // expire
}

func newMemory() *memory {
	return &memory{server: miniredis.NewMiniRedis(), interval: expireInterval, stop: make(chan struct{})}
}

func (m *memory) dial(context.Context, string, string) (net.Conn, error) {
	m.start.Do(func() {
		m.done.Add(1)
		go m.expire()
	})
	c, err := m.server.Dial()
	if err != nil {
		return nil, err
	}
	return newBuffered(c), nil
}

func (m *memory) expire() {
	defer m.done.Done()
	ticker := time.NewTicker(m.interval)
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
	m.end.Do(func() {
		close(m.stop)
		m.done.Wait()
		m.server.Close()
	})
}

// buffered is a pipe whose writes don't wait for the reader. Redis clients write a whole pipeline before they read the
// first answer; on a bare net.Pipe client and server would then wait for each other.
type buffered struct {
	net.Conn
	mu      sync.Mutex
	more    *sync.Cond
	pending []byte
	err     error // io.EOF or net.ErrClosed
}

func newBuffered(c net.Conn) *buffered {
	b := &buffered{Conn: c}
	b.more = sync.NewCond(&b.mu)
	go b.flush()
	return b
}

// Write implements net.Conn.
func (b *buffered) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return 0, b.err
	}
	b.pending = append(b.pending, p...)
	b.more.Signal()
	return len(p), nil
}

// SetDeadline implements net.Conn. Writes never wait, so only reads have one.
func (b *buffered) SetDeadline(t time.Time) error { return b.SetReadDeadline(t) }

// SetReadDeadline implements net.Conn. A pipe whose other end is closed refuses a deadline. On a network only the next read
// would fail, and a client whose read fails that way tries again on another connection; so this does not fail.
func (b *buffered) SetReadDeadline(t time.Time) error {
	if err := b.Conn.SetReadDeadline(t); !errors.Is(err, io.ErrClosedPipe) {
		return err
	}
	return nil
}

// SetWriteDeadline implements net.Conn.
func (b *buffered) SetWriteDeadline(time.Time) error { return nil }

// Close implements net.Conn.
func (b *buffered) Close() error {
	b.fail(net.ErrClosed)
	return b.Conn.Close()
}

func (b *buffered) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		b.err = err
	}
	b.more.Signal()
}

func (b *buffered) flush() {
	for {
		b.mu.Lock()
		for len(b.pending) == 0 && b.err == nil {
			b.more.Wait()
		}
		if b.err != nil {
			b.mu.Unlock()
			return
		}
		out := b.pending
		b.pending = nil
		b.mu.Unlock()
		if _, err := b.Conn.Write(out); err != nil {
			b.fail(io.EOF) // what a read returns once the other end is closed
			return
		}
	}
}
