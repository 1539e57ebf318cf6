//go:build unix

package docstest

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/redistest"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// Every whole Caddyfile that we ship or print answers 421 for hosts that it does not serve: an empty 200, as Caddy has it,
// is a yes from nobody.
func TestLesson51WholeCaddyfilesAnswer421(t *testing.T) {
	t.Parallel()
	files := wholeCaddyfiles(t)
	require.Greater(t, len(files), 12)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		// One after the other: a process runs one configuration.
		t.Run(name, func(t *testing.T) { requireMisdirected(t, files[name]) })
	}
}

// ownCaddyfiles are pages on which every Caddyfile is a whole one. On the others a site alone is one to put into a whole one.
var ownCaddyfiles = []string{"README.md", "docs/getting-started.md", "docs/moving-verification.md", "docs/install.md"}

func wholeCaddyfiles(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{"Caddyfile.example": read(t, "Caddyfile.example")}
	require.NoError(t, filepath.WalkDir(filepath.Join(root, "deploy"), func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasPrefix(filepath.Base(path), "Caddyfile") {
			name, _ := filepath.Rel(root, path)
			files[name] = read(t, name)
		}
		return err
	}))
	for _, page := range pages(t) {
		for _, b := range blocks(t, page) {
			whole := strings.HasPrefix(b.text, "{\n") || slices.Contains(ownCaddyfiles, page)
			if b.language == "caddyfile" && b.verb != "skip" && whole && hasSite.MatchString(b.text) {
				files[fmt.Sprintf("%s:%d", page, b.line)] = b.text
			}
		}
	}
	return files
}

var hasSite = regexp.MustCompile(`(?m)^[^\s(}].*[^\s] \{$`)

// httpConfig is what of an adapted configuration the test must know.
type httpConfig struct {
	Servers map[string]struct {
		Listen []string `json:"listen"`
		Routes []struct {
			Match []struct {
				Host []string `json:"host"`
			} `json:"match"`
		} `json:"routes"`
	} `json:"servers"`
}

func requireMisdirected(t *testing.T, text string) {
	text = filledIn(t, text)
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
	require.NoError(t, err)
	var config struct {
		Apps map[string]json.RawMessage `json:"apps"`
	}
	require.NoError(t, json.Unmarshal(adapted, &config))
	var servers httpConfig
	require.NoError(t, json.Unmarshal(config.Apps["http"], &servers))

	// The same servers on free ports of this machine, with certificates of our own.
	ports := map[string]string{"80": strconv.Itoa(redistest.FreePort(t)), "443": strconv.Itoa(redistest.FreePort(t))}
	for _, s := range servers.Servers {
		for _, address := range s.Listen {
			_, port, err := net.SplitHostPort(address)
			require.NoError(t, err)
			if ports[port] == "" {
				ports[port] = strconv.Itoa(redistest.FreePort(t))
			}
		}
	}
	var app map[string]any
	require.NoError(t, json.Unmarshal(config.Apps["http"], &app))
	app["http_port"], app["https_port"] = json.RawMessage(ports["80"]), json.RawMessage(ports["443"])
	for _, server := range app["servers"].(map[string]any) {
		listen := server.(map[string]any)["listen"].([]any)
		for i, address := range listen {
			_, port, _ := net.SplitHostPort(address.(string))
			listen[i] = "127.0.0.1:" + ports[port]
		}
		server.(map[string]any)["protocols"] = []string{"h1", "h2"}
	}
	config.Apps["http"], err = json.Marshal(app)
	require.NoError(t, err)
	config.Apps["tls"] = json.RawMessage(`{"automation":{"policies":[{"issuers":[{"module":"internal"}]}]}}`)
	config.Apps["pki"] = json.RawMessage(`{"certificate_authorities":{"local":{"install_trust":false}}}`)
	whole, err := json.Marshal(map[string]any{
		"admin":   map[string]any{"disabled": true, "config": map[string]any{"persist": false}},
		"logging": map[string]any{"logs": map[string]any{"default": map[string]any{"writer": map[string]any{"output": "discard"}}}},
		"storage": map[string]any{"module": "file_system", "root": t.TempDir()},
		"apps":    config.Apps,
	})
	require.NoError(t, err)
	onlyCaddy.Lock()
	defer onlyCaddy.Unlock()
	require.NoError(t, caddy.Load(whole, true))
	defer func() { require.NoError(t, caddy.Stop()) }()

	asked := 0
	for _, s := range servers.Servers {
		_, port, _ := net.SplitHostPort(s.Listen[0])
		var hosts []string
		for _, r := range s.Routes {
			for _, m := range r.Match {
				hosts = append(hosts, m.Host...)
			}
		}
		for _, host := range hosts {
			asked++
			require.NotEqual(t, http.StatusMisdirectedRequest, answerOf(t, ports[port], port == "443", host, host), "what it serves: %s", host)
			require.Equal(t, http.StatusMisdirectedRequest, answerOf(t, ports[port], port == "443", host, "not-served.example"), "port %s", port)
			require.Equal(t, http.StatusMisdirectedRequest, answerOf(t, ports[port], port == "443", host, "192.0.2.1"), "port %s", port)
			if port == "443" {
				require.Equal(t, http.StatusMisdirectedRequest, answerOf(t, ports["80"], false, host, "not-served.example"), "by plain HTTP")
				require.Equal(t, http.StatusPermanentRedirect, answerOf(t, ports["80"], false, host, host), "by plain HTTP")
			}
		}
	}
	require.Positive(t, asked, "it serves no host")
}

