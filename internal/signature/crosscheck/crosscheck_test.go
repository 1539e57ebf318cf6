package crosscheck

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/signature"
)

// request is one that goes to or comes from the libraries.
type request struct {
	Scheme  string            `json:"scheme"`
	Secret  string            `json:"secret"`
	URL     string            `json:"url,omitempty"`
	Options map[string]string `json:"options,omitempty"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`

	// Of those that come.
	Change   string `json:"change,omitempty"`
	Accepted bool   `json:"accepted,omitempty"`
}

// answer is what the libraries say.
type answer struct {
	Now      int64     `json:"now"`
	Verdicts []bool    `json:"verdicts"`
	Requests []request `json:"requests"`
}

// library is what a scheme with an official library is signed with here.
type library struct {
	secret  string // of the scheme's form; none where only the provider has the key, or the signature stands in the body
	options map[string]string
	json    bool // it takes only JSON, written as JSON.stringify does
}

// libraries have all schemes that an official library is there for.
var libraries = map[string]library{
	"braintree":         {},
	"coinbase-commerce": {secret: "a secret"},
	"discord":           {},
	"easypost":          {secret: "a secret", json: true},
	"github":            {secret: "a secret"},
	"gocardless":        {secret: "a secret"},
	"line":              {secret: "a secret"},
	"livekit":           {secret: "a secret", options: map[string]string{"api_key": "devkey"}, json: true},
	"messagebird":       {secret: "a secret"},
	"modern-treasury":   {secret: "a secret"},
	"mux":               {secret: "a secret"},
	"openai":            {secret: "whsec_YSBrZXkgb2YgdGhpcnR5LXR3byBieXRlcywgYmFzZTY0"},
	"paddle":            {secret: "pdl_ntfset_key"},
	"plivo-v2":          {secret: "a secret"},
	"plivo-v3":          {secret: "a secret"},
	"pusher":            {secret: "a secret", json: true},
	"razorpay":          {secret: "a secret"},
	"sanity":            {secret: "a secret"},
	"sendgrid":          {},
	"smartcar":          {secret: "a secret", json: true},
	"square":            {secret: "a signature key"},
	"standard":          {secret: "whsec_YSBrZXkgb2YgdGhpcnR5LXR3byBieXRlcywgYmFzZTY0"},
	"stripe":            {secret: "whsec_text"},
	"svix":              {secret: "whsec_YSBrZXkgb2YgdGhpcnR5LXR3byBieXRlcywgYmFzZTY0"},
	"twilio":            {secret: "an auth token"},
	"workos":            {secret: "a secret", json: true},
}

// TestTwentyProviders counts the providers, of which one may have several schemes, and leaves out the standard that several follow.
func TestTwentyProviders(t *testing.T) {
	t.Parallel()
	providers := map[string]bool{}
	for scheme := range libraries {
		if scheme != "standard" {
			provider, _, _ := strings.Cut(scheme, "-v")
			providers[provider] = true
		}
	}
	require.GreaterOrEqual(t, len(providers), 20)
}

// now is the clock on both sides.
var now = time.Unix(1_700_000_000, 0)

func TestOfficialLibraries(t *testing.T) {
	t.Parallel()
	ours := signed(t)
	theirs := ask(t, installed(t), ours)
	require.Equal(t, now.Unix(), theirs.Now)

	require.Len(t, theirs.Verdicts, len(ours))
	for i, r := range ours {
		require.Truef(t, theirs.Verdicts[i], "the library of %s refuses what we sign: %+v", r.Scheme, r)
	}
	genuine, forged := map[string]int{}, map[string]int{}
	for _, r := range theirs.Requests {
		err := r.verify()
		if r.Accepted {
			genuine[r.Scheme]++
			require.NoErrorf(t, err, "the library accepts, change %q: %+v", r.Change, r)
			continue
		}
		forged[r.Scheme]++
		require.Errorf(t, err, "the library refuses, change %q: %+v", r.Change, r)
	}
	for scheme := range libraries {
		require.GreaterOrEqual(t, genuine[scheme], 6, scheme)
		require.GreaterOrEqual(t, forged[scheme], 18, scheme)
	}
	t.Logf("genuine requests of the libraries: %v; forged ones: %v; ours: %d", genuine, forged, len(ours))
}

// signed are requests that we sign.
func signed(t *testing.T) (all []request) {
	plain := []string{"{}", `{"id":"evt_1","n":12345678901234567890}`, "héllo, 🦀 world!", strings.Repeat("y", 3000), "a\r\nb"}
	stringified := []string{"{}", `{"id":"evt_1","event":"room_started"}`, `{"text":"héllo, 🦀 world!"}`, `{"long":"` + strings.Repeat("y", 3000) + `"}`}
	for scheme, l := range libraries {
		if l.secret == "" {
			continue
		}
		bodies := plain
		if l.json {
			bodies = stringified
		}
		for _, body := range bodies {
			r := request{Scheme: scheme, Secret: l.secret, Options: l.options, Headers: map[string]string{}, Body: body}
			switch scheme {
			case "square", "messagebird":
				r.URL = "https://example.com/hook?a=b"
			case "plivo-v2":
				r.URL = "https://example.com/hook"
			case "plivo-v3":
				r.URL = "https://example.com/hook?a=b"
				r.Headers["Content-Type"] = "application/x-www-form-urlencoded"
				r.Body = "B=2&A=" + strings.Repeat("x", len(body))
			case "twilio":
				r.URL = "https://example.com/hook?a=b"
				r.Headers["Content-Type"] = "application/x-www-form-urlencoded"
				r.Body = "B=2&A=it%27s+" + strings.Repeat("x", len(body)) + "&A=1"
			}
			v, err := r.verifier()
			require.NoError(t, err)
			headers, err := v.Sign(r.request(), "msg_1", now)
			require.NoError(t, err)
			for name, values := range headers {
				require.Len(t, values, 1)
				r.Headers[v.HeaderName(name)] = values[0]
			}
			all = append(all, r)
		}
	}
	return all
}

func (r *request) verifier() (*signature.Verifier, error) {
	return signature.New(signature.Config{Scheme: r.Scheme, Secrets: []string{r.Secret}, URL: r.URL, Options: r.Options})
}

func (r *request) request() *signature.Request {
	h := http.Header{}
	for name, value := range r.Headers {
		h.Set(name, value)
	}
	return &signature.Request{Method: http.MethodPost, URL: r.URL, Header: h, Body: []byte(r.Body)}
}

func (r *request) verify() error {
	v, err := r.verifier()
	if err != nil {
		return err
	}
	_, err = v.Verify(r.request(), now)
	return err
}

// installed is a folder with the libraries.
func installed(t *testing.T) string {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			giveUp(t, "%s is not on PATH: the official libraries can't be asked", program)
		}
	}
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("testdata")))
	npm := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
	npm.Dir = dir
	if out, err := npm.CombinedOutput(); err != nil {
		giveUp(t, "npm ci: %v\n%s", err, out)
	}
	return dir
}

// giveUp skips the test, saying why; in CI that is a failure.
func giveUp(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

func ask(t *testing.T, dir string, ours []request) (a answer) {
	t.Helper()
	in, err := json.Marshal(ours)
	require.NoError(t, err)
	var stderr bytes.Buffer
	node := exec.CommandContext(t.Context(), "node", filepath.Join(dir, "crosscheck.mjs"))
	node.Dir, node.Stdin, node.Stderr = dir, bytes.NewReader(in), &stderr
	out, err := node.Output()
	require.NoError(t, err, stderr.String())
	require.NoError(t, json.Unmarshal(out, &a))
	return a
}
