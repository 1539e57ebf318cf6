package destination

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"syscall"
)

// Codes of an [Error]; they are error codes of the REST API.
const (
	CodeUnsafeURL    = "unsafe_url"    // it may not be delivered to
	CodeInvalidField = "invalid_field" // it is not a URL, or not written in the one way that is taken
)

// Error is the refusal of a URL. It never repeats the URL, which may hold a password.
type Error struct {
	Code    string
	Message string // what to do about it
}

// Error implements error.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Blocked is the refusal of an address.
type Blocked struct {
	Host   string         // the name that was resolved; empty where an address was asked for
	Addr   netip.AddrPort // what would have been dialled; for the operator's log
	Reason string         // what kind of address it is
	Own    bool           // it is an admin address of this server
}

// Error implements error. The text may be shown to the owner of the webhook: where a name was
// resolved, it keeps back the address, as internal names would otherwise be looked up for strangers.
func (b *Blocked) Error() string {
	what := fmt.Sprintf("the address %s is %s", b.Addr, b.Reason)
	if b.Host != "" {
		what = fmt.Sprintf("%s resolves to %s", b.Host, b.Reason)
	}
	if b.Own {
		return what + ", which is never delivered to; use another address"
	}
	return what + ", not a public address; use a public one, or have the operator name its network in allow_networks"
}

// Kind classifies why a connection could not be made.
type Kind string

// The kinds of failure before a request is on its way.
const (
	KindBlocked Kind = "blocked" // the address may not be delivered to
	KindDNS     Kind = "dns"     // the name could not be resolved
	KindRefused Kind = "refused" // nothing listens there
	KindConnect Kind = "connect" // any other failure to connect
	KindTLS     Kind = "tls"     // the handshake or the verification of the certificate failed
	KindProxy   Kind = "proxy"   // the egress proxy failed or declined
	KindTimeout Kind = "timeout" // no answer in time
)

// DialError is a failure to connect to a permitted destination. Its text names no address, so it may
// be shown to the owner of the webhook; the cause, for the operator, is reached with errors.Unwrap.
type DialError struct {
	Kind    Kind
	Message string
	Err     error
}

// Error implements error.
func (e *DialError) Error() string { return e.Message }

// Unwrap returns the cause.
func (e *DialError) Unwrap() error { return e.Err }

// Timeout reports whether time ran out, whatever was being done.
func (e *DialError) Timeout() bool { return timedOut(e.Err) }

// KindOf classifies an error of a request made through the transport of [NewTransport]: what dialling
// said, or KindTimeout where time ran out later on. Any other error, cancellation included, is "".
func KindOf(err error) Kind {
	var b *Blocked
	if errors.As(err, &b) {
		return KindBlocked
	}
	var d *DialError
	if errors.As(err, &d) {
		return d.Kind
	}
	if timedOut(err) {
		return KindTimeout
	}
	return ""
}

// Describe says in words that may be shown to the owner of a webhook why a request made through the
// transport of [NewTransport] failed. The words of net/http hold addresses of this host's network.
func Describe(err error) string {
	var b *Blocked
	if errors.As(err, &b) {
		return b.Error()
	}
	var d *DialError
	if errors.As(err, &d) {
		return d.Error()
	}
	switch {
	case timedOut(err):
		return "no complete answer in time"
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "the connection broke before the answer was complete"
	}
	return "the answer was not valid HTTP"
}

func timedOut(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

// lookupError describes a failed resolution of host, without the name server's address.
func lookupError(host string, err error) error {
	reason := "the name server does not answer properly"
	var d *net.DNSError
	switch {
	case timedOut(err):
		reason = "the name server does not answer in time"
	case errors.As(err, &d) && d.IsNotFound:
		reason = "no such host"
	}
	return &DialError{Kind: KindDNS, Message: fmt.Sprintf("looking up %s: %s", host, reason), Err: err}
}

// connectError describes a failed connection to a destination.
func connectError(err error) error {
	var errno syscall.Errno
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return &DialError{Kind: KindRefused, Message: "connecting: connection refused", Err: err}
	case timedOut(err):
		return &DialError{Kind: KindTimeout, Message: "connecting: no answer in time", Err: err}
	case errors.As(err, &errno):
		return &DialError{Kind: KindConnect, Message: "connecting: " + errno.Error(), Err: err}
	}
	return &DialError{Kind: KindConnect, Message: "connecting: connection failed", Err: err}
}

// handshakeError describes a failed TLS handshake with a destination. What a certificate says is
// public, so the cause's own words are kept.
func handshakeError(err error) error {
	if timedOut(err) {
		return &DialError{Kind: KindTimeout, Message: "TLS handshake: no answer in time", Err: err}
	}
	var n *net.OpError
	if errors.As(err, &n) && n.Op != "remote error" && n.Op != "local error" {
		return &DialError{Kind: KindTLS, Message: "TLS handshake: the connection broke", Err: err}
	}
	return &DialError{Kind: KindTLS, Message: "TLS handshake: " + err.Error(), Err: err}
}

// proxyError describes a failure of the egress proxy, which is the operator's, not the destination's.
func proxyError(reason string, err error) error {
	return &DialError{Kind: KindProxy, Message: "egress proxy: " + reason, Err: err}
}
