package console_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	"github.com/stretchr/testify/require"

	_ "github.com/videocloud/webhooks/caddymodule"
	"github.com/videocloud/webhooks/internal/redistest"
)

// longestWalk ends one that hangs, so that what it said so far is told. To take all pictures takes longer.
const longestWalk, allPictures = 8 * time.Minute, 30 * time.Minute

// TestInABrowser walks the views in Chromium and does what people do there, against a running system: the files of browser/
// say how. With CONSOLE_SCREENSHOTS set to a folder they leave a picture of each view there.
// A process has one Caddy, so each walk and its system has a process of its own, which is this test with CONSOLE_WALK set:
// as many as there are processors walk at a time.
func TestInABrowser(t *testing.T) {
	t.Parallel()
	chromium, node := program(t, "chromium"), program(t, "node")
	if name := os.Getenv("CONSOLE_WALK"); name != "" {
		walk(t, name, node, os.Getenv("CONSOLE_MODULES"), chromium)
		return
	}
	modules := browserModules(t)
	certificate, key := clientCertificate(t)
	for _, name := range walks() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestInABrowser$", "-test.v", "-test.count=1", "-test.timeout="+(2*allPictures).String())
			run.Env = append(os.Environ(), "CONSOLE_WALK="+name, "CONSOLE_MODULES="+modules, "CONSOLE_CERTIFICATE="+certificate, "CONSOLE_PRIVATE_KEY="+key)
			out, err := run.CombinedOutput()
			require.NoError(t, err, "%s", out)
			t.Logf("%s", out)
		})
	}
}

// walk starts a system and runs one of the files of browser/ against it.
func walk(t *testing.T, name, node, modules, chromium string) {
	t.Helper()
	at := startSystem(t)
	if name == "gateways.mjs" {
		at.leaveBehind(t)
	}
	longest := longestWalk
	if os.Getenv("CONSOLE_LOOKS") != "" {
		longest = allPictures
	}
	ctx, cancel := context.WithTimeout(t.Context(), longest)
	defer cancel()
	run := exec.CommandContext(ctx, node, filepath.Join("browser", name), modules, chromium, at.site, at.gateway, strconv.Itoa(at.appPort), strconv.Itoa(at.mailPort))
	run.Cancel = func() error { return run.Process.Signal(os.Interrupt) }
	run.WaitDelay = time.Minute
	out, err := run.CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Logf("%s", out)
}

// walks are all, and with a folder for it the one that takes the pictures of the documentation instead, or those of every
// view in every state and size.
func walks() []string {
	if os.Getenv("CONSOLE_LOOKS") != "" {
		return []string{"looks.mjs", "many.mjs"}
	}
	if os.Getenv("CONSOLE_PICTURES") != "" {
		return []string{"pictures.mjs"}
	}
	// The longest come first, so that none of them is alone at the end.
	return []string{"rows.mjs", "reach.mjs", "actions.mjs", "walk.mjs", "markup.mjs", "fields.mjs", "stored.mjs", "addresses.mjs", "far.mjs", "gateways.mjs"}
}

// browserModules fetches what drives the browser.
func browserModules(t *testing.T) string {
	t.Helper()
	npm, modules := program(t, "npm"), t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json"} {
		content, err := os.ReadFile(filepath.Join("browser", name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(modules, name), content, 0o600))
	}
	install := exec.CommandContext(t.Context(), npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
	install.Dir = modules
	if out, err := install.CombinedOutput(); err != nil {
		missing(t, fmt.Sprintf("npm can't fetch playwright-core and axe-core: %s", out))
	}
	return modules
}

// system is a Caddy with sender, API, console, and gateways in front of an app that a walk serves itself.
type system struct {
	site, gateway     string
	appPort, mailPort int
	text              string // its Caddyfile, with % where the deliver directives of the queue stand
}

