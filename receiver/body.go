package receiver

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// firstRead is how much memory a request may claim by its Content-Length before it has sent anything.
const firstRead = 16 << 10

var errTooLarge = errors.New("the body is larger than max_size")

// readBody reads the whole body, at most limit bytes of it and the one that shows that there are more. Memory
// grows with what has arrived, never with what was announced. Where it is large enough, room is used for the body.
// On an error it returns what was read so far.
func readBody(req *http.Request, limit int64, room []byte) ([]byte, error) {
	if req.ContentLength > limit {
		return nil, errTooLarge
	}
	if req.ContentLength == 0 || req.Body == nil || req.Body == http.NoBody {
		return nil, nil
	}
	size := min(int64(firstRead), limit+1)
	if req.ContentLength > 0 && req.ContentLength < size {
		size = req.ContentLength + 1 // room to see the end without growing
	}
	buf := room[:0:min(int64(cap(room)), limit+1)]
	if int64(cap(buf)) < size {
		buf = make([]byte, 0, size)
	}
	for {
		n, err := req.Body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if int64(len(buf)) > limit {
			return buf, errTooLarge
		}
		if err == io.EOF {
			return buf, nil
		}
		if err != nil {
			return buf, err
		}
		if len(buf) == cap(buf) {
			grown := make([]byte, len(buf), min(4*int64(cap(buf)), limit+1))
			copy(grown, buf)
			buf = grown
		}
	}
}

func refuseBody(req *http.Request, err error) *Refusal {
	var timeout net.Error
	switch {
	case errors.Is(err, errTooLarge):
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
