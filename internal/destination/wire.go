package destination

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"time"
)

// wire is a network connection that counts what leaves through it, and bounds what a TLS handshake reads.
type wire struct {
	net.Conn
	written       atomic.Int64
	handshakeDone atomic.Bool // the handshake is over
	read          int64       // within the handshake

	multiplexed bool // HTTP/2 is spoken on it
	secured     *tls.Conn
	reading     atomic.Bool // somebody waits for what comes
}

// waitForReader lets whoever reads take what came before the connection ended, which says why, before it is closed because nothing can be sent.
func (w *wire) waitForReader() {
	for end := time.Now().Add(100 * time.Millisecond); w.reading.Load() && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(time.Millisecond) // it is being read
}

// cause is what ended a connection of HTTP/2, where err only says that it ended. An alert that comes right after the handshake, such as for
// want of a certificate, net/http reads and forgets when no request is on it yet, or it finds first that nothing can be sent.
func (w *wire) cause(err error) error {
	var failed *net.OpError
	if strings.Contains(err.Error(), notEstablished) || errors.As(err, &failed) && failed.Op == "write" {
		return w.ended(err)
	}
	return err
}

// ended is the alert that ended the connection, err where there was none. It is for a connection that is over: others that read from it
// would miss something.
func (w *wire) ended(err error) error {
	if !w.multiplexed {
		return err
	}
	// What came before the end is there already, or was read: then reading says again what it was.
	_ = w.secured.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	var alert *net.OpError
	if _, end := w.secured.Read(make([]byte, 1)); errors.As(end, &alert) && alert.Op == "remote error" {
		return alert
	}
	return err
}

// notEstablished is in what net/http says of a connection that ended before the first request on it.
const notEstablished = "client conn could not be established"

const (
	// maxHandshake bounds what an endpoint can make this host read, parse and keep of certificates: the library would
	// take 256 KiB, which is held several times over as long as the connection lives. Usual chains have 2 to 8 KiB.
	maxHandshake = 64 << 10
	// maxKeptHandshake is up to what size of a handshake the connection and the TLS session are kept for the next request.
	maxKeptHandshake = 16 << 10
)

var errHandshakeTooLarge = errors.New("the certificates are too large; keep the chain below 64 KiB")

// newWire wraps a connection, and notes it where the dial was asked for one.
func newWire(ctx context.Context, c net.Conn) *wire {
	w := &wire{Conn: c}
	w.handshakeDone.Store(true) // unless a handshake follows
	if to, ok := ctx.Value(wireKey{}).(**wire); ok {
		*to = w
	}
	return w
}

func (w *wire) Write(b []byte) (int, error) {
	n, err := w.Conn.Write(b)
	w.written.Add(int64(n))
	if err != nil && w.multiplexed { // of HTTP/1.1 the library tells what was read
		w.waitForReader()
	}
	return n, err
}

func (w *wire) Read(b []byte) (int, error) {
	if w.handshakeDone.Load() {
		w.reading.Store(true)
		defer w.reading.Store(false)
		return w.Conn.Read(b)
	}
	if w.read >= maxHandshake {
		return 0, errHandshakeTooLarge
	}
	n, err := w.Conn.Read(b)
	w.read += int64(n)
	return n, err
}

// hasLargeCertificates says that its certificates are so large that it is not kept.
func (w *wire) hasLargeCertificates() bool { return w.read > maxKeptHandshake }

// sessionCache keeps TLS sessions but those with large certificates, which a session holds. Those of different
// identities are kept apart: the library goes by the server's name alone, and a session stands for who began it.
type sessionCache struct {
	tls.ClientSessionCache
	wire     *wire
	identity string
}

func (s sessionCache) Get(key string) (*tls.ClientSessionState, bool) {
	return s.ClientSessionCache.Get(s.identity + key)
}

func (s sessionCache) Put(key string, session *tls.ClientSessionState) {
	if session != nil && s.wire.hasLargeCertificates() {
		return
	}
	s.ClientSessionCache.Put(s.identity+key, session)
}
