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

// wire is a network connection that counts the bytes written to it, and bounds those that a TLS handshake reads.
type wire struct {
	net.Conn
	written       atomic.Int64 // bytes
	handshakeDone atomic.Bool  // also where there is none
	read          int64        // bytes, of the handshake only

	multiplexed bool        // HTTP/2 is spoken on it
	secured     *tls.Conn   // nil without TLS
	reading     atomic.Bool // a Read is in progress
}

// waitForReader gives a Read in progress up to 100 ms to return. After a failed write net/http closes the connection;
// what the other side sent before it ended the connection says why, and has to be read before that.
func (w *wire) waitForReader() {
	for end := time.Now().Add(100 * time.Millisecond); w.reading.Load() && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(time.Millisecond) // for the reader to handle what it has read
}

// cause returns what ended an HTTP/2 connection, where err only says that it ended. An alert that comes right after the
// handshake, such as that a client certificate is missing, is not in err: net/http drops it where no request is on the
// connection yet, or notices first that it can't write.
func (w *wire) cause(err error) error {
	failed, ok := errors.AsType[*net.OpError](err)
	if ok && failed.Op == "write" || strings.Contains(err.Error(), notEstablished) {
		return w.alertOr(err)
	}
	return err
}

// alertOr returns the TLS alert that ended an HTTP/2 connection, or err where none did. It is only for a connection that
// is over: it reads from it, and another reader would miss what it has read.
func (w *wire) alertOr(err error) error {
	if !w.multiplexed {
		return err
	}
	// An alert is there already, or was read: then every further Read returns it again.
	_ = w.secured.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	_, end := w.secured.Read(make([]byte, 1))
	if alert, ok := errors.AsType[*net.OpError](end); ok && alert.Op == "remote error" {
		return alert
	}
	return err
}

// notEstablished is part of net/http's error for a connection that ended before the first request on it.
const notEstablished = "client conn could not be established"

const (
	// maxHandshake bounds how many bytes of certificates an endpoint can make this host read, parse and keep: the library
	// accepts 256 KiB, and holds them several times over as long as the connection lives. Usual chains have 2 to 8 KiB.
	maxHandshake = 64 << 10
	// maxKeptHandshake is the size of a handshake, in bytes, above which neither connection nor TLS session is kept for
	// the next request.
	maxKeptHandshake = 16 << 10
)

var errHandshakeTooLarge = errors.New("the certificates are too large; keep the chain below 64 KiB")

// newWire wraps a connection, and stores it where [withWire] asked for it.
func newWire(ctx context.Context, c net.Conn) *wire {
	w := &wire{Conn: c}
	w.handshakeDone.Store(true) // dialTLS sets it to false before a handshake
	if to, ok := ctx.Value(wireKey{}).(**wire); ok {
		*to = w
	}
	return w
}

func (w *wire) Write(b []byte) (int, error) {
	n, err := w.Conn.Write(b)
	w.written.Add(int64(n))
	if err != nil && w.multiplexed { // with HTTP/1.1 net/http's error already holds what was read
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

// hasLargeCertificates reports whether the certificates were so large that neither connection nor TLS session is kept.
func (w *wire) hasLargeCertificates() bool { return w.read > maxKeptHandshake }

// sessionCache keeps TLS sessions, except for those with large certificates, as a session holds them. It keeps those of
// different identities apart: the library finds a session by the server's name alone, and a resumed session is taken for
// the identity that began it.
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
