package destination

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// pool keeps the connections of a [Transport]. It dials only for a request that no idle connection, no dial in progress
// and no free stream of an HTTP/2 connection will serve.
type pool struct {
	transport   *http.Transport // dials, and speaks HTTP on the connections
	idleTimeout time.Duration   // how long an idle connection is kept
	maxConns    int             // where as many are open, a new connection closes an idle one

	mu    sync.Mutex
	hosts map[hostKey]*host
	open  int         // connections, dials in progress included
	timer *time.Timer // of the next sweep; nil: none
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
	open      int // connections, without dials in progress
	// streams is how many requests a connection carries at once: 1 with HTTP/1.1, and 0 while it is not known, when a
	// single connection is dialled to find out. A new HTTP/2 connection does not know its limit yet, so that of the
	// connection before it counts.
	streams int
}

// conn is a connection, open or closed.
type conn struct {
	http      *http.ClientConn
	wire      *wire
	host      *host
	shared    bool        // HTTP/2: it carries several requests at once
	served    atomic.Bool // a request was made on it
	users     int         // requests on it now
	idleSince time.Time
	removed   bool // no longer in the pool
}

// waiter is a request that waits for a connection.
type waiter struct {
	ready chan struct{} // closed once conn or err is set
	conn  *conn
	err   error
}

// dial is a dial in progress.
type dial struct{ cancel context.CancelFunc }

func newPool(maker *http.Transport, idle time.Duration, most int) *pool {
	return &pool{transport: maker, idleTimeout: idle, maxConns: most, hosts: map[hostKey]*host{}}
}

func (c *conn) addr() string { return c.wire.RemoteAddr().String() }

// get returns a connection with room reserved for one request, and waits until there is one. Its errors are those of
// the dial, that of ctx where it is cancelled, and a *[DialError] of [KindTimeout] where its time is over.
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
	} else if w.conn != nil { // it came at the same moment
		w.conn.http.Release()
		p.giveBack(w.conn)
	}
	return nil, unlessCancelled(ctx, connectError(ctx.Err()))
}

// host returns the origin of a URL, reached with an identity.
func (p *pool) host(u *url.URL, i *Identity) *host {
	key := hostKey{scheme: u.Scheme, host: u.Host}
	if i != nil {
		key.identity = i.fingerprint
	}
	h := p.hosts[key]
	if h == nil {
		h = &host{key: key, address: hostPort(u), identity: i}
		if u.Scheme == "http" {
			h.streams = 1
		}
		p.hosts[key] = h
	}
	return h
}

// removeIfUnused forgets an origin without connections, dials and waiting requests.
func (p *pool) removeIfUnused(h *host) {
	if h.open == 0 && len(h.waiting) == 0 && len(h.dials) == 0 && p.hosts[h.key] == h {
		delete(p.hosts, h.key)
	}
}

// reserve reserves room for a request on a connection of h, or returns nil. It prefers the connection used last, so
// that those that are not needed stay idle until they are closed.
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

// reserve reserves room for one request. It returns false where there is none.
func (c *conn) reserve() bool {
	if c.users >= c.host.streams || c.http.Reserve() != nil {
		return false
	}
	c.users++
	return true
}

// remove takes a connection out of the pool and closes it. A request that still uses it learns of that from its own
// reads and writes.
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
	go func() { _ = c.http.Close() }() // Close writes to the other side, and blocks where that does not read
}

// release takes a connection back after a request.
func (p *pool) release(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.giveBack(c)
}

// giveBack is release for a caller that holds p.mu: it offers the connection to the next requests, or removes it where
// it can't carry another.
func (p *pool) giveBack(c *conn) {
	c.users--
	h := c.host
	if c.removed {
		return
	}
	// An HTTP/1.1 connection that has no room after its request is about to be closed.
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

// offer gives the room of a connection to waiting requests, and what is left of it to later ones.
func (p *pool) offer(c *conn) {
	h := c.host
	for len(h.waiting) > 0 && c.reserve() {
		h.answerFirst(c, nil)
		if !c.shared {
			return
		}
	}
	if !slices.Contains(h.available, c) {
		h.available = append(h.available, c)
	}
}

// needed returns how many connections the waiting requests need.
func (h *host) needed() int {
	if len(h.waiting) == 0 {
		return 0
	}
	if h.streams == 0 {
		return 1
	}
	return (len(h.waiting) + h.streams - 1) / h.streams
}

// startDials dials the connections that waiting requests need.
func (p *pool) startDials(h *host) {
	for len(h.dials) < h.needed() {
		if p.open >= p.maxConns {
			p.evict()
		}
		ctx, cancel := context.WithCancel(context.Background()) // not a request's: another one may take the connection
		d := &dial{cancel: cancel}
		h.dials = append(h.dials, d)
		p.open++
		go p.dial(ctx, h, d)
	}
}

// closedAtOnceError returns the error of a new connection on which no request can be made. err is what ended it, and nil
// where it is open but allows no requests.
func closedAtOnceError(w *wire, err error) error {
	cause := errors.Join(io.EOF, err)
	if err != nil {
		cause = w.alertOr(cause)
	}
	return &ExchangeError{Addr: w.RemoteAddr().String(), Err: cause}
}

func (p *pool) dial(ctx context.Context, h *host, d *dial) {
	defer d.cancel()
	var w *wire
	made, err := p.transport.NewClientConn(withWire(contextWithIdentity(ctx, h.identity), &w), h.key.scheme, h.address)
	if err == nil && made.Available() == 0 { // closed at once, or it allows no streams: another dial would end the same
		err = closedAtOnceError(w, made.Err())
		_ = made.Close()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(h.dials, d)
	h.dials = slices.Delete(h.dials, i, i+1)
	if err != nil {
		p.open--
		if ctx.Err() == nil && len(h.waiting) > 0 {
			h.answerFirst(nil, err)
		}
		h.streams = max(h.streams, 1) // each waiting request gets a dial now, rather than wait for a single one to succeed
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
	if waiting > 0 && len(h.waiting) == waiting && made.Err() != nil { // closed before it carried a request: as above
		p.remove(c)
		h.answerFirst(nil, closedAtOnceError(w, made.Err()))
	}
	p.startDials(h)
	p.scheduleSweep()
	p.removeIfUnused(h)
}

// answerFirst ends the wait of the first waiting request, with a connection or an error.
func (h *host) answerFirst(c *conn, err error) {
	w := h.waiting[0]
	h.waiting = slices.Delete(h.waiting, 0, 1)
	w.conn, w.err = c, err
	close(w.ready)
}

// cancelSurplusDials cancels the dials that no waiting request needs any more.
func (p *pool) cancelSurplusDials(h *host) {
	for _, d := range h.dials[min(len(h.dials), h.needed()):] {
		d.cancel()
	}
}

// evict closes the connection that has been idle for longest, if any is idle.
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

// scheduleSweep schedules the next sweep, so that idle connections are closed at most an eighth of idleTimeout late.
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

// dropIdle closes the connections that became idle before a moment, and idle ones that the other side has closed.
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
	p.dropIdle(time.Now().Add(time.Hour)) // in the future: all idle ones
	for _, h := range p.hosts {
		p.cancelSurplusDials(h)
	}
	if p.open == 0 && p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
}
