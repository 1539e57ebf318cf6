package destination

import (
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func addrPort(s string, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr(s), port)
}

func prefixes(cidrs ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(cidrs))
	for i, c := range cidrs {
		list[i] = netip.MustParsePrefix(c)
	}
	return list
}

// notPublic holds at least one address of each range that lesson 12 names.
var notPublic = map[string]string{
	"this network":             "0.0.0.0",
	"this network, not zero":   "0.1.2.3",
	"private 10":               "10.1.2.3",
	"private 172":              "172.31.255.255",
	"private 192":              "192.168.0.1",
	"shared":                   "100.64.0.1",
	"loopback":                 "127.0.0.1",
	"loopback, not one":        "127.255.0.9",
	"link-local":               "169.254.0.1",
	"metadata":                 "169.254.169.254",
	"metadata in shared space": "100.100.100.200",
	"metadata in public space": "168.63.129.16",
	"protocol assignments":     "192.0.0.1",
	"documentation 1":          "192.0.2.1",
	"documentation 2":          "198.51.100.1",
	"documentation 3":          "203.0.113.1",
	"6to4 relay":               "192.88.99.1",
	"benchmark":                "198.19.255.255",
	"multicast":                "224.0.0.1",
	"reserved":                 "240.0.0.1",
	"broadcast":                "255.255.255.255",
	"unspecified 6":            "::",
	"loopback 6":               "::1",
	"mapped":                   "::ffff:127.0.0.1",
	"compatible":               "::127.0.0.1",
	"compatible, public":       "::8.8.8.8",
	"translated":               "::ffff:0:127.0.0.1",
	"NAT64":                    "64:ff9b::7f00:1",
	"NAT64, public":            "64:ff9b::808:808",
	"NAT64, local use":         "64:ff9b:1::7f00:1",
	"discard":                  "100::1",
	"dummy":                    "100:0:0:1::1",
	"Teredo":                   "2001:0:4136:e378:8000:63bf:80ff:fffe",
	"benchmark 6":              "2001:2::1",
	"ORCHID":                   "2001:20::1",
	"documentation 6":          "2001:db8::1",
	"documentation 6, new":     "3fff::1",
	"6to4":                     "2002:7f00:1::",
	"6to4, public":             "2002:808:808::1",
	"ISATAP":                   "2606:4700::200:5efe:10.0.0.1",
	"segment routing":          "5f00::1",
	"unique local":             "fd12:3456::1",
	"unique local metadata":    "fd00:ec2::254",
	"link-local 6":             "fe80::1",
	"link-local 6, zone":       "fe80::1%eth0",
	"site-local":               "fec0::1",
	"multicast 6":              "ff02::1",
	"unassigned":               "4000::1",
}

func TestLesson12_NotPublicIsRefused(t *testing.T) {
	t.Parallel()
	for name, addr := range notPublic {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var blocked *Blocked
			require.ErrorAs(t, (&Policy{}).Allowed(addrPort(addr, 443)), &blocked)
			require.NotEmpty(t, blocked.Reason)
			require.Contains(t, blocked.Error(), "allow_networks")
		})
	}
}

func TestAllowedPublic(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{
		"8.8.8.8", "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0",
		"::ffff:8.8.8.8", "223.255.255.255", "2606:4700:4700::1111", "2a00:1450:4001:80b::200e", "2001:4860:4860::8888", "2001:200::1",
	} {
		require.NoError(t, (&Policy{}).Allowed(addrPort(addr, 443)), addr)
	}
	require.Error(t, (&Policy{}).Allowed(netip.AddrPort{}))
}

