package destination

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// pool keeps the connections of a [Transport]. It makes one only where a request waits that neither an idle one, nor
// one being made, nor room on one of HTTP/2 will serve.
type pool struct {
	transport   *http.Transport // makes connections, and does the HTTP on them
	idleTimeout time.Duration   // how long an idle one is kept
	maxConns    int             // connections

	mu    sync.Mutex
	hosts map[hostKey]*host
	open  int // connections, being made or made
	timer *time.Timer
}

type hostKey struct{ scheme, host, identity string }

// host is one origin, reached with one identity.
type host struct {
	key       hostKey
	address   string    // with the port
	identity  *Identity // nil: none
	available []*conn
	waiting   []*waiter
	dials     []*dial
	open      int // connections that are made
	// streams is how many requests at once a connection takes: 1 of HTTP/1.1. 0 is not known yet, so that one connection
	// is made first, to see which it is. A new connection of HTTP/2 does not know its limit yet, so the one before counts.
	streams int
}

// conn is a connection that is open, or was.
type conn struct {
	http      *http.ClientConn
	wire      *wire
	host      *host
	shared    bool        // of HTTP/2
	served    atomic.Bool // had a request
	users     int
	idleSince time.Time // when it became idle
	removed   bool      // not in the pool any more
}

// waiter is a request that waits for a connection.
type waiter struct {
	ready chan struct{}
	conn  *conn
	err   error
}

// dial is a connection being made.
type dial struct{ cancel context.CancelFunc }

func newPool(maker *http.Transport, idle time.Duration, most int) *pool {
	return &pool{transport: maker, idleTimeout: idle, maxConns: most, hosts: map[hostKey]*host{}}
}

func (c *conn) addr() string { return c.wire.RemoteAddr().String() }

