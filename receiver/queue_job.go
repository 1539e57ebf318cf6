package receiver

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/videocloud/webhooks/config"
)

// Job is a verified request that is delivered later, with everything that the app would have got except hop-by-hop headers,
// Authorization, Cookie and the header with the scheme's secret. Its headers include those that the receiver sets.
type Job struct {
	Method     string
	URI        string // as in the request line
	Host       string
	RemoteAddr string // host:port of the sender's end of the connection
	TLS        bool   // the request came over TLS
	Received   time.Time
	Header     http.Header
	Body       []byte

	// Deliveries names the [Deliveries] that the job goes to, where the receiver has several. The encoding of a job does not
	// contain them.
	Deliveries []string

	// What was verified.
	Scheme, ID, Event, Timestamp string
}

// newJob makes a job of the request. The job shares the request's headers.
func newJob(req *http.Request, o *Outcome, body []byte, now time.Time, keep func(string) bool) Job {
	uri := req.RequestURI
	if uri == "" {
		uri = req.URL.RequestURI() // the request was made by a program, not read from a connection
	}
	j := Job{Method: req.Method, URI: uri, Host: req.Host, RemoteAddr: req.RemoteAddr, TLS: req.TLS != nil,
		Received: now, Header: req.Header, Body: body,
		Scheme: o.Scheme, ID: o.ID, Event: o.Event, Timestamp: o.Timestamp}
	if len(req.Header["Connection"]) > 0 {
		j.Header = keptHeaders(req.Header, keep)
	}
	return j
}

// queueKeepsHeader reports whether a queue stores a header: not those of one connection, and no credentials.
func queueKeepsHeader(name string) bool {
	switch name {
	case "Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer",
		"Transfer-Encoding", "Upgrade", "Expect", "Content-Length", "Authorization", "Cookie":
		return false
	}
	return true
}

func isAny(string) bool { return true }

func keptHeaders(h http.Header, keep func(string) bool) http.Header {
	kept := make(http.Header, len(h))
	for name, values := range h {
		if keep(name) {
			kept[name] = values
		}
	}
	for _, v := range h["Connection"] {
		for token := range strings.SplitSeq(v, ",") {
			delete(kept, http.CanonicalHeaderKey(strings.TrimSpace(token)))
		}
	}
	return kept
}

// Request returns the request of one delivery attempt, 1 being the first.
func (j *Job) Request(ctx context.Context, attempt int) (*http.Request, error) {
	header := make(http.Header, len(j.Header)+2)
	for name, values := range j.Header {
		header[name] = slices.Clone(values)
	}
	return j.request(ctx, attempt, header, string(j.Body))
}

// request is [Job.Request] with headers of its own, and the body as a text.
func (j *Job) request(ctx context.Context, attempt int, header http.Header, body string) (*http.Request, error) {
	u, err := url.ParseRequestURI(j.URI)
	if err != nil {
		return nil, fmt.Errorf("restoring a queued request: %w", err)
	}
	req := (&http.Request{Method: j.Method, URL: u, RequestURI: j.URI, Host: j.Host, RemoteAddr: j.RemoteAddr,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header}).WithContext(ctx)
	header[config.HeaderAttempt] = []string{strconv.Itoa(attempt)}
	setStoredBody(req, body)
	return req, nil
}

// jobVersion is the first byte of an encoded job, so that later versions can read the jobs that are in a queue.
const jobVersion = 1

// ErrJob is matched by the errors of [DecodeJob], for bytes that no version of this program wrote.
var ErrJob = errors.New("not a queued request")

// Append appends the job's encoding to dst: the version, a byte for TLS, the time, and then every text behind its length.
// The body is last.
func (j *Job) Append(dst []byte) []byte { return j.append(dst, isAny) }

// append is [Job.Append] with only some of the headers.
func (j *Job) append(dst []byte, keep func(name string) bool) []byte {
	size, names := j.size(keep)
	dst = slices.Grow(dst, size)
	dst = append(dst, jobVersion, flag(j.TLS))
	dst = binary.AppendVarint(dst, j.Received.UnixMilli())
	for _, s := range [...]string{j.Method, j.URI, j.Host, j.RemoteAddr, j.Scheme, j.ID, j.Event, j.Timestamp} {
		dst = appendText(dst, s)
	}
	dst = binary.AppendUvarint(dst, uint64(names))
	for name, values := range j.Header {
		if !keep(name) {
			continue
		}
		dst = appendText(dst, name)
		dst = binary.AppendUvarint(dst, uint64(len(values)))
		for _, v := range values {
			dst = appendText(dst, v)
		}
	}
	dst = binary.AppendUvarint(dst, uint64(len(j.Body)))
	return append(dst, j.Body...)
}

