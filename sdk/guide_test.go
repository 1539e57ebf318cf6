package sdk_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/client"
	"github.com/videocloud/webhooks/internal/redistest"
)

// The guide's examples run as printed, against a running system. What they leave open is filled in around them: the
// place of the API (by the environment), the address that the webhook is registered with, the processing of an event,
// and starting the server.

const javaScriptEnd = `
async function processWebhook(event) {
  console.log('Processing ' + event.data.videoId);
}

await registerWebhook();
app.listen(Number(process.env.PORT), '127.0.0.1', () => console.log('Listening'));
`

const pythonStart = `
class process_webhook:
    @staticmethod
    def delay(event):
        print('Processing ' + event['data']['videoId'])


`

const pythonEnd = `

import os

app.run(host='127.0.0.1', port=int(os.environ['PORT']))
`

// TestGuideJavaScript runs the guide's Express example with Express and the SDK as npm would install it.
func TestGuideJavaScript(t *testing.T) {
	t.Parallel()
	sdk := builtJavaScript(t)
	app := filepath.Join(copied(t, "testdata/express"), "testdata/express")
	if why := install(t, app); why != "" {
		giveUp(t, "%s", why)
	}
	run(t, sdk, os.Environ(), "npm", "pack", "--ignore-scripts", "--pack-destination", app)
	packed, err := filepath.Glob(filepath.Join(app, "*.tgz"))
	require.NoError(t, err)
	require.Len(t, packed, 1)
	home := filepath.Join(app, "node_modules/@videocloud/sdk")
	require.NoError(t, os.MkdirAll(home, 0o755))
	run(t, app, os.Environ(), "tar", "-xzf", packed[0], "-C", home, "--strip-components=1")

	for name, block := range examples(t, "typescript", "javascript", "from 'express'", "testdata/guide-javascript.ts") {
		t.Run(name, func(t *testing.T) {
			system := startSystem(t)
			address := freeAddress(t)
			file := filepath.Join(t.TempDir(), "guide.mjs")
			// Node looks for packages beside the file, and up from there.
			require.NoError(t, os.Symlink(filepath.Join(app, "node_modules"), filepath.Join(filepath.Dir(file), "node_modules")))
			require.NoError(t, os.WriteFile(file, []byte(filledIn(block, system, address)+javaScriptEnd), 0o644))
			system.exercise(t, address, command(t, filepath.Dir(file), system.environment("PORT="+port(t, address)), "node", file))
		})
	}
}

// TestGuidePython runs the guide's Flask example: with a stand-in for Flask, and with Flask where that is installed.
func TestGuidePython(t *testing.T) {
	t.Parallel()
	need(t, "python3")
	sdk := filepath.Join(copied(t, "python"), "python/src")
	standIn, err := filepath.Abs("testdata/flask_standin")
	require.NoError(t, err)
	flasks := map[string]string{"stand-in": sdk + string(os.PathListSeparator) + standIn}
	if exec.CommandContext(t.Context(), "python3", "-c", "import flask").Run() == nil {
		flasks["flask"] = sdk
	}
	for name, block := range examples(t, "python", "python", "from flask", "testdata/guide-python.py") {
		for flask, path := range flasks {
			t.Run(name+" with "+flask, func(t *testing.T) {
				system := startSystem(t)
				address := freeAddress(t)
				file := filepath.Join(t.TempDir(), "guide.py")
				require.NoError(t, os.WriteFile(file, []byte(pythonStart+filledIn(block, system, address)+pythonEnd), 0o644))
				env := system.environment("PORT="+port(t, address), "PYTHONPATH="+path, "PYTHONDONTWRITEBYTECODE=1")
				system.exercise(t, address, command(t, filepath.Dir(file), env, "python3", "-u", file))
			})
		}
	}
}

// examples are the blocks to run: the one of the guide that this project was given, and those of docs/guide.md that
// hold a whole receiver, which mark tells by what it imports.
func examples(t *testing.T, language, alias, mark, original string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(original)
	require.NoError(t, err)
	blocks := map[string]string{"original": string(text)}
	guide, err := os.ReadFile("../docs/guide.md")
	if os.IsNotExist(err) {
		return blocks
	}
	require.NoError(t, err)
	fence := regexp.MustCompile("(?ms)^```(" + language + "|" + alias + ")\n(.*?)^```$")
	for i, match := range fence.FindAllStringSubmatch(string(guide), -1) {
		if block := match[2]; strings.Contains(block, mark) && strings.Contains(block, "webhooks.register") {
			blocks[fmt.Sprintf("docs block %d", i+1)] = block
		}
	}
	return blocks
}

