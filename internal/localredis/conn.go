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

// answerTime is how long the server may take to accept a connection and to answer a command.
const answerTime = 5 * time.Second

var errClosed = errors.New("the server closed the connection")

// conn is a connection to the server without a Redis client, whose pool and retries would hide that a connection ended.
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

// do sends a command and returns its answer: a line, a number or a text of at most 1 MiB. It returns errClosed where the
// server has closed the connection.
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

// waitForClose waits until the connection is closed, as it is when the server ends.
func (c *conn) waitForClose() {
	_ = c.SetDeadline(time.Time{})
	_, _ = c.r.ReadByte()
}

// silenceLimit is how long a running server may not answer before callers get a [*Problem]. The wait for it goes on.
const silenceLimit = 10 * time.Second

// loadingLimit is how long callers wait while the server loads its data, before they get a [*Problem].
const loadingLimit = time.Second

// connect waits until the server answers, and returns the connection. It fails when no server lives or ctx has ended.
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
				if time.Since(began) > loadingLimit {
					w.setState(false, &Problem{Waiting: true, Text: "the server in " + w.dir + " is still loading its data"})
				}
				began = time.Now().Add(-loadingLimit) // it answers, so silenceLimit is not reached
			}
		} else if !w.alive() {
			return nil, err
		} else if time.Since(began) > time.Second {
			w.stopUnreachable()
		}
		if time.Since(began) > silenceLimit {
			w.setState(false, problemf("the server in %s runs and does not answer: %v", w.dir, err))
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// stopUnreachable asks a server that lives but can't be reached, because somebody removed its socket, to end: with SIGTERM,
// so that it writes its data to the disk. It also ends what is left of a dead server.
func (w *supervisor) stopUnreachable() {
	w.endOrphans()
	if pid := w.readPID(); pid > 1 && w.alive() {
		_ = syscall.Kill(pid, syscall.SIGTERM)
	}
	time.Sleep(200 * time.Millisecond)
}
