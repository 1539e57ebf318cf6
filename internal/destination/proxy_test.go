package destination

import (
	"bufio"
	"encoding/base64"
	"encoding/binary"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/freeport"
)

// asked is what a test proxy was asked for.
type asked struct {
	mu      sync.Mutex
	targets []string
	auth    []string
}

func (a *asked) add(target, auth string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.targets, a.auth = append(a.targets, target), append(a.auth, auth)
}

func (a *asked) list() ([]string, []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.targets, a.auth
}

// splice carries bytes both ways until either side ends.
func splice(a, b net.Conn) {
	var group sync.WaitGroup
	for _, pair := range [][2]net.Conn{{a, b}, {b, a}} {
		group.Go(func() {
			_, _ = io.Copy(pair[0], pair[1])
			_ = pair[0].Close()
		})
	}
	group.Wait()
}

// connectProxy tunnels; where answer is set, it writes that instead.
type connectProxy struct {
	*httptest.Server
	asked
}

func newConnectProxy(t *testing.T, answer func(net.Conn)) *connectProxy {
	p := &connectProxy{}
	p.Server = httptest.NewServer(p.handler(answer))
	t.Cleanup(p.Close)
	return p
}

func (p *connectProxy) handler(answer func(net.Conn)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p.add(r.Method+" "+r.RequestURI+" "+r.Host, r.Header.Get("Proxy-Authorization"))
		client, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = client.Close() }()
		if answer != nil {
			answer(client)
			return
		}
		server, err := net.Dial("tcp", r.RequestURI)
		if err != nil {
			_, _ = io.WriteString(client, "HTTP/1.1 502 Bad Gateway\r\n\r\n")
			return
		}
		_, _ = io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n")
		splice(client, server)
	}
}

func (p *connectProxy) url() *url.URL {
	u, _ := url.Parse(p.URL)
	return u
}

// socks5 is a small SOCKS5 proxy.
type socks5 struct {
	net.Listener
	asked
	user, password string
}

func newSOCKS5(t *testing.T, user, password string) *socks5 {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &socks5{Listener: l, user: user, password: password}
	var group sync.WaitGroup
	group.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			group.Go(func() {
				defer func() { _ = conn.Close() }()
				s.serve(conn)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		group.Wait()
	})
	return s
}

func (s *socks5) url() *url.URL {
	u := &url.URL{Scheme: "socks5", Host: s.Addr().String()}
	if s.user != "" {
		u.User = url.UserPassword(s.user, s.password)
	}
	return u
}

func (s *socks5) serve(conn net.Conn) {
	r := bufio.NewReader(conn)
	read := func(n byte) []byte {
		b := make([]byte, n)
		_, _ = io.ReadFull(r, b)
		return b
	}
	read(read(2)[1]) // version, methods
	credentials := ""
	if s.user == "" {
		_, _ = conn.Write([]byte{5, 0})
	} else {
		_, _ = conn.Write([]byte{5, 2})
		name := read(read(2)[1])
		credentials = string(name) + ":" + string(read(read(1)[0]))
		_, _ = conn.Write([]byte{1, 0})
	}
	var target string
	switch read(4)[3] {
	case 1:
		target = netip.AddrFrom4([4]byte(read(4))).String()
	case 4:
		target = netip.AddrFrom16([16]byte(read(16))).String()
	case 3:
		target = "name " + string(read(read(1)[0]))
	}
	address := net.JoinHostPort(target, strconv.Itoa(int(binary.BigEndian.Uint16(read(2)))))
	s.add(address, credentials)
	server, err := net.Dial("tcp", address)
	if err != nil {
		_, _ = conn.Write([]byte{5, 5, 0, 1, 0, 0, 0, 0, 0, 0})
		return
	}
	_, _ = conn.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	splice(conn, server)
}

// proxies are all kinds, with a way to see what they were asked for.
func proxies(t *testing.T) map[string]struct {
	url   *url.URL
	asked *asked
} {
	connect, socks := newConnectProxy(t, nil), newSOCKS5(t, "", "")
	return map[string]struct {
		url   *url.URL
		asked *asked
	}{"CONNECT": {connect.url(), &connect.asked}, "SOCKS5": {socks.url(), &socks.asked}}
}