func TestAllowTiers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		policy Policy
		addr   string
		want   bool
	}{
		"private by name":                {Policy{AllowPrivate: true}, "10.0.0.1", true},
		"private 172 by name":            {Policy{AllowPrivate: true}, "172.16.0.1", true},
		"private 192 by name":            {Policy{AllowPrivate: true}, "192.168.1.1", true},
		"mapped private by name":         {Policy{AllowPrivate: true}, "::ffff:10.0.0.1", true},
		"unique local by name":           {Policy{AllowPrivate: true}, "fd12::1", true},
		"shared not by name":             {Policy{AllowPrivate: true}, "100.64.0.1", false},
		"loopback not by name":           {Policy{AllowPrivate: true}, "127.0.0.1", false},
		"loopback 6 not by name":         {Policy{AllowPrivate: true}, "::1", false},
		"link-local not by name":         {Policy{AllowPrivate: true}, "169.254.169.254", false},
		"link-local 6 not by name":       {Policy{AllowPrivate: true}, "fe80::1", false},
		"metadata 6 not by name":         {Policy{AllowPrivate: true}, "fd00:ec2::254", false},
		"unspecified not by name":        {Policy{AllowPrivate: true}, "0.0.0.0", false},
		"loopback by CIDR":               {Policy{Allow: prefixes("127.0.0.0/8")}, "127.0.0.1", true},
		"loopback by CIDR, mapped":       {Policy{Allow: prefixes("127.0.0.0/8")}, "::ffff:127.0.0.1", true},
		"loopback by mapped CIDR":        {Policy{Allow: prefixes("::ffff:127.0.0.0/104")}, "127.0.0.1", true},
		"the other loopback":             {Policy{Allow: prefixes("127.0.0.0/8")}, "::1", false},
		"loopback 6 by CIDR":             {Policy{Allow: prefixes("::1/128")}, "::1", true},
		"link-local 6 by CIDR, zone":     {Policy{Allow: prefixes("fe80::/10")}, "fe80::1%eth0", true},
		"CIDR without its neighbour":     {Policy{Allow: prefixes("10.1.0.0/16")}, "10.2.0.1", false},
		"unmasked CIDR":                  {Policy{Allow: []netip.Prefix{netip.MustParsePrefix("10.1.2.3/16")}}, "10.1.9.9", true},
		"all of IPv6 is not IPv4":        {Policy{Allow: prefixes("::/0")}, "::ffff:10.0.0.1", false},
		"NAT64 by CIDR, public inside":   {Policy{Allow: prefixes("64:ff9b::/96")}, "64:ff9b::808:808", true},
		"NAT64 by CIDR, loopback inside": {Policy{Allow: prefixes("64:ff9b::/96")}, "64:ff9b::7f00:1", false},
		"NAT64 and loopback by CIDR":     {Policy{Allow: prefixes("64:ff9b::/96", "127.0.0.0/8")}, "64:ff9b::7f00:1", true},
		"6to4 by a narrow CIDR":          {Policy{Allow: prefixes("2002:7f00:1::/48")}, "2002:7f00:1::", false},
		"local NAT64, public inside":     {Policy{Allow: prefixes("64:ff9b:1::/48")}, "64:ff9b:1::808:808", true},
		"local NAT64 /48, loopback":      {Policy{Allow: prefixes("64:ff9b:1::/48")}, "64:ff9b:1:7f00:0:100::", false},
		"Teredo by CIDR, bad server":     {Policy{Allow: prefixes("2001::/32")}, "2001:0:7f00:1:0:0:f7f7:f7f7", false},
		"Teredo by CIDR, bad client":     {Policy{Allow: prefixes("2001::/32")}, "2001:0:808:808:0:0:80ff:fffe", false},
		"Teredo by CIDR, both public":    {Policy{Allow: prefixes("2001::/32")}, "2001:0:808:808:0:0:f7f7:f7f7", true},
		"all of IPv6, loopback inside":   {Policy{Allow: prefixes("::/0")}, "::127.0.0.1", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := tt.policy.Allowed(addrPort(tt.addr, 443))
			require.Equal(t, tt.want, err == nil, "%v", err)
		})
	}
}

// embeddings are the ways to write an IPv4 address into an IPv6 one, unambiguous ones first.
var embeddings = map[string]func(v [4]byte) [16]byte{
	"mapped":     func(v [4]byte) [16]byte { return [16]byte{10: 0xff, 0xff, v[0], v[1], v[2], v[3]} },
	"compatible": func(v [4]byte) [16]byte { return [16]byte{12: v[0], v[1], v[2], v[3]} },
	"translated": func(v [4]byte) [16]byte { return [16]byte{8: 0xff, 0xff, 12: v[0], v[1], v[2], v[3]} },
	"NAT64": func(v [4]byte) [16]byte {
		return [16]byte{0, 0x64, 0xff, 0x9b, 12: v[0], v[1], v[2], v[3]}
	},
	"NAT64 local /48": func(v [4]byte) [16]byte {
		return [16]byte{0, 0x64, 0xff, 0x9b, 0, 1, v[0], v[1], 0, v[2], v[3]}
	},
	"NAT64 local /56": func(v [4]byte) [16]byte {
		return [16]byte{0, 0x64, 0xff, 0x9b, 0, 1, 0x77, v[0], 0, v[1], v[2], v[3]}
	},
	"NAT64 local /64": func(v [4]byte) [16]byte {
		return [16]byte{0, 0x64, 0xff, 0x9b, 0, 1, 0x77, 0x78, 0, v[0], v[1], v[2], v[3]}
	},
	"NAT64 local /96": func(v [4]byte) [16]byte {
		return [16]byte{0, 0x64, 0xff, 0x9b, 0, 1, 12: v[0], v[1], v[2], v[3]}
	},
	"Teredo client": func(v [4]byte) [16]byte {
		return [16]byte{0x20, 1, 0, 0, 8, 8, 8, 8, 12: ^v[0], ^v[1], ^v[2], ^v[3]}
	},
	"Teredo server": func(v [4]byte) [16]byte {
		return [16]byte{0x20, 1, 0, 0, v[0], v[1], v[2], v[3], 12: 0xf7, 0xf7, 0xf7, 0xf7}
	},
	"6to4":   func(v [4]byte) [16]byte { return [16]byte{0x20, 2, v[0], v[1], v[2], v[3], 15: 1} },
	"ISATAP": func(v [4]byte) [16]byte { return [16]byte{0x26, 6, 0x47, 10: 0x5e, 0xfe, v[0], v[1], v[2], v[3]} },
	"ISATAP, universal": func(v [4]byte) [16]byte {
		return [16]byte{0x26, 6, 0x47, 8: 2, 10: 0x5e, 0xfe, v[0], v[1], v[2], v[3]}
	},
}

