package destination

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// deliver posts as the sender does: with a body that can be begun again, and headers that make net/http repeat.
func deliver(t *testing.T, tr *Transport, url string) error {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, nil)
	require.NoError(t, err)
	r.Body, r.ContentLength = NewBody([]byte(`{"event":"x"}`)), 13
	r.Header.Set("Idempotency-Key", "k")
	res, err := tr.RoundTrip(r)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, res.Body)
	return firstOf(err, res.Body.Close())
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func newTransport(t *testing.T, o TransportOptions) *Transport {
	tr := NewTransport(loopbackPolicy(), o)
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

// byHand serves HTTP/1.1 over TLS, or over plain TCP, connection by connection: answer gets each request in turn, and
// says whether the connection goes on.
func byHand(t *testing.T, serve func(n int, c net.Conn)) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var group sync.WaitGroup
	group.Go(func() {
		for n := 1; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			group.Go(func() {
				defer func() { _ = c.Close() }()
				serve(n, c)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		group.Wait()
	})
	return l.Addr().String()
}

// readRequest reads one request with a body of 13 bytes.
func readRequest(c net.Conn) bool {
	var got []byte
	buf := make([]byte, 4096)
	for !bytes.HasSuffix(got, []byte(`{"event":"x"}`)) {
		n, err := c.Read(buf)
		if err != nil {
			return false
		}
		got = append(got, buf[:n]...)
	}
	return true
}

const emptyAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

// TestLesson58_OneRequestOnly: an endpoint that reads a request and closes, on a connection that it kept alive before,
// gets it once, whatever header says that it may be repeated.
func TestLesson58_OneRequestOnly(t *testing.T) {
	t.Parallel()
	var requests atomic.Int32
	address := byHand(t, func(_ int, c net.Conn) {
		for i := 0; readRequest(c); i++ {
			requests.Add(1)
			if i == 1 {
				return
			}
			_, _ = io.WriteString(c, emptyAnswer)
		}
	})
	tr := newTransport(t, TransportOptions{})
	require.NoError(t, deliver(t, tr, "http://"+address))
	err := deliver(t, tr, "http://"+address)
	require.Error(t, err)
	require.Equal(t, "the connection was closed before an answer came", Describe(err))
	require.EqualValues(t, 2, requests.Load())
}

// What an endpoint closed before anything of a request left is not that attempt's failure.
func TestClosedIdleConnectionCostsNoAttempt(t *testing.T) {
	t.Parallel()
	for name, secure := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEndpoint(t, secure, proto)
			o := TransportOptions{}
			if secure {
				o.TLSConfig = e.roots()
			}
			tr := newTransport(t, o)
			for n := range 5 {
				require.NoError(t, deliver(t, tr, e.URL))
				require.EqualValues(t, n+1, e.conns.Load())
				e.CloseClientConnections()
				require.Eventually(t, func() bool {
					tr.pool.mu.Lock()
					defer tr.pool.mu.Unlock()
					for _, h := range tr.pool.hosts {
						return h.available[0].http.Err() != nil
					}
					return true
				}, 2*time.Minute, time.Millisecond)
			}
		})
	}
}

// frames is an HTTP/2 endpoint of which a test writes the frames.
func frames(t *testing.T, answer func(n int, f *http2.Framer, stream uint32)) (url string, config *tls.Config, requests *atomic.Int32) {
	certificates := newEndpoint(t, true, proto)
	requests = &atomic.Int32{}
	address := byHand(t, func(_ int, raw net.Conn) {
		c := tls.Server(raw, &tls.Config{Certificates: certificates.TLS.Certificates, NextProtos: []string{"h2"}})
		preface := make([]byte, len(http2.ClientPreface))
		if _, err := io.ReadFull(c, preface); err != nil {
			return
		}
		f := http2.NewFramer(c, c)
		_ = f.WriteSettings()
		for {
			frame, err := f.ReadFrame()
			if err != nil {
				return
			}
			if d, ok := frame.(*http2.DataFrame); ok && d.StreamEnded() {
				answer(int(requests.Add(1)), f, d.StreamID)
			}
		}
	})
	return "https://" + address, certificates.roots(), requests
}

// accept answers 200.
func accept(f *http2.Framer, stream uint32) {
	var b bytes.Buffer
	_ = hpack.NewEncoder(&b).WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
	_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: b.Bytes(), EndHeaders: true, EndStream: true})
}

