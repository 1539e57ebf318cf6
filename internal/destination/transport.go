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
	// TLSConfig may set the certificate authorities that are trusted. It can neither switch verification
	// off nor permit versions below 1.2. Defaults to the system's authorities.
	TLSConfig *tls.Config
	// DialTimeout bounds resolving and connecting. Defaults to 10s.
	DialTimeout time.Duration
	// TLSHandshakeTimeout bounds the TLS handshake. Defaults to 10s.
	TLSHandshakeTimeout time.Duration
	// MaxConns is how many connections are kept open: where there are as many, a new one closes the one that has been
	// idle for longest. Those in use are bounded by the sender's attempts in flight instead. Defaults to 4096.
	MaxConns int
	// IdleConnTimeout is how long an idle connection is kept. Defaults to 55s, a little less than the 60s after
	// which common servers close theirs, as a request sent into a closing connection is lost.
	IdleConnTimeout time.Duration
}

const (
	// maxResponseHeader bounds the header of an answer, which is held in memory, in bytes.
	maxResponseHeader = 64 << 10
	// streamBuffer and connBuffer bound how many bytes an HTTP/2 endpoint can send before they are read; the
	// library's defaults of 4 MiB and 1 GiB are made for downloads.
	streamBuffer = 64 << 10
	connBuffer   = 1 << 20
	// maxSessions is how many TLS sessions are kept to be resumed.
	maxSessions = 2048
)

// Transport makes exactly one HTTP request for each [Transport.RoundTrip], over connections that it keeps. net/http
// speaks HTTP; which connection a request takes, and whether a new one is dialled, is decided here:
//
//	RoundTrip ──► pool: a connection with room ──► http.ClientConn ──► answer ──► back to the pool
//	                └── none: wait, and dial as many as the waiting requests need
//
// net/http's own pool would silently repeat requests (those with a header Idempotency-Key, and with HTTP/2 those that
// an endpoint refused), and would start a TLS handshake for each request that finds no idle connection, although one
// HTTP/2 connection could serve them all.
type Transport struct {
	pool     *pool
	identity *Identity // nil: none
}

// NewTransport returns a transport that reaches only what p permits. Make it once and share it, as it
// keeps the connections; [Transport.CloseIdleConnections] closes those that are idle. Its errors are
// *[Blocked], *[DialError] and *[ExchangeError], and that of a cancelled context; see [KindOf] and
// [Describe].
//
// It does not follow redirects, and a client that uses it must not either. It does not ask for
// compressed answers and decompresses none. It bounds the time to connect and the size of the answer's
// header; the time of the whole exchange is bounded by the request's context.
func NewTransport(p *Policy, o TransportOptions) *Transport {
	d := &dialer{
		policy:    p,
		resolver:  cmp.Or[Resolver](o.Resolver, net.DefaultResolver),
		tls:       clientTLS(o.TLSConfig),
		timeout:   cmp.Or(o.DialTimeout, 10*time.Second),
		handshake: cmp.Or(o.TLSHandshakeTimeout, 10*time.Second),
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
		TLSClientConfig:        d.tls.Clone(), // HTTP/2 reads it; the handshakes are done by dialTLS.
		ForceAttemptHTTP2:      true,
		DisableCompression:     true,
		IdleConnTimeout:        idle,
		MaxResponseHeaderBytes: maxResponseHeader,
		HTTP2: &http.HTTP2Config{
			MaxReceiveBufferPerStream:     streamBuffer,
			MaxReceiveBufferPerConnection: connBuffer,
			// Many requests share one connection. Without pings one that died silently would fail them all,
			// for as long as TCP goes on retransmitting.
			SendPingTimeout: 10 * time.Second,
			PingTimeout:     5 * time.Second,
		},
	}, idle, cmp.Or(o.MaxConns, 4096))}
}

// CloseIdleConnections closes the connections that no request uses, and cancels the dials that none waits for.
func (t *Transport) CloseIdleConnections() { t.pool.closeIdle() }

// RoundTrip implements http.RoundTripper. Where a kept connection turns out to be closed, the request is made again on
// another one, but only if nothing of it has left through the first and its body is a [Body] or empty.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	for {
		c, err := t.pool.get(r.Context(), r.URL, t.identity)
		if err != nil {
			if r.Body != nil {
				_ = r.Body.Close()
			}
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

// maxAlertSize is a number of bytes above that of a TLS record which only says that the connection is closed, and below
// that of any request.
const maxAlertSize = 100

// send makes the request. Where it failed, left says whether any of it may have left this host: with HTTP/1.1 by the
// bytes written to the connection, with HTTP/2, where other requests write too, by whether net/http reports that it
// wrote the request's header.
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

// withKnownBody returns r with a body of a type that net/http knows to be in memory. With any other body it sends the
// request's header by itself first, which costs a system call, a packet and a copy more for each request.
func withKnownBody(r *http.Request) *http.Request {
	b, ok := r.Body.(*Body)
	if !ok {
		return r
	}
	known := *r
	known.Body = io.NopCloser(&b.Reader)
	return &known
}

// rewound returns r with its body from the beginning, or nil where the body can't be read again.
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

// answerBody gives the connection back to the pool once the answer has been read or closed.
type answerBody struct {
	io.ReadCloser
	conn *conn
	pool *pool
	done bool
}

// releaseAfterRead gives the connection back to the pool as soon as the answer has been read: at once where it is empty.
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

// clientTLS returns the settings of every handshake: those of base, but always with verification and with TLS 1.2 or
// newer.
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

// withWire returns a context in which [newWire] stores the connection that it makes in *w.
func withWire(ctx context.Context, w **wire) context.Context {
	return context.WithValue(ctx, wireKey{}, w)
}

type wireKey struct{}
