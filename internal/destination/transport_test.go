package destination

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// TestMain sees to it that nothing is left of the tests, which may take a while where the machine is busy.
func TestMain(m *testing.M) {
	code := m.Run()
	left := goleak.Find()
	for end := time.Now().Add(2 * time.Minute); left != nil && time.Now().Before(end); {
		left = goleak.Find()
	}
	if left != nil && code == 0 {
		fmt.Fprintln(os.Stderr, left)
		code = 1
	}
	os.Exit(code)
}

// endpoint is a receiver on loopback that counts its connections. Its certificate is for example.com
// and 127.0.0.1.
type endpoint struct {
	*httptest.Server
	conns atomic.Int32
}

func newEndpoint(t *testing.T, secure bool, h http.HandlerFunc) *endpoint {
	t.Helper()
	e := &endpoint{Server: httptest.NewUnstartedServer(h)}
	e.Config.ErrorLog = log.New(io.Discard, "", 0)
	e.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			e.conns.Add(1)
		}
	}
	e.EnableHTTP2 = true
	if secure {
		e.StartTLS()
	} else {
		e.Start()
	}
	t.Cleanup(e.Close)
	return e
}

// port is where the endpoint listens.
func (e *endpoint) port() string {
	u, _ := url.Parse(e.URL)
	return u.Port()
}

// roots trusts the endpoint's certificate.
func (e *endpoint) roots() *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(e.Certificate())
	return &tls.Config{RootCAs: pool}
}

func loopbackPolicy() *Policy {
	return &Policy{AllowHTTP: true, Allow: prefixes("127.0.0.0/8", "::1/128")}
}

// newClient makes a client as the sender does.
func newClient(t *testing.T, p *Policy, o TransportOptions) *http.Client {
	t.Helper()
	tr := NewTransport(p, o)
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{
		Transport:     tr,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func post(t *testing.T, c *http.Client, url string) (*http.Response, []byte, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(`{"event":"x"}`))
	require.NoError(t, err)
	res, err := c.Do(r)
	if err != nil {
		return nil, nil, err
	}
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	return res, body, nil
}

func proto(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto, " ", r.Host) }

func TestTransportDelivers(t *testing.T) {
	t.Parallel()
	plain, secure := newEndpoint(t, false, proto), newEndpoint(t, true, proto)
	o := TransportOptions{Resolver: resolves("example.com", "127.0.0.1"), TLSConfig: secure.roots()}
	c := newClient(t, loopbackPolicy(), o)
	for name, tt := range map[string]struct{ url, want string }{
		"http by address":  {plain.URL, "HTTP/1.1 127.0.0.1:" + plain.port()},
		"http by name":     {"http://example.com:" + plain.port(), "HTTP/1.1 example.com:" + plain.port()},
		"https by address": {secure.URL, "HTTP/2.0 127.0.0.1:" + secure.port()},
		"https by name":    {"https://example.com:" + secure.port(), "HTTP/2.0 example.com:" + secure.port()},
	} {
		_, body, err := post(t, c, tt.url)
		require.NoError(t, err, name)
		require.Equal(t, tt.want, string(body), name)
	}
}

func TestLesson12_TransportRefuses(t *testing.T) {
	t.Parallel()
	var hits atomic.Int32
	secure := newEndpoint(t, true, func(http.ResponseWriter, *http.Request) { hits.Add(1) })
	o := TransportOptions{Resolver: resolves("example.com", "127.0.0.1", "::1"), TLSConfig: secure.roots()}
	for name, p := range map[string]*Policy{
		"default": {AllowHTTP: true},
		"private": {AllowHTTP: true, AllowPrivate: true},
		"admin address": {AllowHTTP: true, Allow: prefixes("127.0.0.0/8"), Forbidden: func() []netip.AddrPort {
			return []netip.AddrPort{netip.MustParseAddrPort(secure.Listener.Addr().String())}
		}},
	} {
		c := newClient(t, p, o)
		for _, host := range []string{"example.com", "127.0.0.1", "[::ffff:127.0.0.1]", "[::1]", "0.0.0.0"} {
			for _, scheme := range []string{"http", "https"} {
				_, _, err := post(t, c, scheme+"://"+host+":"+secure.port()+"/")
				require.Equal(t, KindBlocked, KindOf(err), "%s %s %s: %v", name, scheme, host, err)
				require.Contains(t, Describe(err), "address")
			}
		}
	}
	require.Zero(t, secure.conns.Load())
	require.Zero(t, hits.Load())
}

func TestLesson11_RedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	var hits atomic.Int32
	plain := newEndpoint(t, false, func(w http.ResponseWriter, r *http.Request) {
		hits.Add(1)
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	})
	res, _, err := post(t, newClient(t, loopbackPolicy(), TransportOptions{}), plain.URL)
	require.NoError(t, err)
	require.Equal(t, http.StatusTemporaryRedirect, res.StatusCode)
	require.EqualValues(t, 1, hits.Load())
}

