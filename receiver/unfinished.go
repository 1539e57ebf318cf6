package receiver

import (
	"net/http"
	"net/netip"
	"strings"
	"sync"

	"github.com/videocloud/webhooks/config"
)

// unfinished counts the received bytes of bodies that are not complete yet. These are not verified: without a bound, strangers
// that send slowly could hold any amount of memory for as long as they like. Only received bytes count, not Content-Length,
// and a body that arrives in one piece is never counted.
type unfinished struct {
	limit int64 // for all clients together; a quarter of it for one

	mu      sync.Mutex
	total   int64
	clients map[netip.Prefix]int64
}

func newUnfinished(limit int64) *unfinished {
	return &unfinished{limit: limit, clients: map[netip.Prefix]int64{}}
}

// unfinishedBody is one body that is being received.
type unfinishedBody struct {
	all     *unfinished
	client  netip.Prefix
	counted int64
}

// grow counts n more bytes, and returns false where that would exceed a limit.
func (b *unfinishedBody) grow(n int64) bool {
	u := b.all
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.total+n > u.limit || u.clients[b.client]+n > u.limit/config.UnfinishedShare {
		return false
	}
	u.total += n
	u.clients[b.client] += n
	b.counted += n
	return true
}

// end subtracts the body's bytes from the count.
func (b *unfinishedBody) end() {
	if b.counted == 0 {
		return
	}
	u := b.all
	u.mu.Lock()
	defer u.mu.Unlock()
	u.total -= b.counted
	if u.clients[b.client] -= b.counted; u.clients[b.client] <= 0 {
		delete(u.clients, b.client)
	}
	b.counted = 0
}

// clientNetwork returns the client that a request's bytes are counted for. Behind a proxy on this machine, or on a Unix socket,
// that is the proxy's client, the last in X-Forwarded-For: otherwise all clients would share one quota. Of an
// IPv6 address it is the /64, as whoever has one address of it has all.
func clientNetwork(client netip.Addr, h http.Header) netip.Prefix {
	client = client.Unmap().WithZone("")
	if !client.IsValid() || client.IsLoopback() {
		if forwarded := lastForwarded(h); forwarded.IsValid() {
			client = forwarded
		}
	}
	if !client.IsValid() {
		return netip.Prefix{}
	}
	bits := client.BitLen()
	if client.Is6() {
		bits = 64
	}
	prefix, _ := client.Prefix(bits) // fails for no number of bits that fits
	return prefix
}

func lastForwarded(h http.Header) netip.Addr {
	values := h["X-Forwarded-For"]
	if len(values) == 0 {
		return netip.Addr{}
	}
	last := values[len(values)-1]
	last = strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
	if address, err := netip.ParseAddr(strings.Trim(last, "[]")); err == nil {
		return address.Unmap().WithZone("")
	}
	if address, err := netip.ParseAddrPort(last); err == nil {
		return address.Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}