// randomV4 favours addresses of the registry, half of which would otherwise never be seen.
func randomV4(r *rand.Rand) netip.Addr {
	n := r.Uint32()
	v := [4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
	if b := registry[r.IntN(len(registry))]; r.IntN(2) == 0 && b.prefix.Addr().Is4() {
		base := b.prefix.Addr().As4()
		for i := range v {
			keep := max(0, min(8, b.prefix.Bits()-8*i))
			mask := byte(0xff << (8 - keep))
			v[i] = base[i]&mask | v[i]&^mask
		}
	}
	return netip.AddrFrom4(v)
}

func TestLesson12_EmbeddedIsUnwrapped(t *testing.T) {
	t.Parallel()
	tunnels := prefixes("::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16")
	for name, embed := range embeddings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(1, 2))
			refused := 0
			for range 20000 {
				inner := randomV4(r)
				outer := netip.AddrFrom16(embed(inner.As4()))
				for _, p := range []Policy{{}, {AllowPrivate: true}, {Allow: tunnels}, {AllowPrivate: true, Allow: tunnels}} {
					// ::0.0.0.0 and ::0.0.0.1 are other addresses, and neither is in a tunnel's way.
					if p.Allowed(netip.AddrPortFrom(inner, 443)) == nil || inner.As4()[0] == 0 {
						continue
					}
					refused++
					require.Error(t, p.Allowed(netip.AddrPortFrom(outer, 443)), "%s as %s", inner, outer)
				}
			}
			require.Positive(t, refused)
		})
	}
}

func TestLesson12_PublicIsWhatItSays(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	public := 0
	for range 100000 {
		addr := randomV4(r)
		if r.IntN(2) == 0 {
			var b [16]byte
			for i := range b {
				b[i] = byte(r.Uint32())
			}
			if r.IntN(2) == 0 {
				b[0] = 0x20 | b[0]&0x1f
			}
			addr = netip.AddrFrom16(b)
		}
		if (&Policy{}).Allowed(netip.AddrPortFrom(addr, 443)) != nil {
			continue
		}
		public++
		require.True(t, addr.IsGlobalUnicast() && !addr.IsPrivate() && !addr.IsLoopback() && !addr.IsLinkLocalUnicast(), addr)
		if addr.Is6() {
			require.Equal(t, byte(0x20), addr.As16()[0]&0xe0, addr)
		}
	}
	require.Greater(t, public, 10000)
}

func TestRegistryEdges(t *testing.T) {
	t.Parallel()
	for _, b := range registry {
		first := b.prefix.Masked().Addr()
		require.Equal(t, b.prefix, b.prefix.Masked(), "host bits set")
		require.False(t, classify(first.Unmap()).public(), b.prefix)
		last := first
		octets := last.AsSlice()
		for i := b.prefix.Bits(); i < len(octets)*8; i++ {
			octets[i/8] |= 1 << (7 - i%8)
		}
		last, _ = netip.AddrFromSlice(octets)
		require.False(t, classify(last.Unmap()).public(), last)
		// One beyond the block is in another one or public: an edge that is a bit too wide would show here.
		if next := last.Next(); next.IsValid() && classify(next).public() {
			require.False(t, b.prefix.Contains(next))
			require.NoError(t, (&Policy{}).Allowed(netip.AddrPortFrom(next, 443)), next)
		}
	}
}

