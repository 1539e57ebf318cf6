package destination

import "net/netip"

// block is a range of addresses that are not public.
type block struct {
	prefix  netip.Prefix
	name    string // what the addresses are, for the operator
	private bool   // permitted by Policy.AllowPrivate
}

// public reports whether the address is in no block at all.
func (b block) public() bool { return b.name == "" }

// registry lists what is not public: the IANA IPv4 and IPv6 Special-Purpose Address Registries, the
// multicast and site-local ranges, and metadata services of clouds that lie elsewhere. The first match
// counts, so the narrow ones come first.
//
// Blocks that the registries call globally reachable (AS112, AMT, PCP and TURN anycast, NAT64's
// well-known prefix) are here too: they are infrastructure, and nobody's webhook. To bring the list up
// to date, compare it with https://www.iana.org/assignments/iana-ipv4-special-registry and
// https://www.iana.org/assignments/iana-ipv6-special-registry; its last change is that of RFC 9780.
var registry = func() []block {
	entries := []struct {
		prefix, name string
		private      bool
	}{
		// Metadata services outside link-local, which give credentials to whoever asks.
		{"100.100.100.200/32", "a cloud metadata service", false},
		{"168.63.129.16/32", "a cloud metadata service", false},
		{"192.0.0.192/32", "a cloud metadata service", false},
		{"fd00:c1::a9fe:a9fe/128", "a cloud metadata service", false},
		{"fd00:ec2::/32", "a cloud metadata service", false},
		{"fd20:ce::254/128", "a cloud metadata service", false},

		{"0.0.0.0/8", "this network (RFC 791)", false},
		{"10.0.0.0/8", "a private network (RFC 1918)", true},
		{"100.64.0.0/10", "shared address space (RFC 6598)", false},
		{"127.0.0.0/8", "loopback", false},
		{"169.254.0.0/16", "link-local", false},
		{"172.16.0.0/12", "a private network (RFC 1918)", true},
		{"192.0.0.0/24", "IETF protocol assignments (RFC 6890)", false},
		{"192.0.2.0/24", "documentation (RFC 5737)", false},
		{"192.31.196.0/24", "AS112 (RFC 7535)", false},
		{"192.52.193.0/24", "multicast tunneling (RFC 7450)", false},
		{"192.88.99.0/24", "6to4 relays (RFC 7526)", false},
		{"192.168.0.0/16", "a private network (RFC 1918)", true},
		{"192.175.48.0/24", "AS112 (RFC 7534)", false},
		{"198.18.0.0/15", "benchmarking (RFC 2544)", false},
		{"198.51.100.0/24", "documentation (RFC 5737)", false},
		{"203.0.113.0/24", "documentation (RFC 5737)", false},
		{"224.0.0.0/4", "multicast", false},
		{"255.255.255.255/32", "broadcast", false},
		{"240.0.0.0/4", "reserved (RFC 1112)", false},

		{"::/128", "unspecified", false},
		{"::1/128", "loopback", false},
		{"::/96", "IPv4-compatible (RFC 4291)", false},
		{"::ffff:0:0/96", "IPv4-mapped (RFC 4291)", false},
		{"::ffff:0:0:0/96", "IPv4-translated (RFC 2765)", false},
		{"64:ff9b::/96", "NAT64 (RFC 6052)", false},
		{"64:ff9b:1::/48", "NAT64 (RFC 8215)", false},
		{"100::/64", "discard-only (RFC 6666)", false},
		{"100:0:0:1::/64", "a dummy prefix (RFC 9780)", false},
		{"2001::/32", "Teredo (RFC 4380)", false},
		{"2001:2::/48", "benchmarking (RFC 5180)", false},
		{"2001::/23", "IETF protocol assignments (RFC 2928)", false},
		{"2001:db8::/32", "documentation (RFC 3849)", false},
		{"2002::/16", "6to4 (RFC 3056)", false},
		{"2620:4f:8000::/48", "AS112 (RFC 7534)", false},
		{"3fff::/20", "documentation (RFC 9637)", false},
		{"5f00::/16", "segment routing (RFC 9602)", false},
		{"fc00::/7", "a private network (RFC 4193)", true},
		{"fe80::/10", "link-local", false},
		{"fec0::/10", "site-local (RFC 3879)", false},
		{"ff00::/8", "multicast", false},
	}
	blocks := make([]block, len(entries))
	for i, e := range entries {
		blocks[i] = block{netip.MustParsePrefix(e.prefix), e.name, e.private}
	}
	return blocks
}()

// unicast is the only part of the IPv6 address space from which public addresses are assigned.
var unicast = netip.MustParsePrefix("2000::/3")

// classify returns the block that addr is in; a zero block means that it is public. The address must have
// neither a zone nor an IPv4-mapped form, which match no block.
func classify(addr netip.Addr) block {
	for _, b := range registry {
		if b.prefix.Contains(addr) {
			return b
		}
	}
	if addr.Is6() && !unicast.Contains(addr) {
		return block{name: "reserved by the IETF (RFC 4291)"}
	}
	return block{}
}
