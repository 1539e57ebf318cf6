package console_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/console"
)

func newConsole(t *testing.T, o console.Options) http.Handler {
	t.Helper()
	h, err := console.New(o)
	require.NoError(t, err)
	return h
}

func get(h http.Handler, target string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

var naming = regexp.MustCompile(`(?:href|src)="([^"]+)"`)

// filesOf is the folder of a console's files below its mount, as its page names it.
func filesOf(t *testing.T, h http.Handler, mount string) string {
	t.Helper()
	found := regexp.MustCompile(`src="([0-9a-f]{20}/)js/main\.js"`).FindStringSubmatch(get(h, mount+"/").Body.String())
	require.NotNil(t, found)
	return mount + "/" + found[1]
}

const strictPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors "

func TestEveryAnswerIsStrict(t *testing.T) {
	t.Parallel()
	h := newConsole(t, console.Options{})
	for _, target := range []string{"/console/", "/console/portal/", filesOf(t, h, "/console") + "js/main.js", "/console/nothing", "/console/api/config", "/console/theme/portal.css"} {
		w := get(h, target)
		require.Equal(t, strictPolicy+"'none'", w.Header().Get("Content-Security-Policy"), target)
		require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"), target)
		require.Equal(t, "no-referrer", w.Header().Get("Referrer-Policy"), target)
		require.Equal(t, "DENY", w.Header().Get("X-Frame-Options"), target)
		require.Empty(t, w.Header().Values("Set-Cookie"), target)
	}
}

func TestOnlyThePortalIsEmbedded(t *testing.T) {
	t.Parallel()
	h := newConsole(t, console.Options{EmbedPortal: []string{"https://app.example.com", "https://other.example.com:8443"}})
	w := get(h, "/console/portal/")
	require.Equal(t, strictPolicy+"https://app.example.com https://other.example.com:8443", w.Header().Get("Content-Security-Policy"))
	require.Empty(t, w.Header().Get("X-Frame-Options"))
	w = get(h, "/console/")
	require.Equal(t, strictPolicy+"'none'", w.Header().Get("Content-Security-Policy"))
	require.Equal(t, "DENY", w.Header().Get("X-Frame-Options"))
}

func TestOptionsThatNoRunCouldHonour(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]console.Options{
		"mount":        {Mount: "console"},
		"mount /":      {Mount: "/"},
		"mount with /": {Mount: "/console/"},
		"mount ..":     {Mount: "/a/../b"},
		"embed_portal": {EmbedPortal: []string{"https://app.example.com/; script-src *"}},
		"embed path":   {EmbedPortal: []string{"https://app.example.com/path"}},
		"embed star":   {EmbedPortal: []string{"*"}},
		"theme":        {Theme: filepath.Join(t.TempDir(), "missing")},
	} {
		_, err := console.New(o)
		require.Error(t, err, name)
		require.Contains(t, err.Error(), strings.Fields(strings.ReplaceAll(name, "embed ", "embed_portal "))[0])
	}
}

func TestPathsOfTheConsole(t *testing.T) {
	t.Parallel()
	h := newConsole(t, console.Options{Mount: "/deep/hooks"})
	require.Equal(t, http.StatusOK, get(h, "/deep/hooks/").Code)
	require.Equal(t, http.StatusNotFound, get(h, "/deep/hooksx/").Code)
	require.Equal(t, http.StatusNotFound, get(h, "/console/").Code)
	require.Equal(t, http.StatusNotFound, get(h, "/deep/hooks/vendor/README.md").Code)
	require.Equal(t, http.StatusNotFound, get(h, "/deep/hooks/js/").Code)
	w := get(h, "/deep/hooks?theme=dark")
	require.Equal(t, http.StatusPermanentRedirect, w.Code)
	require.Equal(t, "hooks/?theme=dark", w.Header().Get("Location"))

	r := httptest.NewRequest(http.MethodPost, "/deep/hooks/", nil)
	post := httptest.NewRecorder()
	h.ServeHTTP(post, r)
	require.Equal(t, http.StatusMethodNotAllowed, post.Code)
}

func TestAThemeServesItsTwoFilesAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"portal.css", "secret.txt"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(":root{--accent:#070}"), 0o600))
	}
	h := newConsole(t, console.Options{Theme: dir})
	w := get(h, "/console/theme/portal.css")
	require.Equal(t, ":root{--accent:#070}", w.Body.String())
	require.Equal(t, "text/css; charset=utf-8", w.Header().Get("Content-Type"))
	for _, name := range []string{"secret.txt", "logo.svg", "..%2Fsecret.txt", "../console.go", ""} {
		require.Equal(t, http.StatusNotFound, get(h, "/console/theme/"+name).Code, name)
	}
	require.Empty(t, get(newConsole(t, console.Options{}), "/console/theme/portal.css").Body.String())
}

