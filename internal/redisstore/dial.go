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

// dial opens a connection, as redis.UniversalOptions.Dialer does.
type dial func(ctx context.Context, network, address string) (net.Conn, error)

// newDial returns a dial that takes at most timeout, and uses TLS where secure is not nil.
func newDial(timeout time.Duration, secure *tls.Config) dial {
	d := &net.Dialer{Timeout: timeout, KeepAlive: 5 * time.Minute}
	if secure == nil {
		return d.DialContext
	}
	return (&tls.Dialer{NetDialer: d, Config: secure}).DialContext
}

// dialError is the error of a connection that a store could not make. The Redis client has one logger for the whole process
// and reports each such error to it; by this type [clientLog] finds those of our stores, and the log of each.
type dialError struct {
	err error
	log *slog.Logger
}

func (e *dialError) Error() string { return e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

// Timeout implements net.Error, which the Redis client looks for.
func (e *dialError) Timeout() bool {
	var timeout net.Error
	return errors.As(e.err, &timeout) && timeout.Timeout()
}

// Temporary implements net.Error. It is always false.
func (e *dialError) Temporary() bool { return false }

// markErrors returns d with each of its errors in a [dialError] that names log.
func (d dial) markErrors(log *slog.Logger) dial {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := d(ctx, network, address)
		if err != nil {
			return nil, &dialError{err, log}
		}
		return c, nil
	}
}

// The Redis client writes to standard error unless it has a logger. It reads its logger without a lock, so ours has to be
// set before anything runs. A program that sets one of its own replaces it.
func init() {
	redis.SetLogger(&clientLog{rest: log.New(os.Stderr, "redis: ", log.LstdFlags)})
}

// clientLog logs at debug level what the Redis client reports of connections that a store could not make: the store itself
// reports, once, that Redis is down. What concerns other clients in the program goes to standard error, as without it.
type clientLog struct{ rest *log.Logger }

// Printf implements the interface of the Redis client's logger.
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
