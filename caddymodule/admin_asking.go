package caddymodule

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/videocloud/webhooks/sender"
)

// adminRequest is a request to the admin API, or to the console's own, with the parameters that it may have.
type adminRequest struct {
	*http.Request
	app   *App
	query url.Values
}

// adminFunc answers a request with JSON.
type adminFunc func(q *adminRequest) (status int, answer any, err error)

// with says which parameters a function takes: a request with any other is refused.
func with(f adminFunc, names ...string) adminFunc {
	return func(q *adminRequest) (_ int, _ any, err error) {
		if q.query, err = parameters(q.Request, names...); err != nil {
			return 0, nil, err
		}
		return f(q)
	}
}

// ofSender makes a function that asks the sender into one of the admin API, whose answer has that status.
func ofSender(status int, f func(q *adminRequest, s *sender.Sender) (any, error)) adminFunc {
	return func(q *adminRequest) (int, any, error) {
		s, err := q.app.senderHere()
		if err != nil {
			return 0, nil, err
		}
		answer, err := f(q, s)
		return status, answer, err
	}
}

// senderHere returns the sender of the running configuration.
func (a *App) senderHere() (*sender.Sender, error) {
	if a.running == nil {
		return nil, errNoSender
	}
	return a.running, nil
}

// parameters returns the parameters of a query, none of which is unknown or given twice.
func parameters(r *http.Request, names ...string) (url.Values, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, &badRequest{"the query can't be read"}
	}
	for name, values := range query {
		if !slices.Contains(names, name) || len(values) > 1 {
			return nil, &badRequest{"unknown or repeated parameter: " + name}
		}
	}
	return query, nil
}

// needed returns a parameter that has to be there.
func (q *adminRequest) needed(name string) (string, error) {
	value := q.query.Get(name)
	if value == "" {
		return "", &badRequest{name + " is missing"}
	}
	return value, nil
}

// limit returns how many a page may have, 0 where it is not said.
func (q *adminRequest) limit() (n int, err error) {
	if text := q.query.Get("limit"); text != "" {
		if n, err = strconv.Atoi(text); err != nil {
			return 0, &badRequest{"limit is not a number"}
		}
	}
	return n, nil
}

// between returns the parameters since and until, zero where they are not given.
func (q *adminRequest) between() (since, until time.Time, err error) {
	for name, at := range map[string]*time.Time{"since": &since, "until": &until} {
		if text := q.query.Get(name); text != "" {
			if *at, err = time.Parse(time.RFC3339, text); err != nil {
				return since, until, &badRequest{name + " is not a time such as 2024-03-31T12:00:00Z"}
			}
		}
	}
	return since, until, nil
}

// unlessZero is a time of an answer, which is left out where it is not known.
func unlessZero(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// maxAdminBody bounds what is asked.
const maxAdminBody = 1 << 20

// question reads the body of a POST.
func question[Q any](q *adminRequest) (v Q, err error) {
	d := json.NewDecoder(http.MaxBytesReader(nil, q.Body, maxAdminBody))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		return v, &badRequest{"reading the question: " + err.Error()}
	}
	return v, nil
}