// TestLesson58_HTTP2: what an HTTP/2 endpoint refuses after it has read it is not sent again, first on a connection or not,
// and the owner reads what happened.
func TestLesson58_HTTP2(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		refuse func(f *http2.Framer, stream uint32)
		says   string
	}{
		"refused":  {func(f *http2.Framer, s uint32) { _ = f.WriteRSTStream(s, http2.ErrCodeRefusedStream) }, "the HTTP/2 stream was reset (REFUSED_STREAM)"},
		"protocol": {func(f *http2.Framer, s uint32) { _ = f.WriteRSTStream(s, http2.ErrCodeProtocol) }, "the HTTP/2 stream was reset (PROTOCOL_ERROR)"},
		"internal": {func(f *http2.Framer, s uint32) { _ = f.WriteRSTStream(s, http2.ErrCodeInternal) }, "the HTTP/2 stream was reset (INTERNAL_ERROR)"},
		"goaway":   {func(f *http2.Framer, s uint32) { _ = f.WriteGoAway(s-1, http2.ErrCodeNo, nil) }, "(GOAWAY)"},
		"goaway, with an error": {func(f *http2.Framer, s uint32) {
			_ = f.WriteGoAway(s-1, http2.ErrCodeEnhanceYourCalm, []byte("10.1.2.3"))
		}, "(GOAWAY)"},
		"header too large": {func(f *http2.Framer, s uint32) {
			var b bytes.Buffer
			e := hpack.NewEncoder(&b)
			_ = e.WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
			for range 30 { // many times what stands in the table
				_ = e.WriteField(hpack.HeaderField{Name: "x", Value: strings.Repeat("x", 3000)})
			}
			_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: s, BlockFragment: b.Bytes(), EndHeaders: true})
		}, headerTooLarge},
	} {
		for _, before := range []int{0, 1} {
			t.Run(fmt.Sprint(name, " after ", before), func(t *testing.T) {
				t.Parallel()
				url, config, requests := frames(t, func(n int, f *http2.Framer, stream uint32) {
					if n <= before {
						accept(f, stream)
						return
					}
					c.refuse(f, stream)
				})
				tr := newTransport(t, TransportOptions{TLSConfig: config})
				for range before {
					require.NoError(t, deliver(t, tr, url))
				}
				err := deliver(t, tr, url)
				require.Error(t, err)
				require.Contains(t, Describe(err), c.says, err)
				require.NotContains(t, Describe(err), "10.1.2.3")
				require.Contains(t, err.Error(), "127.0.0.1:", "the operator reads what was dialled")
				require.EqualValues(t, before+1, requests.Load())
			})
		}
	}
}

// TestLesson72_ConnectionsFollowRequests: as many connections as requests at once by HTTP/1.1, one by HTTP/2 but where its
// stream limit binds; and none is made again while one is idle.
func TestLesson72_ConnectionsFollowRequests(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		http2       bool
		limit       int
		parallel    int
		least, most int32
	}{
		"HTTP/1.1":                {false, 0, 16, 16, 16},
		"HTTP/2":                  {true, 250, 64, 1, 1},
		"HTTP/2 with few streams": {true, 8, 64, 8, 8},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var now atomic.Int32
			gate := make(chan chan struct{}, 1)
			gate <- make(chan struct{})
			e := limited(t, c.http2, c.limit, func(_ http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/first" {
					return
				}
				goOn := <-gate
				gate <- goOn
				if now.Add(1) == int32(c.parallel) {
					close(goOn)
				}
				<-goOn
			})
			tr := newTransport(t, TransportOptions{TLSConfig: e.roots()})
			require.NoError(t, deliver(t, tr, e.URL+"/first"))
			for range 3 {
				now.Store(0)
				<-gate
				gate <- make(chan struct{})
				var group sync.WaitGroup
				errs := make([]error, c.parallel)
				for i := range c.parallel {
					group.Go(func() { errs[i] = deliver(t, tr, e.URL) })
				}
				group.Wait()
				require.NoError(t, firstOf(errs...))
				require.Eventually(t, tr.pool.quiet, 2*time.Minute, time.Millisecond, "net/http winds its streams up after the answer")
			}
			require.GreaterOrEqual(t, e.conns.Load(), c.least)
			require.LessOrEqual(t, e.conns.Load(), c.most)
		})
	}
}

