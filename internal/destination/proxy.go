package destination

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"golang.org/x/net/proxy"
)

// maxProxyHeader bounds the proxy's answer to CONNECT, in bytes.
const maxProxyHeader = 64 << 10

// throughProxy returns a function that connects to an address through the egress proxy at u.
//
// A destination's name is resolved and its addresses are checked here, and the proxy is given an address:
// a proxy that resolved the name itself could be led anywhere. What that costs: the proxy's own rules see
// addresses, not names, this host needs a name server, and http:// destinations are tunnelled with
// CONNECT as well, which the proxy must permit for their port. SNI, certificate and Host keep the name.
//
// The proxy's own address is the operator's choice and is not checked, so it may be on loopback.
func (d *dialer) throughProxy(u *url.URL) func(context.Context, netip.AddrPort) (net.Conn, error) {
	if u.Scheme == "socks5" {
		return viaSOCKS5(u)
	}
	return d.viaConnect(u)
}

// hostPort returns the host and port of u, which is its scheme's port where u has none.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443", "socks5": "1080"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// viaSOCKS5 tunnels through a SOCKS5 proxy (RFC 1928, user and password by RFC 1929).
func viaSOCKS5(u *url.URL) func(context.Context, netip.AddrPort) (net.Conn, error) {
	var auth *proxy.Auth
	if u.User != nil {
		password, _ := u.User.Password()
		auth = &proxy.Auth{User: u.User.Username(), Password: password}
	}
	socks, err := proxy.SOCKS5("tcp", hostPort(u), auth, plainDialer())
	return func(ctx context.Context, a netip.AddrPort) (net.Conn, error) {
		if err != nil {
			return nil, proxyError("setting up SOCKS5 failed", err)
		}
		contextual, ok := socks.(proxy.ContextDialer)
		if !ok { // The library documents that it is one. Without a context a hanging proxy would hold the attempt for ever.
			return nil, proxyError("setting up SOCKS5 failed", errors.ErrUnsupported)
		}
		conn, err := contextual.DialContext(ctx, "tcp", a.String())
		if err != nil {
			return nil, tunnelError(ctx, "connecting through it failed", err)
		}
		return conn, nil
	}
}

// viaConnect tunnels through an HTTP proxy.
func (d *dialer) viaConnect(u *url.URL) func(context.Context, netip.AddrPort) (net.Conn, error) {
	nd := plainDialer()
	header := http.Header{"User-Agent": {""}} // An empty value keeps net/http from sending its own.
	if u.User != nil {
		password, _ := u.User.Password()
		credentials := base64.StdEncoding.EncodeToString([]byte(u.User.Username() + ":" + password))
		header.Set("Proxy-Authorization", "Basic "+credentials)
	}
	return func(ctx context.Context, a netip.AddrPort) (net.Conn, error) {
		conn, err := nd.DialContext(ctx, "tcp", hostPort(u))
		if err != nil {
			return nil, tunnelError(ctx, "connecting to it failed", err)
		}
		if u.Scheme == "https" {
			config := d.tls.Clone()
			config.ServerName, config.NextProtos = u.Hostname(), []string{"http/1.1"}
			secured := tls.Client(conn, config)
			if err := secured.HandshakeContext(ctx); err != nil {
				_ = conn.Close()
				return nil, tunnelError(ctx, "its TLS handshake failed", err)
			}
			conn = secured
		}
		if err := openTunnel(ctx, conn, a, header); err != nil {
			_ = conn.Close()
			return nil, tunnelError(ctx, err.Error(), err)
		}
		return conn, nil
	}
}

// openTunnel asks the proxy at the other end of conn for a connection to a.
func openTunnel(ctx context.Context, conn net.Conn, a netip.AddrPort, header http.Header) (err error) {
	// Reads and writes don't know ctx. When it ends, a deadline in the past ends them.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer func() {
		if !stop() && err == nil {
			err = errors.New("no tunnel in time") // The deadline in the past is set, or about to be: conn is of no use.
		}
	}()
	r := &http.Request{
		Method: http.MethodConnect, URL: &url.URL{Opaque: a.String()}, Host: a.String(), Header: header,
	}
	if err := r.Write(conn); err != nil {
		return errors.New("it does not take requests")
	}
	reader := bufio.NewReader(&io.LimitedReader{R: conn, N: maxProxyHeader})
	res, err := http.ReadResponse(reader, r)
	if err != nil {
		return errors.New("it does not answer CONNECT in HTTP")
	}
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("it answered CONNECT with status %d", res.StatusCode)
	}
	if reader.Buffered() > 0 {
		return errors.New("it sent more than an answer to CONNECT")
	}
	return nil
}

// tunnelError describes a failure to get a tunnel. Cancellation is returned as it is, and running out of time is not
// taken for something that the proxy did.
func tunnelError(ctx context.Context, reason string, err error) error {
	if timedOut(err) || ctx.Err() != nil {
		reason, err = "no tunnel in time", context.DeadlineExceeded
	}
	return unlessCancelled(ctx, proxyError(reason, err))
}
