package sender

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/destination"
	"github.com/videocloud/webhooks/internal/queue"
)

const (
	// maxResponse is how many bytes of an answer are kept for the history.
	maxResponse = 1 << 10
	// maxError is how many bytes an error has at most: an endpoint chooses part of it, such as the names in its certificate.
	maxError = 512
	// maxDrain is how many more bytes of an answer are read, so that its connection can be used again. A longer answer costs its
	// connection and not our memory; its status counts all the same.
	maxDrain = 64 << 10
	// poisonAfter is how many processes in a row must die while they attempt a job before that counts as a failed attempt.
	poisonAfter = 3
	// slowAttempt is the duration from which on even a successful attempt makes the window of its webhook smaller.
	slowAttempt = time.Second
)

// Outcomes of an attempt, as the metrics name them, beside the kinds of package destination.
const (
	outcomeSuccess  = "success"
	outcomeStatus   = "status"
	outcomeRedirect = "redirect"
	outcomeRead     = "read"
	outcomeInternal = "internal"
	outcomePoison   = "poison"
	outcomeToken    = "token"
)

// result is the outcome of one HTTP request.
type result struct {
	outcome    string
	status     int
	err        string // for the owner: holds no address of ours and no secret
	body       string
	retryAfter time.Duration
	took       time.Duration
	cause      error // for the operator
}

func (r *result) success() bool { return r.outcome == outcomeSuccess }

// attempt makes one attempt of a delivery. The dispatcher calls it for each claimed job.
func (s *Sender) attempt(ctx context.Context, j *queue.Job) queue.Outcome {
	p, ok := decodePayload(j.Payload, j.ID)
	if !ok {
		s.recordEnd(ctx, j, &p, StateFailed, ReasonExpired, nil)
		return queue.Outcome{Kind: queue.Failed, Reason: ReasonExpired}
	}
	installation, err := s.Installation(ctx)
	if err != nil {
		return queue.Outcome{Kind: queue.Back} // the claim before has read it, so this happens only on a cluster with a node down: no failure of the endpoint
	}
	if owner := ownerOf(j.Lane); owner != "" {
		if j.Meta, err = s.ownerMeta(ctx, owner); err != nil {
			return queue.Outcome{Kind: queue.Back}
		}
		if j.Meta == "" {
			return queue.Outcome{Kind: queue.Failed, Reason: ReasonDisabled}
		}
	}
	number := j.Attempts + 1
	began := time.Now()
	var r result
	if j.Expiries >= poisonAfter {
		r = result{outcome: outcomePoison, err: "the sender stopped three times in a row while making this attempt"}
	} else {
		r = s.request(ctx, j, &p, number, began, installation)
	}
	if r.cause != nil && (ctx.Err() != nil || isUnavailable(r.cause)) {
		return queue.Outcome{Kind: queue.Back} // neither a shutdown, wherever it interrupts the attempt, nor a failure of our own store is a failed attempt
	}
	s.o.Observer.Attempt(r.outcome, r.took)
	return s.outcomeOf(ctx, j, &p, number, began, &r)
}

// request makes the HTTP request, and reads the answer within the same timeout.
func (s *Sender) request(ctx context.Context, j *queue.Job, p *payload, number int, began time.Time, installation string) (r result) {
	e, err := s.endpointFor(j)
	if err != nil {
		return result{outcome: outcomeInternal, err: "the sender could not prepare this attempt; its operator's log says why", cause: err}
	}
	ctx, cancel := s.withTimeout(ctx, e.timeout)
	defer cancel()
	ctx, span := s.startAttempt(ctx, e, j, p, number)
	defer span.End()
	defer func() {
		r.took = time.Since(began)
		r.err = truncate(r.err, maxError)
		endAttempt(span, &r)
	}()
	request := s.newRequest(ctx, e, p, number, began, installation)
	var access *token
	if e.tokens != nil {
		if access, err = e.tokens.get(ctx); err != nil {
			return result{outcome: outcomeToken, err: tokenErrorText(err), cause: err}
		}
		request.Header["Authorization"] = []string{"Bearer " + access.Token}
	}
	answer, err := e.transport.RoundTrip(request)
	if err != nil {
		kind := string(destination.KindOf(err))
		if kind == "" {
			kind = outcomeRead
		}
		return result{outcome: kind, err: destination.Describe(err), cause: err}
	}
	defer answer.Body.Close()
	r.status = answer.StatusCode
	if r.status == http.StatusUnauthorized && access != nil {
		e.tokens.reject(ctx, access)
	}
	if answer.StatusCode == http.StatusSwitchingProtocols {
		// What follows belongs to no answer: reading it would wait for as long as the endpoint likes, whatever the timeout.
		r.outcome, r.err = outcomeStatus, "answered 101"
		return r
	}
	if r.body, err = readAnswer(answer.Body, answer.ContentLength); err != nil {
		r.outcome, r.err, r.cause = outcomeRead, destination.Describe(err), err
		if destination.KindOf(err) == destination.KindTimeout {
			r.outcome = string(destination.KindTimeout)
		}
		return r
	}
	switch c := answer.StatusCode; {
	case c >= 200 && c < 300:
		r.outcome = outcomeSuccess
	case c >= 300 && c < 400 && c != http.StatusNotModified:
		r.outcome, r.err = outcomeRedirect, fmt.Sprintf("answered %d; redirects are not followed, register the final URL", c)
	default:
		r.outcome, r.err = outcomeStatus, fmt.Sprintf("answered %d", c)
		if c == http.StatusTooManyRequests || c == http.StatusServiceUnavailable {
			r.retryAfter = parseRetryAfter(answer.Header.Get("Retry-After"), time.Now())
		}
	}
	return r
}

