package sender

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/destination"
	"github.com/videocloud/webhooks/internal/redistest"
)

// discardLog takes what a server says of clients that hang up.
var discardLog = log.New(io.Discard, "", 0)

// once has each delivery attempted once.
func once(o *Options) { o.Config.Retry = []time.Duration{0} }

// seenTransport says when an answer's header has come, or an error instead.
type seenTransport struct {
	*destination.Transport
	answered func()
}

func (s *seenTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	defer s.answered()
	return s.Transport.RoundTrip(r)
}

// TestLesson09_AnswersAreBounded: whatever an endpoint answers costs bounded time and memory, and what is kept of it is
// short and readable.
func TestLesson09_AnswersAreBounded(t *testing.T) {
	t.Parallel()
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	_, _ = z.Write(make([]byte, 64<<20))
	require.NoError(t, z.Close())
	var sent atomic.Int64 // of the endless answer

	drip := func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			_, _ = w.Write([]byte("."))
			_ = http.NewResponseController(w).Flush()
			select {
			case <-r.Context().Done():
			case <-time.After(time.Millisecond):
			}
		}
	}
	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter, r *http.Request)
		url    string
		state  State
		status int
		err    string // "no complete answer in time" of those that only the timeout ends: it is over once the request, or the answer's header, is there
	}{
		"no answer":    {answer: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, state: StateFailed, err: "no complete answer in time"},
		"dripped body": {answer: drip, state: StateFailed, status: 200, err: "no complete answer in time"},
		"a GB": {
			answer: func(w http.ResponseWriter, r *http.Request) {
				block := make([]byte, 64<<10)
				for range 16 << 10 {
					n, err := w.Write(block)
					sent.Add(int64(n))
					if err != nil {
						return
					}
				}
			},
			state: StateSucceeded, status: 200,
		},
		"a GB of an error": {
			answer: func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(500)
				block := bytes.Repeat([]byte("x"), 64<<10)
				for range 16 << 10 {
					if _, err := w.Write(block); err != nil {
						return
					}
				}
			},
			state: StateFailed, status: 500, err: "answered 500",
		},
		"gzip bomb": {
			answer: func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Accept-Encoding") != "" {
					w.WriteHeader(500) // it was asked for
				}
				w.Header().Set("Content-Encoding", "gzip")
				_, _ = w.Write(bomb.Bytes())
			},
			state: StateSucceeded, status: 200,
		},
		"not UTF-8": {
			answer: func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(bytes.Repeat([]byte{0xff}, 5000)) },
			state:  StateSucceeded, status: 200,
		},
		"a character across the end": {
			answer: func(w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write([]byte(strings.Repeat("x", 1022) + strings.Repeat("€", 1000)))
			},
			state: StateSucceeded, status: 200,
		},
		"headers without end": {
			url: raw(t, func(c net.Conn) {
				_, err := c.Write([]byte("HTTP/1.1 200 OK\r\n"))
				for err == nil {
					_, err = c.Write([]byte("X-More: " + strings.Repeat("x", 8<<10) + "\r\n"))
				}
			}),
			state: StateFailed, err: "the header of the answer is too large; keep it below 64 KiB",
		},
		"early answers without end": {
			url: raw(t, func(c net.Conn) {
				var err error
				for err == nil {
					_, err = c.Write([]byte("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"))
				}
			}),
			state: StateFailed,
		},
		"not HTTP": {
			url:   raw(t, func(c net.Conn) { _, _ = c.Write([]byte("SSH-2.0-OpenSSH_9.6\r\n\xff\xfe\r\n\r\n")) }),
			state: StateFailed, err: "the answer was not valid HTTP",
		},
		"switching protocols": {
			url: raw(t, func(c net.Conn) {
				_, _ = c.Write([]byte("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"))
				_, _ = c.Read(make([]byte, 1))
			}),
			state: StateFailed, status: 101,
		},
		"broken off": {
			url:   raw(t, func(c net.Conn) { _, _ = c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")) }),
			state: StateFailed, status: 200, err: "the connection broke before the answer was complete",
		},
		"hung up": {
			url:   raw(t, func(net.Conn) {}),
			state: StateFailed, err: "the connection was closed before an answer came",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), once)
			over := make(chan struct{})
			timeOver := sync.OnceFunc(func() { close(over) })
			if c.err == "no complete answer in time" {
				b.timesOut(over)
			}
			b.transport = &seenTransport{b.transport.(*destination.Transport), timeOver}
			b.start()
			to := c.url
			if to == "" {
				to = newSink(t, func(_ int, w http.ResponseWriter, r *http.Request) {
					if c.status == 0 {
						timeOver()
					}
					c.answer(w, r)
				}).URL
			}
			b.webhook(to)
			d := b.reaches(b.publish(guideData), c.state)
			require.Len(t, d.Attempts, 1)
			a := d.Attempts[0]
			require.Equal(t, c.status, a.StatusCode)
			if c.err != "" {
				require.Equal(t, c.err, a.Error)
			}
			require.Equal(t, c.state == StateFailed, a.Error != "")
			require.LessOrEqual(t, len(a.ResponseBody), 1<<10)
			require.True(t, utf8.ValidString(a.ResponseBody))
			if c.err == "" {
				require.NotContains(t, a.Error, "in time", "it ended by itself")
			}
			require.Less(t, sent.Load(), int64(64<<20), "an endless answer is not read to its end")
		})
	}
}

