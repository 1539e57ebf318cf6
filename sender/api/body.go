package api

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/sender"
)

// Bounds of request bodies, in bytes. That of one event leaves room for what is not in its envelope (its ID, white space between
// its members); the Service measures the envelope itself.
const (
	maxEventBody  = config.MaxEnvelopeSize + 2<<10
	maxBatchBody  = config.MaxBatchSize
	maxConfigBody = 64 << 10 // webhooks and replays

	maxConfirmBody = 2 << 10 // anybody may send one, without a key
)

// decode reads the body of a request into a struct, by the plan of its type.
func decode[T any](c *call, p *plan, limit int64) (v T, err error) {
	body, err := c.body(limit)
	if err != nil {
		return v, err
	}
	return v, p.decode(body, reflect.ValueOf(&v))
}

// body returns the whole body. What the headers tell is refused before anything is read.
func (c *call) body(limit int64) ([]byte, error) {
	if err := checkMediaType(c.r.Header); err != nil {
		return nil, err
	}
	body, err := c.read(limit)
	if err != nil {
		return nil, err
	}
	if len(body) == 0 {
		return nil, &sender.Error{Code: sender.CodeInvalidJSON, Message: "the body is empty; send a JSON object"}
	}
	return body, nil
}

var emptyPlan = &plan{}

// noBody refuses a body other than an empty object, for a request that takes none: what is sent was meant to do something.
func (c *call) noBody() error {
	_, err := decodeOptional[struct{}](c, emptyPlan)
	return err
}

// decodeOptional is decode where the body may be left out.
func decodeOptional[T any](c *call, p *plan) (v T, err error) {
	if c.r.Body == nil || c.r.Body == http.NoBody || c.r.ContentLength == 0 {
		return v, nil
	}
	body, err := c.read(maxConfigBody)
	if err != nil || len(body) == 0 {
		return v, err
	}
	if err := checkMediaType(c.r.Header); err != nil {
		return v, err
	}
	return v, p.decode(body, reflect.ValueOf(&v))
}

// read reads at most one byte more than limit, whatever the Content-Length says.
func (c *call) read(limit int64) ([]byte, error) {
	if c.r.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	if c.r.Body == nil {
		return nil, nil
	}
	// One byte more than announced, so that the end is found without growing the buffer.
	size := c.r.ContentLength + 1
	if c.r.ContentLength < 0 {
		size = 4 << 10
	}
	body := make([]byte, 0, size)
	r := http.MaxBytesReader(c.w, c.r.Body, limit)
	for {
		n, err := r.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if errors.Is(err, io.EOF) {
			return body, nil
		}
		if tooMany := (*http.MaxBytesError)(nil); errors.As(err, &tooMany) {
			return nil, tooLarge(limit)
		}
		if err != nil {
			return nil, &sender.Error{Code: sender.CodeInvalidJSON, Message: "the body broke off; send it again", Err: err}
		}
		if len(body) == cap(body) {
			body = append(body, 0)[:len(body)]
		}
	}
}

func tooLarge(limit int64) *sender.Error {
	return &sender.Error{Code: sender.CodePayloadTooLarge, Message: fmt.Sprintf("the body is larger than %d bytes; send less at a time", limit)}
}

// checkMediaType accepts JSON in UTF-8, not compressed.
func checkMediaType(h http.Header) error {
	for _, coding := range h.Values("Content-Encoding") {
		if !strings.EqualFold(coding, "identity") {
			return &sender.Error{Code: sender.CodeUnsupportedMedia, Message: "send the body uncompressed, without Content-Encoding"}
		}
	}
	types := h["Content-Type"]
	if len(types) == 1 && isJSON(types[0]) {
		return nil
	}
	return &sender.Error{Code: sender.CodeUnsupportedMedia, Message: "send the header Content-Type: application/json"}
}

func isJSON(mediaType string) bool {
	name, rest, parameters := strings.Cut(mediaType, ";")
	if !strings.EqualFold(strings.TrimSpace(name), "application/json") {
		return false
	}
	if !parameters {
		return true
	}
	key, value, _ := strings.Cut(strings.TrimSpace(rest), "=")
	if strings.TrimSpace(rest) == "" {
		return true
	}
	return strings.EqualFold(key, "charset") && strings.EqualFold(strings.Trim(value, `"`), "utf-8")
}
