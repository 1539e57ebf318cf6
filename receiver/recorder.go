package receiver

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
)

// recorder is an [http.ResponseWriter] that records the status of the app's answer: a proxy returns no error for a 500. It
// keeps the abilities of the server's own writer.
//
// Once the client has closed the connection, writes are dropped and succeed. So the app's answer is read to its end, and
// a sender that hangs up does not turn a finished event into a failed one.
type recorder struct {
	http.ResponseWriter
	status     int
	clientLeft bool // the client closed the connection, so writes are dropped
	hijacked   bool
	switches   bool // the app answered 101, which is not passed on
}

// Unwrap is for [http.ResponseController].
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// succeeded reports whether the app answered 2xx. A handler that wrote nothing answered 200, which net/http will send
// for it. A handler that hijacked the connection gave no status.
func (r *recorder) succeeded() bool {
	return !r.hijacked && (r.status == 0 || r.status >= 200 && r.status < 300)
}

// wrote reports whether a handler wrote an answer or hijacked the connection.
func (r *recorder) wrote() bool { return r.status != 0 || r.hijacked }

// WriteHeader records the final status. A status of 1xx is not final and is passed on, except 101, which is neither.
//
// Lesson 67: the header Upgrade was dropped, so nobody asked for another protocol. An app that switches nevertheless
// would get bytes that nobody verified.
func (r *recorder) WriteHeader(status int) {
	if status == http.StatusSwitchingProtocols && r.status == 0 {
		r.switches, r.clientLeft = true, true
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
	if r.clientLeft {
		return len(p), nil
	}
	n, err := r.ResponseWriter.Write(p)
	if err == nil || isProgramError(err) {
		return n, err
	}
	r.clientLeft = true
	return len(p), nil
}

// isProgramError reports whether a write failed by a mistake of the handler, not because the client closed the connection.
func isProgramError(err error) bool {
	return err == http.ErrBodyNotAllowed || err == http.ErrContentLength || err == http.ErrHijacked
}

// ReadFrom implements [io.ReaderFrom], so that the server can send a file without copying it through this process.
func (r *recorder) ReadFrom(src io.Reader) (int64, error) {
	r.implied()
	to, ok := r.ResponseWriter.(io.ReaderFrom)
	if !ok || r.clientLeft {
		return io.Copy(onlyWriter{r}, src)
	}
	s := &source{Reader: src}
	n, err := to.ReadFrom(s)
	if err == nil || s.err != nil || isProgramError(err) {
		return n, err
	}
	r.clientLeft = true
	rest, err := io.Copy(io.Discard, src)
	return n + rest, err
}

// onlyWriter hides ReadFrom, which io.Copy would call again.
type onlyWriter struct{ io.Writer }

// source is a reader that keeps its error, to tell it from an error of writing.
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
	if r.clientLeft {
		return nil
	}
	err := http.NewResponseController(r.ResponseWriter).Flush()
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		r.clientLeft = true
		return nil
	}
	return err
}

// Hijack implements http.Hijacker, where the server's own writer does.
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

var (
	_ http.Flusher  = (*recorder)(nil)
	_ http.Hijacker = (*recorder)(nil)
	_ io.ReaderFrom = (*recorder)(nil)
)
