// Package destination says where deliveries may go, and makes sure that they go nowhere else: the
// guard against server-side request forgery.
//
// A webhook's URL is chosen by a stranger. What is wrong with its text is refused when it is
// registered ([Policy.CheckURL]); everything else is judged by the address that is actually dialled
// ([Policy.Allowed], called by the transport of [NewTransport]), so nothing is gained by a name that
// resolves to another address a second later:
//
//	raw URL ──CheckURL──► *url.URL ──► Transport ──resolve──► addresses ──Allowed──► dial, or hand
//	                                                          (each one)              to the proxy
//
// What is refused, and what permits it:
//
//	                                                       public  AllowPrivate  Allow (CIDR)
//	global unicast                                         yes     yes           yes
//	RFC 1918, unique local (fc00::/7)                      no      yes           yes
//	everything else in the special-purpose registries:     no      no            yes
//	loopback, link-local, shared (CGNAT), metadata, ...
//	this server's own admin addresses (Forbidden)          never   never         never
//
// Shared address space (100.64.0.0/10) is not part of AllowPrivate, although it is not public: a cloud
// keeps its metadata service there, and overlay networks keep hosts there that nobody thinks of as the
// local network. The metadata services inside the unique local range are not part of it either.
//
// An address that carries an IPv4 address within it (6to4, NAT64, Teredo, ISATAP, IPv4-compatible,
// IPv4-translated) is refused like anything else that is not public, and where a CIDR permits it, the
// IPv4 address within must be permitted too. A sender in an IPv6-only network with DNS64 therefore
// needs allow_networks 64:ff9b::/96, and still can't be led to 64:ff9b::7f00:1.
//
//	p := &destination.Policy{AllowPrivate: true}
//	if _, err := p.CheckURL("https://hooks.example.com/in"); err != nil { ... }
//	client := &http.Client{
//		Transport:     destination.NewTransport(p, destination.TransportOptions{}),
//		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
//	}
package destination

import (
	"net"
	"net/netip"
)

// Policy says which destinations are permitted. The zero value permits public addresses by https. It
// must not change while it is used.
type Policy struct {
	// AllowHTTP permits http:// URLs. Default: https only.
	AllowHTTP bool
	// Allow lists networks that are permitted although they are not public. It is the only way to permit
	// loopback and link-local addresses. Default: none.
	Allow []netip.Prefix
	// AllowPrivate permits the private networks of RFC 1918 and RFC 4193, without loopback, link-local,
	// shared and metadata addresses. Default: false.
	AllowPrivate bool
	// Forbidden returns this server's own admin addresses, which are refused whatever else permits them.
	// An unspecified, loopback or interface address stands for every local address with that port.
	// It is called for every check, so its answer may change with a reload. Default: none.
	Forbidden func() []netip.AddrPort

	// interfaces lists the local addresses; net.InterfaceAddrs where nil.
	interfaces func() ([]net.Addr, error)
}

// Allowed returns nil where a may be delivered to, otherwise a *[Blocked].
func (p *Policy) Allowed(a netip.AddrPort) error {
	// A zone would make every netip.Prefix miss, and a mapped address would miss the IPv4 ones.
	addr := a.Addr().WithZone("").Unmap()
	if !addr.IsValid() {
		return &Blocked{Addr: a, Reason: "not an IP address"}
	}
	carries := ""
	for _, each := range append([]netip.Addr{addr}, embedded(addr)...) {
		if p.isAdminAddress(netip.AddrPortFrom(each, a.Port())) {
			return &Blocked{Addr: a, Reason: "the admin address of this server", Own: true}
		}
		if reason := p.refusal(each); reason != "" {
			return &Blocked{Addr: a, Reason: carries + reason}
		}
		carries = "an address that carries an IPv4 address: "
	}
	return nil
}

// refusal returns why addr is not permitted, or "".
func (p *Policy) refusal(addr netip.Addr) string {
	b := classify(addr)
	if b.public() || (p.AllowPrivate && b.private) {
		return ""
	}
	for _, prefix := range p.Allow {
		if covers(prefix, addr) {
			return ""
		}
	}
	return b.name
}

// covers reports whether prefix contains addr. Unlike Prefix.Contains it understands prefixes in
// IPv4-mapped form.
func covers(prefix netip.Prefix, addr netip.Addr) bool {
	if prefix.Addr().Is4In6() && prefix.Bits() >= 96 {
		prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96)
	}
	return prefix.Contains(addr)
}

// isAdminAddress reports whether a is one of this server's admin addresses, by any of its local names.
func (p *Policy) isAdminAddress(a netip.AddrPort) bool {
	if p.Forbidden == nil {
		return false
	}
	for _, f := range p.Forbidden() {
		if f.Port() != a.Port() {
			continue
		}
		addr := f.Addr().WithZone("").Unmap()
		// An admin address that is not valid counts as every local address.
		if addr == a.Addr() || ((!addr.IsValid() || p.isLocal(addr)) && p.isLocal(a.Addr())) {
			return true
		}
	}
	return false
}

// isLocal reports whether a dial to addr ends at this host. It reads the list of interfaces each time, as
// a cached list would miss a new one; that may be slow, for only addresses with an admin port come here.
func (p *Policy) isLocal(addr netip.Addr) bool {
	if addr.IsLoopback() || addr.IsUnspecified() {
		return true
	}
	interfaces := p.interfaces
	if interfaces == nil {
		interfaces = net.InterfaceAddrs
	}
	list, err := interfaces()
	if err != nil {
		return true // Better one delivery refused than the admin endpoint reached.
	}
	for _, a := range list {
		n, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		if ip, ok := netip.AddrFromSlice(n.IP); ok && ip.Unmap() == addr {
			return true
		}
	}
	return false
}
