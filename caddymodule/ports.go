package caddymodule

import (
	"net/netip"
	"slices"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// warnOfOthers says where another process listens on an address of this Caddy's servers. Caddy shares its ports
// (SO_REUSEPORT), so that a new process can take over from an old one; a second one that nobody meant starts without a
// word, and each then gets some of the requests.
func (a *App) warnOfOthers() {
	found, _ := a.ctx.AppIfConfigured("http") // an error means that there is none
	servers, ok := found.(*caddyhttp.App)
	if !ok {
		return
	}
	others := listenersOfOthers()
	told := map[string]bool{}
	for _, server := range servers.Servers {
		for _, text := range server.Listen {
			address, err := caddy.ParseNetworkAddress(text)
			if err != nil || address.IsUnixNetwork() || told[text] {
				continue
			}
			told[text] = true
			if slices.ContainsFunc(others, func(other netip.AddrPort) bool { return shares(address, other) }) {
				a.logger.Error("another process listens on the same address and gets some of the requests: stop it (an earlier Caddy?), or give one of the two another port",
					zap.String("address", text))
			}
		}
	}
}

// shares reports whether a listener of another process gets connections to the address.
func shares(address caddy.NetworkAddress, other netip.AddrPort) bool {
	if uint(other.Port()) < address.StartPort || uint(other.Port()) > address.EndPort {
		return false
	}
	own, err := netip.ParseAddr(address.Host)
	if err != nil { // a name such as localhost, or none for all addresses
		return address.Host == "" || other.Addr().IsUnspecified() || other.Addr().IsLoopback()
	}
	return own.IsUnspecified() || other.Addr().IsUnspecified() || own.Unmap() == other.Addr().Unmap()
}
