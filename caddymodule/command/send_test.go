package command

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/signature"
	"github.com/videocloud/webhooks/internal/version"
)

// capture is an endpoint that keeps what it gets.
type capture struct {
	*httptest.Server
	request *http.Request
	body    []byte
}

func newCapture(t *testing.T, status int) *capture {
	c := new(capture)
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.request = r
		c.body, _ = io.ReadAll(r.Body)
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "the \x1b[31manswer")
	}))
	t.Cleanup(c.Close)
	return c
}

func TestSend(t *testing.T) {
	t.Parallel()
	c := newCapture(t, http.StatusOK)
	r := call(t, "", "send", "--url", c.URL+"/webhooks", "--secret", testSecret, "--event", "video.uploaded")
	require.Zero(t, r.status, r.stderr)
	require.Contains(t, r.stdout, "200 OK")
	require.Contains(t, r.stdout, "the \ufffd[31manswer", "an answer must not talk to the terminal")
	require.NotContains(t, r.stdout, testSecret)

	v, err := signature.New(signature.Config{Scheme: "videocloud", Secrets: []string{testSecret}, RequireTimestamp: true})
	require.NoError(t, err)
	_, err = v.Verify(&signature.Request{Method: "POST", Header: c.request.Header, Body: c.body}, time.Now())
	require.NoError(t, err)
	require.Equal(t, "application/json", c.request.Header.Get("Content-Type"))
	require.Equal(t, "video.uploaded", c.request.Header.Get("X-VideoCloud-Event"))
	require.Regexp(t, "^evt_[0-9a-f]{32}$", c.request.Header.Get("X-VideoCloud-Event-Id"))
	require.Equal(t, c.request.Header.Get("X-VideoCloud-Event-Id"), c.request.Header.Get("webhook-id"))
	require.Equal(t, "1", c.request.Header.Get("X-VideoCloud-Attempt"))
	require.Equal(t, "VideoCloud-Webhooks/"+version.Number, c.request.UserAgent(), "as the sender's own")

	require.Regexp(t, `^\{"event":"video\.uploaded","timestamp":"[0-9T:-]+Z","data":\{"videoId":"vid_123456","title":"My Video",`, string(c.body))
}

func TestSendGivesTheDataUnchanged(t *testing.T) {
	t.Parallel()
	c := newCapture(t, http.StatusOK)
	data := `{"n": 12345678901234567890, "a":"\u00e4"}`
	r := call(t, data, "send", "--url", c.URL, "--secret", testSecret, "--event", "order.paid", "--data", "@-",
		"--id", "evt_1", "--now", "1700000000", "--brand", "Acme", "--header", "X-Extra: 1")
	require.Zero(t, r.status, r.stderr)
	require.Equal(t, `{"event":"order.paid","timestamp":"2023-11-14T22:13:20Z","data":`+data+`}`, string(c.body))
	require.Equal(t, "evt_1", c.request.Header.Get("X-Acme-Event-Id"))
	require.NotEmpty(t, c.request.Header.Get("X-Acme-Signature"))
	require.Equal(t, "1", c.request.Header.Get("X-Extra"))
}

func TestSendOtherScheme(t *testing.T) {
	t.Parallel()
	c := newCapture(t, http.StatusOK)
	r := call(t, "", "send", "--url", c.URL, "--scheme", "github", "--secret", testSecret, "--data", `{"zen":1}`)
	require.Zero(t, r.status, r.stderr)
	require.Equal(t, `{"zen":1}`, string(c.body))
	require.Regexp(t, "^sha256=", c.request.Header.Get("X-Hub-Signature-256"))
	require.Equal(t, 2, call(t, "", "send", "--url", c.URL, "--scheme", "github", "--secret", testSecret).status)
}

func TestSendFails(t *testing.T) {
	t.Parallel()
	for _, status := range []int{302, 401, 500} {
		r := call(t, "", "send", "--url", newCapture(t, status).URL, "--secret", testSecret)
		require.Equal(t, 1, r.status)
		require.Contains(t, r.stdout, http.StatusText(status))
	}
	c := newCapture(t, 200)
	c.Close()
	r := call(t, "", "send", "--url", c.URL, "--secret", testSecret)
	require.Equal(t, 1, r.status)
	require.Contains(t, r.stdout, "no answer")
}

