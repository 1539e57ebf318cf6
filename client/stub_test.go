package client_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/client"
)

// answer is what the stub says to one request.
type answer struct {
	status int
	header http.Header
	body   string
	drop   bool // close the connection instead
}

func ok(data string) answer { return answer{status: 200, body: `{"success":true,"data":` + data + `}`} }

func refused(status int, body string) answer {
	return answer{status: status, body: `{"success":false,"error":` + body + `}`}
}

func unavailable() answer {
	a := refused(503, `{"code":"unavailable","message":"try later"}`)
	a.header = http.Header{"Retry-After": {"0"}}
	return a
}

// seen is a request as the stub got it.
type seen struct {
	method, uri, body string
	header            http.Header
}

// stub is an API that gives the answers in turn, the last one for ever.
type stub struct {
	URL string

	mu       sync.Mutex
	requests []seen
}

func newStub(t *testing.T, answers ...answer) *stub {
	t.Helper()
	s := &stub{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.requests = append(s.requests, seen{r.Method, r.URL.RequestURI(), string(body), r.Header})
		a := answers[min(len(s.requests), len(answers))-1]
		s.mu.Unlock()
		if a.drop {
			panic(http.ErrAbortHandler)
		}
		for name, values := range a.header {
			w.Header()[name] = values
		}
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, a.body)
	}))
	t.Cleanup(srv.Close)
	s.URL = srv.URL
	return s
}

func (s *stub) seen() []seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]seen(nil), s.requests...)
}

func (s *stub) client(t *testing.T, options ...client.Option) *client.Client {
	t.Helper()
	c, err := client.New("test-key", append([]client.Option{client.WithBaseURL(s.URL)}, options...)...)
	require.NoError(t, err)
	return c
}

// member reads one member of a JSON object.
func member(t *testing.T, body, name string) string {
	t.Helper()
	var m map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(body), &m))
	return string(m[name])
}
