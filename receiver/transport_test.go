package receiver

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// serveHTTP starts a real server with the gateway on it.
func serveHTTP(t *testing.T, h http.Handler, http2 bool) (*httptest.Server, *http.Client) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = http2
	if http2 {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s, s.Client()
}

func TestLesson41_TheSameBytesReachTheApp(t *testing.T) {
	t.Parallel()
	bodies := map[string][]byte{
		"json":                 []byte("{\"n\": 12345678901234567890,\r\n \"s\":\"\\u00e4\" }\n"),
		"binary":               bytes.Repeat([]byte{0, 1, 0xff, '\n'}, 100),
		"exactly the buffer":   bytes.Repeat([]byte("b"), firstRead),
		"larger than a buffer": bytes.Repeat([]byte("x"), 300_000),
		"empty":                {},
	}
	for _, proto := range []string{"HTTP/1.1", "HTTP/2.0"} {
		for name, body := range bodies {
			for _, chunked := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, %s, chunked %t", proto, name, chunked), func(t *testing.T) {
					t.Parallel()
					g := newGateway(t)
					g.app.work = func(w http.ResponseWriter, r *http.Request) {
						again, err := r.GetBody()
						if err != nil {
							t.Error(err)
							return
						}
						copied, _ := io.ReadAll(again)
						w.Header().Set("Repeatable", fmt.Sprint(bytes.Equal(copied, body)))
					}
					s, client := serveHTTP(t, g, proto == "HTTP/2.0")
					r, err := http.NewRequest(http.MethodPost, s.URL+"/a%2Fb?q=1", bytes.NewReader(body))
					require.NoError(t, err)
					if chunked {
						r.Body, r.ContentLength, r.GetBody = io.NopCloser(bytes.NewReader(body)), -1, nil
					}
					r.Host = "hooks.example.com"
					r.Header.Set("X-VideoCloud-Signature", sign(string(body)))
					answer, err := client.Do(r)
					require.NoError(t, err)
					defer answer.Body.Close()
					require.Equal(t, http.StatusOK, answer.StatusCode)
					require.Equal(t, proto, answer.Proto)
					require.Equal(t, "true", answer.Header.Get("Repeatable"))

					got := g.app.last()
					require.Equal(t, string(body), g.app.bodies[0])
					require.Equal(t, int64(len(body)), got.ContentLength)
					require.Equal(t, fmt.Sprint(len(body)), got.Header.Get("Content-Length"))
					require.Empty(t, got.TransferEncoding)
					require.Equal(t, "hooks.example.com", got.Host)
					require.Equal(t, "/a%2Fb?q=1", got.RequestURI)
				})
			}
		}
	}
}

func TestLesson41_ExpectContinue(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(o *Options) { o.Config.MaxSize = 100 })
	s, _ := serveHTTP(t, g, false)
	exchange := func(t *testing.T, header string, body string) (continued bool, status string) {
		conn, err := net.Dial("tcp", s.Listener.Addr().String())
		require.NoError(t, err)
		defer conn.Close()
		_, err = fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: %d\r\n%s\r\n", len(body), header)
		require.NoError(t, err)
		in := bufio.NewReader(conn)
		line, err := in.ReadString('\n')
		require.NoError(t, err)
		if !strings.Contains(line, " 100 ") {
			return false, line
		}
		_, err = in.ReadString('\n')
		require.NoError(t, err)
		_, err = io.WriteString(conn, body)
		require.NoError(t, err)
		line, err = in.ReadString('\n')
		require.NoError(t, err)
		return true, line
	}
	t.Run("accepted", func(t *testing.T) {
		continued, status := exchange(t, "X-VideoCloud-Signature: "+sign("body")+"\r\n", "body")
		require.True(t, continued)
		require.Contains(t, status, "200")
	})
	t.Run("refused before the body is sent", func(t *testing.T) {
		continued, status := exchange(t, "", "body")
		require.False(t, continued)
		require.Contains(t, status, "401")
	})
	t.Run("too large before the body is sent", func(t *testing.T) {
		continued, status := exchange(t, "X-VideoCloud-Signature: "+sign("body")+"\r\n", strings.Repeat("a", 101))
		require.False(t, continued)
		require.Contains(t, status, "413")
	})
}

func TestBodyCutOffByTheClient(t *testing.T) {
	t.Parallel()
	seen := make(chan Outcome, 1)
	g := newGateway(t, func(o *Options) {
		o.Store = untouchable{t}
		o.Observe = func(o Outcome) { seen <- o }
	})
	s, _ := serveHTTP(t, g, false)
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	require.NoError(t, err)
	_, err = fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\nX-VideoCloud-Signature: %s\r\n\r\nhalf", sign("half"))
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	o := <-seen
	require.Equal(t, ReasonBody, o.Error)
	require.Contains(t, []int{http.StatusBadRequest, StatusClientClosed}, o.Status)
}

