package destination

import (
	"cmp"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"
)

// TransportOptions tune [NewTransport]. The zero value is right for a sender with default settings.
type TransportOptions struct {
	// Proxy is the egress proxy: http, https or socks5, with user info where it wants credentials.
	// The environment's proxies are never used. Default: none.
	Proxy *url.URL
	// Resolver looks names up. Defaults to net.DefaultResolver.
	Resolver Resolver
	// TLSConfig is where the roots of certificates may be set. Verification can't be switched off in
	// it, and versions below 1.2 can't be permitted. Defaults to the system's roots.
	TLSConfig *tls.Config
	// DialTimeout bounds resolving and connecting. Defaults to 10s.
	DialTimeout time.Duration
	// TLSHandshakeTimeout bounds the handshake. Defaults to 10s.
	TLSHandshakeTimeout time.Duration
	// MaxConns is how many connections are open at once: where there are as many, the one that has been idle for
	// longest makes room. Those in use are bounded by the sender's attempts in flight. Defaults to 4096.
	MaxConns int
	// IdleConnTimeout is how long an idle connection is kept. It is a little less than the 60s after
	// which common servers close theirs, as a request sent into a closing connection is lost. Defaults to 55s.
	IdleConnTimeout time.Duration
}

const (
	// maxResponseHeader bounds what an endpoint's header can make this host hold.
	maxResponseHeader = 64 << 10
	// streamBuffer and connBuffer bound what an HTTP/2 endpoint can send ahead of being read; the
	// defaults of 4 MiB and 1 GiB are made for downloads.
	streamBuffer = 64 << 10
	connBuffer   = 1 << 20
	// maxSessions is how many hosts' TLS sessions are kept to be resumed.
	maxSessions = 2048
)

// Transport makes one HTTP request of each [Transport.RoundTrip], over connections that it keeps. net/http does the
// HTTP; which connection a request takes, and whether a new one is made, is decided here:
//
//	RoundTrip ──► pool: a connection with room ──► http.ClientConn ──► answer ──► back to the pool
//	                └── none: wait, and dial as many as those who wait need
//
// net/http's own pool would repeat requests unseen (for a header Idempotency-Key, and of HTTP/2 what an endpoint
// refused), and starts a TLS handshake for each request that finds no idle connection, although one of HTTP/2 would
// have served them all.
type Transport struct {
	pool     *pool
	identity *Identity // nil: none
}

// NewTransport returns a transport that reaches only what p permits. It is meant to be made once and
// shared, as it keeps the connections; CloseIdleConnections ends those that are idle. Its errors are
// *[Blocked], *[DialError] and *[ExchangeError]; see [KindOf] and [Describe].
//
// It does not follow redirects, as no transport does: the client must not either. It does not ask for
// compressed answers and inflates none. It bounds connecting and the answer's header; the whole
// exchange is bounded by the request's context.
func NewTransport(p *Policy, o TransportOptions) *Transport {
	d := &dialer{
		policy:    p,
		resolver:  o.Resolver,
		tls:       clientTLS(o.TLSConfig),
		timeout:   cmp.Or(o.DialTimeout, 10*time.Second),
		handshake: cmp.Or(o.TLSHandshakeTimeout, 10*time.Second),
	}
	if d.resolver == nil {
		d.resolver = net.DefaultResolver
	}
	if o.Proxy != nil {
		d.connect = d.throughProxy(o.Proxy)
	} else {
		d.connect = d.direct()
	}
	idle := cmp.Or(o.IdleConnTimeout, 55*time.Second)
	return &Transport{pool: newPool(&http.Transport{
		DialContext:            d.dial,
		DialTLSContext:         d.dialTLS,
		TLSClientConfig:        d.tls.Clone(), // For HTTP/2's own use; dialTLS does the handshakes.
		ForceAttemptHTTP2:      true,
		DisableCompression:     true,
		IdleConnTimeout:        idle,
		MaxResponseHeaderBytes: maxResponseHeader,
		HTTP2: &http.HTTP2Config{
			MaxReceiveBufferPerStream:     streamBuffer,
			MaxReceiveBufferPerConnection: connBuffer,
			// Many requests share one connection: one that died silently must not fail them all for
			// as long as TCP goes on retransmitting.
			SendPingTimeout: 10 * time.Second,
			PingTimeout:     5 * time.Second,
		},
	}, idle, cmp.Or(o.MaxConns, 4096))}
}

