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

// firstRead is how much memory a request may claim by its Content-Length before it has sent anything.
const firstRead = 16 << 10

var (
	errTooLarge = errors.New("the body is larger than max_size")
	errBusy     = errors.New("too many bytes of bodies that are not whole yet, in all or of this client: see max_unfinished")
	errSlow     = fmt.Errorf("the body did not arrive within read_timeout: %w", os.ErrDeadlineExceeded)
)

// bodyReader reads bodies within the receiver's bounds.
type bodyReader struct {
	limit   int64
	timeout time.Duration
	client  func(*http.Request) netip.Addr
	counts  *unfinished
	lenient bool // what is refused goes to the app all the same
}

// read reads the whole body: at most limit bytes of it and the one that shows that there are more, within the timeout. Memory
// grows with what has arrived, never with what was announced. Where it is large enough, room is used for the body.
// On an error it returns what was read so far, and the connection keeps its deadline: nobody waits for the rest of the body.
func (br *bodyReader) read(w http.ResponseWriter, req *http.Request, room []byte) ([]byte, error) {
	if req.ContentLength > br.limit {
		return nil, errTooLarge
	}
	if req.ContentLength == 0 || req.Body == nil || req.Body == http.NoBody {
		return nil, nil
	}
	deadline := time.Now().Add(br.timeout)
	control := http.NewResponseController(w)
	bounded := control.SetReadDeadline(deadline) == nil
	buf, err := br.readAll(req, room, deadline)
	switch {
	case bounded && (err == nil || br.lenient):
		_ = control.SetReadDeadline(time.Time{}) // the app's time has bounds of its own
	case bounded && errors.Is(err, errBusy):
		_ = control.SetReadDeadline(time.Unix(1, 0)) // the server would wait for the rest before it answers
	}
	return buf, err
}

func (br *bodyReader) readAll(req *http.Request, room []byte, deadline time.Time) ([]byte, error) {
	limit := br.limit
	size := min(int64(firstRead), limit+1)
	if req.ContentLength > 0 && req.ContentLength < size {
		size = req.ContentLength + 1 // room to see the end without growing
	}
	buf := room[:0:min(int64(cap(room)), limit+1)]
	if int64(cap(buf)) < size {
		buf = make([]byte, 0, size)
	}
	body := unfinishedBody{of: br.counts}
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
			return buf, errSlow // where the connection has no deadline
		case int64(len(buf)) == req.ContentLength:
			continue // whole, and the next read says so
		}
		if !body.client.IsValid() {
			body.client = countedAs(br.client(req), req.Header)
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
	var limited *http.MaxBytesError
	switch {
	case errors.Is(err, errBusy):
		return refuseFor(http.StatusServiceUnavailable, ReasonBusy, "Retry-After", retryBusy, err)
	case errors.Is(err, errTooLarge), errors.As(err, &limited): // the latter by who stands in front of us
		return refuse(http.StatusRequestEntityTooLarge, ReasonTooLarge, err)
	case errors.As(err, &timeout) && timeout.Timeout():
		return refuse(http.StatusRequestTimeout, ReasonBody, err)
	case req.Context().Err() != nil, errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return refuse(StatusClientClosed, ReasonBody, err)
	default:
		return refuse(http.StatusBadRequest, ReasonBody, err)
	}
}

// verifiedBody gives the app the bytes that were verified. They are not pooled: a transport may still read
// after the handler returned.
type verifiedBody struct{ bytes.Reader }

func (*verifiedBody) Close() error { return nil }

// storedBody is verifiedBody for what comes out of a queue as a text.
type storedBody struct{ strings.Reader }

func (*storedBody) Close() error { return nil }

// setBody makes the request carry a stored body.
func setBody(req *http.Request, body string) {
	req.Body, req.GetBody = http.NoBody, func() (io.ReadCloser, error) { return http.NoBody, nil }
	if body != "" {
		open := func() (io.ReadCloser, error) {
			b := &storedBody{}
			b.Reset(body)
			return b, nil
		}
		req.Body, _ = open()
		req.GetBody = open
	}
	req.Header["Content-Length"] = []string{strconv.Itoa(len(body))}
	req.ContentLength = int64(len(body))
	delete(req.Header, "Expect")
}

// buffers are for the bodies of events that a queue takes: nobody but us has seen them, and the queue has a copy.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// maxKeptBuffer bounds the buffers that are kept for other events.
const maxKeptBuffer = 64 << 10

// recycle gives the body's buffer to other requests. The body is gone then.
func (x *exchange) recycle() {
	if x.buffer != nil && cap(x.body) <= maxKeptBuffer {
		if cap(x.body) > cap(*x.buffer) {
			*x.buffer = x.body[:0]
		}
		buffers.Put(x.buffer)
	}
	x.buffer, x.body, x.request.Body = nil, nil, nil
}

// replaceBody makes the request carry the bytes, read through b, however they came: chunked ones get a length.
func replaceBody(req *http.Request, b *verifiedBody, body []byte) {
	if len(body) == 0 {
		req.Body = http.NoBody
		req.GetBody = func() (io.ReadCloser, error) { return http.NoBody, nil }
	} else {
		b.Reset(body)
		req.Body = b
		// A proxy's transport may have to send it again on another connection.
		req.GetBody = func() (io.ReadCloser, error) {
			again := &verifiedBody{}
			again.Reset(body)
			return again, nil
		}
	}
	if req.ContentLength != int64(len(body)) || len(req.Header["Content-Length"]) == 0 {
		req.Header["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	req.ContentLength = int64(len(body))
	req.TransferEncoding = nil
	req.Trailer = nil
	delete(req.Header, "Expect") // we asked for the body already: the app has nothing to wait for
}

// partlyRead is a body whose start was read already, for a dry run that refuses nothing.
type partlyRead struct {
	io.Reader
	io.Closer
}