func TestSendForPrograms(t *testing.T) {
	t.Parallel()
	var a map[string]any
	r := call(t, "", "send", "--url", newCapture(t, 503).URL, "--secret", testSecret, "--id", "evt_1", "--json")
	require.Equal(t, 1, r.status)
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &a), r.stdout)
	require.EqualValues(t, 503, a["statusCode"])
	require.Equal(t, "evt_1", a["id"])
	require.Equal(t, "video.uploaded", a["event"])
	require.Contains(t, a["answer"], "answer")

	c := newCapture(t, 200)
	c.Close()
	a = nil
	r = call(t, "", "send", "--url", c.URL, "--secret", testSecret, "-json")
	require.Equal(t, 1, r.status)
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &a), r.stdout)
	require.Contains(t, a["error"], "refused")
	require.NotContains(t, a, "statusCode")
}

func TestSendTakesTheExampleOfATypeMadeAtRunTime(t *testing.T) {
	t.Parallel()
	example := `{"orderId": "<1>",  "total":12345678901234567890}`
	status := http.StatusOK
	admin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		switch {
		case status != http.StatusOK:
			_, _ = io.WriteString(w, `{"error":"there is no sender here"}`)
		case r.URL.RequestURI() == "/webhooks/example?event=order.paid":
			_ = json.NewEncoder(w).Encode(map[string]any{"example": example, "made": true})
		default:
			_ = json.NewEncoder(w).Encode(map[string]any{"example": config.Example("video.uploaded"), "made": false})
		}
	}))
	t.Cleanup(admin.Close)
	c := newCapture(t, http.StatusOK)
	send := func(args ...string) result {
		return call(t, "", append([]string{"send", "--url", c.URL, "--secret", testSecret}, args...)...)
	}
	address := strings.TrimPrefix(admin.URL, "http://")

	r := send("--event", "order.paid", "--address", address, "--now", "1700000000")
	require.Zero(t, r.status, r.stderr)
	require.Equal(t, `{"event":"order.paid","timestamp":"2023-11-14T22:13:20Z","data":`+example+`}`, string(c.body), "byte for byte")
	require.Contains(t, r.stderr, "example of order.paid")

	r = send("--event", "order.paid", "--address", address, "--data", `{"mine":1}`)
	require.Zero(t, r.status, r.stderr)
	require.Contains(t, string(c.body), `"data":{"mine":1}`)
	require.Empty(t, r.stderr)

	r = send("--address", address)
	require.Zero(t, r.status, r.stderr)
	require.Contains(t, string(c.body), `"data":{"videoId":"vid_123456"`)
	require.Empty(t, r.stderr, "the guide's own needs no note")

	status = http.StatusNotFound
	r = send("--event", "order.paid", "--address", address)
	require.Equal(t, 1, r.status, "who names a Caddy wants its example")
	require.Contains(t, r.stderr, "there is no sender here")
	status = http.StatusBadRequest
	require.Equal(t, 2, send("--event", "order.paid", "--address", "not an:address:at all").status)
}

func TestEverySampleIsJSON(t *testing.T) {
	t.Parallel()
	for _, event := range []string{"video.uploaded", "video.processed", "user.registered", "comment.created",
		"video.deleted", "user.created", "engagement.like", "system.error", "order.paid"} {
		require.True(t, json.Valid([]byte(config.Example(event))), event)
	}
}

func TestListen(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	status := make(chan int, 1)
	go func() {
		status <- callIO(ctx, strings.NewReader(""), writer, io.Discard, "listen", "--address", "127.0.0.1:0", "--secret", testSecret)
		_ = writer.Close()
	}()
	out := bufio.NewScanner(reader)
	lines := make(chan string, 100)
	require.True(t, out.Scan())
	url := strings.TrimSuffix(strings.TrimPrefix(out.Text(), "listening on "), ", press Ctrl-C to stop")
	go func() {
		defer close(lines)
		for out.Scan() {
			lines <- out.Text()
		}
	}()

	require.Zero(t, call(t, "", "send", "--url", url+"/in", "--secret", testSecret, "--data", `{"esc":"`+"\u009b"+`"}`).status)
	require.Equal(t, 1, call(t, "", "send", "--url", url+"/in", "--secret", "a_wrong_secret_16").status)
	stop()
	require.Zero(t, <-status)
	var all strings.Builder
	for line := range lines {
		all.WriteString(line + "\n")
	}
	require.Regexp(t, `POST /in, \d+ bytes: verified by secret 1`, all.String())
	require.Regexp(t, `POST /in, \d+ bytes: signature_mismatch`, all.String())
	require.Contains(t, all.String(), `"event":"video.uploaded"`)
	require.NotContains(t, all.String(), "\u009b")
}