func TestLesson13_VerificationIsOn(t *testing.T) {
	t.Parallel()
	secure := newEndpoint(t, true, proto)
	r := &names{answers: map[string][][]netip.Addr{
		"example.com": {{netip.MustParseAddr("127.0.0.1")}}, "other.test": {{netip.MustParseAddr("127.0.0.1")}},
	}}
	trusting, insecure := secure.roots(), secure.roots()
	insecure.InsecureSkipVerify = true
	insecure.MinVersion = tls.VersionTLS10
	for name, tt := range map[string]struct {
		config *tls.Config
		host   string
		says   string
	}{
		"unknown authority":     {nil, "example.com", "certificate"},
		"unknown, switched off": {&tls.Config{InsecureSkipVerify: true}, "example.com", "certificate"},
		"another name":          {trusting, "other.test", "other.test"},
		"another name, off":     {insecure, "other.test", "other.test"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for via, proxy := range map[string]*url.URL{"direct": nil, "CONNECT": newConnectProxy(t, nil).url(), "SOCKS5": newSOCKS5(t, "", "").url()} {
				c := newClient(t, loopbackPolicy(), TransportOptions{Resolver: r, TLSConfig: tt.config, Proxy: proxy})
				_, _, err := post(t, c, "https://"+tt.host+":"+secure.port())
				require.Equal(t, KindTLS, KindOf(err), "%s: %v", via, err)
				require.Contains(t, Describe(err), tt.says)
			}
		})
	}
}

func TestLesson13_OldVersionsAreRefused(t *testing.T) {
	t.Parallel()
	old := httptest.NewUnstartedServer(http.HandlerFunc(proto))
	old.Config.ErrorLog = log.New(io.Discard, "", 0)
	old.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	old.StartTLS()
	t.Cleanup(old.Close)
	pool := x509.NewCertPool()
	pool.AddCert(old.Certificate())
	c := newClient(t, loopbackPolicy(), TransportOptions{TLSConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS10}})
	_, _, err := post(t, c, old.URL)
	require.Equal(t, KindTLS, KindOf(err), err)
	require.Contains(t, Describe(err), "version")
}

func TestHandshakeErrors(t *testing.T) {
	t.Parallel()
	plain := newEndpoint(t, false, proto)
	silent, err := net.Listen("tcp", "127.0.0.1:0") // The kernel accepts, nobody answers.
	require.NoError(t, err)
	t.Cleanup(func() { _ = silent.Close() })

	_, _, err = post(t, newClient(t, loopbackPolicy(), TransportOptions{}), "https://127.0.0.1:"+plain.port())
	require.Equal(t, KindTLS, KindOf(err), err)

	c := newClient(t, loopbackPolicy(), TransportOptions{TLSHandshakeTimeout: 30 * time.Millisecond})
	_, _, err = post(t, c, "https://"+silent.Addr().String())
	require.Equal(t, KindTimeout, KindOf(err), err)
	require.Contains(t, Describe(err), "in time")

	// The request's own deadline, wherever it strikes.
	for _, scheme := range []string{"http", "https"} {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, scheme+"://"+silent.Addr().String(), http.NoBody)
		require.NoError(t, err)
		_, err = newClient(t, loopbackPolicy(), TransportOptions{}).Do(r)
		cancel()
		require.Equal(t, KindTimeout, KindOf(err), err)
		require.Contains(t, Describe(err), "in time")
	}
}

func TestDescribeKeepsAddressesBack(t *testing.T) {
	t.Parallel()
	rude := newEndpoint(t, false, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	_, _, err := post(t, newClient(t, loopbackPolicy(), TransportOptions{}), rude.URL)
	require.Error(t, err)
	require.Empty(t, KindOf(err))
	require.Equal(t, "the connection was closed before an answer came", Describe(err))

	_, _, err = post(t, newClient(t, loopbackPolicy(), TransportOptions{}), "http://"+greets(t, "220 mail.internal ESMTP\r\n\r\n"))
	require.Error(t, err)
	require.NotContains(t, Describe(err), "mail.internal")
	require.NotContains(t, Describe(err), "127.0.0.1")
}

func TestLesson09_NothingIsInflated(t *testing.T) {
	t.Parallel()
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	_, err := w.Write(make([]byte, 1<<20))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	plain := newEndpoint(t, false, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Asked", r.Header.Get("Accept-Encoding"))
		_, _ = w.Write(bomb.Bytes())
	})
	res, body, err := post(t, newClient(t, loopbackPolicy(), TransportOptions{}), plain.URL)
	require.NoError(t, err)
	require.Empty(t, res.Header.Get("Asked"))
	require.Equal(t, bomb.Bytes(), body)
}

func TestLesson09_HeadersAreBounded(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		e := newEndpoint(t, secure, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Big", strings.Repeat("x", 2*maxResponseHeader))
		})
		o := TransportOptions{}
		if secure {
			o.TLSConfig = e.roots()
		}
		_, _, err := post(t, newClient(t, loopbackPolicy(), o), e.URL)
		require.Error(t, err)
		require.Contains(t, Describe(err), "64 KiB", err)
	}
}

func TestLesson22_ConnectionsAreReused(t *testing.T) {
	t.Parallel()
	for name, secure := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const parallel = 16 // the default of per_webhook
			e := newEndpoint(t, secure, proto)
			o := TransportOptions{}
			if secure {
				o.TLSConfig = e.roots()
			}
			c := newClient(t, loopbackPolicy(), o)
			var group sync.WaitGroup
			for range parallel {
				group.Go(func() {
					for range 50 {
						res, err := c.Post(e.URL, "application/json", strings.NewReader("{}"))
						if err == nil {
							_, _ = io.Copy(io.Discard, res.Body)
							_ = res.Body.Close()
						}
					}
				})
			}
			group.Wait()
			// net/http may dial one more for a request that another's connection then serves.
			require.LessOrEqual(t, e.conns.Load(), int32(2*parallel))
		})
	}
}

func TestEnvironmentProxiesAreNotUsed(t *testing.T) {
	t.Parallel()
	require.Nil(t, NewTransport(&Policy{}, TransportOptions{}).pool.transport.Proxy)
}
