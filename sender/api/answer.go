package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/videocloud/webhooks/internal/sample"
	"github.com/videocloud/webhooks/sender"
)

// retryAfter is the number of seconds after which callers are asked to try again while the service is down.
const retryAfter = "5"

// statuses are the HTTP statuses of the errors' codes.
var statuses = map[sender.Code]int{
	sender.CodeInvalidJSON:      http.StatusBadRequest,
	sender.CodeUnauthorized:     http.StatusUnauthorized,
	sender.CodeForbidden:        http.StatusForbidden,
	sender.CodeNotFound:         http.StatusNotFound,
	sender.CodeMethodNotAllowed: http.StatusMethodNotAllowed,
	sender.CodeConflict:         http.StatusConflict,
	sender.CodePayloadTooLarge:  http.StatusRequestEntityTooLarge,
	sender.CodeUnsupportedMedia: http.StatusUnsupportedMediaType,
	sender.CodeInvalidField:     http.StatusUnprocessableEntity,
	sender.CodeUnknownField:     http.StatusUnprocessableEntity,
	sender.CodeUnknownEventType: http.StatusUnprocessableEntity,
	sender.CodeInvalidData:      http.StatusUnprocessableEntity,
	sender.CodeUnsafeURL:        http.StatusUnprocessableEntity,
	sender.CodeLimitReached:     http.StatusTooManyRequests,
	sender.CodeUnavailable:      http.StatusServiceUnavailable,
	sender.CodeLoop:             http.StatusLoopDetected,
}

// apiError is the error of an answer.
type apiError struct {
	Code    sender.Code `json:"code" doc:"What kind of error it is."`
	Message string      `json:"message" doc:"What is wrong and what to do about it."`
	Field   string      `json:"field,omitempty" doc:"The field, parameter or header at fault, where there is one."`
}

