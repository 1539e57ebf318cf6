package receiver

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// slowBody is a connection of a client that announced a body and sends it as slowly as it likes.
type slowBody struct {
	net.Conn
	t *testing.T
}

// answer is what the gateway says.
func (s *slowBody) answer() *http.Response {
	resp, err := http.ReadResponse(bufio.NewReader(s.Conn), nil)
	require.NoError(s.t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(s.t, err)
	require.Empty(s.t, body, "who is refused is not told why")
	return resp
}

func (g *gateway) held() int64 {
	u := g.bodies.unfinished
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.total
}

func TestLesson66_SlowBodies(t *testing.T) {
	t.Parallel()
	// What is sent at once comes in one write, so no stall between two of them can let the gateway's time pass.
	open := func(t *testing.T, g *gateway) func(client string, length, sent int) *slowBody {
		server := httptest.NewServer(g)
		t.Cleanup(server.Close)
		return func(client string, length, sent int) *slowBody {
			conn, err := net.Dial("tcp", server.Listener.Addr().String())
			require.NoError(t, err)
			t.Cleanup(func() { _ = conn.Close() })
			_, err = fmt.Fprintf(conn, "POST /webhooks HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.1, %s\r\nX-VideoCloud-Signature: %s\r\nContent-Length: %d\r\n\r\n%s",
				client, sign(strings.Repeat("x", length)), length, strings.Repeat("x", sent))
			require.NoError(t, err)
			return &slowBody{conn, t}
		}
	}
	t.Run("one that never comes", func(t *testing.T) {
		t.Parallel()
		for _, sent := range []int{0, 10} {
			dial := open(t, newGateway(t, func(o *Options) { o.Config.ReadTimeout = 20 * time.Millisecond }))
			s := dial("198.51.100.1", 1000, sent)
			require.Equal(t, http.StatusRequestTimeout, s.answer().StatusCode)
		}
	})
	t.Run("received bytes are bounded, for one client and for all", func(t *testing.T) {
		t.Parallel()
		g := newGateway(t, func(o *Options) { o.Config.MaxUnfinished, o.Config.ReadTimeout = 40_000, time.Hour })
		dial := open(t, g)
		start := func(client string, want int64) *slowBody {
			s := dial(client, 30_000, 8000)
			require.Eventually(t, func() bool { return g.held() == want }, time.Minute, time.Millisecond)
			return s
		}
		refused := func(client string) {
			s := dial(client, 30_000, 8000)
			resp := s.answer()
			require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
			require.Equal(t, "1", resp.Header.Get("Retry-After"))
		}
		first := start("198.51.100.1", 8000)
		refused("198.51.100.1")
		start("[2001:db8::1]:1234", 16_000)
		refused("2001:db8::2")
		start("2001:db8:0:1::1", 24_000)
		for i := range 5 { // what is only announced counts for nothing
			dial(fmt.Sprintf("198.51.100.%d", 100+i), 5<<20, 0)
		}
		start("198.51.100.2", 32_000)
		start("198.51.100.3", 40_000)
		refused("198.51.100.4")
		require.NoError(t, first.Close())
		require.Eventually(t, func() bool { return g.held() == 32_000 }, time.Minute, time.Millisecond)
		start("198.51.100.4", 40_000)
		requireAccepted(t, g.deliver(strings.Repeat("y", 15_000), "")) // in one piece, so never counted
	})
	t.Run("what is over is not counted any more", func(t *testing.T) {
		t.Parallel()
		g := newGateway(t, func(o *Options) { o.Config.MaxUnfinished = 400_000 })
		for range 20 {
			requireAccepted(t, g.deliver(strings.Repeat("z", 90_000)+time.Now().String(), ""))
			require.Zero(t, g.held())
		}
	})
}

func TestCountedAs(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ client, forwarded, want string }{
		"a client":                       {"198.51.100.7", "192.0.2.1", "198.51.100.7/32"},
		"a client by IPv6":               {"2001:db8:1:2:3::1", "", "2001:db8:1:2::/64"},
		"a mapped client":                {"::ffff:198.51.100.7", "", "198.51.100.7/32"},
		"a proxy here":                   {"127.0.0.1", "192.0.2.1, 198.51.100.7", "198.51.100.7/32"},
		"a proxy here by IPv6":           {"::1", "198.51.100.7:80", "198.51.100.7/32"},
		"a proxy here that says naught":  {"127.0.0.1", "", "127.0.0.1/32"},
		"a proxy here that says rubbish": {"127.0.0.1", "unknown", "127.0.0.1/32"},
		"a socket":                       {"", "198.51.100.7", "198.51.100.7/32"},
		"nothing":                        {"", "", "invalid Prefix"},
	} {
		h := http.Header{}
		if test.forwarded != "" {
			h.Set("X-Forwarded-For", test.forwarded)
		}
		client, _ := netip.ParseAddr(test.client)
		require.Equal(t, test.want, clientNetwork(client, h).String(), name)
	}
}
