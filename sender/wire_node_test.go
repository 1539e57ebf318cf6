package sender

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redistest"
)

// wired is a delivery for others to judge.
type wired struct {
	Secret  string            `json:"secret"`
	Headers map[string]string `json:"headers"`
	Body    []byte            `json:"body"`

	what string
	want verdict
}

// verdict is who accepts a delivery.
type verdict struct {
	Guide            bool `json:"guide"`
	Standardwebhooks bool `json:"standardwebhooks"`
	Svix             bool `json:"svix"`
}

var everybody = verdict{true, true, true}

func wiredOf(what string, r received, secret string, want verdict) wired {
	w := wired{Secret: secret, Headers: map[string]string{}, Body: r.body, what: what, want: want}
	for name, values := range r.header {
		w.Headers[strings.ToLower(name)] = values[0]
	}
	return w
}

// TestWireByOthers: what the sender really sends is accepted by the guide's own function and by independent libraries,
// and what was changed on the way is not.
func TestWireByOthers(t *testing.T) {
	t.Parallel()
	dir := installed(t)
	b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), func(o *Options) { o.Config.Retry = []time.Duration{0, 0} }).start()
	var all []wired
	to := newSink(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n == 1 {
			w.WriteHeader(500) // the second attempt of a delivery is as good
		}
	})
	w, made, err := b.CreateWebhook(t.Context(), "default", NewWebhook{Settings: Settings{URL: to.URL, Events: []string{"*"}}})
	require.NoError(t, err)
	deliver := func(what, data, secret string) received {
		before := len(to.got())
		b.reaches(b.publish(data), StateSucceeded)
		for _, r := range to.got()[before:] {
			all = append(all, wiredOf(what, r, secret, everybody))
		}
		return to.got()[len(to.got())-1]
	}
	deliver("the guide's sample", guideData, made)
	deliver("bytes that a parser would change", `{"n":12345678901234567890,  "f":1.0, "e":"\u00e9\/é`+"\u2028"+`😀", "a":{"b":1,"b":2}}`, made)
	deliver("the largest", `{"p":"`+strings.Repeat("é", 130_000)+`"}`, made)
	const plain, unicode = "your_webhook_secret", "sécret mit “Umlauten”"
	b.update(w, WebhookUpdate{Secret: ptr(plain), SecretOverlap: time.Hour})
	r := deliver("a secret that is text", guideData, plain)
	all = append(all, wiredOf("the secret before, in its overlap", r, made, verdict{false, true, true}))
	b.update(w, WebhookUpdate{Secret: ptr(unicode)})
	deliver("a secret that is not ASCII", guideData, unicode)
	p, err := b.TestWebhook(t.Context(), "default", w.ID)
	require.NoError(t, err)
	b.reaches(p, StateSucceeded)
	last := to.got()[len(to.got())-1]
	all = append(all, wiredOf("a test event", last, unicode, everybody))

	forge := func(what string, want verdict, change func(w *wired)) {
		f := wiredOf(what, last, unicode, want)
		f.Body = bytes.Clone(f.Body)
		change(&f)
		all = append(all, f)
	}
	forge("another body", verdict{}, func(w *wired) { w.Body[len(w.Body)-3]++ })
	forge("another secret", verdict{}, func(w *wired) { w.Secret += "x" })
	forge("another ID", verdict{Guide: true}, func(w *wired) { w.Headers["webhook-id"] = "evt_other" })
	forge("another time", verdict{Guide: true}, func(w *wired) {
		at, _ := strconv.Atoi(w.Headers["webhook-timestamp"])
		w.Headers["webhook-timestamp"] = strconv.Itoa(at + 1)
	})
	forge("another signature", verdict{Standardwebhooks: true, Svix: true}, func(w *wired) { w.Headers["x-videocloud-signature"] = strings.Repeat("0", 64) })

	in, err := json.Marshal(all)
	require.NoError(t, err)
	var stderr bytes.Buffer
	node := exec.CommandContext(t.Context(), "node", filepath.Join(dir, "verify.mjs"))
	node.Dir, node.Stdin, node.Stderr = dir, bytes.NewReader(in), &stderr
	out, err := node.Output()
	require.NoError(t, err, stderr.String())
	var verdicts []verdict
	require.NoError(t, json.Unmarshal(out, &verdicts))
	require.Len(t, verdicts, len(all))
	for i, v := range verdicts {
		require.Equal(t, all[i].want, v, all[i].what)
	}
}

// installed is a folder with the libraries.
func installed(t *testing.T) string {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			giveUp(t, "%s is not on PATH: independent libraries can't be asked", program)
		}
	}
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "wire"))))
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
