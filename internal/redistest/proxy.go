package redistest

import (
	"bytes"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Proxy stands between a store and a Redis. It can cut all connections, and it can lose an answer.
type Proxy struct {
	listener   net.Listener
	upstream   string
	goroutines sync.WaitGroup

	mu          sync.Mutex
	isCut       bool
	conns       []net.Conn
	loseWord    []byte // the answer to the next request that contains it is lost; nil: to none
	lostAnswers int
}

// NewProxy starts a proxy in front of a server. It ends with the test; a store that uses it has to be closed before.
func NewProxy(t testing.TB, to *Server) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &Proxy{listener: listener, upstream: to.Addr()}
	p.goroutines.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			p.goroutines.Go(func() { p.forward(c) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		p.Cut()
		p.goroutines.Wait()
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
	p.loseWord = []byte(word)
}

// LostAnswers returns how many answers were lost.
func (p *Proxy) LostAnswers() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lostAnswers
}

// register registers two connections for [Proxy.Cut], and reports whether the proxy is not cut.
func (p *Proxy) register(client, server net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns = append(p.conns, client, server)
	return !p.isCut
}

// losesAnswer reports whether the answer to a request is to be lost, and counts it.
func (p *Proxy) losesAnswer(request []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.loseWord == nil || !bytes.Contains(request, p.loseWord) {
		return false
	}
	p.loseWord = nil
	p.lostAnswers++
	return true
}

// forward passes one connection on, in both directions, until either side ends it.
func (p *Proxy) forward(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.upstream)
	if err != nil {
		return
	}
	defer server.Close()
	if !p.register(client, server) {
		return
	}
	losing := make(chan struct{}) // closed when the next answer is to be lost
	p.goroutines.Go(func() {
		defer client.Close()
		answer := make([]byte, 64<<10)
		for {
			n, err := server.Read(answer)
			select {
			case <-losing:
				return // Redis has run the request, and the client does not learn of it
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
		if p.losesAnswer(request[:n]) {
			close(losing)
			_, _ = server.Write(request[:n])
			_, _ = io.Copy(io.Discard, client) // returns when the answer has come, as the connection is then closed
			return
		}
		if _, werr := server.Write(request[:n]); err != nil || werr != nil {
			return
		}
	}
}
