package destination

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"

	"golang.org/x/net/http2"
)

// Codes of an [Error]; they are error codes of the REST API.
const (
	CodeUnsafeURL    = "unsafe_url"    // the URL may not be delivered to
	CodeInvalidField = "invalid_field" // not a URL, or not in the one spelling that is accepted
)

// Error is the refusal of a URL. It never repeats the URL, which may hold a password.
type Error struct {
	Code    string
	Message string // what to do about it
}

// Error implements error.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Blocked is the error of an address that may not be delivered to.
type Blocked struct {
	Host   string         // the name that was resolved; empty where the URL holds an address
	Addr   netip.AddrPort // what would have been dialled; for the operator's log
	Reason string         // what kind of address it is
	Own    bool           // it is an admin address of this server
}

// Error implements error. It is for the operator, as it names the address that would have been dialled; the owner
// of a webhook is shown [Describe].
func (b *Blocked) Error() string {
	what := fmt.Sprintf("%s is %s", b.Addr, b.Reason)
	if b.Host != "" {
		what = fmt.Sprintf("%s resolves to %s, which is %s", b.Host, b.Addr, b.Reason)
	}
	if b.Own {
		return what + ", and never delivered to"
	}
	return what + ", and in none of allow_networks"
}

// NotPublic is the message about every host that may not be delivered to, whatever the reason, and every host that
// can't be resolved: if their messages differed, a stranger could find out which names and addresses exist inside.
const NotPublic = "the URL's host has no public address that could be delivered to; check its name, use one that is public, or have the operator name its network in allow_networks"

// Kind classifies why a destination could not be reached.
type Kind string

// The kinds of failure. All but [KindTimeout] happen only before a request is sent.
const (
	KindBlocked Kind = "blocked" // the address may not be delivered to
	KindDNS     Kind = "dns"     // the name could not be resolved
	KindRefused Kind = "refused" // nothing listens there
	KindConnect Kind = "connect" // any other failure to connect
	KindTLS     Kind = "tls"     // the handshake or the verification of the certificate failed
	KindProxy   Kind = "proxy"   // the egress proxy failed or declined
	KindTimeout Kind = "timeout" // no answer in time
)

// DialError is a failure to connect to a permitted destination.
type DialError struct {
	Kind    Kind
	Message string // may be shown to the owner of the webhook: it names no address of ours
	Err     error  // the cause; may be nil
}

// Error implements error. It is for the operator: the cause names the address that was dialled.
func (e *DialError) Error() string {
	if e.Err == nil {
		return e.Message
	}
	return e.Message + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *DialError) Unwrap() error { return e.Err }

// Timeout reports whether the cause is that time ran out.
func (e *DialError) Timeout() bool { return timedOut(e.Err) }

// KindOf classifies an error of a request made through the transport of [NewTransport]: by the failure to
// connect, or as [KindTimeout] where time ran out later. For any other error, cancellation included, it
// returns "".
func KindOf(err error) Kind {
	if _, ok := errors.AsType[*Blocked](err); ok {
		return KindBlocked
	}
	if d, ok := errors.AsType[*DialError](err); ok {
		return d.Kind
	}
	if timedOut(err) {
		return KindTimeout
	}
	return ""
}

// ExchangeError is a failure after the connection was made.
type ExchangeError struct {
	Addr     string // the address that was dialled; for the operator
	Answered bool   // the header of the answer had been received
	Err      error  // the cause
}

// Error implements error. It is for the operator.
func (e *ExchangeError) Error() string { return "exchange with " + e.Addr + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *ExchangeError) Unwrap() error { return e.Err }

