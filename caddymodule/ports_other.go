//go:build !linux

package caddymodule

import "net/netip"

// listenersOfOthers is known on Linux only.
func listenersOfOthers() []netip.AddrPort { return nil }
