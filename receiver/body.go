package receiver

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// firstRead is the size in bytes of the first read: a larger Content-Length gets no more memory before bytes have arrived.
const firstRead = 16 << 10

var (
	errTooLarge = errors.New("the body is larger than max_size")
	errBusy     = errors.New("too many bytes of bodies that are not whole yet, in all or of this client: see max_unfinished")
	errSlow     = fmt.Errorf("the body did not arrive within read_timeout: %w", os.ErrDeadlineExceeded)
)

// bodyReader reads bodies within the receiver's bounds.
type bodyReader struct {
	limit      int64
	timeout    time.Duration
	client     func(*http.Request) netip.Addr
	unfinished *unfinished
	dryRun     bool // a refused request goes to the app nevertheless
}

// read reads the whole body within the timeout: at most limit bytes, and one more that shows that it is too large. Memory
// grows with the bytes that have arrived, not with Content-Length. The body is read into buffer where that is large enough.
// On an error read returns the bytes so far, and leaves the deadline on the connection, so that nobody waits for the rest.
func (br *bodyReader) read(w http.ResponseWriter, req *http.Request, buffer []byte) ([]byte, error) {
	if req.ContentLength > br.limit {
		return nil, errTooLarge
	}
	if req.ContentLength == 0 || req.Body == nil || req.Body == http.NoBody {
		return nil, nil
	}
	deadline := time.Now().Add(br.timeout)
	control := http.NewResponseController(w)
	bounded := control.SetReadDeadline(deadline) == nil
	buf, err := br.readAll(req, buffer, deadline)
	switch {
	case bounded && (err == nil || br.dryRun):
		_ = control.SetReadDeadline(time.Time{}) // the app's work has a timeout of its own
	case bounded && errors.Is(err, errBusy):
		_ = control.SetReadDeadline(time.Unix(1, 0)) // or the server would read the rest before it answers
	}
	return buf, err
}

func (br *bodyReader) readAll(req *http.Request, buffer []byte, deadline time.Time) ([]byte, error) {
	limit := br.limit
	size := min(int64(firstRead), limit+1)
	if req.ContentLength > 0 && req.ContentLength < size {
		size = req.ContentLength + 1 // so that the read that finds the end has room
	}
	buf := buffer[:0:min(int64(cap(buffer)), limit+1)]
	if int64(cap(buf)) < size {
		buf = make([]byte, 0, size)
	}
	body := unfinishedBody{all: br.unfinished}
	defer body.end()
	for {
		n, err := req.Body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case int64(len(buf)) > limit:
			return buf, errTooLarge
		case err == io.EOF:
			return buf, nil
		case err != nil:
			return buf, err
		case !time.Now().Before(deadline):
			return buf, errSlow // not every connection takes a deadline
		case int64(len(buf)) == req.ContentLength:
			continue // the next read returns io.EOF
		}
		if !body.client.IsValid() {
			body.client = clientNetwork(br.client(req), req.Header)
		}
		if !body.grow(int64(n)) {
			return buf, errBusy
		}
		if len(buf) == cap(buf) {
			grown := make([]byte, len(buf), min(2*int64(cap(buf)), limit+1))
			copy(grown, buf)
			buf = grown
		}
	}
}

func refuseBody(req *http.Request, err error) *Refusal {
	var timeout net.Error
	var limited *http.MaxBytesError // of a handler in front of us
	switch {
	case errors.Is(err, errBusy):
		return refuseWithHeader(http.StatusServiceUnavailable, ReasonBusy, "Retry-After", retryBusy, err)
	case errors.Is(err, errTooLarge), errors.As(err, &limited):
		return refuse(http.StatusRequestEntityTooLarge, ReasonTooLarge, err)
	case errors.As(err, &timeout) && timeout.Timeout():
		return refuse(http.StatusRequestTimeout, ReasonBody, err)
	case req.Context().Err() != nil, errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return refuse(StatusClientClosed, ReasonBody, err)
	default:
		return refuse(http.StatusBadRequest, ReasonBody, err)
	}
}

// verifiedBody reads the bytes that were verified. These are not pooled: a transport may still read them after the
// handler has returned.
type verifiedBody struct{ bytes.Reader }

func (*verifiedBody) Close() error { return nil }

// storedBody is a verifiedBody that comes out of a queue as a string.
type storedBody struct{ strings.Reader }

func (*storedBody) Close() error { return nil }

// setVerifiedBody gives the request the body, first read through b, which the caller allocated.
func setVerifiedBody(req *http.Request, b *verifiedBody, body []byte) {
	b.Reset(body)
	setBody(req, b, len(body), func() (io.ReadCloser, error) {
		again := &verifiedBody{}
		again.Reset(body)
		return again, nil
	})
}

// setStoredBody gives the request a body out of a queue.
func setStoredBody(req *http.Request, body string) {
	open := func() (io.ReadCloser, error) {
		b := &storedBody{}
		b.Reset(body)
		return b, nil
	}
	first, _ := open() // never fails
	setBody(req, first, len(body), open)
}

// setBody gives the request a body of a known size, whatever it came with: a chunked one gets a length. A proxy's transport
// calls reopen where it has to send the body again on another connection.
func setBody(req *http.Request, body io.ReadCloser, size int, reopen func() (io.ReadCloser, error)) {
	if size == 0 {
		body, reopen = http.NoBody, func() (io.ReadCloser, error) { return http.NoBody, nil }
	}
	req.Body, req.GetBody = body, reopen
	if req.ContentLength != int64(size) || len(req.Header["Content-Length"]) == 0 {
		req.Header["Content-Length"] = []string{strconv.Itoa(size)}
	}
	req.ContentLength, req.TransferEncoding, req.Trailer = int64(size), nil, nil
	delete(req.Header, "Expect") // the body has arrived, so the app has nothing to ask for
}

// buffers hold the bodies of events that are queued: only this package reads them, and the queue has made a copy.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// maxKeptBuffer bounds, in bytes, the buffers that are put back into a pool.
const maxKeptBuffer = 64 << 10

// releaseBody puts the body's buffer back into the pool. The body must not be used afterwards.
func (x *exchange) releaseBody() {
	if x.pooled != nil && cap(x.body) <= maxKeptBuffer {
		if cap(x.body) > cap(*x.pooled) {
			*x.pooled = x.body[:0]
		}
		buffers.Put(x.pooled)
	}
	x.pooled, x.body, x.request.Body = nil, nil, nil
}