func TestInsideSeesItsOwnPath(t *testing.T) {
	t.Parallel()
	h := newConsole(t, console.Options{Inside: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Method+" "+r.URL.Path+"?"+r.URL.RawQuery)
	})})
	require.Equal(t, "GET /live?a=b", get(h, "/console/api/live?a=b").Body.String())
}

// The vendored files are those of npm, byte for byte.
func TestVendoredFilesAreAsTheyCame(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("vendored/vendor.json")
	require.NoError(t, err)
	var listed []struct{ File, Package, Version, Licence, SHA256 string }
	require.NoError(t, json.Unmarshal(text, &listed))
	sums := map[string]string{}
	for _, v := range listed {
		require.NotEmpty(t, v.Version, v.File)
		require.NotEmpty(t, v.Licence, v.File)
		require.FileExists(t, "vendored/LICENSE."+v.Package)
		sums[v.File] = v.SHA256
	}
	files, err := os.ReadDir("pages/vendor")
	require.NoError(t, err)
	require.Len(t, files, len(listed))
	for _, f := range files {
		content, err := os.ReadFile(filepath.Join("pages/vendor", f.Name()))
		require.NoError(t, err)
		sum := sha256.Sum256(content)
		require.Equal(t, sums[f.Name()], hex.EncodeToString(sum[:]), f.Name())
	}
}

var (
	imported  = regexp.MustCompile(`(?:from|import)\s*\(?'([^']+)'`)
	elsewhere = regexp.MustCompile(`(?i)(?:src|href|url\(|import|fetch)\s*[=(]?\s*["'](?:https?:)?//`)
	inline    = regexp.MustCompile(`<script(?:\s+type="module")?>|\sstyle=|<style|\son[a-z]+="|href="javascript:|\beval\(|new Function|innerHTML|outerHTML|insertAdjacentHTML|document\.write|document\.cookie|localStorage`)
)

// What the policy forbids, and what would make text into markup, does not stand in the pages in the first place.
func TestPagesAreWhatThePolicyAllows(t *testing.T) {
	t.Parallel()
	require.NoError(t, filepath.WalkDir("pages", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Base(filepath.Dir(name)) == "vendor" {
			return err
		}
		content, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		require.Empty(t, inline.FindString(string(content)), name)
		require.Empty(t, elsewhere.FindString(string(content)), name)
		// verify_code.js holds programs of others as text.
		if filepath.Ext(name) == ".js" && filepath.Base(name) != "verify_code.js" {
			for _, found := range imported.FindAllStringSubmatch(string(content), -1) {
				require.True(t, strings.HasPrefix(found[1], "."), "%s imports %s", name, found[1])
				require.FileExists(t, filepath.Join(filepath.Dir(name), filepath.FromSlash(found[1])))
			}
		}
		return nil
	}))
}

// TestOnlyOnePlaceAsksByTheClock: what asks regularly is marked there, so that tabs share the answer.
func TestOnlyOnePlaceAsksByTheClock(t *testing.T) {
	t.Parallel()
	allowed := map[string]string{
		"pages/js/load.js":       "where views ask",
		"pages/js/api.js":        "the end of a key, which is asked about once",
		"pages/js/parts.js":      "a word that goes away",
		"pages/js/views/live.js": "the stream's next try",
	}
	clock := regexp.MustCompile(`\b(setInterval|setTimeout|requestAnimationFrame|requestIdleCallback)\b`)
	require.NoError(t, filepath.WalkDir("pages/js", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Base(name) == "verify_code.js" {
			return err
		}
		content, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if allowed[filepath.ToSlash(name)] == "" {
			require.Empty(t, clock.FindString(string(content)), name)
		}
		require.NotContains(t, string(content), "setInterval", name)
		// A view that names a time gives the signal on with what it asks, which carries the mark.
		for _, line := range strings.Split(string(content), "\n") {
			if regexp.MustCompile(`useLoad\(.*, \d{3,}\);`).MatchString(line) {
				require.Regexp(t, `signal|useLoad\(allWebhooks,`, line, name)
			}
		}
		return nil
	}))
}
