package destination

import (
	"bytes"
	"net/netip"
)

var (
	compatible   = netip.MustParsePrefix("::/96")
	translated   = netip.MustParsePrefix("::ffff:0:0:0/96")
	nat64        = netip.MustParsePrefix("64:ff9b::/96")
	nat64Local   = netip.MustParsePrefix("64:ff9b:1::/48")
	teredo       = netip.MustParsePrefix("2001::/32")
	sixToFour    = netip.MustParsePrefix("2002::/16")
	unspecified6 = netip.IPv6Unspecified()
	loopback6    = netip.IPv6Loopback()
)

// embedded returns the IPv4 addresses that an IPv6 address carries, which a tunnel or translator on
// the way would connect to in its place.
func embedded(addr netip.Addr) []netip.Addr {
	if !addr.Is6() {
		return nil
	}
	b := addr.As16()
	last := netip.AddrFrom4([4]byte(b[12:16]))
	switch {
	case addr == unspecified6 || addr == loopback6:
		return nil
	case compatible.Contains(addr), translated.Contains(addr), nat64.Contains(addr):
		return []netip.Addr{last}
	case nat64Local.Contains(addr):
		return nat64Layouts(b)
	case teredo.Contains(addr):
		server := netip.AddrFrom4([4]byte(b[4:8]))
		client := netip.AddrFrom4([4]byte{^b[12], ^b[13], ^b[14], ^b[15]})
		return []netip.Addr{server, client}
	case sixToFour.Contains(addr):
		return []netip.Addr{netip.AddrFrom4([4]byte(b[2:6]))}
	case b[8]&^0x02 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe:
		return []netip.Addr{last} // ISATAP, under any prefix.
	}
	return nil
}

// nat64Layouts returns what an address of the local-use NAT64 prefix may stand for. The operator's
// translator uses a prefix of 48, 56, 64 or 96 bits (RFC 6052, section 2.2), and the address does not
// say which; each layout whose unused bits are zero is a candidate, and all of them must be permitted.
func nat64Layouts(b [16]byte) []netip.Addr {
	var found []netip.Addr
	for _, l := range []struct {
		octets [4]int
		suffix int // first octet of the part that must be zero
	}{
		{[4]int{6, 7, 9, 10}, 11},
		{[4]int{7, 9, 10, 11}, 12},
		{[4]int{9, 10, 11, 12}, 13},
		{[4]int{12, 13, 14, 15}, 16},
	} {
		v4 := netip.AddrFrom4([4]byte{b[l.octets[0]], b[l.octets[1]], b[l.octets[2]], b[l.octets[3]]})
		if len(bytes.Trim(b[l.suffix:], "\x00")) == 0 && !v4.IsUnspecified() {
			found = append(found, v4)
		}
	}
	return found
}
