package receiver

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/videocloud/webhooks/internal/signature"
)

// Reasons of a [Refusal], which are also the values of the placeholder {http.webhook.error}.
const (
	ReasonMethod    = "method"
	ReasonIP        = "ip"
	ReasonMissing   = signature.ReasonMissing
	ReasonMalformed = signature.ReasonMalformed
	ReasonTimestamp = signature.ReasonTimestamp
	ReasonTooLarge  = "too_large"
	ReasonBody      = "body"
	ReasonMismatch  = signature.ReasonMismatch
	ReasonInFlight  = "in_flight"
	ReasonStore     = "store"
	ReasonQueueFull = "queue_full"
	ReasonNoApp     = "no_app"
	ReasonBusy      = "busy"
)

// Values of the header Retry-After, in seconds.
const (
	retryInFlight  = "5"
	retryStore     = "5"
	retryQueueFull = "60"
	retryBusy      = "1"
)

// ErrNoApp is what the next handler, or [QueueOptions.Deliver], returns when no handler answered the request, because
// its chain of handlers ran to its end. A handler that returns nil without having written anything is taken to have
// answered 200, as in net/http. Where something was written, this error is ignored.
var ErrNoApp = errors.New("nothing behind the receiver answers: add reverse_proxy, or another handler that answers, " +
	"behind it, or check the matcher of the one that is there")

// ErrSwitching is an [ErrNoApp] of an app that answered 101. That is no answer to an event: the connection would become a
// tunnel, and nobody would verify what passes through it.
var ErrSwitching error = switching{}

type switching struct{}

// Error implements error.
func (switching) Error() string {
	return "the app answered 101 and wants to speak another protocol, which is never passed on: it has to answer events with a 2xx"
}

// Is reports whether target is [ErrNoApp].
func (switching) Is(target error) bool { return target == ErrNoApp }

// StatusClientClosed is the status recorded for a request whose client closed the connection before its body was read.
const StatusClientClosed = 499

// Refusal is the error with which [Receiver.Serve] refuses a request. The answer is left to the caller: nothing was written yet.
type Refusal struct {
	Status int         // of the answer
	Reason string      // one of the Reason constants
	Header http.Header // to be set on the answer; nil for none
	Err    error       // the cause, for the log; nil for none
}

// Error implements error.
func (r *Refusal) Error() string {
	if r.Err == nil {
		return "refusing the request: " + r.Reason
	}
	if e, ok := errors.AsType[*signature.Error](r.Err); ok && e.Reason == r.Reason { // its text begins with the reason
		return "refusing the request: " + e.Error()
	}
	return fmt.Sprintf("refusing the request: %s: %v", r.Reason, r.Err)
}

// Unwrap returns the cause of the refusal.
func (r *Refusal) Unwrap() error { return r.Err }

// Write answers the request with the status, the headers and an empty body. The reason goes to the log only.
func (r *Refusal) Write(w http.ResponseWriter) {
	for name, values := range r.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(r.Status)
}

func refuse(status int, reason string, err error) *Refusal {
	return &Refusal{Status: status, Reason: reason, Err: err}
}

func refuseWithHeader(status int, reason, header, value string, err error) *Refusal {
	return &Refusal{Status: status, Reason: reason, Header: http.Header{header: {value}}, Err: err}
}

func refuseInFlight() *Refusal {
	return refuseWithHeader(http.StatusConflict, ReasonInFlight, "Retry-After", retryInFlight, nil)
}

func refuseStore(err error) *Refusal {
	return refuseWithHeader(http.StatusServiceUnavailable, ReasonStore, "Retry-After", retryStore, err)
}

// refuseSignature returns the refusal for a verifier's error. An error that is no [signature.Error] is a mismatch: a
// signature that can't be checked is not right.
func refuseSignature(err error) *Refusal {
	reason := ReasonMismatch
	if e, ok := errors.AsType[*signature.Error](err); ok {
		reason = e.Reason
	}
	return refuse(http.StatusUnauthorized, reason, err)
}