// filledIn is an example with the webhook's address in it, and the key where the system has another.
func filledIn(block string, s *system, address string) string {
	return strings.NewReplacer("https://your-server.com/", "http://"+address+"/", demoKey, s.key).Replace(block)
}

// freeAddress is a loopback address that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(redistest.FreePort(t)))
}

func port(t *testing.T, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	return port
}

// exercise starts an example and sends it a true delivery and false ones.
func (s *system) exercise(t *testing.T, address string, example *exec.Cmd) {
	t.Helper()
	app := startApp(t, example)
	webhook := app.line(`^whk_\w+$`)
	// The test's own context is over by then.
	t.Cleanup(func() { require.NoError(t, s.client.Webhooks.Delete(context.Background(), webhook)) })
	app.until("it listens", func() bool {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
		}
		return err == nil
	})

	published, err := s.client.Events.Publish(t.Context(), client.Event{Type: "video.uploaded", Data: json.RawMessage(`{"videoId":"vid_123456"}`)})
	require.NoError(t, err)
	app.line(`^Received video\.uploaded event$`)
	app.line(`^Processing vid_123456$`)
	app.until("the delivery has succeeded", func() bool {
		for d, err := range s.client.Deliveries.All(t.Context(), webhook, client.DeliveryListOptions{}) {
			if err == nil && d.EventID == published.ID {
				return d.State == client.StateSucceeded
			}
		}
		return false
	})

	for name, signature := range map[string]string{
		"none": "", "short": "abc", "not hex": strings.Repeat("z", 64), "wrong": strings.Repeat("0", 64), "long": strings.Repeat("0", 4096),
	} {
		require.Equal(t, http.StatusUnauthorized, post(t, "http://"+address+"/webhooks", "application/json", signature), "signature: %s", name)
	}
	// A body that no parser of the framework takes is refused, and brings nothing down.
	require.Equal(t, http.StatusUnauthorized, post(t, "http://"+address+"/webhooks", "text/plain", "abc"))
	require.Equal(t, 1, app.count(`^Received `), app.output())
}

func post(t *testing.T, url, contentType, signature string) (status int) {
	t.Helper()
	body := strings.NewReader(`{"event":"video.uploaded","timestamp":"2024-03-31T12:00:00Z","data":{"videoId":"vid_forged"}}`)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, body)
	require.NoError(t, err)
	req.Header.Set("Content-Type", contentType)
	if signature != "" {
		req.Header.Set(client.SignatureHeader, signature)
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	resp.Body.Close()
	return resp.StatusCode
}

// app is a running example.
type app struct {
	t     *testing.T
	mu    sync.Mutex
	lines []string
	errs  bytes.Buffer
}

func startApp(t *testing.T, cmd *exec.Cmd) *app {
	t.Helper()
	a := &app{t: t}
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = &a.errs
	require.NoError(t, cmd.Start())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for scan := bufio.NewScanner(out); scan.Scan(); {
			a.mu.Lock()
			a.lines = append(a.lines, scan.Text())
			a.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-done
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("stdout:\n%s\nstderr:\n%s", a.output(), a.errs.String())
		}
	})
	return a
}

func (a *app) until(what string, ok func() bool) {
	a.t.Helper()
	require.Eventually(a.t, ok, 2*time.Minute, 20*time.Millisecond, what)
}

// line waits for a line of output and returns it.
func (a *app) line(pattern string) (found string) {
	a.t.Helper()
	re := regexp.MustCompile(pattern)
	a.until(pattern, func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		for _, found = range a.lines {
			if re.MatchString(found) {
				return true
			}
		}
		return false
	})
	return found
}

func (a *app) count(pattern string) (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, line := range a.lines {
		if regexp.MustCompile(pattern).MatchString(line) {
			n++
		}
	}
	return n
}

func (a *app) output() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return strings.Join(a.lines, "\n")
}