// Describe returns why a request made through the transport of [NewTransport] failed, in words that may be
// shown to the owner of a webhook. Those of net/http may not: they contain addresses of this host's network.
func Describe(err error) string {
	if _, ok := errors.AsType[*Blocked](err); ok {
		return NotPublic
	}
	if d, ok := errors.AsType[*DialError](err); ok {
		return d.Message
	}
	if timedOut(err) {
		return "no complete answer in time"
	}
	if errors.Is(err, context.Canceled) {
		return "cancelled"
	}
	if n, ok := errors.AsType[*net.OpError](err); ok && n.Op == "remote error" { // an alert, such as that a client certificate is missing
		return "the endpoint ended TLS: " + n.Err.Error()
	}
	for _, w := range untypedErrors {
		if strings.Contains(err.Error(), w.text) {
			return w.says
		}
	}
	// The error's own type is not exported by net/http, but its As method fills this one.
	if stream, ok := errors.AsType[http2.StreamError](err); ok {
		return fmt.Sprintf("the HTTP/2 stream was reset (%s) before the answer was complete", stream.Code)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, net.ErrClosed) {
		return describeBroken(err)
	}
	return "the answer was not valid HTTP"
}

// describeBroken distinguishes a connection that ended within an answer from one that ended before it.
func describeBroken(err error) string {
	if e, ok := errors.AsType[*ExchangeError](err); ok && !e.Answered {
		return "the connection was closed before an answer came"
	}
	return "the connection broke before the answer was complete"
}

// untypedErrors describes errors to which net/http gives neither a type nor a value, so that only their text identifies
// them. A test makes a server cause each of them, which shows when a later version of Go changes the text.
var untypedErrors = []struct{ text, says string }{
	{"server response headers exceeded", headerTooLarge},
	{"response header list larger than advertised limit", headerTooLarge},
	{"connection error: ", "the answer was not valid HTTP/2, or its header is larger than 64 KiB"},
	{"GOAWAY", "the endpoint closed its HTTP/2 connection (GOAWAY) before an answer came"},
	{"server closed idle connection", "the connection was closed before an answer came"},
	{"client connection lost", "the connection was lost before an answer came"},
	{"client conn not usable", "the connection was closed before an answer came"},
	{notEstablished, "the connection was closed before an answer came"},
}

const headerTooLarge = "the header of the answer is too large; keep it below 64 KiB"

func timedOut(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	n, ok := errors.AsType[net.Error](err)
	return ok && n.Timeout()
}

// unlessCancelled returns err, or the error of ctx where that was cancelled: then nobody waits for the connection any more.
func unlessCancelled(ctx context.Context, err error) error {
	if ctx.Err() == context.Canceled {
		return ctx.Err()
	}
	return err
}

// lookupError describes a failed resolution of host.
func lookupError(host string, err error) error {
	return &DialError{Kind: KindDNS, Message: NotPublic, Err: fmt.Errorf("looking up %s: %w", host, err)}
}

// connectError describes a failed connection to a destination.
func connectError(err error) error {
	kind, reason := KindConnect, "connection failed"
	var errno syscall.Errno
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		kind, reason = KindRefused, "connection refused"
	case timedOut(err):
		kind, reason = KindTimeout, "no answer in time"
	case errors.As(err, &errno):
		reason = errno.Error()
	}
	return &DialError{kind, "connecting: " + reason, err}
}

// handshakeError describes a failed TLS handshake with a destination. What a certificate says is
// public, so the cause's own words are kept.
func handshakeError(err error) error {
	kind, reason := KindTLS, err.Error()
	n, ok := errors.AsType[*net.OpError](err)
	switch {
	case timedOut(err):
		kind, reason = KindTimeout, "no answer in time"
	case errors.Is(err, errHandshakeTooLarge):
		reason = errHandshakeTooLarge.Error()
	case ok && n.Op != "remote error" && n.Op != "local error":
		reason = "the connection broke"
	}
	return &DialError{kind, "TLS handshake: " + reason, err}
}

// proxyError describes a failure of the egress proxy, which is for the operator to mend, not for the destination.
func proxyError(reason string, err error) error {
	return &DialError{Kind: KindProxy, Message: "egress proxy: " + reason, Err: err}
}
