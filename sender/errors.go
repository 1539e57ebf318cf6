package sender

import (
	"errors"
	"fmt"
)

// Code classifies an [Error]; it is the error.code of the REST API.
type Code string

// The codes of the REST API.
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
	CodeInvalidData      Code = "invalid_data"
	CodeUnsafeURL        Code = "unsafe_url"
	CodeLimitReached     Code = "limit_reached"
	CodeUnavailable      Code = "unavailable"
	CodeLoop             Code = "loop"
)

// Error is a refusal that the caller can act on. Match it with errors.As.
type Error struct {
	Code    Code
	Message string // what to do about it
	Field   string // the field at fault, where there is one
	Err     error  // the cause, kept out of Message where it is internal
}

// Error implements error.
func (e *Error) Error() string {
	if e.Field != "" {
		return fmt.Sprintf("%s: %s (%s)", e.Code, e.Message, e.Field)
	}
	return fmt.Sprintf("%s: %s", e.Code, e.Message)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

func invalid(field, format string, args ...any) *Error {
	return &Error{Code: CodeInvalidField, Field: field, Message: fmt.Sprintf(format, args...)}
}

// isUnavailable reports whether an error is a failure of the store.
func isUnavailable(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == CodeUnavailable
}