func TestLesson12_ProxyGetsTheCheckedAddress(t *testing.T) {
	t.Parallel()
	plain, secure := newEndpoint(t, false, proto), newEndpoint(t, true, proto)
	for name, proxy := range proxies(t) {
		o := TransportOptions{Resolver: resolves("example.com", "10.0.0.1", "127.0.0.1"), TLSConfig: secure.roots(), Proxy: proxy.url}
		c := newClient(t, loopbackPolicy(), o)
		_, body, err := post(t, c, "https://example.com:"+secure.port())
		require.NoError(t, err, name)
		require.Equal(t, "HTTP/2.0 example.com:"+secure.port(), string(body), "host and certificate keep the name")
		_, body, err = post(t, c, "http://example.com:"+plain.port())
		require.NoError(t, err, name)
		require.Equal(t, "HTTP/1.1 example.com:"+plain.port(), string(body))
		targets, _ := proxy.asked.list()
		require.Len(t, targets, 2)
		require.Contains(t, targets[0], "127.0.0.1:"+secure.port())
		require.Contains(t, targets[1], "127.0.0.1:"+plain.port())
		require.NotContains(t, strings.Join(targets, " "), "example.com")
	}
}

func TestLesson12_ProxyIsNotAskedForWhatIsRefused(t *testing.T) {
	t.Parallel()
	for name, proxy := range proxies(t) {
		for what, addr := range notPublic {
			o := TransportOptions{Resolver: resolves("evil.example", addr), Proxy: proxy.url}
			// The proxy itself is on loopback, which this policy does not permit: it is the operator's choice.
			c := newClient(t, &Policy{AllowHTTP: true}, o)
			for _, scheme := range []string{"http", "https"} {
				_, _, err := post(t, c, scheme+"://evil.example/")
				require.Equal(t, KindBlocked, KindOf(err), "%s %s %s: %v", name, scheme, what, err)
			}
		}
		targets, _ := proxy.asked.list()
		require.Empty(t, targets)
	}
}

func TestLesson28_ProxyIsNotAskedForTheAdminAddress(t *testing.T) {
	t.Parallel()
	admin := newEndpoint(t, false, proto)
	for name, proxy := range proxies(t) {
		p := loopbackPolicy()
		p.Forbidden = func() []netip.AddrPort {
			return []netip.AddrPort{netip.MustParseAddrPort(admin.Listener.Addr().String())}
		}
		c := newClient(t, p, TransportOptions{Resolver: resolves("admin.example", "127.0.0.1"), Proxy: proxy.url})
		for _, host := range []string{"admin.example", "127.0.0.1", "[::1]"} {
			_, _, err := post(t, c, "http://"+host+":"+admin.port())
			require.Equal(t, KindBlocked, KindOf(err), "%s: %v", name, err)
		}
		targets, _ := proxy.asked.list()
		require.Empty(t, targets)
	}
	require.Zero(t, admin.conns.Load())
}

func TestProxyCredentials(t *testing.T) {
	t.Parallel()
	plain := newEndpoint(t, false, proto)
	connect, socks := newConnectProxy(t, nil), newSOCKS5(t, "user", "pass:word")
	u := connect.url()
	u.User = url.UserPassword("user", "pass:word")
	for _, proxy := range []*url.URL{u, socks.url()} {
		_, _, err := post(t, newClient(t, loopbackPolicy(), TransportOptions{Proxy: proxy}), plain.URL)
		require.NoError(t, err)
	}
	_, auth := connect.list()
	require.Equal(t, []string{"Basic " + base64.StdEncoding.EncodeToString([]byte("user:pass:word"))}, auth)
	_, auth = socks.list()
	require.Equal(t, []string{"user:pass:word"}, auth)
}