// TestLesson10_BodiesAreNotReencoded: what was published is what is signed and sent, byte for byte, on every attempt, and
// what the API shows of it.
func TestLesson10_BodiesAreNotReencoded(t *testing.T) {
	t.Parallel()
	bodies := []string{
		`{}`,
		`{"n":123456789012345678901234567890,"f":1.0,"g":1e400,"z":-0,"h":0.1000000000000000055511151231257827}`,
		`{"z":1,"a":2,"m":{"b":1,"a":2}}`,
		"{ \"a\" :\t1,\r\n  \"b\" : [ 1 ,2 ]\n}",
		`{"esc":"\u00e9\/\u2028\ud83d\ude00\ud800<>&","raw":"é ` + "\u2028" + `😀 <>& \""}`,
		`{"deep":{"same":1,"same":2},"":"","a\u0062":"ab"}`,
		"{\"del\":\"\x7f\u0085\ufeff\uffff\"}",
		`{"sep":"` + "\\u001f\\n" + `|` + "~" + `"}`,
	}
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, func(o *Options) { o.Config.Retry = []time.Duration{0, 0} }).start()
		to := newSink(t, func(n int, w http.ResponseWriter, _ *http.Request) {
			if n%2 == 1 {
				w.WriteHeader(500)
			}
		})
		b.webhook(to.URL)
		for i, data := range bodies {
			p := b.publish(data)
			b.reaches(p, StateSucceeded)
			got := to.got()
			require.Len(t, got, 2*(i+1))
			for _, r := range got[2*i:] {
				require.Equal(t, `{"event":"video.uploaded","timestamp":"`+p.Timestamp.Format(time.RFC3339)+`","data":`+data+`}`, string(r.body))
				requireSigned(t, r, "your_webhook_secret")
			}
			e, err := b.Event(t.Context(), "default", p.ID)
			require.NoError(t, err)
			require.Equal(t, data, string(e.Data))
		}
	})
}

// TestLesson11_RedirectsAreFailures: no 3xx is followed, and none is a success, the last one included.
func TestLesson11_RedirectsAreFailures(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, func(o *Options) { o.Config.Retry = []time.Duration{0, 0} }).start()
		elsewhere := newSink(t, nil)
		for _, code := range []int{300, 301, 302, 303, 305, 307, 308, 399} {
			to := newSink(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", elsewhere.URL)
				w.WriteHeader(code)
			})
			w := b.webhook(to.URL)
			d := b.reaches(b.publish(guideData), StateFailed)
			require.Len(t, d.Attempts, 2)
			for _, a := range d.Attempts {
				require.Equal(t, code, a.StatusCode)
				require.Contains(t, a.Error, "redirects are not followed")
			}
			require.NoError(t, b.DeleteWebhook(t.Context(), "default", w.ID))
		}
		require.Empty(t, elsewhere.got())
	})
}

// TestStatusCodes: every 2xx is a success, nothing else is.
func TestStatusCodes(t *testing.T) {
	t.Parallel()
	b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), once).start()
	code := answering(200)
	b.webhook(newSink(t, code.answer).URL)
	for c, state := range map[int]State{
		200: StateSucceeded, 201: StateSucceeded, 202: StateSucceeded, 204: StateSucceeded, 206: StateSucceeded, 299: StateSucceeded,
		400: StateFailed, 401: StateFailed, 404: StateFailed, 409: StateFailed, 410: StateFailed, 429: StateFailed, 500: StateFailed, 503: StateFailed, 599: StateFailed, 999: StateFailed,
	} {
		code.set(c)
		d := b.reaches(b.publish(guideData), state)
		require.Equal(t, c, d.Attempts[0].StatusCode)
	}
}

