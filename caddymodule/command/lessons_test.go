package command

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/signature"
)

// An empty 200 that Caddy gives by itself is a yes from nobody.
func TestLesson51SendTellsWhenNobodyAnswered(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		header map[string]string
		body   string
		status int
		nobody bool
	}{
		"Caddy, where no site fits":    {map[string]string{"Server": "Caddy"}, "", 200, true},
		"the same with HTTP/3":         {map[string]string{"Server": "Caddy", "Alt-Svc": `h3=":443"`}, "", 200, true},
		"an app behind a proxy":        {map[string]string{"Via": "1.1 Caddy"}, "", 200, false},
		"an app that says something":   {map[string]string{"Server": "Caddy"}, "ok", 200, false},
		"an app with a header":         {map[string]string{"Server": "Caddy", "X-Request-Id": "7"}, "", 204, false},
		"a gateway, a duplicate":       {map[string]string{"Server": "Caddy", "X-Webhook-Duplicate": "true"}, "", 200, false},
		"a gateway that has queued it": {map[string]string{"Server": "Caddy", "X-Webhook-Queued": "true"}, "", 200, false},
		"another server's empty 200":   {map[string]string{}, "", 200, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for name, value := range test.header {
					w.Header().Set(name, value)
				}
				w.WriteHeader(test.status)
				_, _ = w.Write([]byte(test.body))
			}))
			t.Cleanup(server.Close)
			for _, form := range []string{"", "--json"} {
				args := []string{"send", "--url", server.URL, "--secret", testSecret}
				if form != "" {
					args = append(args, form)
				}
				r := call(t, "", args...)
				require.Equal(t, test.nobody, r.status == 1, r.stdout)
				require.Equal(t, test.nobody, strings.Contains(r.stdout, "nothing shows that an app or a gateway answered"), r.stdout)
			}
		})
	}
}

// What the verifier can check of a scheme, sign and send can make, forms included.
func TestLesson71FormsAreSignedAndSent(t *testing.T) {
	t.Parallel()
	const form = "Body=Hello+World&From=%2B15550001&MediaUrl=https%3A%2F%2Fx.example%2F1"
	for _, scheme := range []string{"twilio", "plivo-v3"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			c := newCapture(t, 200)
			url := c.URL + "/sms?a=1"
			for name, args := range map[string][]string{
				"guessed": nil,
				"said":    {"--header", "Content-Type: application/x-www-form-urlencoded; charset=utf-8"},
			} {
				headers := signedHeaders(t, form, append([]string{"--scheme", scheme, "--secret", testSecret, "--url", url}, args...)...)
				headers = append(headers, "--header", "Content-Type: application/x-www-form-urlencoded")
				r := call(t, form, append([]string{"verify", "--scheme", scheme, "--secret", testSecret, "--url", url}, headers...)...)
				require.Zero(t, r.status, "%s: %s%s", name, r.stdout, r.stderr)

				r = call(t, form, append([]string{"send", "--scheme", scheme, "--secret", testSecret, "--url", url, "--data", "@-"}, args...)...)
				require.Zero(t, r.status, "%s: %s%s", name, r.stdout, r.stderr)
				require.Contains(t, c.request.Header.Get("Content-Type"), "application/x-www-form-urlencoded")
				v, err := signature.New(signature.Config{Scheme: scheme, Secrets: []string{testSecret}, URL: url})
				require.NoError(t, err)
				_, err = v.Verify(&signature.Request{Method: "POST", URL: c.request.RequestURI, Header: c.request.Header, Body: c.body}, time.Now())
				require.NoError(t, err, name)
			}
		})
	}
}

