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

// Job is a verified request that is delivered later: all that the app would have got, but hop-by-hop headers,
// Authorization and Cookie, which are not kept. Its headers hold the X-Webhook-* ones already.
type Job struct {
	Method     string
	URI        string // as in the request line
	Host       string
	RemoteAddr string // of the sender's connection, host:port
	TLS        bool   // it came over TLS
	Received   time.Time
	Header     http.Header
	Body       []byte

	// What was verified.
	Scheme, ID, Event, Timestamp string
}

// newJob keeps the request. The header map is a new one, its values are shared.
func newJob(req *http.Request, o *Outcome, body []byte, now time.Time) *Job {
	uri := req.RequestURI
	if uri == "" {
		uri = req.URL.RequestURI() // made by a program, not read from a connection
	}
	return &Job{Method: req.Method, URI: uri, Host: req.Host, RemoteAddr: req.RemoteAddr, TLS: req.TLS != nil,
		Received: now, Header: keptHeaders(req.Header), Body: body,
		Scheme: o.Scheme, ID: o.ID, Event: o.Event, Timestamp: o.Timestamp}
}

// dropped are the headers that a queue doesn't keep: those of one connection, and credentials, which have
// no place in a store.
var dropped = map[string]bool{
	"Connection": true, "Proxy-Connection": true, "Keep-Alive": true, "Proxy-Authenticate": true,
	"Proxy-Authorization": true, "Te": true, "Trailer": true, "Transfer-Encoding": true, "Upgrade": true,
	"Expect": true, "Content-Length": true, "Authorization": true, "Cookie": true,
}

func keptHeaders(h http.Header) http.Header {
	kept := make(http.Header, len(h))
	for name, values := range h {
		if !dropped[name] {
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
	u, err := url.ParseRequestURI(j.URI)
	if err != nil {
		return nil, fmt.Errorf("restoring a queued request: %w", err)
	}
	req := (&http.Request{Method: j.Method, URL: u, RequestURI: j.URI, Host: j.Host, RemoteAddr: j.RemoteAddr,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: j.Header.Clone()}).WithContext(ctx)
	if req.Header == nil {
		req.Header = http.Header{}
	}
	req.Header.Set(config.HeaderAttempt, strconv.Itoa(attempt))
	replaceBody(req, &verifiedBody{}, j.Body)
	return req, nil
}

// jobVersion begins an encoded job, so that a later version can still read what is in a queue.
const jobVersion = 1

// ErrJob is wrapped by [DecodeJob] for bytes that no version of this program wrote.
var ErrJob = errors.New("not a queued request")

// Append appends the job's encoding: the version, a flag byte, the time, and then every text with its length
// before it. The body is last and stored as it is.
func (j *Job) Append(dst []byte) []byte {
	dst = slices.Grow(dst, j.size())
	dst = append(dst, jobVersion, flag(j.TLS))
	dst = binary.AppendVarint(dst, j.Received.UnixMilli())
	for _, s := range [...]string{j.Method, j.URI, j.Host, j.RemoteAddr, j.Scheme, j.ID, j.Event, j.Timestamp} {
		dst = appendText(dst, s)
	}
	var few [32]string // as many as most requests have, without an allocation
	names := few[:0]
	for name := range j.Header {
		names = append(names, name)
	}
	slices.Sort(names) // the same job is always the same bytes
	dst = binary.AppendUvarint(dst, uint64(len(names)))
	for _, name := range names {
		dst = appendText(dst, name)
		dst = binary.AppendUvarint(dst, uint64(len(j.Header[name])))
		for _, v := range j.Header[name] {
			dst = appendText(dst, v)
		}
	}
	dst = binary.AppendUvarint(dst, uint64(len(j.Body)))
	return append(dst, j.Body...)
}

// size is at least the length of the encoding, as long as no text but the body has more than 16,383 bytes: a larger one only
// costs another allocation.
func (j *Job) size() int {
	const fixed, perText = 2 + 2*binary.MaxVarintLen64, 2
	n := fixed + 8*perText + len(j.Method) + len(j.URI) + len(j.Host) + len(j.RemoteAddr) +
		len(j.Scheme) + len(j.ID) + len(j.Event) + len(j.Timestamp) + binary.MaxVarintLen64 + len(j.Body)
	for name, values := range j.Header {
		n += 2*perText + len(name)
		for _, v := range values {
			n += perText + len(v)
		}
	}
	return n
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

// DecodeJob reads what [Job.Append] wrote. The body shares b's memory.
func DecodeJob(b []byte) (*Job, error) {
	d := decoder{rest: b}
	version, tls := d.octet(), d.octet()
	if d.failed || version != jobVersion || tls > 1 {
		return nil, fmt.Errorf("%w: unknown version", ErrJob)
	}
	j := &Job{TLS: tls == 1, Received: time.UnixMilli(d.varint()).UTC()}
	for _, s := range [...]*string{&j.Method, &j.URI, &j.Host, &j.RemoteAddr, &j.Scheme, &j.ID, &j.Event, &j.Timestamp} {
		*s = string(d.text())
	}
	names := d.count()
	j.Header = make(http.Header, min(names, 64))
	for range names {
		name, values := string(d.text()), d.count()
		list := make([]string, 0, min(values, 8))
		for range values {
			list = append(list, string(d.text()))
		}
		j.Header[name] = list
		if d.failed {
			break
		}
	}
	j.Body = d.text()
	if d.failed || len(d.rest) > 0 {
		return nil, fmt.Errorf("%w: it is cut short or too long", ErrJob)
	}
	return j, nil
}

// decoder reads from what is left. Once it failed it only returns zeros, so that callers check once.
type decoder struct {
	rest   []byte
	failed bool
}

func (d *decoder) fail() {
	d.failed, d.rest = true, nil
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

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.rest)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

// count reads how many items follow. Each takes a byte at least, so there can't be more than bytes are left:
// a forged count allocates nothing.
func (d *decoder) count() int {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 || v > uint64(len(d.rest)-n) {
		d.fail()
		return 0
	}
	d.rest = d.rest[n:]
	return int(v)
}

func (d *decoder) text() []byte {
	n := d.count()
	if d.failed || n == 0 {
		return nil
	}
	b := d.rest[:n:n]
	d.rest = d.rest[n:]
	return b
}
