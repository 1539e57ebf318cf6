package destination

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/freeport"
)

// names is a resolver. A name has answers for the first, second, ... lookup; the last one stays.
type names struct {
	answers map[string][][]netip.Addr
	err     error
	lookups atomic.Int32
}

func (n *names) LookupNetIP(ctx context.Context, _, host string) ([]netip.Addr, error) {
	count := int(n.lookups.Add(1))
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if n.err != nil {
		return nil, n.err
	}
	list, ok := n.answers[host]
	if !ok {
		return nil, &net.DNSError{Err: "no such host", Name: host, Server: "192.0.2.53:53", IsNotFound: true}
	}
	return list[min(count, len(list))-1], nil
}

// resolves is a resolver that knows one name.
func resolves(name string, list ...string) *names {
	addrs := make([]netip.Addr, len(list))
	for i, a := range list {
		addrs[i] = netip.MustParseAddr(a)
	}
	return &names{answers: map[string][][]netip.Addr{name: {addrs}}}
}

// attempts records what was connected to.
func attempts(p *Policy, r Resolver) (*dialer, *[]string) {
	var seen []string
	return &dialer{policy: p, resolver: r, timeout: time.Minute, connect: func(_ context.Context, a netip.AddrPort) (net.Conn, error) {
		seen = append(seen, a.String())
		return nil, connectError(syscall.ECONNREFUSED)
	}}, &seen
}

func TestLesson12_JudgedByTheAddressDialled(t *testing.T) {
	t.Parallel()
	for name, addr := range notPublic {
		d, seen := attempts(&Policy{}, resolves("evil.example", addr))
		_, err := d.dial(t.Context(), "tcp", "evil.example:443")
		var b *Blocked
		require.ErrorAs(t, err, &b, name)
		require.Equal(t, "evil.example", b.Host)
		require.Equal(t, KindBlocked, KindOf(err))
		require.Contains(t, b.Error(), b.Addr.Addr().String(), "the operator learns what would have been dialled")
		require.Equal(t, NotPublic, Describe(err), "the owner would learn what an internal name resolves to")
		require.Empty(t, *seen)

		_, err = d.dial(t.Context(), "tcp", net.JoinHostPort(addr, "443"))
		require.Equal(t, KindBlocked, KindOf(err), name)
		require.Empty(t, *seen)
	}
}

func TestLesson12_AnswerThatChanges(t *testing.T) {
	t.Parallel()
	public, private := netip.MustParseAddr("8.8.8.8"), netip.MustParseAddr("127.0.0.1")
	r := &names{answers: map[string][][]netip.Addr{"rebind.example": {{public}, {private}}}}
	d, seen := attempts(&Policy{}, r)
	_, err := d.dial(t.Context(), "tcp", "rebind.example:443")
	require.Equal(t, KindRefused, KindOf(err))
	require.Equal(t, []string{"8.8.8.8:443"}, *seen)
	require.EqualValues(t, 1, r.lookups.Load(), "what was checked is what is dialled")

	_, err = d.dial(t.Context(), "tcp", "rebind.example:443")
	require.Equal(t, KindBlocked, KindOf(err))
	require.Len(t, *seen, 1)
}

func TestLesson12_OnlyThePermittedOfAMix(t *testing.T) {
	t.Parallel()
	d, seen := attempts(&Policy{}, resolves("mixed.example", "10.0.0.1", "8.8.8.8", "::1", "::ffff:8.8.8.8", "2606:4700::1", "8.8.4.4", "fe80::1%eth0"))
	_, err := d.dial(t.Context(), "tcp", "mixed.example:443")
	require.Equal(t, KindRefused, KindOf(err))
	require.Equal(t, []string{"8.8.8.8:443", "[2606:4700::1]:443", "8.8.4.4:443"}, *seen, "each one tried, once, families in turn")
}

func TestAddressesAreBounded(t *testing.T) {
	t.Parallel()
	var list []string
	for i := range 1000 {
		list = append(list, netip.AddrFrom4([4]byte{8, 8, byte(i >> 8), byte(i)}).String())
	}
	d, seen := attempts(&Policy{}, resolves("many.example", list...))
	_, err := d.dial(t.Context(), "tcp", "many.example:443")
	require.Error(t, err)
	require.Len(t, *seen, maxAddresses)
}

// The socket itself is checked too: here everything before it was got past.
func TestLesson12_LastCheckIsOnTheSocket(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	connect := (&dialer{policy: &Policy{}}).direct()
	_, err = connect(t.Context(), netip.MustParseAddrPort(l.Addr().String()))
	require.Equal(t, KindBlocked, KindOf(err))
}

func TestLesson12_EveryResolvedAddressIsTried(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	d := &dialer{
		policy: &Policy{Allow: prefixes("127.0.0.0/8")}, timeout: time.Minute,
		resolver: resolves("a.example", "127.0.0.4", "127.0.0.3", "127.0.0.2", "127.0.0.1"),
	}
	d.connect = d.direct()
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	conn, err := d.dial(t.Context(), "tcp", net.JoinHostPort("a.example", port))
	require.NoError(t, err)
	require.Equal(t, l.Addr().String(), conn.RemoteAddr().String())
	require.NoError(t, conn.Close())
}

