package redisstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/redis/go-redis/v9"
)

// dial opens a connection. See redis.UniversalOptions.Dialer.
type dial func(ctx context.Context, network, address string) (net.Conn, error)

// newDial returns what dials, with TLS where there is a configuration.
func newDial(timeout time.Duration, secure *tls.Config) dial {
	d := &net.Dialer{Timeout: timeout, KeepAlive: 5 * time.Minute}
	if secure == nil {
		return d.DialContext
	}
	return (&tls.Dialer{NetDialer: d, Config: secure}).DialContext
}

// dialError is a connection that could not be made. The client has one logger for the whole process and tells it of each;
// by this type our logger knows which are ours.
type dialError struct {
	err error
	log *slog.Logger
}

func (e *dialError) Error() string { return e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

// Timeout implements net.Error, as the client asks for it.
func (e *dialError) Timeout() bool {
	var timeout net.Error
	return errors.As(e.err, &timeout) && timeout.Timeout()
}

// Temporary implements net.Error.
func (e *dialError) Temporary() bool { return false }

// markErrors is d with its errors marked as those of log.
func (d dial) markErrors(log *slog.Logger) dial {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := d(ctx, network, address)
		if err != nil {
			return nil, &dialError{err, log}
		}
		return c, nil
	}
}

// The client writes to standard error unless it has a logger; it reads that without a lock, so it has to be set before
// anything runs. A program that sets one of its own replaces ours.
func init() {
	redis.SetLogger(&clientLog{rest: log.New(os.Stderr, "redis: ", log.LstdFlags)})
}

// clientLog shows at debug what the client says of connections that a store could not make: that Redis is down the store
// says itself, once. What it says of other clients of the program goes where it went before.
type clientLog struct{ rest *log.Logger }

// Printf implements the logger of the Redis client.
func (l *clientLog) Printf(ctx context.Context, format string, values ...any) {
	for _, v := range values {
		var ours *dialError
		if err, ok := v.(error); ok && errors.As(err, &ours) {
			ours.log.DebugContext(ctx, "redis client", "said", fmt.Sprintf(format, values...))
			return
		}
	}
	l.rest.Printf(format, values...)
}