func TestProxyByHTTPS(t *testing.T) {
	t.Parallel()
	secure := newEndpoint(t, true, proto)
	p := &connectProxy{}
	p.Server = httptest.NewUnstartedServer(p.handler(nil))
	p.Config.ErrorLog = log.New(io.Discard, "", 0)
	p.StartTLS() // With the endpoint's certificate.
	t.Cleanup(p.Close)
	_, body, err := post(t, newClient(t, loopbackPolicy(), TransportOptions{Proxy: p.url(), TLSConfig: secure.roots()}), secure.URL)
	require.NoError(t, err)
	require.Contains(t, string(body), "HTTP/2.0")

	_, _, err = post(t, newClient(t, loopbackPolicy(), TransportOptions{Proxy: p.url()}), secure.URL)
	require.Equal(t, KindProxy, KindOf(err), "lesson 13: the proxy's certificate is verified too: %v", err)
}

func TestProxyErrors(t *testing.T) {
	t.Parallel()
	plain := newEndpoint(t, false, proto)
	port, err := freeport.Find()
	require.NoError(t, err)
	closed := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	writes := func(text string) *url.URL {
		return newConnectProxy(t, func(c net.Conn) { _, _ = io.WriteString(c, text) }).url()
	}
	endless := newConnectProxy(t, func(c net.Conn) {
		_, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nX: ")
		for err == nil {
			_, err = io.WriteString(c, strings.Repeat("x", 4096))
		}
	}).url()
	for name, tt := range map[string]struct {
		proxy *url.URL
		says  string
	}{
		"down":                {&url.URL{Scheme: "http", Host: closed}, "connecting to it"},
		"SOCKS5 down":         {&url.URL{Scheme: "socks5", Host: closed}, "connecting through it"},
		"not TLS":             {&url.URL{Scheme: "https", Host: plain.Listener.Addr().String()}, "TLS"},
		"no proxy":            {&url.URL{Scheme: "socks5", Host: greets(t, "HTTP/1.1 400 Bad Request\r\n\r\n")}, "connecting through it"},
		"declines":            {writes("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"), "status 407"},
		"not HTTP":            {writes("hello\r\n\r\n"), "in HTTP"},
		"says nothing":        {writes(""), "in HTTP"},
		"endless header":      {endless, "in HTTP"},
		"speaks out of turn":  {writes("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n"), "more than"},
		"target out of reach": {newSOCKS5(t, "", "").url(), "connecting through it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := plain.URL
			if name == "target out of reach" {
				target = "http://" + closed
			}
			_, _, err := post(t, newClient(t, loopbackPolicy(), TransportOptions{Proxy: tt.proxy}), target)
			require.Equal(t, KindProxy, KindOf(err), err)
			require.Contains(t, Describe(err), tt.says)
			require.NotContains(t, Describe(err), "127.0.0.1")
		})
	}
}

// greets listens and writes text to whoever connects first.
func greets(t *testing.T, text string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var group sync.WaitGroup
	group.Go(func() {
		if conn, err := l.Accept(); err == nil {
			_, _ = io.WriteString(conn, text)
			_ = conn.Close()
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		group.Wait()
	})
	return l.Addr().String()
}

func TestProxyThatHangs(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // The kernel accepts, nobody answers.
	require.NoError(t, err)
	t.Cleanup(func() { _ = silent.Close() })
	for _, scheme := range []string{"http", "https", "socks5"} {
		o := TransportOptions{Proxy: &url.URL{Scheme: scheme, Host: silent.Addr().String()}, DialTimeout: 30 * time.Millisecond}
		_, _, err := post(t, newClient(t, loopbackPolicy(), o), "http://127.0.0.1:9/")
		require.Equal(t, KindProxy, KindOf(err), "%s: %v", scheme, err)
		require.Contains(t, Describe(err), "in time")
		var timeout net.Error
		require.ErrorAs(t, err, &timeout)
		require.True(t, timeout.Timeout())
	}
}

func TestProxyDefaultPorts(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"http://p.example": "p.example:80", "https://p.example": "p.example:443", "socks5://p.example": "p.example:1080",
		"http://[2606:4700::1]:3128": "[2606:4700::1]:3128",
	} {
		u, err := url.Parse(raw)
		require.NoError(t, err)
		require.Equal(t, want, hostPort(u))
	}
}
