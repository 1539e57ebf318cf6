//go:build unix

package docstest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestPagesRun does what the pages say, as a new user would.
func TestPagesRun(t *testing.T) {
	t.Parallel()
	for _, page := range []string{"README.md", "docs/getting-started.md", "docs/guide.md", "docs/api.md"} {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			r := &reader{system: newSystem(t), page: page, ids: map[string]string{}}
			for _, b := range blocks(t, page) {
				r.do(b)
			}
		})
	}
}

// reader follows a page from block to block.
type reader struct {
	*system
	page    string
	again   func() string     // what the last block did, to do it once more
	printed string            // what that printed
	ids     map[string]string // the last ID of each kind that the API named, by the path where it goes
	sink    *sink
}

func (r *reader) do(b block) {
	r.t.Helper()
	at := fmt.Sprintf("%s:%d", b.page, b.line)
	switch b.verb {
	case "stop":
		r.stop(b.args...)
	case "skip":
		require.NotEmpty(r.t, b.args, "%s: say why", at)
	case "adapt", "sdk": // the work of other tests
	case "file":
		require.Len(r.t, b.args, 1, at)
		r.save(b.args[0], b.text)
	case "output":
		r.compare(at, b)
	case "logged":
		r.see(at, b)
	case "background":
		r.background(at, b)
	case "verify":
		verify(r, at, b)
	case "payload":
		r.payload(at, b)
	case "":
		r.foreground(at, b)
	default:
		require.Failf(r.t, "an unknown directive", "%s: %s", at, b.verb)
	}
}

func (r *reader) foreground(at string, b block) {
	r.t.Helper()
	switch b.language {
	case "sh":
		r.again = func() string {
			out, err := r.run("bash", "-euo", "pipefail", "-c", quiet+r.here(b.text))
			require.NoError(r.t, err, "%s: %s", at, out)
			return out
		}
	case "http":
		r.again = func() string { return r.request(at, r.here(b.text)) }
	case "go":
		program := r.build(at, b.text)
		r.again = func() string {
			out, err := r.run(program)
			require.NoError(r.t, err, "%s: %s", at, out)
			return out
		}
	case "text", "mermaid": // pictures, and what is not worth comparing
		return
	default:
		require.Failf(r.t, "a block that no test runs", "%s: %s", at, b.language)
	}
	r.printed = r.again()
}

// quiet is curl without its progress, which it shows where its output is no terminal.
const quiet = "curl() { command curl -sS \"$@\"; }\n"

func (r *reader) background(at string, b block) {
	r.t.Helper()
	switch b.language {
	case "sh":
		r.start(b.args, "bash", "-euo", "pipefail", "-c", r.here(b.text))
	case "go":
		r.start(b.args, r.build(at, b.text))
	default:
		require.Failf(r.t, "a block that no test runs", "%s: %s in the background", at, b.language)
	}
}

// build compiles a Go program, or one of several files.
func (r *reader) build(at string, files ...string) string {
	r.t.Helper()
	dir := r.t.TempDir()
	args := []string{"build", "-o", filepath.Join(dir, "program")}
	for i, text := range files {
		name := filepath.Join(dir, fmt.Sprintf("main%d.go", i))
		require.NoError(r.t, os.WriteFile(name, []byte(r.here(text)), 0o644))
		args = append(args, name)
	}
	old := r.dir
	r.dir = root // where the module is
	out, err := r.run("go", args...)
	r.dir = old
	require.NoError(r.t, err, "%s: %s", at, out)
	return args[2]
}

func (r *reader) compare(at string, b block) {
	r.t.Helper()
	require.NotNil(r.t, r.again, "%s: nothing ran before", at)
	want := mask(b.language, b.text)
	if len(b.args) == 0 {
		require.Equal(r.t, want, mask(b.language, r.printed), at)
		return
	}
	require.Equal(r.t, []string{"eventually"}, b.args, at)
	for end := time.Now().Add(2 * time.Minute); mask(b.language, r.printed) != want; r.printed = r.again() {
		if time.Now().After(end) {
			require.Equal(r.t, want, mask(b.language, r.printed), at)
		}
		time.Sleep(20 * time.Millisecond) // the time between two looks
	}
}

func (r *reader) see(at string, b block) {
	r.t.Helper()
	for line := range strings.Lines(mask("text", b.text)) {
		line = strings.TrimSpace(line)
		require.Eventually(r.t, func() bool { return strings.Contains(mask("text", r.logged()), line) }, 2*time.Minute, 20*time.Millisecond,
			"%s: %s", at, line)
	}
}

