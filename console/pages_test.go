package console_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/console"
)

func head(h http.Handler, target string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodHead, target, nil))
	return w
}

// named are the addresses that a page of the console names, in its order.
func named(t *testing.T, h http.Handler, page string) (targets []string) {
	t.Helper()
	w := get(h, page)
	require.Equal(t, http.StatusOK, w.Code, page)
	for _, found := range naming.FindAllStringSubmatch(w.Body.String(), -1) {
		targets = append(targets, path.Join(page, found[1]))
	}
	return targets
}

// What a page names by a checksum is kept for good, and what may change without one is asked about each time.
func TestFilesAreKeptForGood(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "portal.css"), []byte(":root{}"), 0o600))
	for _, mount := range []string{"/console", "/deep/hooks"} {
		h := newConsole(t, console.Options{Mount: mount, Theme: dir})
		files := filesOf(t, h, mount)
		for _, page := range []string{mount + "/", mount + "/portal/"} {
			require.Equal(t, "no-cache", get(h, page).Header().Get("Cache-Control"))
			for _, target := range named(t, h, page) {
				if target == mount+"/api/config" {
					continue
				}
				for _, w := range []*httptest.ResponseRecorder{get(h, target), head(h, target)} {
					require.Equal(t, http.StatusOK, w.Code, target)
					caching := "no-cache"
					if strings.HasPrefix(target, files) {
						caching = "public, max-age=31536000, immutable"
					}
					require.Equal(t, caching, w.Header().Get("Cache-Control"), target)
					require.Equal(t, files == mount+"/"+strings.Split(strings.TrimPrefix(target, mount+"/"), "/")[0]+"/", target != mount+"/theme/portal.css", target)
				}
				require.Empty(t, head(h, target).Body.String())
			}
		}
	}
}

// Another version's files are not found, and that is not kept: what is kept under a checksum is what it was made of.
func TestNothingElseStandsBelowAChecksum(t *testing.T) {
	t.Parallel()
	h := newConsole(t, console.Options{})
	files := filesOf(t, h, "/console")
	for _, target := range []string{
		"/console/js/main.js", "/console/icon.svg", "/console/0123456789abcdef0123/js/main.js", "/console/" + strings.ToUpper(strings.TrimPrefix(files, "/console/")) + "js/main.js",
		files, files + "index.html", files + "portal/", files + "portal/index.html", files + "js/", files + "js/main.js/", files + "/js/main.js",
		files + "api/config", files + "theme/portal.css", files + "js/../../../portal/", files + "js/%2e%2e/js/main.js", files + "..%2fjs/main.js",
		files + strings.TrimPrefix(files, "/console/") + "js/main.js", "/console/../console/js/main.js", "/console/index.html", "/console/portal/index.html",
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL.Path = target // as it came: nothing in front may have cleaned it
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		require.Equal(t, http.StatusNotFound, w.Code, target)
		require.Equal(t, "no-store", w.Header().Get("Cache-Control"), target)
	}
}

// What a cache may keep for good is the whole file, whatever was asked.
func TestAFileIsWholeOrUnchanged(t *testing.T) {
	t.Parallel()
	h := newConsole(t, console.Options{})
	for _, target := range []string{"/console/", filesOf(t, h, "/console") + "js/main.js"} {
		plain := get(h, target, "Accept-Encoding", "gzip;q=0")
		zipped := get(h, target, "Accept-Encoding", "br, gzip")
		require.Empty(t, plain.Header().Get("Content-Encoding"))
		require.Equal(t, "gzip", zipped.Header().Get("Content-Encoding"))
		require.Equal(t, "Accept-Encoding", zipped.Header().Get("Vary"))
		require.NotEqual(t, plain.Header().Get("ETag"), zipped.Header().Get("ETag"))
		z, err := gzip.NewReader(zipped.Body)
		require.NoError(t, err)
		content, err := io.ReadAll(z)
		require.NoError(t, err)
		require.Equal(t, plain.Body.String(), string(content))
		for _, odd := range [][]string{{"Range", "bytes=0-1"}, {"Range", "bytes=999999-"}, {"If-Match", `"another"`}, {"If-None-Match", `"another"`}} {
			w := get(h, target, odd...)
			require.Equal(t, http.StatusOK, w.Code, odd)
			require.Equal(t, string(content), w.Body.String(), odd)
		}
		require.Equal(t, http.StatusNotModified, get(h, target, "Accept-Encoding", "gzip", "If-None-Match", zipped.Header().Get("ETag")).Code)
		require.Equal(t, http.StatusNotModified, get(h, target, "If-None-Match", plain.Header().Get("ETag")).Code)
	}
}

var imports = regexp.MustCompile(`(?m)^import [^;]*from '([^']+)'`)

// firstViews are the pages with the view that each shows first.
var firstViews = map[string]string{"/console/": "js/views/overview.js", "/console/portal/": "js/views/webhooks.js"}

// TestModulesOfTheFirstViewComeInOneRound: the page names all that its first view imports and asks before anybody is known,
// so that a browser far away does not learn of one from the other: the page, what it names, whose key it is, and the figures
// are four rounds. It names twelve at most, two turns of the six connections that a browser has by HTTP/1.1.
func TestModulesOfTheFirstViewComeInOneRound(t *testing.T) {
	t.Parallel()
	h := newConsole(t, console.Options{})
	files := filesOf(t, h, "/console")
	for page, view := range firstViews {
		targets := named(t, h, page)
		require.Contains(t, targets, "/console/api/config")
		needed := map[string]bool{}
		var read func(module string)
		read = func(module string) {
			if needed[module] {
				return
			}
			needed[module] = true
			require.Contains(t, targets, module, page)
			for _, found := range imports.FindAllStringSubmatch(get(h, module).Body.String(), -1) {
				read(path.Join(path.Dir(module), found[1]))
			}
		}
		read(files + "js/main.js")
		read(files + view)
		if page == "/console/" {
			read(files + "vendor/uplot.js") // by the first plot
		}
		for _, target := range targets {
			require.True(t, path.Ext(target) != ".js" || needed[target], "%s names %s, which nothing imports", page, target)
		}
		slices.Sort(targets)
		require.Len(t, slices.Compact(slices.DeleteFunc(targets, func(target string) bool { return path.Ext(target) == ".svg" })), 12, page)
	}
}

// The first view is the page and what it names, the plot's library among them.
func TestTheFirstViewIsSmall(t *testing.T) {
	t.Parallel()
	h := newConsole(t, console.Options{Inside: http.NotFoundHandler()})
	for page := range firstViews {
		size := get(h, page, "Accept-Encoding", "gzip").Body.Len()
		for _, target := range named(t, h, page) {
			size += get(h, target, "Accept-Encoding", "gzip").Body.Len()
		}
		t.Logf("%s: %d bytes", page, size)
		require.Less(t, size, 80_000, page)
	}
}
