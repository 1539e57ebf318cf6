package destination

import (
	"cmp"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
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
	// MaxConnsPerHost bounds connections to one host. Default: unbounded, as the sender bounds attempts.
	MaxConnsPerHost int
	// MaxIdleConns is how many idle connections are kept in all. Defaults to 2048.
	MaxIdleConns int
	// MaxIdleConnsPerHost is how many idle connections are kept to one host. Fewer than there are
	// attempts in flight to it would have connections closed and made anew all the time. Defaults to 256.
	MaxIdleConnsPerHost int
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
)

// NewTransport returns a transport that reaches only what p permits. It is meant to be made once and
// shared, as it keeps the connections; CloseIdleConnections ends those that are idle. Dial errors are
// *[Blocked] or *[DialError]; see [KindOf].
//
// It does not follow redirects, as no transport does: the client must not either. It does not ask for
// compressed answers and inflates none. It bounds connecting and the answer's header; the whole
// exchange is bounded by the request's context.
func NewTransport(p *Policy, o TransportOptions) *http.Transport {
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
	return &http.Transport{
		DialContext:            d.dial,
		DialTLSContext:         d.dialTLS,
		TLSClientConfig:        d.tls.Clone(), // For HTTP/2's own use; dialTLS does the handshakes.
		ForceAttemptHTTP2:      true,
		DisableCompression:     true,
		MaxConnsPerHost:        o.MaxConnsPerHost,
		MaxIdleConns:           cmp.Or(o.MaxIdleConns, 2048),
		MaxIdleConnsPerHost:    cmp.Or(o.MaxIdleConnsPerHost, 256),
		IdleConnTimeout:        cmp.Or(o.IdleConnTimeout, 55*time.Second),
		MaxResponseHeaderBytes: maxResponseHeader,
		HTTP2: &http.HTTP2Config{
			MaxReceiveBufferPerStream:     streamBuffer,
			MaxReceiveBufferPerConnection: connBuffer,
			// Many requests share one connection: one that died silently must not fail them all for
			// as long as TCP goes on retransmitting.
			SendPingTimeout: 10 * time.Second,
			PingTimeout:     5 * time.Second,
		},
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
		config.ClientSessionCache = tls.NewLRUClientSessionCache(1024)
	}
	return config
}
