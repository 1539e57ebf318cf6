package redistest

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Proxy passes connections on to a Redis. It can be cut, and it can lose an answer.
type Proxy struct {
	listener net.Listener
	upstream string
	all      sync.WaitGroup

	mu    sync.Mutex
	isCut bool
	conns []net.Conn
	word  []byte
	lost  int
}

// NewProxy passes connections on to a server until the test ends. A store that it serves has to be closed before.
func NewProxy(t testing.TB, to *Server) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &Proxy{listener: listener, upstream: to.Addr()}
	p.all.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			p.all.Go(func() { p.pass(c) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		p.Cut()
		p.all.Wait()
	})
	return p
}

// URL is what a store connects to.
func (p *Proxy) URL() string { return "redis://" + p.listener.Addr().String() + "/0" }

// Cut ends all connections, and those that come, until Mend.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.isCut = true
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.conns = nil
}

// Mend lets connections through again.
func (p *Proxy) Mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.isCut = false
}

// LoseAnswer has Redis do the next request that holds a word; instead of its answer the client sees its connection end.
func (p *Proxy) LoseAnswer(word string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.word = []byte(word)
}

// LostAnswers counts the answers that were lost.
func (p *Proxy) LostAnswers() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lost
}

// join reports whether two connections may go on.
func (p *Proxy) join(client, server net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns = append(p.conns, client, server)
	return !p.isCut
}

// loses reports whether the answer to a request is to be lost.
func (p *Proxy) loses(request []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.word == nil || !bytes.Contains(request, p.word) {
		return false
	}
	p.word = nil
	p.lost++
	return true
}

func (p *Proxy) pass(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.upstream)
	if err != nil {
		return
	}
	defer server.Close()
	if !p.join(client, server) {
		return
	}
	swallow := make(chan struct{})
	p.all.Go(func() {
		defer client.Close()
		answer := make([]byte, 64<<10)
		for {
			n, err := server.Read(answer)
			select {
			case <-swallow:
				return // it has done what it was asked to, and nobody hears of it
			default:
			}
			if _, werr := client.Write(answer[:n]); err != nil || werr != nil {
				return
			}
		}
	})
	request := make([]byte, 1<<20)
	for {
		n, err := client.Read(request)
		if p.loses(request[:n]) {
			close(swallow)
			_, _ = server.Write(request[:n])
			_, _ = io.Copy(io.Discard, client) // until the client is hung up on
			return
		}
		if _, werr := server.Write(request[:n]); err != nil || werr != nil {
			return
		}
	}
}
