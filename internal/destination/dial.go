package destination

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// Resolver looks up the addresses of a name. *net.Resolver implements it.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

const (
	// stagger is how long an address is tried alone before the next one is tried as well (RFC 8305).
	stagger = 250 * time.Millisecond
	// maxAddresses bounds how many addresses one name can make this host connect to: a name's owner may
	// list thousands of somebody else's.
	maxAddresses = 64
)

// dialer connects to permitted addresses only.
type dialer struct {
	policy    *Policy
	resolver  Resolver
	tls       *tls.Config
	timeout   time.Duration // to connect, resolving included
	handshake time.Duration // of TLS

	// connect reaches one address that the policy permits, directly or through the proxy.
	connect func(ctx context.Context, a netip.AddrPort) (net.Conn, error)
}

// dial implements http.Transport.DialContext.
func (d *dialer) dial(ctx context.Context, _, address string) (net.Conn, error) {
	host, port, err := splitAddr(address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	addrs, err := d.permitted(ctx, host, port)
	if err != nil {
		return nil, err
	}
	conn, err := d.race(ctx, addrs)
	if err != nil {
		return nil, err
	}
	return newWire(ctx, conn), nil
}

// dialTLS implements http.Transport.DialTLSContext. The certificate is verified against the host of the
// URL, even where the connection runs through a proxy, which is given only the address.
func (d *dialer) dialTLS(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := d.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	wire := conn.(*wire) // what dial returns
	config := d.tls.Clone()
	config.ServerName, _, _ = net.SplitHostPort(address) // it can be split: dial did so too
	wire.handshakeDone.Store(false)
	kept := sessionCache{ClientSessionCache: config.ClientSessionCache, wire: wire}
	if i := identityOf(ctx); i != nil {
		i.offerTo(config)
		kept.identity = i.fingerprint
	}
	config.ClientSessionCache = kept
	ctx, cancel := context.WithTimeout(ctx, d.handshake)
	defer cancel()
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, unlessCancelled(ctx, handshakeError(err))
	}
	wire.secured = secured
	wire.handshakeDone.Store(true)
	wire.multiplexed = secured.ConnectionState().NegotiatedProtocol == "h2"
	return secured, nil
}

// permitted resolves host and returns those of its addresses that the policy permits, at most
// maxAddresses of them. Where it permits none, the error is a *[Blocked].
func (d *dialer) permitted(ctx context.Context, host string, port uint16) ([]netip.AddrPort, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		a := netip.AddrPortFrom(addr.Unmap(), port)
		if err := d.policy.Allowed(a); err != nil {
			return nil, err
		}
		return []netip.AddrPort{a}, nil
	}
	addrs, err := d.resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, unlessCancelled(ctx, lookupError(host, err))
	}
	if len(addrs) == 0 {
		return nil, lookupError(host, &net.DNSError{Err: "no addresses", Name: host, IsNotFound: true})
	}
	var permitted []netip.AddrPort
	var refused error
	for _, addr := range addrs {
		a := netip.AddrPortFrom(addr.Unmap(), port)
		if err := d.policy.Allowed(a); err != nil {
			if b, ok := errors.AsType[*Blocked](err); ok {
				b.Host = host
			}
			refused = err
			continue
		}
		if !slices.Contains(permitted, a) && len(permitted) < maxAddresses {
			permitted = append(permitted, a)
		}
	}
	if len(permitted) == 0 {
		return nil, refused
	}
	return interleave(permitted), nil
}

// interleave alternates the address families, the resolver's preferred one first, so that a family
// without a route costs one stagger and not one for each of its addresses.
func interleave(addrs []netip.AddrPort) []netip.AddrPort {
	var first, second []netip.AddrPort
	for _, a := range addrs {
		if a.Addr().Is4() == addrs[0].Addr().Is4() {
			first = append(first, a)
		} else {
			second = append(second, a)
		}
	}
	mixed := make([]netip.AddrPort, 0, len(addrs))
	for i := range max(len(first), len(second)) {
		if i < len(first) {
			mixed = append(mixed, first[i])
		}
		if i < len(second) {
			mixed = append(mixed, second[i])
		}
	}
	return mixed
}

// race tries the addresses in order and returns the first connection. The next address is tried after
// stagger, or at once when one has failed. Where all fail, the error is the first failure.
func (d *dialer) race(ctx context.Context, addrs []netip.AddrPort) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if len(addrs) == 1 {
		return d.connect(ctx, addrs[0])
	}
	type result struct {
		conn net.Conn
		err  error
	}
	results := make(chan result, len(addrs)) // room for all, so that no goroutine blocks on a result that nobody reads
	started, pending := 0, 0
	start := func() {
		a := addrs[started]
		started++
		pending++
		go func() {
			conn, err := d.connect(ctx, a)
			results <- result{conn, err}
		}()
	}
	timer := time.NewTimer(stagger)
	defer timer.Stop()
	start()
	var failure error
	for pending > 0 {
		select {
		case r := <-results:
			pending--
			if r.err == nil {
				cancel()
				go func() {
					for range pending {
						if late := <-results; late.conn != nil {
							_ = late.conn.Close()
						}
					}
				}()
				return r.conn, nil
			}
			if failure == nil {
				failure = r.err
			}
		case <-timer.C:
		}
		if started < len(addrs) && ctx.Err() == nil {
			start()
			timer.Reset(stagger)
		}
	}
	return nil, failure
}

// direct returns a function that connects without a proxy. Control checks the address once more on the
// socket itself: whatever is changed in the code above, no address is connected to unchecked.
func (d *dialer) direct() func(context.Context, netip.AddrPort) (net.Conn, error) {
	nd := plainDialer()
	nd.Control = func(_, address string, _ syscall.RawConn) error {
		a, err := netip.ParseAddrPort(address)
		if err != nil {
			return &Blocked{Reason: "not an IP address"}
		}
		return d.policy.Allowed(a)
	}
	return func(ctx context.Context, a netip.AddrPort) (net.Conn, error) {
		conn, err := nd.DialContext(ctx, "tcp", a.String())
		if err == nil {
			return conn, nil
		}
		if KindOf(err) != KindBlocked {
			err = connectError(err)
		}
		return nil, unlessCancelled(ctx, err)
	}
}

// plainDialer returns a dialer whose connections notice within a minute that the other side has gone.
func plainDialer() *net.Dialer {
	return &net.Dialer{KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: 20 * time.Second, Interval: 10 * time.Second, Count: 3,
	}}
}
