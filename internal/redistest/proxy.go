package redistest

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Proxy passes connections on to a Redis. It can cut them, and it can lose an answer.
type Proxy struct {
	listener net.Listener
	upstream string
	all      sync.WaitGroup

	mu    sync.Mutex
	isCut bool
	conns []net.Conn
	word  []byte // the answer to a request with it is lost; nil: none
	lost  int    // answers
}

// NewProxy passes connections on to a server until the test ends. A store that uses it has to be closed before that.
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

// URL returns the redis:// URL of the proxy.
func (p *Proxy) URL() string { return "redis://" + p.listener.Addr().String() + "/0" }

// Cut closes all connections, and every new one until [Proxy.Mend].
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

// LoseAnswer passes the next request that contains word on to Redis, but the client sees its connection end instead of the
// answer.
func (p *Proxy) LoseAnswer(word string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.word = []byte(word)
}

// LostAnswers returns how many answers were lost.
func (p *Proxy) LostAnswers() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lost
}

// join registers two connections for [Proxy.Cut], and reports whether they may be joined.
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
				return // Redis has done what it was asked to, and the client does not learn of it
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
			_, _ = io.Copy(io.Discard, client) // until the answer has come, when the connection is closed
			return
		}
		if _, werr := server.Write(request[:n]); err != nil || werr != nil {
			return
		}
	}
}
