package sender

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/videocloud/webhooks/internal/destination"
)

const (
	// maxTokenAnswer is how many bytes of an authorization server's answer are read.
	maxTokenAnswer = 64 << 10
	// maxToken is how many bytes a token has at most: it is sent in a header.
	maxToken = 16 << 10
)

// tokenError is the reason why there is no token.
type tokenError struct {
	text  string
	cause error // for the operator; without the answer, which may repeat the client's secret
}

func (e *tokenError) Error() string {
	if e.cause == nil {
		return e.text
	}
	return e.text + ": " + e.cause.Error()
}

func (e *tokenError) Unwrap() error { return e.cause }

// tokenErrorText returns what the owner of the webhook reads of an attempt that got no token.
func tokenErrorText(err error) string {
	var e *tokenError
	if errors.As(err, &e) {
		return e.text
	}
	return "the sender could not prepare this attempt; its operator's log says why"
}

// fetch requests a token from the authorization server, and returns it with its lifetime.
func (t *tokenSource) fetch(ctx context.Context) (r tokenRecord, lifetime time.Duration, err error) {
	t.mu.Lock()
	style := t.style
	t.mu.Unlock()
	got, err := t.request(ctx, style)
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) && refused.Response != nil && (refused.Response.StatusCode == http.StatusBadRequest || refused.Response.StatusCode == http.StatusUnauthorized) {
		// Servers must take credentials in the header (RFC 6749 section 2.3.1), but some take them in the body only.
		style = oauth2.AuthStyleInHeader + oauth2.AuthStyleInParams - style
		if other, e := t.request(ctx, style); e == nil {
			got, err = other, nil
		}
	}
	if err != nil {
		return r, 0, newTokenError(err)
	}
	switch {
	case !strings.EqualFold(got.Type(), "Bearer"):
		return r, 0, &tokenError{text: "the authorization server gave a token that is not of type Bearer, and no other can be used"}
	case len(got.AccessToken) > maxToken || bearerToken(got.AccessToken) != "":
		return r, 0, &tokenError{text: "the authorization server gave a token that can't stand in a header"}
	}
	lifetime = defaultTokenLifetime
	if !got.Expiry.IsZero() {
		lifetime = time.Until(got.Expiry)
		lifetime = max(lifetime-min(lifetime/10, 5*time.Second), time.Second) // so that it does not expire on the way
	}
	return tokenRecord{got.AccessToken, t.id, min(time.Minute, lifetime/5).Milliseconds(), style}, lifetime, nil
}

func (t *tokenSource) request(ctx context.Context, style oauth2.AuthStyle) (*oauth2.Token, error) {
	client := &http.Client{
		Transport:     tokenTransport{t.s.transport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	config := t.config
	config.AuthStyle = style
	return config.Token(context.WithValue(ctx, oauth2.HTTPClient, client))
}

var errTokenAnswer = errors.New("the authorization server's answer has more than 64 KiB")

// tokenTransport bounds the answer of an authorization server, and lets a request be sent again where a kept connection was found
// closed.
type tokenTransport struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t tokenTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	_ = r.Body.Close()
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.GetBody, r.Body, r.ContentLength = nil, destination.NewBody(body), int64(len(body))
	r.Header.Set("Accept", "application/json")
	answer, err := t.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusSwitchingProtocols {
		answer.Body = http.NoBody
		return answer, nil
	}
	content, err := io.ReadAll(io.LimitReader(answer.Body, maxTokenAnswer+1))
	switch {
	case err != nil:
		return nil, err
	case len(content) > maxTokenAnswer:
		return nil, errTokenAnswer
	}
	answer.Body = io.NopCloser(bytes.NewReader(content))
	return answer, nil
}

// tokenErrors are the error codes of authorization servers (RFC 6749 section 5.2), and what to do about each.
var tokenErrors = map[string]string{
	"invalid_client":         "check clientId and clientSecret",
	"unauthorized_client":    "this client may not use client credentials there; allow it, or use another client",
	"invalid_scope":          "check scope",
	"invalid_grant":          "check clientId and clientSecret",
	"unsupported_grant_type": "it does not take client credentials",
	"invalid_request":        "it did not take the request for a token; check tokenUrl and scope",
}

// newTokenError turns an error of the library into one with a text for the owner.
func newTokenError(err error) error {
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) {
		says := "the authorization server"
		if refused.Response != nil {
			says += fmt.Sprintf(" answered %d", refused.Response.StatusCode)
			if c := refused.Response.StatusCode; c >= 300 && c < 400 {
				return &tokenError{text: says + "; redirects are not followed, give the final URL as tokenUrl"}
			}
		}
		if what, known := tokenErrors[refused.ErrorCode]; known {
			says += " (" + refused.ErrorCode + "); " + what
		}
		return &tokenError{text: says}
	}
	var wrapped *url.Error // its own text holds the URL
	if !errors.As(err, &wrapped) {
		return &tokenError{text: "the authorization server's answer holds no token"}
	}
	err = wrapped.Err
	if errors.Is(err, errTokenAnswer) {
		return &tokenError{text: errTokenAnswer.Error()}
	}
	return &tokenError{text: "asking the authorization server for a token: " + destination.Describe(err), cause: err}
}
