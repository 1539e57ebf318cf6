//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package localredis

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// answerTime is how long the server may take for an answer.
const answerTime = 5 * time.Second

var errClosed = errors.New("the server closed the connection")

// conn speaks with the server past any client, whose pool and retries would hide what is watched for.
type conn struct {
	net.Conn
	r *bufio.Reader
}

func (w *supervisor) dial() (*conn, error) {
	c, err := net.DialTimeout("unix", w.socket(), answerTime)
	if err != nil {
		return nil, err
	}
	return &conn{c, bufio.NewReader(c)}, nil
}

func (c *conn) close() { _ = c.Close() }

// do sends a command and returns its answer: a line, a number or a text.
func (c *conn) do(args ...string) (string, error) {
	_ = c.SetDeadline(time.Now().Add(answerTime))
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(a), a)
	}
	if _, err := io.WriteString(c, b.String()); err != nil {
		return "", closedOr(err)
	}
	line, err := c.r.ReadString('\n')
	if err != nil {
		return "", closedOr(err)
	}
	line = strings.TrimRight(line, "\r\n")
	switch {
	case strings.HasPrefix(line, "-"):
		return "", errors.New(line[1:])
	case strings.HasPrefix(line, "$"):
		n, err := strconv.Atoi(line[1:])
		if err != nil || n < 0 || n > 1<<20 {
			return "", fmt.Errorf("an answer of length %s", line[1:])
		}
		text := make([]byte, n+2)
		if _, err := io.ReadFull(c.r, text); err != nil {
			return "", closedOr(err)
		}
		return string(text[:n]), nil
	}
	return strings.TrimLeft(line, "+:"), nil
}

func closedOr(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		return errClosed
	}
	return err
}

func (c *conn) info() (map[string]string, error) {
	text, err := c.do("INFO", "server")
	if err != nil {
		return nil, err
	}
	fields := map[string]string{}
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			fields[k] = v
		}
	}
	return fields, nil
}

// waitForClose waits until the server closes the connection, as its end does.
func (c *conn) waitForClose() {
	_ = c.SetDeadline(time.Time{})
	_, _ = c.r.ReadByte()
}

// silentTooLong is how long a server that runs may say nothing before that is a problem to show. It is waited for all the same.
const silentTooLong = 10 * time.Second

// loading is how long whoever needs the server waits while it loads its data; then they are told.
const loading = time.Second

// connect waits until the server answers, and returns the connection. It ends with the server.
func (w *supervisor) connect(ctx context.Context) (*conn, error) {
	began := time.Now()
	for {
		c, err := w.dial()
		if err == nil {
			if _, err = c.do("PING"); err == nil {
				return c, nil
			}
			c.close()
			if strings.HasPrefix(err.Error(), "LOADING") {
				if time.Since(began) > loading {
					w.setState(false, &Problem{Waiting: true, Text: "the server in " + w.dir + " is still loading its data"})
				}
				began = time.Now().Add(-loading)
			}
		} else if !w.alive() {
			return nil, err
		} else if time.Since(began) > time.Second {
			w.stopUnreachable()
		}
		if time.Since(began) > silentTooLong {
			w.setState(false, problemf("the server in %s runs and does not answer: %v", w.dir, err))
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// stopUnreachable ends a server that lives but can't be reached, as somebody removed its socket: it is asked to, so that its
// data comes to the disk. What a dead one left behind is ended too.
func (w *supervisor) stopUnreachable() {
	w.endOrphans()
	if pid := w.readPID(); pid > 1 && w.alive() {
		_ = syscall.Kill(pid, syscall.SIGTERM)
	}
	time.Sleep(200 * time.Millisecond)
}