var contentType = []string{"application/json"}

func (s *Sender) newRequest(ctx context.Context, e *endpoint, p *payload, number int, now time.Time, installation string) *http.Request {
	body := p.body()
	h := make(http.Header, 13+len(e.headers))
	for name, values := range e.headers {
		h[name] = values
	}
	// One buffer for all signatures, and one list for all values: a delivery should not cost a dozen allocations.
	buf := make([]byte, 0, 256)
	buf = e.videocloud.Append(buf, body)
	signature := len(buf)
	buf = e.appendSignatures(buf, p.eventID, now, body)
	signed := string(buf)
	values := []string{signed[:signature], p.eventType, p.eventID, strconv.Itoa(number), strconv.FormatInt(now.Unix(), 10), signed[signature:], installation}
	value := func(i int) []string { return values[i : i+1 : i+1] }
	// Names are written as documented; net/http leaves them as they are.
	h["Content-Type"] = contentType
	h["User-Agent"] = s.userAgent
	h[s.names.Signature] = value(0)
	h[s.names.Event] = value(1)
	h[s.names.EventID] = value(2)
	h[s.names.Attempt] = value(3)
	h[s.names.Installation] = value(6)
	h[config.HeaderWebhookID] = value(2)
	h[config.HeaderWebhookTimestamp] = value(4)
	h[config.HeaderWebhookSignature] = value(5)
	if s.propagate {
		traceContext.Inject(ctx, lowerCarrier(h))
	}
	return newPost(ctx, e.url, h, body)
}

// newPost makes a request that is sent once. It has no GetBody: with it net/http would send the request again by itself, unseen, where a
// header says Idempotency-Key or an HTTP/2 endpoint refused it.
func newPost(ctx context.Context, to *url.URL, h http.Header, body []byte) *http.Request {
	return (&http.Request{
		Method: http.MethodPost, URL: to, Host: to.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: h,
		Body: destination.NewBody(body), ContentLength: int64(len(body)),
	}).WithContext(ctx)
}

// lowerCarrier writes traceparent and tracestate as they are spelt in the standard.
type lowerCarrier http.Header

func (c lowerCarrier) Get(key string) string { return http.Header(c).Get(key) }
func (c lowerCarrier) Set(key, value string) { c[key] = []string{value} }
func (c lowerCarrier) Keys() []string        { return nil }

// readAnswer reads an answer to its end, but no further than maxDrain, and returns its beginning. length is its Content-Length,
// -1 where it has none: most answers are short and need no room for a long one.
func readAnswer(body io.Reader, length int64) (string, error) {
	if body == http.NoBody {
		return "", nil
	}
	room := int64(maxResponse)
	if length >= 0 && length < room {
		room = length + 1 // one more, to see the end
	}
	head, n := make([]byte, room), 0
	for n < len(head) {
		m, err := body.Read(head[n:])
		n += m
		if err == io.EOF {
			return validText(head[:n]), nil
		}
		if err != nil {
			return validText(head[:n]), err
		}
	}
	_, err := io.CopyN(io.Discard, body, maxDrain)
	if err == io.EOF {
		err = nil
	}
	return validText(head[:n]), err
}

func validText(b []byte) string { return strings.ToValidUTF8(string(b), "\uFFFD") }