// Every scheme that has headers for an event's type and ID gets them, and what is printed is what was sent.
func TestLesson71SendPrintsWhatItSent(t *testing.T) {
	t.Parallel()
	for _, info := range signature.Schemes() {
		if !info.CanSign || info.Name == "hmac" {
			continue
		}
		t.Run(info.Name, func(t *testing.T) {
			t.Parallel()
			c := newCapture(t, 200)
			secret := testSecret
			switch {
			case strings.Contains(info.Secret, "hexadecimal"):
				secret = "0123456789abcdef0123456789abcdef"
			case strings.Contains(info.Secret, "whsec_"):
				secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"
			}
			c2 := signature.Config{Scheme: info.Name, Secrets: []string{secret}, URL: c.URL + "/in"}
			args := []string{"send", "--scheme", info.Name, "--secret", secret, "--url", c.URL + "/in", "--event", "push.made", "--id", "id-7"}
			for _, o := range info.Options {
				if o.Name == "api_key" {
					args = append(args, "--option", "api_key=key")
					c2.Options = map[string]string{"api_key": "key"}
				}
			}
			v, err := signature.New(c2)
			if err != nil {
				t.Skip("the scheme wants a key of its own: ", err)
			}
			data := `{"a":1}`
			if v.SignsForm() {
				data = "a=1&b=2"
			}
			if info.Name == "linear" || info.Name == "livepeer" {
				t.Skip("its time is in the body")
			}
			if info.Name != defaultScheme {
				args = append(args, "--data", data)
			}
			r := call(t, "", args...)
			require.Zero(t, r.status, r.stdout+r.stderr)
			sentAs := func(want, word string, headers ...string) {
				carried := false
				for _, h := range headers {
					carried = carried || h != "" && c.request.Header.Get(h) == want
				}
				if len(headers) > 0 && headers[0] != "" {
					require.True(t, carried, "%s is not sent in %v", word, headers)
				}
				if strings.Contains(r.stdout, word+" "+want) {
					require.True(t, carried || strings.Contains(string(c.body), want), "%s was printed, but not sent", word)
				} else {
					require.False(t, carried, "%s was sent, but not printed", word)
					require.Contains(t, r.stderr, "not sent", "a flag without effect is told")
				}
			}
			sentAs("push.made", "event", v.EventHeader())
			sentAs("id-7", "id", v.IDHeaders()...)
		})
	}
}

func TestLesson71SendHonoursHeaders(t *testing.T) {
	t.Parallel()
	c := newCapture(t, 200)
	file := filepath.Join(t.TempDir(), "headers.txt")
	require.NoError(t, os.WriteFile(file, []byte("POST /in HTTP/1.1\r\nHost: hooks.example.com\r\nX-GitHub-Event: issues\r\nX-GitHub-Delivery: d-1\r\n\r\nContent-Type: application/vnd.x+json\r\nX-Many: 1\r\nX-Many: 2\r\nUser-Agent: GitHub-Hookshot/1\r\n"), 0o600))
	r := call(t, "", "send", "--url", c.URL, "--scheme", "github", "--secret", testSecret, "--data", `{}`, "--header", "@"+file, "--header", "X-One: 1")
	require.Zero(t, r.status, r.stderr)
	require.Contains(t, r.stdout, "event issues, id d-1")
	require.Equal(t, "hooks.example.com", c.request.Host)
	for name, values := range map[string][]string{
		"X-Github-Event": {"issues"}, "X-Github-Delivery": {"d-1"}, "Content-Type": {"application/vnd.x+json"},
		"X-Many": {"1", "2"}, "X-One": {"1"}, "User-Agent": {"GitHub-Hookshot/1"},
	} {
		require.Equal(t, values, c.request.Header[name], name)
	}
	// Even where it breaks the signature: that may be what is tried out.
	r = call(t, "", "send", "--url", c.URL, "--secret", testSecret, "--header", "X-VideoCloud-Signature: 00", "--header", "X-VideoCloud-Attempt: 3")
	require.Zero(t, r.status, r.stderr)
	require.Equal(t, []string{"00"}, c.request.Header["X-Videocloud-Signature"])
	require.Equal(t, []string{"3"}, c.request.Header["X-Videocloud-Attempt"])
	for _, header := range []string{"Content-Length: 3", "no colon", "a b: c", "@" + file + "none"} {
		r = call(t, "", "send", "--url", c.URL, "--secret", testSecret, "--header", header)
		require.Equal(t, 2, r.status, header)
	}
}