// request sends a request and returns the body of the answer.
func (r *reader) request(at, text string) string {
	r.t.Helper()
	head, body, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(strings.TrimSpace(head), "\n")
	method, path, ok := strings.Cut(lines[0], " ")
	require.True(r.t, ok, at)
	collection := strings.Split(path, "/")[1]
	path = strings.Replace(path, "{id}", r.ids[collection], 1)
	req, err := http.NewRequestWithContext(r.t.Context(), method, "http://localhost:"+r.ports["8080"]+path, strings.NewReader(strings.TrimSpace(body)))
	require.NoError(r.t, err, at)
	req.Header.Set("Authorization", "Bearer videocloud-demo-key")
	for _, line := range lines[1:] {
		name, value, ok := strings.Cut(line, ": ")
		require.True(r.t, ok, "%s: %s", at, line)
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(r.t, err, at)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	require.NoError(r.t, err, at)
	require.Equal(r.t, 2, resp.StatusCode/100, "%s: %s", at, answer)
	for collection, pattern := range ids {
		if id := pattern.Find(answer); id != nil {
			r.ids[collection] = string(id)
		}
	}
	return r.there(string(answer))
}

var ids = map[string]*regexp.Regexp{
	"webhooks":   regexp.MustCompile(`whk_[a-z0-9]+`),
	"deliveries": regexp.MustCompile(`dlv_[a-z0-9]+`),
	"replays":    regexp.MustCompile(`rpl_[a-z0-9]+`),
}

// payload publishes an event and expects it delivered as it is printed, byte for byte but for the white space around data.
func (r *reader) payload(at string, b block) {
	r.t.Helper()
	if r.sink == nil {
		r.sink = newSink(r.t)
		r.request(at, fmt.Sprintf("POST /webhooks\nContent-Type: application/json\n\n{\"url\":%q,\"events\":[\"*\"]}", r.sink.url))
	}
	r.request(at, "POST /events\nContent-Type: application/json\n\n"+b.text)
	select {
	case body := <-r.sink.bodies:
		require.Equal(r.t, compact(b.text), compact(string(body)), at)
	case <-time.After(2 * time.Minute):
		require.Fail(r.t, "not delivered", at)
	}
}

func compact(text string) string {
	var buf bytes.Buffer
	if json.Compact(&buf, []byte(text)) != nil {
		return text
	}
	return buf.String()
}

// volatile is what differs from run to run: IDs that were made, times, durations, and signatures over them.
var volatile = []struct {
	pattern *regexp.Regexp
	name    string
}{
	{regexp.MustCompile(`\b(whk|dlv|rpl|key)_[A-Za-z0-9]+`), "${1}_…"},
	{regexp.MustCompile(`\bvck_[A-Za-z0-9_-]+`), "vck_…"},
	{regexp.MustCompile(`\b[0-9a-z]{26}\b`), "<job>"},
	{regexp.MustCompile(`\bevt_[0-9a-f]{32}\b`), "evt_…"},
	{regexp.MustCompile(`\bwhsec_[A-Za-z0-9+/=]{32}`), "whsec_…"},
	{regexp.MustCompile(`\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`), "<time>"},
	{regexp.MustCompile(`\b20\d\d/\d\d/\d\d \d\d:\d\d:\d\d(\.\d+)?`), "<time>"},
	{regexp.MustCompile(`"durationMs": ?\d+`), `"durationMs":…`},
	{regexp.MustCompile(`\b(\d+h)?(\d+m)?[0-9.]+ ?(ms|µs|s)\b`), "<duration>"},
	{regexp.MustCompile(`\[::1\]:`), "127.0.0.1:"},   // which of the two localhost is, is up to the machine
	{regexp.MustCompile(`<(\w+)> {2,}`), "<${1}>  "}, // the next column of a table begins where the longest value ends
	{regexp.MustCompile(`v1,[A-Za-z0-9+/]{43}=`), "v1,…"},
	{regexp.MustCompile(`(?i)(webhook-timestamp: )\d{10}`), "${1}…"},
	{regexp.MustCompile(`(?i)(X-VideoCloud-Signature: )[0-9a-f]{64}`), "${1}…"},
}

// mask replaces what is volatile, and white space that says nothing.
func mask(language, text string) string {
	if language == "json" {
		text = compact(text)
	}
	for _, v := range volatile {
		text = v.pattern.ReplaceAllString(text, v.name)
	}
	return strings.TrimSpace(text)
}

// sink takes deliveries.
type sink struct {
	url    string
	bodies chan []byte
}
