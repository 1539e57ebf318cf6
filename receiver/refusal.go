package receiver

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/videocloud/webhooks/internal/signature"
)

// Reasons of a [Refusal]: the words of {http.webhook.error}.
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

// Values of Retry-After, in seconds: when trying again may help.
const (
	retryInFlight  = "5"
	retryStore     = "5"
	retryQueueFull = "60"
	retryBusy      = "1"
)

// ErrNoApp is what the next handler, or [QueueOptions.Deliver], returns to say that nobody was there to answer the request: its
// chain of handlers ran to its end. A handler that returns nil without having written anything did its work, and
// answered 200. Where something was written after all, the error says nothing.
var ErrNoApp = errors.New("nothing behind the receiver answers: add reverse_proxy, or another handler that answers, " +
	"behind it, or check the matcher of the one that is there")

// ErrSwitching is an [ErrNoApp] whose app answered 101, which is no answer to an event: the connection would become a tunnel whose content
// nobody verified.
var ErrSwitching error = switching{}

type switching struct{}

// Error implements error.
func (switching) Error() string {
	return "the app answered 101 and wants to speak another protocol, which is never passed on: it has to answer events with a 2xx"
}

// Is makes it an [ErrNoApp].
func (switching) Is(target error) bool { return target == ErrNoApp }

// StatusClientClosed is what a request counts as whose client left before its body was read.
const StatusClientClosed = 499

// Refusal is the error that [Receiver.Serve] returns instead of an answer. Nothing was written.
type Refusal struct {
	Status int
	Reason string      // one of the Reason constants
	Header http.Header // to be set on the answer, nil for none
	Err    error       // what is behind it, for the log
}

// Error implements error.
func (r *Refusal) Error() string {
	if r.Err == nil {
		return "refusing the request: " + r.Reason
	}
	var e *signature.Error
	if errors.As(r.Err, &e) && e.Reason == r.Reason { // it begins with its reason
		return "refusing the request: " + e.Error()
	}
	return fmt.Sprintf("refusing the request: %s: %v", r.Reason, r.Err)
}

// Unwrap returns what is behind the refusal.
func (r *Refusal) Unwrap() error { return r.Err }

// Write answers the request with the status and an empty body: who was refused is not told why. The log knows.
func (r *Refusal) Write(w http.ResponseWriter) {
	for name, values := range r.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(r.Status)
}

func refuse(status int, reason string, err error) *Refusal {
	return &Refusal{Status: status, Reason: reason, Err: err}
}

func refuseFor(status int, reason, header, value string, err error) *Refusal {
	return &Refusal{Status: status, Reason: reason, Header: http.Header{header: {value}}, Err: err}
}

// refuseSignature turns a verifier's error into a refusal. An error that isn't one of its own refuses too:
// what can't be checked isn't right.
func refuseSignature(err error) *Refusal {
	var e *signature.Error
	if errors.As(err, &e) {
		return refuse(http.StatusUnauthorized, e.Reason, err)
	}
	return refuse(http.StatusUnauthorized, ReasonMismatch, err)
}

func allowHeader(methods []string) string { return strings.Join(methods, ", ") }