// size returns an upper bound of the encoding's length, and the number of headers kept. The bound is too low where a text
// other than the body has more than 16,383 bytes, which only costs another allocation.
func (j *Job) size(keep func(name string) bool) (n, names int) {
	const fixed, perText = 2 + 2*binary.MaxVarintLen64, 2
	n = fixed + 8*perText + len(j.Method) + len(j.URI) + len(j.Host) + len(j.RemoteAddr) +
		len(j.Scheme) + len(j.ID) + len(j.Event) + len(j.Timestamp) + binary.MaxVarintLen64 + len(j.Body)
	for name, values := range j.Header {
		if !keep(name) {
			continue
		}
		names++
		n += 2*perText + len(name)
		for _, v := range values {
			n += perText + len(v)
		}
	}
	return n, names
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// DecodeJob decodes what [Job.Append] wrote. The body shares memory with b.
func DecodeJob(b []byte) (*Job, error) {
	j, body, err := decodeJob(string(b))
	if err != nil {
		return nil, err
	}
	if n := len(body); n > 0 {
		j.Body = b[len(b)-n:]
	}
	return j, nil
}

// decodeJob is DecodeJob of a string, with which all results share memory. It returns the body apart from the job.
func decodeJob(text string) (j *Job, body string, err error) {
	d := decoder{rest: text}
	j, err = d.job()
	if err != nil {
		return nil, "", err
	}
	body = d.text()
	if d.failed || len(d.rest) > 0 {
		return nil, "", errJobCut
	}
	return j, body, nil
}

var errJobCut = fmt.Errorf("%w: it is cut short or too long", ErrJob)

// job reads all but the body.
func (d *decoder) job() (*Job, error) {
	version, tls := d.octet(), d.octet()
	if d.failed || version != jobVersion || tls > 1 {
		return nil, fmt.Errorf("%w: unknown version", ErrJob)
	}
	j := &Job{TLS: tls == 1, Received: time.UnixMilli(d.varint()).UTC()}
	for _, s := range [...]*string{&j.Method, &j.URI, &j.Host, &j.RemoteAddr, &j.Scheme, &j.ID, &j.Event, &j.Timestamp} {
		*s = d.text()
	}
	names := d.count()
	j.Header = make(http.Header, min(names, 64)+2) // an attempt adds two
	all := make([]string, 0, min(names, 64))       // nearly always one value each
	for range names {
		name, values := d.text(), d.count()
		first := len(all)
		for i := 0; i < values && !d.failed; i++ {
			all = append(all, d.text())
		}
		if d.failed {
			break
		}
		j.Header[name] = all[first:len(all):len(all)]
	}
	if d.failed {
		return nil, errJobCut
	}
	return j, nil
}

// decoder reads an encoded job. After a failure it returns zero values only, so that callers check once, at the end.
type decoder struct {
	rest   string
	failed bool
}

func (d *decoder) fail() {
	d.failed, d.rest = true, ""
}

func (d *decoder) octet() byte {
	if len(d.rest) == 0 {
		d.fail()
		return 0
	}
	c := d.rest[0]
	d.rest = d.rest[1:]
	return c
}

// uvarint reads an unsigned varint of encoding/binary.
func (d *decoder) uvarint() uint64 {
	var v uint64
	for i := range len(d.rest) {
		c := d.rest[i]
		if i == binary.MaxVarintLen64 || i == binary.MaxVarintLen64-1 && c > 1 {
			break
		}
		v |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			d.rest = d.rest[i+1:]
			return v
		}
	}
	d.fail()
	return 0
}

func (d *decoder) varint() int64 {
	u := d.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

// count reads the number of items that follow. Each has at least one byte, so a count above the number of bytes left is
// refused, and a forged one allocates nothing.
func (d *decoder) count() int {
	v := d.uvarint()
	if v > uint64(len(d.rest)) {
		d.fail()
		return 0
	}
	return int(v)
}

func (d *decoder) text() string {
	n := d.count()
	s := d.rest[:n]
	d.rest = d.rest[n:]
	return s
}
