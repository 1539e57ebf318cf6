//go:build unix

package docstest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/redistest"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
)

var (
	named   = regexp.MustCompile(`(?m)^\t+name (\S+)$`)
	scheme  = regexp.MustCompile(`(?m)^\t+webhook_receiver (\S+) \S`)
	sizedIn = regexp.MustCompile(`(?m)^\t+webhook_receiver (?:github|gitlab) [^{]*\{env\.\w+\} \{\n\t+name \S+\n\t+max_size 25MiB$`)
)

// TestRecipes: each has a name of its own for its scheme, so that two of them in one Caddyfile take no event from each other, and room for
// what its provider sends.
func TestRecipes(t *testing.T) {
	t.Parallel()
	schemes := map[string]string{} // by name
	recipes := map[string]int{}    // line of the recipe that has the name
	for _, b := range blocks(t, "docs/recipes.md") {
		if b.language != "caddyfile" {
			continue
		}
		names := named.FindAllStringSubmatch(b.text, -1)
		if receivers := strings.Count(b.text, "webhook_receiver"); receivers != len(names) {
			t.Errorf("docs/recipes.md:%d: %d receivers with %d names", b.line, receivers, len(names))
			continue
		}
		for _, name := range names {
			if line := recipes[name[1]]; line > 0 && len(names) == 1 {
				t.Errorf("docs/recipes.md:%d: the name %s is that of the recipe in line %d", b.line, name[1], line)
			}
			recipes[name[1]] = b.line
		}
		found := scheme.FindAllStringSubmatch(b.text, -1)
		for i, s := range found {
			if len(found) != len(names) {
				break
			}
			name := names[i][1]
			if other := schemes[name]; other != "" {
				require.Equal(t, other, s[1], "docs/recipes.md:%d: the name %s is that of another scheme", b.line, name)
			}
			schemes[name] = s[1]
		}
		require.Equal(t, strings.Count(b.text, "webhook_receiver github ")+strings.Count(b.text, "webhook_receiver gitlab "),
			len(sizedIn.FindAllString(b.text, -1)), "docs/recipes.md:%d: GitHub and GitLab send up to 25 MB", b.line)
		require.NotRegexp(t, `webhook_receiver [@/*]`, b.text, "docs/recipes.md:%d: a matcher on the receiver lets others through unverified", b.line)
	}
	require.Greater(t, len(schemes), 20)
}

// TestRecipeOfTwilio sends the request that is shown to the recipe beside it: the app gets the form as it came. One with another field
// gets no further, nor does the same once more.
func TestRecipeOfTwilio(t *testing.T) {
	t.Parallel()
	site, request := "", ""
	for _, b := range blocks(t, "docs/recipes.md") {
		switch {
		case b.heading == "Twilio" && b.language == "caddyfile":
			site = strings.ReplaceAll(b.text, "{env.TWILIO_AUTH_TOKEN}", "your_auth_token")
		case b.heading == "Twilio" && b.language == "http":
			request = b.text
		}
	}
	head, form, found := strings.Cut(strings.TrimSpace(request), "\n\n")
	require.True(t, found)
	forms := make(chan string, 10)
	port := runRecipe(t, site, func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		forms <- r.Header.Get("X-Webhook-Verified") + " " + r.Header.Get("X-Webhook-Id") + " " + string(body)
	})
	send := func(form string) (status int) {
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			lines := strings.Split(head, "\n")
			method, path, _ := strings.Cut(lines[0], " ")
			req, err := http.NewRequestWithContext(t.Context(), method, "http://127.0.0.1:"+port+path, strings.NewReader(form))
			require.NoError(c, err)
			for _, line := range lines[1:] {
				name, value, _ := strings.Cut(line, ": ")
				req.Header.Set(name, value)
			}
			req.Host = req.Header.Get("Host")
			resp, err := http.DefaultClient.Do(req)
			require.NoError(c, err)
			resp.Body.Close()
			status = resp.StatusCode
		}, 2*time.Minute, 10*time.Millisecond)
		return status
	}
	require.Equal(t, 401, send(form+"&MediaUrl0=x"))
	require.Equal(t, 200, send(form))
	require.Equal(t, "twilio 5d1c2a7e-3b0f-4c59-9a0e-8f1d2c3b4a59 "+form, <-forms)
	require.Equal(t, 200, send(form))
	require.Empty(t, forms, "a duplicate ends at the gateway")
}

// runRecipe runs the site of a recipe on a port of its own, with an app behind it, until the test ends.
func runRecipe(t *testing.T, site string, app http.HandlerFunc) (port string) {
	t.Helper()
	behind := httptest.NewServer(app)
	t.Cleanup(behind.Close)
	port = strconv.Itoa(redistest.FreePort(t))
	site = strings.NewReplacer("hooks.example.com {", "http://hooks.example.com:"+port+" {", "localhost:9000", strings.TrimPrefix(behind.URL, "http://")).Replace(site)
	options := "{\n\tadmin off\n\tpersist_config off\n\tdefault_bind 127.0.0.1\n\tstorage file_system " + t.TempDir() + "\n}\n"
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(options+site), map[string]any{"filename": "Caddyfile"})
	require.NoError(t, err)
	onlyCaddy.Lock()
	t.Cleanup(func() {
		defer onlyCaddy.Unlock()
		require.NoError(t, caddy.Stop())
	})
	require.NoError(t, caddy.Load(adapted, true))
	return port
}

// TestRecipeOfPings runs the recipe: what a provider tries the address with is answered and reaches no app; anything else unsigned is refused.
func TestRecipeOfPings(t *testing.T) {
	t.Parallel()
	text := ""
	for _, b := range blocks(t, "docs/recipes.md") {
		if strings.Contains(b.text, "@woocommerce") {
			text = b.text
		}
	}
	require.NotEmpty(t, text)
	var reached atomic.Int32
	port := runRecipe(t, filledIn(t, text), func(http.ResponseWriter, *http.Request) { reached.Add(1) })

	for name, test := range map[string]struct {
		method, path, contentType, event string
		want                             int
	}{
		"intercom":                  {"HEAD", "/webhooks/intercom", "", "", 200},
		"intercom, unsigned":        {"POST", "/webhooks/intercom", "application/json", "", 401},
		"woocommerce":               {"POST", "/webhooks/woocommerce", "application/x-www-form-urlencoded; charset=utf-8", "", 200},
		"woocommerce, unsigned":     {"POST", "/webhooks/woocommerce", "application/json", "", 401},
		"bitbucket":                 {"POST", "/webhooks/bitbucket", "application/json", "diagnostics:ping", 200},
		"bitbucket, unsigned":       {"POST", "/webhooks/bitbucket", "application/json", "repo:push", 401},
		"a ping at another address": {"HEAD", "/webhooks/bitbucket", "", "", 405},
	} {
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			req, err := http.NewRequestWithContext(t.Context(), test.method, "http://127.0.0.1:"+port+test.path, strings.NewReader("webhook_id=7"))
			require.NoError(c, err)
			req.Host = "hooks.example.com"
			req.Header.Set("Content-Type", test.contentType)
			if test.event != "" {
				req.Header.Set("X-Event-Key", test.event)
			}
			resp, err := http.DefaultClient.Do(req)
			require.NoError(c, err, name)
			resp.Body.Close()
			require.Equal(c, test.want, resp.StatusCode, name)
		}, 2*time.Minute, 10*time.Millisecond)
	}
	require.Zero(t, reached.Load(), "it reaches no app")
}