func TestSenderThatHangsUpDoesNotCancelTheApp(t *testing.T) {
	t.Parallel()
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprint("http2 ", http2), func(t *testing.T) {
			t.Parallel()
			var g *gateway
			seen := make(chan Outcome, 2)
			g = newGateway(t, func(o *Options) { o.Observe = func(o Outcome) { seen <- o } })
			started, left := make(chan struct{}), make(chan struct{})
			worked := make(chan error, 1)
			g.app.work = func(w http.ResponseWriter, r *http.Request) {
				close(started)
				<-left
				_, err := w.Write(bytes.Repeat([]byte("a"), 1<<20))
				if err == nil {
					err = r.Context().Err()
				}
				worked <- err
			}
			gone := make(chan struct{})
			s, client := serveHTTP(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				context.AfterFunc(r.Context(), func() { close(gone) })
				g.ServeHTTP(w, r)
			}), http2)
			ctx, cancel := context.WithCancel(context.Background())
			r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL, strings.NewReader("body"))
			require.NoError(t, err)
			r.Header.Set("X-VideoCloud-Signature", sign("body"))
			go func() {
				<-started
				cancel()
			}()
			_, err = client.Do(r)
			require.ErrorIs(t, err, context.Canceled)
			<-gone
			close(left)
			require.NoError(t, <-worked)
			require.Equal(t, ResultAccepted, (<-seen).Result)
			requireDuplicate(t, g.deliver("body", ""))
		})
	}
}

func TestRecorderKeepsWhatTheServerCanDo(t *testing.T) {
	t.Parallel()
	result := make(chan string, 1)
	g := newGateway(t, func(o *Options) { o.Observe = func(o Outcome) { result <- o.Result } })
	var informed []int
	work := map[string]func(*testing.T, http.ResponseWriter){
		"flush": func(t *testing.T, w http.ResponseWriter) {
			_, _ = io.WriteString(w, "a")
			w.(http.Flusher).Flush()
			require.NoError(t, http.NewResponseController(w).Flush())
		},
		"1xx is not final": func(t *testing.T, w http.ResponseWriter) {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusAccepted)
		},
		"copying": func(t *testing.T, w http.ResponseWriter) {
			n, err := w.(io.ReaderFrom).ReadFrom(strings.NewReader("copied"))
			require.NoError(t, err)
			require.Equal(t, int64(6), n)
		},
		"deadlines by unwrapping": func(t *testing.T, w http.ResponseWriter) {
			require.NoError(t, http.NewResponseController(w).EnableFullDuplex())
		},
	}
	for name, f := range work {
		t.Run(name, func(t *testing.T) {
			g.app.work = func(w http.ResponseWriter, _ *http.Request) { f(t, w) }
			s, client := serveHTTP(t, g, false)
			r, err := http.NewRequest(http.MethodPost, s.URL, strings.NewReader(name))
			require.NoError(t, err)
			r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
				Got1xxResponse: func(code int, _ textproto.MIMEHeader) error {
					informed = append(informed, code)
					return nil
				},
			}))
			r.Header.Set("X-VideoCloud-Signature", sign(name))
			answer, err := client.Do(r)
			require.NoError(t, err)
			_, _ = io.Copy(io.Discard, answer.Body)
			require.NoError(t, answer.Body.Close())
			require.Equal(t, ResultAccepted, <-result)
		})
	}
	require.Equal(t, []int{http.StatusEarlyHints}, informed)
	t.Run("a taken connection is no answer", func(t *testing.T) {
		g.app.work = func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			require.NoError(t, err)
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			_ = conn.Close()
		}
		s, client := serveHTTP(t, g, false)
		r, err := http.NewRequest(http.MethodPost, s.URL, strings.NewReader("hijack"))
		require.NoError(t, err)
		r.Header.Set("X-VideoCloud-Signature", sign("hijack"))
		answer, err := client.Do(r)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Equal(t, ResultFailed, <-result)
	})
}

func TestRecorderTellsReadingErrorsFromWritingErrors(t *testing.T) {
	t.Parallel()
	t.Run("the app's answer breaks off", func(t *testing.T) {
		t.Parallel()
		r := &recorder{ResponseWriter: &readerFrom{}}
		_, err := r.ReadFrom(io.MultiReader(strings.NewReader("a"), iotestErr{}))
		require.Error(t, err)
	})
	t.Run("the client leaves", func(t *testing.T) {
		t.Parallel()
		r := &recorder{ResponseWriter: &readerFrom{err: io.ErrClosedPipe}}
		n, err := r.ReadFrom(strings.NewReader("abc"))
		require.NoError(t, err)
		require.Equal(t, int64(3), n)
		require.True(t, r.succeeded())
	})
}

type readerFrom struct {
	httptest.ResponseRecorder
	err error
}

func (r *readerFrom) ReadFrom(src io.Reader) (int64, error) {
	if r.err != nil {
		return 0, r.err
	}
	return io.Copy(io.Discard, src)
}