func startSystem(t *testing.T) system {
	t.Helper()
	store := redistest.Start(t)
	site, gateway, app, mail := redistest.FreePort(t), redistest.FreePort(t), redistest.FreePort(t), redistest.FreePort(t)
	at := system{
		site: fmt.Sprintf("http://127.0.0.1:%d", site), gateway: fmt.Sprintf("http://127.0.0.1:%d", gateway), appPort: app, mailPort: mail,
	}
	at.text = fmt.Sprintf(`{
	admin off
	persist_config off
	auto_https off
	default_bind 127.0.0.1
	storage file_system %[1]s
	log {
		output discard
	}
	webhooks {
		redis %[2]s
		sender {
			allow_http
			allow_networks 127.0.0.0/8
			retry 0s 100ms
			smtp smtp://127.0.0.1:%[3]d webhooks@example.com
			portal_url http://127.0.0.1:%[4]d/console/portal/
		}
	}
}
http://127.0.0.1:%[4]d {
	handle /console/* {
		webhook_console
	}
	handle /guarded/* {
		basic_auth {
			admin $2a$04$kughmlNRtjhbE3Nuw6UpfOpYSQR/5ewG5/st8UwjpxHTV9gjGnpFy
		}
		webhook_console {
			mount /guarded
			act_as operator-key
		}
	}
	handle {
		webhook_api {
			api_key operator-key *
		}
	}
}
http://127.0.0.1:%[5]d {
	handle /webhooks {
		webhook_receiver videocloud your_webhook_secret {
			name shop
			queue {
				retry 0s
				%%
			}
		}
	}
	handle /direct {
		webhook_receiver videocloud your_webhook_secret {
			name direct
		}
		reverse_proxy 127.0.0.1:%[6]d
	}
	handle {
		respond "taken"
	}
}
`, t.TempDir(), store.URL(), mail, site, gateway, app)
	t.Cleanup(func() { require.NoError(t, caddy.Stop()) })
	at.load(t, "")
	return at
}

// load begins with a deliver of each of these names; without one with one that has no name.
func (s system) load(t *testing.T, names ...string) {
	t.Helper()
	var delivers strings.Builder
	for _, name := range names {
		fmt.Fprintf(&delivers, "deliver %s {\nreverse_proxy 127.0.0.1:%d\n}\n", name, s.appPort)
	}
	text := strings.Replace(s.text, "%", delivers.String(), 1)
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
	require.NoError(t, err)
	require.NoError(t, caddy.Load(config, true))
	require.Eventually(t, func() bool { return s.inside(t, "config") != "" }, 2*time.Minute, 50*time.Millisecond)
}

// inside asks the console's own handler.
func (s system) inside(t *testing.T, path string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.site+"/console/api/"+path, nil)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer operator-key")
	request.Header.Set("X-Webhook-Console", "1")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		return ""
	}
	return string(body)
}

// leaveBehind lets an event die in the queue of a deliver that the configuration has no more afterwards.
func (s system) leaveBehind(t *testing.T) {
	t.Helper()
	s.load(t, "before")
	body := fmt.Sprintf(`{"event":"video.deleted","timestamp":%q,"data":{"id":"vid_1"}}`, time.Now().UTC().Format(time.RFC3339))
	mac := hmac.New(sha256.New, []byte("your_webhook_secret"))
	mac.Write([]byte(body))
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.gateway+"/webhooks", strings.NewReader(body))
	require.NoError(t, err)
	for name, value := range map[string]string{
		"Content-Type": "application/json", "X-VideoCloud-Event": "video.deleted", "X-VideoCloud-Event-Id": "evt_left", "X-VideoCloud-Signature": hex.EncodeToString(mac.Sum(nil)),
	} {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.Eventually(t, func() bool { return strings.Contains(s.inside(t, "dead?name=shop"), "evt_left") }, 2*time.Minute, 50*time.Millisecond)
	s.load(t, "video", "audit")
}

// clientCertificate makes a certificate and its key, in PEM.
func clientCertificate(t *testing.T) (certificate, private string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "video"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}))
}

func program(t *testing.T, name string) string {
	t.Helper()
	found, err := exec.LookPath(name)
	if err != nil {
		missing(t, "no "+name+" on PATH")
	}
	return found
}

// missing skips with a word, but never where everything has to be there.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	t.Skip(what)
}