// get returns a connection on which one request may be made.
func (p *pool) get(ctx context.Context, u *url.URL, i *Identity) (*conn, error) {
	p.mu.Lock()
	h := p.host(u, i)
	if c := p.reserve(h); c != nil {
		p.mu.Unlock()
		return c, nil
	}
	w := &waiter{ready: make(chan struct{})}
	h.waiting = append(h.waiting, w)
	p.startDials(h)
	p.mu.Unlock()
	select {
	case <-w.ready:
		return w.conn, w.err
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(h.waiting, w); i >= 0 {
		h.waiting = slices.Delete(h.waiting, i, i+1)
		p.cancelSurplusDials(h)
		p.removeIfUnused(h)
	} else if w.conn != nil {
		w.conn.http.Release()
		p.giveBack(w.conn)
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return nil, ctx.Err()
	}
	return nil, &DialError{Kind: KindTimeout, Message: "connecting: no answer in time", Err: ctx.Err()}
}

// host returns the origin of a URL.
func (p *pool) host(u *url.URL, i *Identity) *host {
	key := hostKey{scheme: u.Scheme, host: u.Host}
	if i != nil {
		key.identity = i.fingerprint
	}
	h := p.hosts[key]
	if h == nil {
		port := u.Port()
		if port == "" {
			port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
		}
		h = &host{key: key, address: net.JoinHostPort(u.Hostname(), port), identity: i}
		if u.Scheme == "http" {
			h.streams = 1
		}
		p.hosts[key] = h
	}
	return h
}

// removeIfUnused drops an origin of which nothing is left.
func (p *pool) removeIfUnused(h *host) {
	if h.open == 0 && len(h.waiting) == 0 && len(h.dials) == 0 && p.hosts[h.key] == h {
		delete(p.hosts, h.key)
	}
}

// reserve reserves room on a connection of h: of those that have it, the one used last, so that others can become old.
func (p *pool) reserve(h *host) *conn {
	for i := len(h.available) - 1; i >= 0; i-- {
		c := h.available[i]
		if c.reserve() {
			if !c.shared {
				h.available = slices.Delete(h.available, i, i+1)
			}
			return c
		}
		if c.http.Err() != nil {
			p.remove(c)
		}
	}
	return nil
}

// reserve takes room for one request.
func (c *conn) reserve() bool {
	if c.users >= c.host.streams || c.http.Reserve() != nil {
		return false
	}
	c.users++
	return true
}

// remove takes a connection out of the pool. Who still uses it hears of its end by itself.
func (p *pool) remove(c *conn) {
	if c.removed {
		return
	}
	c.removed = true
	c.host.open--
	p.open--
	if i := slices.Index(c.host.available, c); i >= 0 {
		c.host.available = slices.Delete(c.host.available, i, i+1)
	}
	go func() { _ = c.http.Close() }() // it says so to the other side, which may not read
}

// release takes a connection back after one request.
func (p *pool) release(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.giveBack(c)
}

// giveBack hands a connection to who waits for one, or keeps it.
func (p *pool) giveBack(c *conn) {
	c.users--
	h := c.host
	if c.removed {
		return
	}
	// One of HTTP/1.1 that has no room after its request takes no other: it is about to be closed.
	spent := !c.shared && c.http.Available() == 0
	if c.http.Err() != nil || c.users == 0 && (spent || c.wire.hasLargeCertificates()) {
		p.remove(c)
		p.startDials(h)
		p.removeIfUnused(h)
		return
	}
	if c.shared {
		h.streams = max(1, c.http.Available()+c.http.InFlight())
	}
	if c.users == 0 {
		c.idleSince = time.Now()
		p.scheduleSweep()
	}
	p.offer(c)
}

// offer puts a connection with room at the disposal of those who wait, then of all.
func (p *pool) offer(c *conn) {
	h := c.host
	for len(h.waiting) > 0 && c.reserve() {
		w := h.waiting[0]
		h.waiting = slices.Delete(h.waiting, 0, 1)
		w.conn = c
		close(w.ready)
		if !c.shared {
			return
		}
	}
	if !slices.Contains(h.available, c) {
		h.available = append(h.available, c)
	}
}

// needed is how many connections have to be made for those who wait.
func (h *host) needed() int {
	if len(h.waiting) == 0 {
		return 0
	}
	if h.streams == 0 {
		return 1
	}
	return (len(h.waiting) + h.streams - 1) / h.streams
}

// startDials makes the connections that those who wait need.
func (p *pool) startDials(h *host) {
	for len(h.dials) < h.needed() {
		if p.open >= p.maxConns {
			p.evict()
		}
		ctx, cancel := context.WithCancel(context.Background()) // not the request's: another may take the connection
		d := &dial{cancel: cancel}
		h.dials = append(h.dials, d)
		p.open++
		go p.dial(ctx, h, d)
	}
}

// closedAtOnceError is the error of a connection that no request could be made on; err is nil where it stands, but takes none.
func closedAtOnceError(w *wire, err error) error {
	cause := errors.Join(io.EOF, err)
	if err != nil {
		cause = w.ended(cause)
	}
	return &ExchangeError{Addr: w.RemoteAddr().String(), Err: cause}
}

func (p *pool) dial(ctx context.Context, h *host, d *dial) {
	defer d.cancel()
	var w *wire
	made, err := p.transport.NewClientConn(withWire(contextWithIdentity(ctx, h.identity), &w), h.key.scheme, h.address)
	if err == nil && made.Available() == 0 { // closed at once, or with a limit of no streams: another one would be no better
		err = closedAtOnceError(w, made.Err())
		_ = made.Close()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	h.dials = slices.Delete(h.dials, slices.Index(h.dials, d), slices.Index(h.dials, d)+1)
	if err != nil {
		p.open--
		if ctx.Err() == nil {
			h.fail(err)
		}
		h.streams = max(h.streams, 1) // nobody else is to wait for one that tries
		p.startDials(h)
		p.removeIfUnused(h)
		return
	}
	c := &conn{http: made, wire: w, host: h, shared: w.multiplexed, idleSince: time.Now()}
	h.open++
	switch {
	case !c.shared:
		h.streams = 1
	case h.streams <= 1:
		h.streams = max(1, made.Available())
	}
	waiting := len(h.waiting)
	p.offer(c)
	if waiting > 0 && len(h.waiting) == waiting && made.Err() != nil { // closed before it served anybody: as above
		p.remove(c)
		h.fail(closedAtOnceError(w, made.Err()))
	}
	p.startDials(h)
	p.scheduleSweep()
	p.removeIfUnused(h)
}

// fail ends the waiting of the first who waits.
func (h *host) fail(err error) {
	if len(h.waiting) == 0 {
		return
	}
	h.waiting[0].err = err
	close(h.waiting[0].ready)
	h.waiting = slices.Delete(h.waiting, 0, 1)
}

// cancelSurplusDials gives up connections that nobody waits for any more.
func (p *pool) cancelSurplusDials(h *host) {
	for _, d := range h.dials[min(len(h.dials), h.needed()):] {
		d.cancel()
	}
}

// evict closes the connection that has been idle for longest.
func (p *pool) evict() {
	var oldest *conn
	for _, h := range p.hosts {
		for _, c := range h.available {
			if c.users == 0 && (oldest == nil || c.idleSince.Before(oldest.idleSince)) {
				oldest = c
			}
		}
	}
	if oldest != nil {
		p.remove(oldest)
		p.removeIfUnused(oldest.host)
	}
}

// scheduleSweep has idle connections closed when they are old.
func (p *pool) scheduleSweep() {
	if p.timer == nil {
		p.timer = time.AfterFunc(p.idleTimeout/8, p.sweep)
	}
}

func (p *pool) sweep() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer = nil
	p.dropIdle(time.Now().Add(-p.idleTimeout))
	if p.open > 0 {
		p.scheduleSweep()
	}
}

// dropIdle closes the connections that have been idle since before a moment, and those that the other side closed.
func (p *pool) dropIdle(before time.Time) {
	for _, h := range p.hosts {
		for _, c := range slices.Clone(h.available) {
			if c.users == 0 && (c.idleSince.Before(before) || c.http.Err() != nil) {
				p.remove(c)
			}
		}
		p.removeIfUnused(h)
	}
}

func (p *pool) closeIdle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dropIdle(time.Now().Add(time.Hour))
	for _, h := range p.hosts {
		p.cancelSurplusDials(h)
	}
	if p.open == 0 && p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
}