// jsonAppender is an answer that encodes itself: because it holds JSON that must not be reformatted, or because it is sent often.
type jsonAppender interface {
	appendJSON(b []byte) ([]byte, error)
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// sendAnswer sends what a route returned.
func (h *handler) sendAnswer(c *call, data any) {
	buf := buffers.Get().(*bytes.Buffer)
	defer release(buf)
	buf.Reset()
	if raw, ok := data.(rawAnswer); ok {
		buf.Write(raw)
		h.send(c, c.route.success(), buf.Bytes())
		return
	}
	buf.WriteString(`{"success":true,"data":`)
	if err := encode(buf, data); err != nil {
		h.sendError(c, err)
		return
	}
	buf.WriteString("}\n")
	if c.location != "" {
		c.w.Header().Set("Location", c.prefix()+c.location)
	}
	h.send(c, c.route.success(), buf.Bytes())
}

// rawAnswer is a whole answer that needs no envelope.
type rawAnswer []byte

func encode(buf *bytes.Buffer, data any) error {
	if a, ok := data.(jsonAppender); ok {
		b, err := a.appendJSON(buf.AvailableBuffer())
		if err != nil {
			return err
		}
		buf.Write(b)
		return nil
	}
	return encodeJSON(buf, data)
}

// encodeJSON encodes like encoding/json, without escapes for HTML.
func encodeJSON(buf *bytes.Buffer, v any) error {
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	buf.Truncate(buf.Len() - 1) // the line feed that Encode adds
	return nil
}

// release keeps a buffer for another answer, unless a large answer has made it larger than 256 KiB.
func release(buf *bytes.Buffer) {
	if buf.Cap() <= 256<<10 {
		buffers.Put(buf)
	}
}

// publicError returns the error as the caller may see it: ours as it is, any other without its text.
func publicError(err error) apiError {
	if e := (*sender.Error)(nil); errors.As(err, &e) && statuses[e.Code] != 0 {
		return apiError{Code: e.Code, Message: e.Message, Field: e.Field}
	}
	return apiError{Code: sender.CodeUnavailable, Message: "the service can't do this at the moment; try again in a few seconds"}
}

// withFieldName returns an error in which a field has another name: that which it has in the request.
func withFieldName(err error, field, name string) error {
	e := (*sender.Error)(nil)
	if !errors.As(err, &e) || e.Field != field {
		return err
	}
	named := *e
	named.Field = name
	return &named
}

// sendError sends an error.
func (h *handler) sendError(c *call, err error) {
	e := publicError(err)
	status := statuses[e.Code]
	h.logRefusal(c, status, e, err)
	switch status {
	case http.StatusUnauthorized:
		c.w.Header().Set("WWW-Authenticate", "Bearer")
	case http.StatusServiceUnavailable:
		c.w.Header().Set("Retry-After", retryAfter)
	}
	var buf bytes.Buffer
	buf.WriteString(`{"success":false,"error":`)
	_ = encode(&buf, e) // three strings always encode
	buf.WriteString("}\n")
	h.send(c, status, buf.Bytes())
}

func (h *handler) logRefusal(c *call, status int, e apiError, err error) {
	level := slog.LevelDebug
	switch {
	case status == http.StatusLoopDetected: // the request is at fault, not the service
		level = slog.LevelInfo
	case status >= 500 && c.r.Context().Err() == nil:
		level = slog.LevelError
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		level = slog.LevelInfo
	}
	ctx := c.r.Context()
	if !h.Logger.Enabled(ctx, level) {
		return
	}
	leftOut, ok := h.lines.forLevel(level).Allow(time.Now())
	if !ok {
		return
	}
	attrs := []slog.Attr{
		slog.String("request_id", c.requestID),
		slog.Int("status", status), slog.String("code", string(e.Code)), slog.String("reason", e.Message),
		slog.String("method", c.r.Method), slog.String("remote", c.r.RemoteAddr),
	}
	if c.route != nil {
		attrs = append(attrs, slog.String("route", c.route.path), slog.String("account", c.account))
	}
	if e.Field != "" {
		attrs = append(attrs, slog.String("field", e.Field))
	}
	if status >= 500 {
		attrs = append(attrs, slog.Any("error", causeOf(err)))
	}
	if leftOut > 0 {
		attrs = append(attrs, slog.Int64("left_out", leftOut))
	}
	h.Logger.LogAttrs(ctx, level, "request refused", attrs...)
}

// refusalLines limits the rate of log lines about refusals, each level by itself: strangers with bad keys must not keep a failing
// store out of the log.
type refusalLines struct{ debug, info, err sample.Lines }

func (l *refusalLines) forLevel(level slog.Level) *sample.Lines {
	switch level {
	case slog.LevelError:
		return &l.err
	case slog.LevelInfo:
		return &l.info
	}
	return &l.debug
}

// causeOf returns what an operator needs to know: the cause that the caller is not told.
func causeOf(err error) error {
	if e := (*sender.Error)(nil); errors.As(err, &e) && e.Err != nil {
		return e.Err
	}
	return err
}

func (h *handler) send(c *call, status int, body []byte) {
	header := c.w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set(requestIDHeader, c.requestID)
	c.w.WriteHeader(status)
	if c.r.Method == http.MethodHead {
		return
	}
	_, _ = c.w.Write(body) // nobody is left to hear of an error
}

// seconds is a time in answers: RFC 3339, UTC, whole seconds, as the guide writes it.
type seconds time.Time

// MarshalJSON implements json.Marshaler.
func (t seconds) MarshalJSON() ([]byte, error) { return t.append(nil), nil }

func (t seconds) append(b []byte) []byte {
	return time.Time(t).UTC().AppendFormat(b, `"2006-01-02T15:04:05Z"`)
}

// millis is a time in answers with milliseconds, for what is about attempts.
type millis time.Time

// MarshalJSON implements json.Marshaler.
func (t millis) MarshalJSON() ([]byte, error) {
	return time.Time(t).UTC().AppendFormat(nil, `"2006-01-02T15:04:05.000Z"`), nil
}

// appendString appends a string. It is fast for strings that need no escapes, such as IDs and event types.
func appendString(b []byte, s string) ([]byte, error) {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c > '~' || c == '"' || c == '\\' {
			return appendMarshalled(b, s)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"'), nil
}

func appendMarshalled(b []byte, v any) ([]byte, error) {
	buf := bytes.NewBuffer(b)
	err := encodeJSON(buf, v)
	return buf.Bytes(), err
}