// A given ID header is the one that is signed.
func TestSendSignsTheGivenID(t *testing.T) {
	t.Parallel()
	c := newCapture(t, 200)
	r := call(t, "", "send", "--url", c.URL, "--secret", testSecret, "--header", "webhook-id: evt_given")
	require.Zero(t, r.status, r.stderr)
	require.Contains(t, r.stdout, "id evt_given,")
	v, err := signature.New(signature.Config{Scheme: defaultScheme, Secrets: []string{testSecret}})
	require.NoError(t, err)
	result, err := v.Verify(&signature.Request{Method: "POST", Header: c.request.Header, Body: c.body}, time.Now())
	require.NoError(t, err)
	require.Equal(t, "evt_given", result.ID)
}

// A test delivery that no publisher could have made tests nothing.
func TestSendRefusesWhatTheAPIRefuses(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"no object":         {"--data", `[1]`},
		"no JSON":           {"--data", `{"a":}`},
		"two values":        {"--data", `{} {}`},
		"repeated names":    {"--data", `{"a":1,"a":2}`},
		"not UTF-8":         {"--data", "{\"a\":\"\xff\"}"},
		"deep":              {"--data", `{"a":` + strings.Repeat("[", 1001) + strings.Repeat("]", 1001) + `}`},
		"large":             {"--data", `{"a":"` + strings.Repeat("x", 256<<10) + `"}`},
		"a strange ID":      {"--id", "a b"},
		"a long ID":         {"--id", strings.Repeat("x", 129)},
		"a strange type":    {"--event", "Video Uploaded"},
		"a type with quote": {"--event", `video."x`},
	} {
		r := call(t, "", append([]string{"send", "--url", "http://127.0.0.1:1", "--secret", testSecret}, args...)...)
		require.Equal(t, 2, r.status, "%s: %s", name, r.stderr)
	}
}

// A signature that is part of the body is put there by send, and what sign can't print as headers it says so.
func TestLesson71SendSignsBodies(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args []string
		data string
		says string
	}{
		"adyen-standard": {[]string{"--secret", "0123456789abcdef0123456789abcdef"}, `{"notificationItems":[{"NotificationRequestItem":{"eventCode":"CAPTURE"}}]}`, "event CAPTURE"},
		"mailgun":        {[]string{"--secret", testSecret, "--id", "id-7"}, `{"event-data":{"event":"opened"}}`, "event opened, id id-7"},
		"braintree":      {[]string{"--secret", testSecret, "--option", "public_key=pk"}, `<notification/>`, "bytes"},
		"figma":          {[]string{"--secret", testSecret}, `{"event_type":"PING"}`, "event PING"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCapture(t, 200)
			args := append([]string{"--scheme", name}, test.args...)
			r := call(t, "", append([]string{"send", "--url", c.URL, "--data", test.data}, args...)...)
			require.Zero(t, r.status, r.stdout+r.stderr)
			require.Contains(t, r.stdout, test.says)
			require.Empty(t, r.stderr)
			verify := slices.Clone(args)
			if i := slices.Index(verify, "--id"); i >= 0 {
				verify = slices.Delete(verify, i, i+2)
			}
			r = call(t, string(c.body), append([]string{"verify", "--header", "Content-Type: " + c.request.Header.Get("Content-Type")}, verify...)...)
			require.Zero(t, r.status, r.stdout+r.stderr)

			r = call(t, test.data, append([]string{"sign"}, args...)...)
			require.Equal(t, 2, r.status)
			require.Contains(t, r.stderr, "the signature is part of the body, not a header; caddy webhook send puts it there")
			r = call(t, "", append([]string{"send", "--url", c.URL, "--data", `[]`}, args...)...)
			require.Equal(t, 2, r.status)
			require.Contains(t, r.stderr, "this can't be signed: ")
		})
	}
}
