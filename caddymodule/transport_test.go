package caddymodule

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"
	"github.com/stretchr/testify/require"

	"github.com/caddyserver/caddy/v2"

	"github.com/videocloud/webhooks/internal/redistest"
)

// gateway is the example's shape with a site over TLS beside the plain one, on which HTTP/2 works too.
func gateway(t *testing.T, app *backend, options string) (s *server, secure string) {
	s = newServer(t)
	port := redistest.FreePort(t)
	site := `handle /webhooks {
		webhook_receiver videocloud ` + testSecret + ` {
			` + options + `
		}
		reverse_proxy ` + strings.TrimPrefix(app.URL, "http://") + `
	}
	handle_errors {
		respond "refused: {http.webhook.error}" {err.status_code}
	}`
	config, err := adapt(fmt.Sprintf(`{
	admin 127.0.0.1:%d
	persist_config off
	auto_https disable_redirects
	local_certs
	skip_install_trust
	default_bind 127.0.0.1
	storage file_system %s
	servers {
		protocols h1 h2 h2c h3
	}
	log {
		output file %s
	}
}
http://localhost:%d {
	%s
}
https://localhost:%d {
	%[5]s
}
`, s.admin, filepath.Dir(s.log), s.log, s.port, site, port))
	require.NoError(t, err)
	require.NoError(t, caddy.Load(config, true))
	require.Eventually(t, func() bool { // certificates are made in the background
		conn, err := tls.Dial("tcp", fmt.Sprint("localhost:", port), &tls.Config{InsecureSkipVerify: true})
		return err == nil && conn.Close() == nil
	}, 2*time.Minute, 10*time.Millisecond)
	return s, fmt.Sprintf("https://localhost:%d/webhooks", port)
}

// transports are clients of every version of HTTP that Caddy speaks.
func transports(t *testing.T, plain, secure string) map[string]struct {
	client  *http.Client
	url     string
	version string
} {
	protocols := func(set func(*http.Protocols)) *http.Protocols {
		p := new(http.Protocols)
		set(p)
		return p
	}
	insecure := &tls.Config{InsecureSkipVerify: true} // Caddy's own authority, made a moment ago
	h1 := &http.Transport{DisableKeepAlives: true}
	h2c := &http.Transport{Protocols: protocols(func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) })}
	h2 := &http.Transport{TLSClientConfig: insecure, Protocols: protocols(func(p *http.Protocols) { p.SetHTTP2(true) })}
	h3 := &http3.Transport{TLSClientConfig: insecure}
	t.Cleanup(func() {
		h2c.CloseIdleConnections()
		h2.CloseIdleConnections()
		require.NoError(t, h3.Close())
	})
	type transport = struct {
		client  *http.Client
		url     string
		version string
	}
	return map[string]transport{
		"HTTP/1.1":         {&http.Client{Transport: h1}, plain, "HTTP/1.1"},
		"HTTP/2 in clear":  {&http.Client{Transport: h2c}, plain, "HTTP/2.0"},
		"HTTP/2 over TLS":  {&http.Client{Transport: h2}, secure, "HTTP/2.0"},
		"HTTP/3 over QUIC": {&http.Client{Transport: h3}, secure, "HTTP/3.0"},
	}
}

func TestLesson41_EveryVersionOfHTTP(t *testing.T) {
	app := newBackend(t)
	s, secure := gateway(t, app, "")
	bodies := map[string]string{
		"odd JSON": "{\"event\" : \"video.uploaded\",\r\n\"n\":12345678901234567890,\"s\":\"\\u00e4\" }\n",
		"binary":   strings.Repeat("\x00\xff\n", 100_000),
	}
	for name, c := range transports(t, strings.Replace(s.url("/webhooks"), "127.0.0.1", "localhost", 1), secure) {
		for kind, body := range bodies {
			for _, chunked := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, %s, length unknown: %t", name, kind, chunked), func(t *testing.T) {
					body += name + fmt.Sprint(chunked)
					before, _, _ := app.seen()
					req := signed(t, c.url, "evt_"+strings.NewReplacer("/", "", " ", "_", ".", "").Replace(t.Name()), body)
					req.Header.Set("Expect", "100-continue")
					if chunked {
						req.Body, req.ContentLength, req.GetBody = io.NopCloser(strings.NewReader(body)), -1, nil
					}
					resp, err := c.client.Do(req)
					require.NoError(t, err)
					_, answer := read(t, resp)
					require.Equal(t, http.StatusOK, resp.StatusCode, answer)
					require.Equal(t, c.version, resp.Proto)
					n, got, reached := app.seen()
					require.Equal(t, before+1, n)
					require.Equal(t, body, reached)
					require.EqualValues(t, len(body), got.ContentLength)
					require.Empty(t, got.TransferEncoding)
					require.Equal(t, req.URL.Host, got.Host)
				})
			}
		}
	}
}

func TestLesson33_TooLargeInEveryVersionOfHTTP(t *testing.T) {
	app := newBackend(t)
	s, secure := gateway(t, app, "max_size 1KB")
	for name, c := range transports(t, strings.Replace(s.url("/webhooks"), "127.0.0.1", "localhost", 1), secure) {
		for _, chunked := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, length unknown: %t", name, chunked), func(t *testing.T) {
				send := func(size int) (int, string) {
					body := name + fmt.Sprint(chunked)
					body += strings.Repeat("x", size-len(body))
					req := signed(t, c.url, "", body)
					if chunked {
						req.Body, req.ContentLength, req.GetBody = io.NopCloser(strings.NewReader(body)), -1, nil
					}
					resp, err := c.client.Do(req)
					require.NoError(t, err)
					return read(t, resp)
				}
				status, body := send(1000)
				require.Equal(t, http.StatusOK, status, body)
				status, body = send(1001)
				require.Equal(t, http.StatusRequestEntityTooLarge, status)
				require.Equal(t, "refused: too_large", body, "not a body that is cut off and then not verified")
			})
		}
	}
}

// TestLesson41_ExpectContinue: a client that waits to be asked for the body is asked. Where the headers are refused already the
// library doesn't ask; what Caddy then does with the connection is Caddy's own.
func TestLesson41_ExpectContinue(t *testing.T) {
	s, app := newServer(t), newBackend(t)
	s.load("", receiverSite("webhook_receiver videocloud "+testSecret, app))
	conn, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", s.port))
	require.NoError(t, err)
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "POST /webhooks HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Length: %d\r\nExpect: 100-continue\r\nX-VideoCloud-Signature: %s\r\n\r\n",
		s.port, len(testEvent), signed(t, s.url("/"), "evt_1", testEvent).Header.Get("X-VideoCloud-Signature"))
	require.NoError(t, err)
	in := bufio.NewReader(conn)
	line := func() string {
		text, err := in.ReadString('\n')
		require.NoError(t, err)
		return strings.TrimSpace(text)
	}
	require.Equal(t, "HTTP/1.1 100 Continue", line())
	require.Empty(t, line())
	_, err = io.WriteString(conn, testEvent)
	require.NoError(t, err)
	require.Equal(t, "HTTP/1.1 200 OK", line())
	n, _, body := app.seen()
	require.Equal(t, 1, n)
	require.Equal(t, testEvent, body)
}