// parseRetryAfter reads the value of a Retry-After header (RFC 9110 section 10.2.3). It returns at most config.MaxRetryAfter, and
// 0 for a value that is not valid. Fractions of a second are not in the standard, but in use.
func parseRetryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if seconds, ok := parseDecimal(value); ok {
		return time.Duration(min(seconds, config.MaxRetryAfter.Seconds()) * float64(time.Second))
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(at.Sub(now), 0), config.MaxRetryAfter)
	}
	return 0
}

// parseDecimal reads digits with at most one point among them: no sign, no exponent, and nothing else that ParseFloat accepts.
func parseDecimal(text string) (float64, bool) {
	whole, fraction, _ := strings.Cut(text, ".")
	if whole+fraction == "" || strings.Trim(whole+fraction, "0123456789") != "" {
		return 0, false
	}
	f, err := strconv.ParseFloat(text, 64)
	return f, err == nil || errors.Is(err, strconv.ErrRange) // what is out of range is infinite
}

// outcomeOf decides what becomes of a delivery after an attempt with this result.
func (s *Sender) outcomeOf(ctx context.Context, j *queue.Job, p *payload, number int, began time.Time, r *result) queue.Outcome {
	o := queue.Outcome{Log: logEntry(number, began, r), Slow: r.took >= slowAttempt, Hold: r.retryAfter, Took: r.took}
	if j.Lane == notifyLane {
		o.Took = -1 // a notice of the operator's is in nobody's figures
	}
	state, retry := StateRetrying, s.retryTable(j)
	switch {
	case r.success():
		o.Kind, state = queue.Succeeded, StateSucceeded
	case r.status == http.StatusGone && s.c.GoneDisable:
		o.Kind, o.Reason, state = queue.Gone, ReasonGone, StateFailed
	case number < len(retry):
		o.Kind, o.Delay = queue.Retry, retry[number]
	default:
		o.Kind, state = queue.Failed, StateFailed
		if r.outcome == outcomePoison {
			o.Reason = ReasonPoison
		}
	}
	if !r.success() && r.outcome != outcomePoison && !isNotifyLane(j.Lane) {
		o.DisableAfter = s.c.DisableAfter
	}
	if state == StateFailed || o.DisableAfter > 0 {
		o.Detail = failureDetail(j, p, number, r)
	}
	s.logAttempt(ctx, j, p, number, r, state, max(o.Delay, o.Hold))
	if state != StateRetrying {
		s.recordEnd(ctx, j, p, state, o.Reason, r)
	}
	return o
}

// logEntry returns an attempt as the history keeps it: an [Attempt] in JSON. It is written by hand, as every delivery makes one.
func logEntry(number int, at time.Time, r *result) string {
	b := make([]byte, 0, 96+len(r.err)+len(r.body))
	b = strconv.AppendInt(append(b, `{"number":`...), int64(number), 10)
	b = at.UTC().Truncate(time.Millisecond).AppendFormat(append(b, `,"at":"`...), time.RFC3339Nano)
	b = strconv.AppendInt(append(b, `","durationMs":`...), r.took.Milliseconds(), 10)
	if r.status != 0 {
		b = strconv.AppendInt(append(b, `,"statusCode":`...), int64(r.status), 10)
	}
	b = appendText(b, `,"error":`, r.err)
	b = appendText(b, `,"responseBody":`, truncate(r.body, maxResponse))
	return string(append(b, '}'))
}

func appendText(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	quoted, _ := json.Marshal(value) // a string
	return append(append(b, name...), quoted...)
}

// truncate shortens text to at most n bytes without cutting a character.
func truncate(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

// detail is the part of a notice that describes the failure.
type detail struct {
	EventID        string `json:"eventId"`
	DeliveryID     string `json:"deliveryId"`
	Attempts       int    `json:"attempts"`
	LastStatusCode int    `json:"lastStatusCode"`
	LastError      string `json:"lastError"`
}

// failureDetail returns the detail of a failure as the store keeps it for a notice: a dash in front marks one that must not cause
// a notice.
func failureDetail(j *queue.Job, p *payload, number int, r *result) string {
	if isNotifyLane(j.Lane) {
		return ""
	}
	mark := ""
	if p.notice {
		mark = "-" // a notice that fails causes no other notice, unless its webhook is disabled for it
	}
	b, _ := json.Marshal(detail{p.eventID, deliveryID(j.Lane, j.ID), number, r.status, r.err})
	return mark + string(b)
}
