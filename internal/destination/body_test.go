package destination

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// writes counts the system calls with which a connection sends.
type writes struct {
	net.Conn
	n *atomic.Int64
}

func (w writes) Write(b []byte) (int, error) {
	w.n.Add(1)
	return w.Conn.Write(b)
}

// countWrites has all of a transport's connections to plain HTTP counted together.
func countWrites(tr *Transport) *atomic.Int64 {
	n := new(atomic.Int64)
	tr.pool.transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return newWire(ctx, writes{c, n}), nil
	}
	return n
}

// A request of a usual size leaves in one piece, head and body, and so does one that is begun again.
func TestHeadAndBodyLeaveTogether(t *testing.T) {
	t.Parallel()
	got := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- string(body)
	}))
	t.Cleanup(server.Close)
	tr := newTransport(t, TransportOptions{})
	n := countWrites(tr)
	content := strings.Repeat("x", 2000)
	for i := range 3 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, nil)
		require.NoError(t, err)
		r.Body, r.ContentLength = NewBody([]byte(content)), int64(len(content))
		body := r.Body
		res, err := tr.RoundTrip(r)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, content, <-got)
		require.Equal(t, body, r.Body, "a transport leaves its caller's request as it is")
		require.EqualValues(t, i+1, n.Load())
	}
}

func BenchmarkRoundTrip(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	b.Cleanup(server.Close)
	tr := NewTransport(loopbackPolicy(), TransportOptions{})
	b.Cleanup(tr.CloseIdleConnections)
	n := countWrites(tr)
	content := []byte(strings.Repeat("x", 1024))
	b.ReportAllocs()
	for b.Loop() {
		r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, server.URL, nil)
		require.NoError(b, err)
		r.Body, r.ContentLength = NewBody(content), int64(len(content))
		res, err := tr.RoundTrip(r)
		require.NoError(b, err)
		require.NoError(b, res.Body.Close())
	}
	b.ReportMetric(float64(n.Load())/float64(b.N), "writes/op")
}
