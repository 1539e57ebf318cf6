package caddymodule

import (
	"net/netip"
	"reflect"

	"github.com/caddyserver/caddy/v2"
)

// adminPorts returns the ports of this configuration's admin endpoints, as addresses that stand for every
// local one: nobody may have a webhook delivered there, or he would control this server.
//
// Caddy has no call for it, so its configuration is read by reflection, and where that finds nothing the
// default address is assumed.
func adminPorts(ctx caddy.Context) func() []netip.AddrPort {
	var ports []netip.AddrPort
	for _, listen := range adminListeners(ctx) {
		ports = append(ports, portsOf(listen)...)
	}
	return func() []netip.AddrPort { return ports }
}

func adminListeners(ctx caddy.Context) []string {
	admin := field(reflect.ValueOf(ctx), "cfg", "Admin")
	if !admin.IsValid() {
		return []string{caddy.DefaultAdminListen}
	}
	var listeners []string
	if disabled := field(admin, "Disabled"); !disabled.IsValid() || !disabled.Bool() {
		listeners = append(listeners, listenOr(admin, caddy.DefaultAdminListen))
	}
	if remote := field(admin, "Remote"); remote.IsValid() {
		listeners = append(listeners, listenOr(remote, caddy.DefaultRemoteAdminListen))
	}
	return listeners
}

func listenOr(admin reflect.Value, fallback string) string {
	if listen := field(admin, "Listen"); listen.IsValid() && listen.Kind() == reflect.String && listen.Len() > 0 {
		return listen.String()
	}
	return fallback
}

// field follows a path of fields through structs and pointers; the zero value if there is no such field.
func field(v reflect.Value, path ...string) reflect.Value {
	for _, name := range path {
		if v.Kind() != reflect.Struct {
			return reflect.Value{}
		}
		v = reflect.Indirect(v.FieldByName(name))
	}
	return v
}

// portsOf returns the ports of a listener address; none for a Unix socket.
func portsOf(listen string) []netip.AddrPort {
	resolved, err := caddy.NewReplacer().ReplaceOrErr(listen, true, true)
	if err != nil {
		return nil
	}
	address, err := caddy.ParseNetworkAddressWithDefaults(resolved, "tcp", 2019)
	if err != nil || address.IsUnixNetwork() || address.IsFdNetwork() {
		return nil
	}
	var ports []netip.AddrPort
	for port := address.StartPort; port <= address.EndPort && port <= 1<<16-1; port++ {
		ports = append(ports, netip.AddrPortFrom(netip.Addr{}, uint16(port)))
	}
	return ports
}
