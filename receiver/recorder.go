package receiver

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
)

// recorder notes the status that the app answers, for a proxy returns no error for a 500. It keeps what the
// server's own writer can do.
//
// Once the client has left, writes go nowhere but succeed: the app's answer is read to its end, so that
// a sender that hangs up does not turn a finished event into a failed one.
type recorder struct {
	http.ResponseWriter
	status   int
	gone     bool // the client has left
	hijacked bool
	switches bool // the app answered 101, which goes nowhere
}

// Unwrap is for [http.ResponseController].
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// succeeded reports whether the app answered 2xx. A handler that wrote nothing answered 200, as net/http
// will. One that took the connection over answered nothing that we could judge.
func (r *recorder) succeeded() bool {
	return !r.hijacked && (r.status == 0 || r.status >= 200 && r.status < 300)
}

// wrote reports whether somebody answered, or took the connection.
func (r *recorder) wrote() bool { return r.status != 0 || r.hijacked }

// WriteHeader notes the final status: 1xx is information on the way to it, but for 101, which is not passed on.
//
// Lesson 67: nobody asked for another protocol, as Upgrade was dropped, and an app that switches all the same would get what nobody
// verified.
func (r *recorder) WriteHeader(status int) {
	if status == http.StatusSwitchingProtocols && r.status == 0 {
		r.switches, r.gone = true, true // whatever it writes now goes nowhere
	}
	if r.switches {
		return
	}
	if r.status == 0 && status >= 200 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) implied() {
	if r.status == 0 && !r.switches {
		r.status = http.StatusOK
	}
}

// Write implements io.Writer.
func (r *recorder) Write(p []byte) (int, error) {
	r.implied()
	if r.gone {
		return len(p), nil
	}
	n, err := r.ResponseWriter.Write(p)
	if err == nil || isProgramError(err) {
		return n, err
	}
	r.gone = true
	return len(p), nil
}

// isProgramError tells a mistake of the handler from a client that left.
func isProgramError(err error) bool {
	return err == http.ErrBodyNotAllowed || err == http.ErrContentLength || err == http.ErrHijacked
}

// ReadFrom lets the server copy a file without passing it through this process.
func (r *recorder) ReadFrom(src io.Reader) (int64, error) {
	r.implied()
	to, ok := r.ResponseWriter.(io.ReaderFrom)
	if !ok || r.gone {
		return io.Copy(onlyWriter{r}, src)
	}
	s := &source{Reader: src}
	n, err := to.ReadFrom(s)
	if err == nil || s.err != nil || isProgramError(err) {
		return n, err
	}
	r.gone = true
	rest, err := io.Copy(io.Discard, src)
	return n + rest, err
}

// onlyWriter hides ReadFrom, which io.Copy would call again.
type onlyWriter struct{ io.Writer }

// source remembers whether it was the reading that failed.
type source struct {
	io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// Flush implements http.Flusher, for handlers that ask for it by a type assertion.
func (r *recorder) Flush() { _ = r.FlushError() }

// FlushError is what [http.ResponseController] calls.
func (r *recorder) FlushError() error {
	r.implied()
	if r.gone {
		return nil
	}
	err := http.NewResponseController(r.ResponseWriter).Flush()
	if err != nil && !isUnsupported(err) {
		r.gone = true
		return nil
	}
	return err
}

// Hijack implements http.Hijacker where the server can.
func (r *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if r.switches {
		return nil, nil, http.ErrNotSupported
	}
	conn, rw, err := http.NewResponseController(r.ResponseWriter).Hijack()
	if err == nil {
		r.hijacked = true
	}
	return conn, rw, err
}

func isUnsupported(err error) bool { return errors.Is(err, http.ErrNotSupported) }

var (
	_ http.Flusher  = (*recorder)(nil)
	_ http.Hijacker = (*recorder)(nil)
	_ io.ReaderFrom = (*recorder)(nil)
)