// CloseIdleConnections closes the connections that no request uses, and gives up making those that none waits for.
func (t *Transport) CloseIdleConnections() { t.pool.closeIdle() }

// RoundTrip implements http.RoundTripper. A request that found a kept connection closed goes out on another one only
// where nothing of it has left through the first, and its body is a [Body], or none.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	for {
		c, err := t.pool.get(r.Context(), r.URL, t.identity)
		if err != nil {
			closeBody(r)
			return nil, err
		}
		reused := c.served.Swap(true)
		res, left, err := c.send(withKnownBody(r))
		if err == nil {
			c.releaseAfterRead(res, t.pool)
			return res, nil
		}
		t.pool.release(c)
		err = &ExchangeError{Addr: c.addr(), Err: c.wire.cause(err)}
		if left || !reused || r.Context().Err() != nil {
			return nil, err
		}
		again := rewound(r)
		if again == nil {
			return nil, err
		}
		r = again
	}
}

// maxAlertSize is more than a TLS record takes that only says that the connection is closed, and less than any request.
const maxAlertSize = 100

// send makes the request. Where it failed, left says whether any of it may have left this host: of HTTP/1.1 by the
// count of what was written, of HTTP/2, where others write too, by what net/http tells of the request's head.
func (c *conn) send(r *http.Request) (res *http.Response, left bool, err error) {
	if !c.shared {
		before := c.wire.written.Load()
		res, err = c.http.RoundTrip(r)
		return res, c.wire.written.Load()-before > maxAlertSize, err
	}
	var begun atomic.Bool
	trace := &httptrace.ClientTrace{WroteHeaders: func() { begun.Store(true) }}
	res, err = c.http.RoundTrip(r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
	return res, begun.Load(), err
}

// withKnownBody is r with a body of a type that net/http knows to be in memory: before any other it sends the request's head by itself,
// which is a system call, a packet and a copy more for each request.
func withKnownBody(r *http.Request) *http.Request {
	b, ok := r.Body.(*Body)
	if !ok {
		return r
	}
	known := *r
	known.Body = io.NopCloser(&b.Reader)
	return &known
}

// rewound is r with its body from the beginning, or nil.
func rewound(r *http.Request) *http.Request {
	if r.Body == nil || r.Body == http.NoBody {
		return r
	}
	b, ok := r.Body.(*Body)
	if !ok {
		return nil
	}
	again := *r
	again.Body = NewBody(b.content)
	return &again
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
}

// answerBody gives the connection back once the answer has been read or closed.
type answerBody struct {
	io.ReadCloser
	conn *conn
	pool *pool
	done bool
}

// releaseAfterRead gives the connection back to the pool as soon as the answer has been read.
func (c *conn) releaseAfterRead(res *http.Response, p *pool) {
	if res.Body == http.NoBody {
		p.release(c)
		return
	}
	res.Body = &answerBody{ReadCloser: res.Body, conn: c, pool: p}
}

func (b *answerBody) Read(to []byte) (int, error) {
	n, err := b.ReadCloser.Read(to)
	if err == nil {
		return n, nil
	}
	b.end()
	if err != io.EOF {
		err = &ExchangeError{Addr: b.conn.addr(), Answered: true, Err: err}
	}
	return n, err
}

func (b *answerBody) Close() error {
	err := b.ReadCloser.Close()
	b.end()
	return err
}

func (b *answerBody) end() {
	if !b.done {
		b.done = true
		b.pool.release(b.conn)
	}
}

// clientTLS returns the settings of every handshake. Verification is not an option.
func clientTLS(base *tls.Config) *tls.Config {
	config := &tls.Config{}
	if base != nil {
		config = base.Clone()
	}
	config.InsecureSkipVerify = false
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	config.NextProtos = []string{"h2", "http/1.1"}
	if config.ClientSessionCache == nil {
		config.ClientSessionCache = tls.NewLRUClientSessionCache(maxSessions)
	}
	return config
}

// withWire has the connection that is dialled within ctx noted in w.
func withWire(ctx context.Context, w **wire) context.Context {
	return context.WithValue(ctx, wireKey{}, w)
}

type wireKey struct{}
