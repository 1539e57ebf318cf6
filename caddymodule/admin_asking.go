package caddymodule

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/videocloud/webhooks/sender"
)

// adminRequest is a request to the admin API, or to the console's own, with the parameters that it may have.
type adminRequest struct {
	*http.Request
	app    *App
	status int            // of the answer: 200, unless the function that answers says otherwise
	sender *sender.Sender // for functions behind ofSender

	query        url.Values
	since, until time.Time // zero where they are not given
	limit        int       // of a page; 0 where it is not given
}

// adminFunc answers a request with JSON.
type adminFunc func(q *adminRequest) (answer any, err error)

// with says which parameters a function takes, and by an exclamation mark which of them have to be there. A request with any other is
// refused.
func with(f adminFunc, names ...string) adminFunc {
	return func(q *adminRequest) (any, error) {
		if err := q.readQuery(names); err != nil {
			return nil, err
		}
		return f(q)
	}
}

// ofSender makes a function that asks the sender into one that is refused where there is none.
func ofSender(f adminFunc) adminFunc {
	return func(q *adminRequest) (any, error) {
		if q.sender = q.app.running; q.sender == nil {
			return nil, errNoSender
		}
		return f(q)
	}
}

// maxAdminBody bounds what is asked.
const maxAdminBody = 1 << 20

// asking makes a function that is asked by the body of a POST into one that reads it.
func asking[Q any](f func(q *adminRequest, asked *Q) (any, error)) adminFunc {
	return func(q *adminRequest) (any, error) {
		d := json.NewDecoder(http.MaxBytesReader(nil, q.Body, maxAdminBody))
		d.DisallowUnknownFields()
		asked := new(Q)
		err := d.Decode(asked)
		if _, end := d.Token(); err == nil && !errors.Is(end, io.EOF) {
			err = errors.New("there is more behind the JSON object; send nothing else")
		}
		if err != nil {
			return nil, badRequest("reading the question: " + err.Error())
		}
		return f(q, asked)
	}
}

// parameters returns the parameters of a query, none of which is unknown or given twice, and none missing whose name ends in an
// exclamation mark.
func parameters(r *http.Request, names ...string) (url.Values, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, badRequest("the query can't be read: encode what stands in it")
	}
	for name, values := range query {
		if !slices.ContainsFunc(names, func(n string) bool { return strings.TrimSuffix(n, "!") == name }) || len(values) > 1 {
			return nil, badRequest("unknown or repeated parameter: " + name)
		}
	}
	for _, name := range names {
		if name, required := strings.CutSuffix(name, "!"); required && query.Get(name) == "" {
			return nil, badRequest(name + " is missing")
		}
	}
	return query, nil
}

// readQuery reads the parameters, and of those that mean the same everywhere what they say.
func (q *adminRequest) readQuery(names []string) (err error) {
	if q.query, err = parameters(q.Request, names...); err != nil {
		return err
	}
	for name, at := range map[string]*time.Time{"since": &q.since, "until": &q.until} {
		if text := q.query.Get(name); text != "" {
			if *at, err = time.Parse(time.RFC3339, text); err != nil {
				return badRequest(name + " is not a time such as 2024-03-31T12:00:00Z")
			}
		}
	}
	if text := q.query.Get("limit"); text != "" {
		if q.limit, err = strconv.Atoi(text); err != nil {
			return badRequest("limit is not a number")
		}
	}
	return nil
}

// unlessZero is a time of an answer, which is left out where it is not known.
func unlessZero(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
