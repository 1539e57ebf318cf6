package caddymodule

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/caddyserver/caddy/v2"
)

func TestListeners(t *testing.T) {
	t.Parallel()
	found := listeners(strings.NewReader(`  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F9A 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1 0 100 0 0 10 0
   1: 0100007F:1F9A 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 222 1 0 100 0 0 10 0
   2: 0100007F:1F9A 0100007F:1234 01 00000000:00000000 00:00000000 00000000     0        0 333 1 0 100 0 0 10 0
   3: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 444 1 0 100 0 0 10 0
   4: nonsense
`), map[string]bool{"111": true})
	require.Equal(t, []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:8090"), netip.MustParseAddrPort("[::1]:80")}, found)
}

func TestShares(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		own, other string
		want       bool
	}{
		"the same":         {"127.0.0.1:8090", "127.0.0.1:8090", true},
		"another port":     {"127.0.0.1:8090", "127.0.0.1:8091", false},
		"another address":  {"127.0.0.1:8090", "192.0.2.1:8090", false},
		"all of ours":      {":8090", "192.0.2.1:8090", true},
		"all of theirs":    {"127.0.0.1:8090", "[::]:8090", true},
		"by name":          {"localhost:8090", "127.0.0.1:8090", true},
		"by name, another": {"localhost:8090", "192.0.2.1:8090", false},
		"in a range":       {"127.0.0.1:8090-8095", "127.0.0.1:8092", true},
		"the same, mapped": {"127.0.0.1:8090", "[::ffff:127.0.0.1]:8090", true},
	} {
		own, err := caddy.ParseNetworkAddress(test.own)
		require.NoError(t, err)
		require.Equal(t, test.want, shares(own, netip.MustParseAddrPort(test.other)), name)
	}
}
