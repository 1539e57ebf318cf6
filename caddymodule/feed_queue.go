package caddymodule

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/receiver"
)

// deliveredInfo is an attempt of a receiver's queue to bring an event to its app.
type deliveredInfo struct {
	At         time.Time `json:"at"` // its end
	Name       string    `json:"name"`
	Outcome    string    `json:"outcome"` // succeeded, retrying or failed
	ID         string    `json:"id,omitempty"`
	Event      string    `json:"event,omitempty"`
	Number     int       `json:"attempt"`
	StatusCode int       `json:"statusCode,omitempty"`
	Error      string    `json:"error,omitempty"`
	DurationMS int64     `json:"durationMs"`
	NextInMS   int64     `json:"nextAttemptInMs,omitempty"`
}

// deliver is how a queue brings an event to its app.
type deliver func(http.ResponseWriter, *http.Request) error

// shown is d with its attempts shown to whoever watches.
func (d deliver) shown(c *config.Receiver) deliver {
	return func(w http.ResponseWriter, req *http.Request) error {
		if !feed.watching() {
			return d(w, req)
		}
		began, answer := time.Now(), &answered{ResponseWriter: w}
		err := d(answer, req)
		if errors.Is(req.Context().Err(), context.Canceled) {
			return err // a shutdown is no attempt: the event is handed back
		}
		feed.send(watched{delivered: deliveredOf(c, req, answer.status, err, time.Since(began))})
		return err
	}
}

func deliveredOf(c *config.Receiver, req *http.Request, status int, err error, took time.Duration) *deliveredInfo {
	number, _ := strconv.Atoi(req.Header.Get(config.HeaderAttempt))
	d := &deliveredInfo{
		At: time.Now().UTC(), Name: c.Name, ID: req.Header.Get(config.HeaderID), Event: req.Header.Get(config.HeaderEvent),
		Number: number, StatusCode: status, DurationMS: took.Milliseconds(),
	}
	switch {
	case err != nil && (status == 0 || !errors.Is(err, receiver.ErrNoApp)):
		d.Error = err.Error()
	case status != 0 && (status < 200 || status > 299):
		d.Error = "the app answered " + strconv.Itoa(status)
	case req.Context().Err() != nil:
		d.Error = req.Context().Err().Error()
	default:
		d.Outcome = "succeeded"
		return d
	}
	if d.Outcome = "failed"; number < len(c.Queue.Retry) {
		d.Outcome, d.NextInMS = "retrying", c.Queue.Retry[number].Milliseconds()
	}
	return d
}

// answered notes the status of an answer.
type answered struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (a *answered) WriteHeader(status int) {
	if a.status == 0 && status >= 200 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (a *answered) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return a.ResponseWriter.Write(p)
}

// Unwrap gives http.ResponseController what is behind it.
func (a *answered) Unwrap() http.ResponseWriter { return a.ResponseWriter }
