package console_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	"github.com/stretchr/testify/require"

	_ "github.com/videocloud/webhooks/caddymodule"
	"github.com/videocloud/webhooks/internal/redistest"
)

// TestInABrowser walks the views in Chromium and does what people do there, against a running system: browser/walk.mjs and
// browser/actions.mjs say how. With CONSOLE_SCREENSHOTS set to a folder they leave a picture of each view there.
func TestInABrowser(t *testing.T) {
	chromium := program(t, "chromium")
	node, modules := program(t, "node"), browserModules(t)
	for _, walk := range []string{"walk.mjs", "actions.mjs"} {
		t.Run(walk, func(t *testing.T) {
			at := startSystem(t)
			arguments := []string{filepath.Join("browser", walk), modules, chromium, at.site, at.gateway, strconv.Itoa(at.appPort)}
			if shots := os.Getenv("CONSOLE_SCREENSHOTS"); shots != "" {
				arguments = append(arguments, shots)
			}
			out, err := exec.CommandContext(t.Context(), node, arguments...).CombinedOutput()
			require.NoError(t, err, "%s", out)
		})
	}
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

// system is a Caddy with sender, API, console, and a gateway with a queue in front of an app that a walk serves itself.
type system struct {
	site, gateway string
	appPort       int
}

func startSystem(t *testing.T) system {
	t.Helper()
	store := redistest.Start(t)
	site, gateway, app := redistest.FreePort(t), redistest.FreePort(t), redistest.FreePort(t)
	text := fmt.Sprintf(`{
	admin off
	persist_config off
	auto_https off
	default_bind 127.0.0.1
	storage file_system %s
	log {
		output discard
	}
	webhooks {
		redis %s
		sender {
			allow_http
			allow_networks 127.0.0.0/8
			retry 0s 100ms
		}
	}
}
http://127.0.0.1:%d {
	handle /console/* {
		webhook_console
	}
	handle {
		webhook_api {
			api_key operator-key *
		}
	}
}
http://127.0.0.1:%d {
	handle /webhooks {
		webhook_receiver videocloud your_webhook_secret {
			name shop
			queue {
				retry 0s
				deliver {
					reverse_proxy 127.0.0.1:%d
				}
			}
		}
	}
	handle {
		respond "taken"
	}
}
`, t.TempDir(), store.URL(), site, gateway, app)
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
	require.NoError(t, err)
	require.NoError(t, caddy.Load(config, true))
	t.Cleanup(func() { require.NoError(t, caddy.Stop()) })
	at := system{site: fmt.Sprintf("http://127.0.0.1:%d", site), gateway: fmt.Sprintf("http://127.0.0.1:%d", gateway), appPort: app}
	require.Eventually(t, func() bool {
		resp, err := http.Get(at.site + "/console/api/config")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}, time.Minute, 50*time.Millisecond)
	return at
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
