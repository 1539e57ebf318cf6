package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	firstDelay   = 250 * time.Millisecond
	longestDelay = 8 * time.Second
	// longestRetryAfter bounds a server's Retry-After. An error with a longer one is returned instead of a retry.
	longestRetryAfter = time.Minute
	// maxAnswer bounds an answer, in bytes: more than any page of deliveries with all their attempts.
	maxAnswer = 64 << 20
)

// request is one call of the API.
type request struct {
	method string
	path   []string // its segments, of which any may be an ID
	query  url.Values
	in     any    // is encoded for the body; nil where there is none, or body has it
	body   []byte // nil for none
	repeat bool   // whether it may be retried, because sending it twice does the same as once

	idempotencyKey string // "" for none

	requestID *string // is set to the answer's request ID, unless it is nil
}

// envelope is the form of every answer.
type envelope struct {
	Success bool            `json:"success"`
	Data    json.RawMessage `json:"data"`
	Error   *errorBody      `json:"error"`
}

type errorBody struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
	Field   string `json:"field"`
}

// do sends r, with retries, and decodes the answer's data into out unless that is nil. It returns the
// number of tries.
func (c *Client) do(ctx context.Context, r request, out any) (tries int, err error) {
	path, err := joinPath(r.path)
	if err != nil {
		return 0, err
	}
	if r.in != nil {
		if r.body, err = encode(r.in); err != nil {
			return 0, err
		}
	}
	for {
		tries++
		err = c.once(ctx, r, path, out)
		if err == nil || !r.repeat || tries > c.retries || ctx.Err() != nil {
			break
		}
		wait, ok := retryDelay(err, tries)
		if !ok {
			break
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
			continue
		case <-ctx.Done():
			timer.Stop()
		}
		break
	}
	if err != nil {
		return tries, fmt.Errorf("sending %s %s: %w", r.method, path, err)
	}
	return tries, nil
}

// once is do without retries.
func (c *Client) once(ctx context.Context, r request, path string, out any) error {
	if c.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.timeout)
		defer cancel()
	}
	u := c.baseURL + path
	if len(r.query) > 0 {
		u += "?" + r.query.Encode()
	}
	var body io.Reader
	if r.body != nil {
		body = bytes.NewReader(r.body)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, u, body)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Authorization", "Bearer "+c.apiKey)
	req.Header.Set("User-Agent", c.userAgent)
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.idempotencyKey != "" {
		req.Header.Set("Idempotency-Key", r.idempotencyKey)
	}
	if c.account != nil {
		req.Header.Set("X-VideoCloud-Account", *c.account)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return &networkError{err}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return &networkError{err}
	}
	if len(text) > maxAnswer {
		return fmt.Errorf("the answer is larger than %d bytes", maxAnswer)
	}
	if r.requestID != nil {
		*r.requestID = resp.Header.Get("X-Request-Id")
	}
	return unwrap(resp, text, out)
}

// unwrap decodes the data of an answer into out, or returns the error of the answer.
func unwrap(resp *http.Response, text []byte, out any) error {
	var e envelope
	if json.Unmarshal(text, &e) == nil && e.Success && resp.StatusCode/100 == 2 {
		if out == nil {
			return nil
		}
		if err := json.Unmarshal(e.Data, out); err != nil {
			return fmt.Errorf("decoding the answer: %w", err)
		}
		return nil
	}
	failure := &Error{
		Code:       CodeUnexpectedResponse,
		Status:     resp.StatusCode,
		Message:    fmt.Sprintf("status %d, and the answer is not the API's; is the base URL right?", resp.StatusCode),
		RequestID:  resp.Header.Get("X-Request-Id"),
		RetryAfter: retryAfter(resp.Header.Get("Retry-After"), time.Now()),
	}
	if e.Error != nil && e.Error.Code != "" {
		failure.Code, failure.Message, failure.Field = e.Error.Code, e.Error.Message, e.Error.Field
	}
	return failure
}

// networkError is an error of net/http.
type networkError struct{ err error }

func (e *networkError) Error() string { return e.err.Error() }
func (e *networkError) Unwrap() error { return e.err }

// retryDelay returns how long to wait before the next try: what the server says, or else a delay that doubles with each try, with jitter.
// It returns false where another try is useless.
func retryDelay(err error, tries int) (time.Duration, bool) {
	wait := time.Duration(-1)
	if e, ok := errors.AsType[*Error](err); ok {
		switch e.Status {
		case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			wait = e.RetryAfter
		default:
			return 0, false
		}
	} else if _, ok := errors.AsType[*networkError](err); !ok {
		return 0, false
	}
	if wait < 0 {
		d := min(longestDelay, firstDelay<<min(tries-1, 16))
		return d/2 + rand.N(d/2), true
	}
	return wait, wait <= longestRetryAfter
}

// retryAfter parses a Retry-After header, in seconds or as a date (RFC 9110). It returns -1 if there is none.
func retryAfter(value string, now time.Time) time.Duration {
	// A number out of range is parsed as infinite, which the bound below makes finite.
	if seconds, err := strconv.ParseFloat(value, 64); (err == nil || errors.Is(err, strconv.ErrRange)) && strings.Trim(value, "0123456789.") == "" {
		return time.Duration(min(seconds, math.MaxInt32) * float64(time.Second))
	}
	if date, err := http.ParseTime(value); err == nil {
		return max(0, date.Sub(now))
	}
	return -1
}

// joinPath joins the segments of a path. It refuses one that is empty, "." or "..", which would name another resource.
func joinPath(segments []string) (path string, err error) {
	for _, s := range segments {
		if s == "" || s == "." || s == ".." {
			return "", fmt.Errorf("%s: an ID is needed, got %q", path, s)
		}
		path += "/" + url.PathEscape(s)
	}
	return path, nil
}

// encode is json.Marshal without escapes for HTML, which receivers would find in the delivered bytes.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