// TestLesson21_RetryAfterOnlyDelays: never earlier than the table, never more than an hour, and only with 429 and 503.
func TestLesson21_RetryAfterOnlyDelays(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		code  int
		value string
		want  time.Duration
	}{
		"delays":           {429, "120", 2 * time.Minute},
		"503 too":          {503, "90", 90 * time.Second},
		"not earlier":      {429, "1", time.Minute},
		"zero":             {503, "0", time.Minute},
		"at most an hour":  {429, "86400", time.Hour},
		"a huge number":    {429, strings.Repeat("9", 40), time.Hour},
		"a far date":       {503, "Fri, 31 Dec 9999 23:59:59 GMT", time.Hour},
		"a date gone by":   {503, "Fri, 31 Dec 1999 23:59:59 GMT", time.Minute},
		"negative":         {429, "-3600", time.Minute},
		"nonsense":         {429, "soon", time.Minute},
		"not with 500":     {500, "120", time.Minute},
		"not with 404":     {404, "120", time.Minute},
		"not with a 3xx":   {302, "120", time.Minute},
		"nothing":          {429, "", time.Minute},
		"fraction":         {429, "120.5", 2*time.Minute + 500*time.Millisecond},
		"several":          {429, "120, 240", time.Minute},
		"space around it":  {429, " 120 ", 2 * time.Minute},
		"infinity by name": {503, "inf", time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), nil)
			at := stopClock(b).at
			b.start()
			b.webhook(newSink(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
				if c.value != "" {
					w.Header().Set("Retry-After", c.value)
				}
				w.WriteHeader(c.code)
			}).URL)
			d := b.attempts(b.publish(guideData), 1)
			require.Equal(t, StateRetrying, d.State)
			require.Equal(t, at.Add(c.want).UTC(), *d.NextAttemptAt)
		})
	}
}

// TestLesson21_RetryAfterDate: a date counts from now.
func TestLesson21_RetryAfterDate(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	require.Equal(t, 10*time.Minute, parseRetryAfter(now.Add(10*time.Minute).Format(http.TimeFormat), now))
	require.Equal(t, config.MaxRetryAfter, parseRetryAfter(now.Add(2*time.Hour).Format(http.TimeFormat), now))
	require.Zero(t, parseRetryAfter(now.Add(-time.Second).Format(http.TimeFormat), now))
}

// TestLesson78_RetryAfterOfFractions: what endpoints write instead of whole seconds counts; what is no number does not.
func TestLesson78_RetryAfterOfFractions(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"2.5": 2500 * time.Millisecond, " 2 ": 2 * time.Second, "0.25": 250 * time.Millisecond, "5.": 5 * time.Second, ".5": 500 * time.Millisecond,
		"0": 0, "007": 7 * time.Second, "3600.5": config.MaxRetryAfter, "99999999999999999999": config.MaxRetryAfter, strings.Repeat("9", 400) + ".5": config.MaxRetryAfter,
		"": 0, ".": 0, "-1": 0, "+2": 0, "1e3": 0, "0x10": 0, "Inf": 0, "NaN": 0, "1_0": 0, "2.5.1": 0, "2,5": 0, "soon": 0, "2.5s": 0,
		now.Add(90 * time.Second).Format(time.RFC850):  90 * time.Second,
		now.Add(90 * time.Second).Format(time.ANSIC):   90 * time.Second,
		now.Add(90 * time.Second).Format(time.RFC3339): 0,
	} {
		require.Equal(t, want, parseRetryAfter(value, now), value)
	}
}

// What the history keeps of an attempt is its documented JSON, whatever an endpoint answers.
func TestLogEntryIsAnAttempt(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]result{
		"success":   {status: 200, took: 12 * time.Millisecond},
		"no answer": {err: `dialing "x": refused`, took: 15 * time.Second},
		"a page":    {status: 500, err: "answered 500", body: "<b>\n\u2028\"\\" + strings.Repeat("é", maxResponse), took: time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := time.Date(2024, 3, 31, 14, 0, 0, 123_456_789, time.FixedZone("", 7200))
			want, err := json.Marshal(Attempt{
				Number: 3, At: at.UTC().Truncate(time.Millisecond), DurationMS: r.took.Milliseconds(), StatusCode: r.status, Error: r.err,
				ResponseBody: truncate(r.body, maxResponse),
			})
			require.NoError(t, err)
			require.Equal(t, string(want), logEntry(3, at, &r))
		})
	}
}