// tracked is a connection that knows whether it was closed.
type tracked struct {
	net.Conn
	closed atomic.Bool
}

func (c *tracked) Close() error {
	c.closed.Store(true)
	return nil
}

func TestRaceHasAHeadStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hangs, late, wins := addrPort("8.8.8.1", 443), addrPort("8.8.8.2", 443), addrPort("8.8.8.3", 443)
		lateConn, winner := &tracked{}, &tracked{}
		var cancelled atomic.Bool
		decided := make(chan struct{})
		d := &dialer{connect: func(ctx context.Context, a netip.AddrPort) (net.Conn, error) {
			switch a {
			case hangs:
				<-ctx.Done()
				cancelled.Store(true)
				return nil, ctx.Err()
			case late: // Answers although it was told to stop.
				<-decided
				return lateConn, nil
			}
			return winner, nil
		}}
		start := time.Now()
		conn, err := d.race(t.Context(), []netip.AddrPort{hangs, late, wins})
		require.NoError(t, err)
		require.Same(t, winner, conn)
		require.Equal(t, 2*stagger, time.Since(start))
		close(decided)
		synctest.Wait()
		require.True(t, cancelled.Load())
		require.True(t, lateConn.closed.Load(), "a connection nobody wants is closed")
		require.False(t, winner.closed.Load())
	})
}

func TestRaceWithoutAWinner(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		var tried atomic.Int32
		d := &dialer{connect: func(ctx context.Context, a netip.AddrPort) (net.Conn, error) {
			if tried.Add(1) == 2 {
				return nil, connectError(syscall.ECONNREFUSED)
			}
			<-ctx.Done()
			return nil, connectError(ctx.Err())
		}}
		start := time.Now()
		_, err := d.race(ctx, []netip.AddrPort{addrPort("8.8.8.1", 1), addrPort("8.8.8.2", 1), addrPort("8.8.8.3", 1)})
		require.Equal(t, KindRefused, KindOf(err), "the first failure counts")
		require.Equal(t, 10*time.Second, time.Since(start))
		require.EqualValues(t, 3, tried.Load())
	})
}

func TestDialErrors(t *testing.T) {
	t.Parallel()
	port, err := freeport.Find()
	require.NoError(t, err)
	closed := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	loopback := &Policy{Allow: prefixes("127.0.0.0/8")}
	for name, tt := range map[string]struct {
		address  string
		resolver *names
		kind     Kind
		says     string
		timeout  bool
	}{
		"no such host":          {"none.example:443", resolves("a.example"), KindDNS, NotPublic, false},
		"no addresses":          {"a.example:443", resolves("a.example"), KindDNS, NotPublic, false},
		"name server fails":     {"a.example:443", &names{err: &net.DNSError{Err: "server misbehaving", Server: "192.0.2.53:53"}}, KindDNS, NotPublic, false},
		"name server times out": {"a.example:443", &names{err: &net.DNSError{Err: "i/o timeout", IsTimeout: true}}, KindDNS, NotPublic, true},
		"refused":               {closed, nil, KindRefused, "connection refused", false},
		"bad port":              {"127.0.0.1:http", nil, KindConnect, "port", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &dialer{policy: loopback, resolver: tt.resolver, timeout: time.Minute, handshake: time.Minute, tls: clientTLS(nil)}
			d.connect = d.direct()
			for _, dial := range []func(context.Context, string, string) (net.Conn, error){d.dial, d.dialTLS} {
				_, err := dial(t.Context(), "tcp", tt.address)
				var e *DialError
				require.ErrorAs(t, err, &e)
				require.Equal(t, tt.kind, e.Kind)
				require.Equal(t, tt.kind, KindOf(err))
				require.Contains(t, Describe(err), tt.says)
				require.Contains(t, e.Error(), e.Err.Error(), "the operator learns the cause")
				require.NotContains(t, Describe(err), "192.0.2.53")
				require.Equal(t, tt.timeout, e.Timeout())
				require.Error(t, errors.Unwrap(e))
			}
		})
	}
}

// Shutdown is not a failed attempt: it must stay recognisable.
func TestLesson21_CancellationStaysCancellation(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, address := range []string{"127.0.0.1:1", "a.example:1"} {
		d := &dialer{policy: &Policy{Allow: prefixes("127.0.0.0/8")}, resolver: resolves("a.example", "127.0.0.1"), timeout: time.Minute}
		d.connect = d.direct()
		_, err := d.dial(ctx, "tcp", address)
		require.ErrorIs(t, err, context.Canceled)
		require.Empty(t, KindOf(err))
		require.Equal(t, "cancelled", Describe(err))
	}
}

func TestDialTimesOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &dialer{
			policy: &Policy{}, resolver: resolves("a.example", "8.8.8.8"), timeout: 10 * time.Second,
			connect: func(ctx context.Context, _ netip.AddrPort) (net.Conn, error) {
				<-ctx.Done()
				return nil, connectError(ctx.Err())
			},
		}
		start := time.Now()
		_, err := d.dial(t.Context(), "tcp", "a.example:443")
		require.Equal(t, KindTimeout, KindOf(err))
		require.Equal(t, 10*time.Second, time.Since(start))
	})
}
