package receiver

import (
	"net/http"
	"net/netip"
)

// sources are the addresses that may send.
type sources struct {
	prefixes []netip.Prefix
	further  func(*http.Request, netip.Addr) bool
	client   func(*http.Request) netip.Addr
}

func newSources(prefixes []netip.Prefix, client func(*http.Request) netip.Addr, further func(*http.Request, netip.Addr) bool) sources {
	s := sources{further: further, client: client}
	for _, p := range prefixes {
		s.prefixes = append(s.prefixes, unmap(p))
	}
	if s.client == nil {
		s.client = peer
	}
	return s
}

// allow reports whether the request's address may send. A request whose address is not known may not, where there is a list.
func (s *sources) allow(r *http.Request) (netip.Addr, bool) {
	if len(s.prefixes) == 0 && s.further == nil {
		return netip.Addr{}, true
	}
	// An IPv4 client of a socket that takes both arrives as ::ffff:1.2.3.4, which no IPv4 prefix contains.
	addr := s.client(r).Unmap().WithZone("")
	if !addr.IsValid() {
		return addr, false
	}
	for _, p := range s.prefixes {
		if p.Contains(addr) {
			return addr, true
		}
	}
	return addr, s.further != nil && s.further(r, addr)
}

func peer(r *http.Request) netip.Addr {
	a, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return a.Addr()
}

// unmap turns ::ffff:1.2.3.0/120 into 1.2.3.0/24. A prefix shorter than /96 is kept as it is: as an IPv4 prefix it
// would be all addresses, which nobody means.
func unmap(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96).Masked()
	}
	return p.Masked()
}