// onlyCaddy is held by the test whose configuration runs: a process runs one.
var onlyCaddy sync.Mutex

// answerOf is the status of an answer to a request for one host, where TLS is by the name of another.
func answerOf(t *testing.T, port string, secure bool, name, host string) (status int) {
	t.Helper()
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, "127.0.0.1:"+port)
		},
		TLSClientConfig:   &tls.Config{ServerName: name, InsecureSkipVerify: true}, // certificates of a CA made for the test
		DisableKeepAlives: true,
	}
	scheme := "http"
	if secure {
		scheme = "https"
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, scheme+"://"+name+"/webhooks", strings.NewReader("{}"))
	require.NoError(t, err)
	req.Host = host
	// A certificate is made a moment after the start.
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		again := req.Clone(t.Context())
		again.Body, _ = req.GetBody() // an attempt that fails has read it
		resp, err := transport.RoundTrip(again)
		require.NoError(c, err)
		resp.Body.Close()
		status = resp.StatusCode
	}, 2*time.Minute, 20*time.Millisecond)
	return status
}

var (
	envPlaceholder  = regexp.MustCompile(`\{env\.(\w+)\}`)
	filePlaceholder = regexp.MustCompile(`\{file\./?(?:[\w.-]+/)*([\w.-]+)\}`)
)

// filledIn puts values for what an operator keeps outside of the Caddyfile.
func filledIn(t *testing.T, text string) string {
	t.Helper()
	value := func(name string) string {
		switch name = strings.ToLower(name); {
		case name == "redis_url":
			return "redis://127.0.0.1:1"
		case name == "redis_address":
			return "127.0.0.1:1"
		case strings.Contains(name, "encryption_key"):
			return "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
		case strings.Contains(name, "url"):
			return "http://127.0.0.1:1/"
		default:
			key := sha256.Sum256([]byte(name)) // one of each name, as keys must differ
			return "whsec_" + base64.StdEncoding.EncodeToString(key[:24])
		}
	}
	for _, placeholder := range []*regexp.Regexp{envPlaceholder, filePlaceholder} {
		text = placeholder.ReplaceAllStringFunc(text, func(p string) string {
			return value(placeholder.FindStringSubmatch(p)[1])
		})
	}
	return text
}