// A handshake with certificates that no usual endpoint has ends before they are held.
func TestLargeCertificates(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	certificate := func(names int) tls.Certificate {
		template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
		for i := range names {
			template.DNSNames = append(template.DNSNames, fmt.Sprintf("%032d.example.com", i))
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		require.NoError(t, err)
		return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	}
	for name, c := range map[string]struct {
		names int
		conns int32 // of three requests
		err   string
	}{
		"usual": {10, 1, ""}, "large": {600, 3, ""}, "too large": {4000, 3, "the certificates are too large"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEndpoint(t, true, proto)
			own := certificate(c.names)
			pool := x509.NewCertPool()
			leaf, err := x509.ParseCertificate(own.Certificate[0])
			require.NoError(t, err)
			pool.AddCert(leaf)
			e.TLS.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
				return &tls.Config{Certificates: []tls.Certificate{own}, NextProtos: []string{"http/1.1"}}, nil
			}
			tr := newTransport(t, TransportOptions{TLSConfig: &tls.Config{RootCAs: pool}})
			for range 3 {
				err := deliver(t, tr, e.URL)
				if c.err == "" {
					require.NoError(t, err)
					continue
				}
				require.Equal(t, KindTLS, KindOf(err))
				require.Contains(t, Describe(err), c.err)
			}
			require.Equal(t, c.conns, e.conns.Load())
		})
	}
}

// Connections that are old, or more than there may be, are closed; who waits for one that can't be made leaves nothing.
func TestPoolIsBounded(t *testing.T) {
	t.Parallel()
	a, b := newEndpoint(t, false, proto), newEndpoint(t, false, proto)
	tr := newTransport(t, TransportOptions{MaxConns: 1})
	for range 3 {
		require.NoError(t, deliver(t, tr, a.URL))
		require.NoError(t, deliver(t, tr, b.URL))
		require.NoError(t, deliver(t, tr, b.URL))
	}
	require.EqualValues(t, 3, a.conns.Load())
	require.EqualValues(t, 3, b.conns.Load())

	tr = newTransport(t, TransportOptions{IdleConnTimeout: 20 * time.Millisecond})
	require.NoError(t, deliver(t, tr, a.URL))
	require.Eventually(t, func() bool {
		tr.pool.mu.Lock()
		defer tr.pool.mu.Unlock()
		return tr.pool.open == 0 && len(tr.pool.hosts) == 0 && tr.pool.timer == nil
	}, 2*time.Minute, time.Millisecond)

	tr = newTransport(t, TransportOptions{Resolver: stuck{}})
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://a.example/", nil)
	require.NoError(t, err)
	_, err = tr.RoundTrip(r)
	require.Equal(t, KindTimeout, KindOf(err))
	require.Eventually(t, func() bool {
		tr.pool.mu.Lock()
		defer tr.pool.mu.Unlock()
		return tr.pool.open == 0 && len(tr.pool.hosts) == 0
	}, 2*time.Minute, time.Millisecond)
}

// stuck is a resolver that answers when it is given up.
type stuck struct{}

func (stuck) LookupNetIP(ctx context.Context, _, _ string) ([]netip.Addr, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// quiet reports whether no connection has a request on it, as net/http counts them.
func (p *pool) quiet() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range p.hosts {
		for _, c := range h.available {
			if c.http.InFlight() > 0 {
				return false
			}
		}
	}
	return true
}

// limited is an endpoint by TLS with a limit of streams.
func limited(t *testing.T, two bool, streams int, h http.HandlerFunc) *endpoint {
	e := &endpoint{Server: httptest.NewUnstartedServer(h)}
	e.Config.ErrorLog = log.New(io.Discard, "", 0)
	e.Config.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: streams}
	e.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			e.conns.Add(1)
		}
	}
	e.EnableHTTP2 = two
	e.StartTLS()
	t.Cleanup(e.Close)
	return e
}

// An endpoint that closes each connection at once, or takes no stream, is not dialled more often than there are attempts.
func TestOneDialForEachAttempt(t *testing.T) {
	t.Parallel()
	var accepted atomic.Int32
	closing := byHand(t, func(int, net.Conn) { accepted.Add(1) })
	tr := newTransport(t, TransportOptions{})
	for n := range 50 {
		err := deliver(t, tr, "http://"+closing)
		require.Error(t, err)
		require.Equal(t, "the connection was closed before an answer came", Describe(err), err)
		require.LessOrEqual(t, accepted.Load(), int32(n+1))
	}
}