func TestLesson28_OwnAdminAddressIsRefused(t *testing.T) {
	t.Parallel()
	everything := prefixes("0.0.0.0/0", "::/0")
	outside := &net.IPNet{IP: net.IPv4(10, 9, 8, 7), Mask: net.CIDRMask(8, 32)}
	interfaces := func() ([]net.Addr, error) { return []net.Addr{&net.UnixAddr{}, outside}, nil }
	for name, tt := range map[string]struct {
		admin string
		addr  string
		port  uint16
		want  bool
	}{
		"itself":                        {"127.0.0.1:2019", "127.0.0.1", 2019, false},
		"another port":                  {"127.0.0.1:2019", "127.0.0.1", 2020, true},
		"mapped":                        {"127.0.0.1:2019", "::ffff:127.0.0.1", 2019, false},
		"compatible":                    {"127.0.0.1:2019", "::127.0.0.1", 2019, false},
		"NAT64":                         {"127.0.0.1:2019", "64:ff9b::7f00:1", 2019, false},
		"6to4":                          {"127.0.0.1:2019", "2002:7f00:1::", 2019, false},
		"another loopback":              {"127.0.0.1:2019", "127.9.9.9", 2019, false},
		"loopback 6":                    {"127.0.0.1:2019", "::1", 2019, false},
		"loopback 4 of 6":               {"[::1]:2019", "127.0.0.1", 2019, false},
		"unspecified 4":                 {"127.0.0.1:2019", "0.0.0.0", 2019, false},
		"unspecified 6":                 {"127.0.0.1:2019", "::", 2019, false},
		"interface of unspecified":      {"0.0.0.0:2019", "10.9.8.7", 2019, false},
		"interface of unspecified 6":    {"[::]:2019", "10.9.8.7", 2019, false},
		"interface of itself":           {"10.9.8.7:2019", "10.9.8.7", 2019, false},
		"loopback of an interface":      {"10.9.8.7:2019", "127.0.0.1", 2019, false},
		"another host":                  {"0.0.0.0:2019", "10.9.8.8", 2019, true},
		"another host's admin":          {"10.9.8.8:2019", "10.9.8.8", 2019, false},
		"this host, another's admin":    {"10.9.8.8:2019", "127.0.0.1", 2019, true},
		"an admin with a zone":          {"[fe80::1%eth0]:2019", "fe80::1", 2019, false},
		"a destination with a zone":     {"[fe80::1]:2019", "fe80::1%eth0", 2019, false},
		"an address that is not known":  {":2019", "127.0.0.1", 2019, false},
		"not known, but another's host": {":2019", "10.9.8.8", 2019, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			admin := netip.AddrPortFrom(netip.Addr{}, 2019)
			if tt.admin != ":2019" {
				admin = netip.MustParseAddrPort(tt.admin)
			}
			p := &Policy{
				Allow: everything, AllowPrivate: true, interfaces: interfaces,
				Forbidden: func() []netip.AddrPort { return []netip.AddrPort{addrPort("192.0.2.1", 1), admin} },
			}
			err := p.Allowed(addrPort(tt.addr, tt.port))
			require.Equal(t, tt.want, err == nil, "%v", err)
			var blocked *Blocked
			if errors.As(err, &blocked) {
				require.True(t, blocked.Own)
				require.NotContains(t, blocked.Error(), "allow_networks")
			}
		})
	}
}

func TestLesson28_InterfacesThatCannotBeListed(t *testing.T) {
	t.Parallel()
	p := &Policy{
		Forbidden:  func() []netip.AddrPort { return []netip.AddrPort{addrPort("0.0.0.0", 2019)} },
		interfaces: func() ([]net.Addr, error) { return nil, errors.New("no") },
	}
	require.Error(t, p.Allowed(addrPort("8.8.8.8", 2019)))
	require.NoError(t, p.Allowed(addrPort("8.8.8.8", 443)))
}

func TestLesson28_RealInterfaces(t *testing.T) {
	t.Parallel()
	list, err := net.InterfaceAddrs()
	require.NoError(t, err)
	p := &Policy{
		Allow:     prefixes("0.0.0.0/0", "::/0"),
		Forbidden: func() []netip.AddrPort { return []netip.AddrPort{addrPort("::", 2019)} },
	}
	for _, a := range list {
		ip, ok := netip.AddrFromSlice(a.(*net.IPNet).IP)
		require.True(t, ok)
		require.Error(t, p.Allowed(netip.AddrPortFrom(ip, 2019)), ip)
	}
}
