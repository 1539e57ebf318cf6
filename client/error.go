package client

import (
	"fmt"
	"time"
)

// Code says why the API refused a request. Codes never change.
type Code string

// The codes of the API.
const (
	CodeInvalidJSON      Code = "invalid_json"
	CodeUnauthorized     Code = "unauthorized"
	CodeForbidden        Code = "forbidden"
	CodeNotFound         Code = "not_found"
	CodeMethodNotAllowed Code = "method_not_allowed"
	CodeConflict         Code = "conflict"
	CodePayloadTooLarge  Code = "payload_too_large"
	CodeUnsupportedMedia Code = "unsupported_media_type"
	CodeInvalidField     Code = "invalid_field"
	CodeUnknownField     Code = "unknown_field"
	CodeUnknownEventType Code = "unknown_event_type"
	CodeUnsafeURL        Code = "unsafe_url"
	CodeInvalidData      Code = "invalid_data" // it does not fit the schema of its type
	CodeLimitReached     Code = "limit_reached"
	CodeLoop             Code = "loop" // this very installation delivered the event: a webhook points to its own API
	CodeUnavailable      Code = "unavailable"

	// CodeUnexpectedResponse is an answer that is not in the API's form, such as that of a proxy in front of it.
	CodeUnexpectedResponse Code = "unexpected_response"
)

// Error is the error of a request that the API refused. Match it with errors.As. A request without an answer returns another
// error: that of net/http, or of its context.
type Error struct {
	Code       Code
	Status     int           // the HTTP status; 0 for an event of a batch
	Field      string        // the field at fault, where there is one
	Message    string        // what to do about it
	RequestID  string        // where the server or a proxy names it
	RetryAfter time.Duration // when to try again, where the server says so; -1 otherwise
}

// Error implements error.
func (e *Error) Error() string {
	if e.Field != "" {
		return fmt.Sprintf("%s: %s (%s)", e.Code, e.Message, e.Field)
	}
	return fmt.Sprintf("%s: %s", e.Code, e.Message)
}