// One listener for what several providers send, each with a secret of its own.
func TestListenAuto(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	status := make(chan int, 1)
	go func() {
		status <- callIO(ctx, strings.NewReader(""), writer, io.Discard, "listen", "--address", "127.0.0.1:0", "--scheme", "auto", "--secret", testSecret, "--secret", "whsec_"+testSecret)
		_ = writer.Close()
	}()
	out := bufio.NewScanner(reader)
	require.True(t, out.Scan())
	url := strings.TrimSuffix(strings.TrimPrefix(out.Text(), "listening on "), ", press Ctrl-C to stop")
	words := make(chan string, 10)
	go func() {
		defer close(words)
		for out.Scan() {
			if strings.Contains(out.Text(), " bytes: ") {
				_, word, _ := strings.Cut(out.Text(), " bytes: ")
				words <- word
			}
		}
	}()
	send := func(want int, args ...string) string {
		r := call(t, "", append([]string{"send", "--url", url}, args...)...)
		require.Equal(t, want, r.status, r.stdout+r.stderr)
		return <-words
	}
	require.Equal(t, "verified by secret 1 (videocloud)", send(0, "--secret", testSecret))
	require.Equal(t, "verified by secret 1 (github)", send(0, "--scheme", "github", "--secret", testSecret, "--data", "{}"))
	require.Equal(t, "verified by secret 2 (stripe)", send(0, "--scheme", "stripe", "--secret", "whsec_"+testSecret, "--data", "{}"))
	require.Regexp(t, "^signature_mismatch: ", send(1, "--scheme", "github", "--secret", "another_secret_16b", "--data", "{}"))
	stop()
	require.Zero(t, <-status)
}

// A listener finds schemes that sign inside the body, and those that need no secret.
func TestListenAutoByBodyAndOptions(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	f := listenFlags{schemeFlags: schemeFlags{scheme: schemeAuto}, json: true}
	for name, test := range map[string]struct {
		config signature.Config
		body   string
		want   string
	}{
		"token in the body": {signature.Config{Secrets: []string{"a passcode"}}, `{"event_type":"PING","passcode":"a passcode"}`, "verified by secret 1 (figma)"},
		"another token":     {signature.Config{Secrets: []string{"another"}}, `{"event_type":"PING","passcode":"a passcode"}`, "signature_mismatch: "},
		"no secret given":   {signature.Config{Options: map[string]string{"brand": "ACME"}}, `{"event_type":"PING","passcode":"a passcode"}`, "signature_mismatch: "},
		"nothing known":     {signature.Config{Secrets: []string{"a"}}, `{}`, "signature_mismatch: "},
	} {
		check, err := f.verifyFunc(test.config, nil)
		require.NoError(t, err, name)
		out.Reset()
		l := &listener{out: &out, status: 200, verify: check, guess: true}
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(test.body))
		l.ServeHTTP(httptest.NewRecorder(), r)
		require.Contains(t, out.String(), " bytes: "+test.want, name)
	}
}

func TestListenForPrograms(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		secret string
		want   map[string]any
	}{
		"right":     {testSecret, map[string]any{"verified": true, "secret": 1., "status": 200.}},
		"wrong":     {"another_secret_16b", map[string]any{"verified": false, "error": "signature_mismatch", "status": 401.}},
		"unchecked": {"", map[string]any{"verified": nil, "status": 200.}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			l := &listener{out: &out, status: 200, json: true}
			if test.secret != "" {
				check, err := verifyAs(signature.Config{Scheme: "videocloud", Secrets: []string{test.secret}})
				require.NoError(t, err)
				l.verify = check
			}
			server := httptest.NewServer(l)
			t.Cleanup(server.Close)
			call(t, "", "send", "--url", server.URL+"/in", "--secret", testSecret, "--id", "evt_1", "--header", "Authorization: Bearer x")
			var a map[string]any
			require.NoError(t, json.Unmarshal([]byte(out.String()), &a), out.String())
			for field, want := range test.want {
				require.Equal(t, want, a[field], field)
			}
			require.Equal(t, "/in", a["uri"])
			require.Contains(t, a["body"], `"event":"video.uploaded"`)
			require.Equal(t, "(not shown)", a["headers"].(map[string]any)["Authorization"])
		})
	}
}
