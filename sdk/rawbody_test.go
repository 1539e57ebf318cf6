package sdk_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// rawBody is what the examples of docs/raw-body.md answer to a right signature, a wrong one, none, and a right one over a body that is not
// said to be JSON. The traps refuse what is right: that is what the page warns of.
var rawBody = map[string]string{
	"express": "200 401 401 200", "express trap": "401 401 401 401",
	"fastify": "200 401 401 200", "fastify trap": "401 401 401 401",
	"hono": "200 401 401 200", "hono trap": "401 401 401 401",
	"next": "200 401 401 200", "next trap": "500 500 500 500",
	"flask": "200 401 401 200", "flask trap": "401 401 401 (415|400)",
	"django": "200 401 401 200", "django trap": "403 403 403 403",
	"fastapi": "200 401 401 200", "fastapi trap": "401 401 401 422",
	"nethttp": "200 401 401 200", "nethttp trap": "401 401 401 401",
}

// TestRawBody runs the examples of docs/raw-body.md, and the traps beside them.
func TestRawBody(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/raw-body.md")
	require.NoError(t, err)
	blocks := map[string]string{}
	for _, m := range regexp.MustCompile("(?ms)^```(?:javascript|python|go)\n(?://|#) (\\w+(?: trap)?)\n(.*?)^```$").FindAllStringSubmatch(string(page), -1) {
		blocks[m[1]] = m[2]
	}
	require.Len(t, blocks, len(rawBody))
	require.Equal(t, 2*len(blocks), strings.Count(string(page), "\n```"), "a block without its name")
	// example saves one under a name of its own, and tells what it is to answer.
	example := func(t *testing.T, dir, name, ending string) (file, want string) {
		require.Contains(t, blocks, name)
		file = filepath.Join(dir, strings.ReplaceAll(name, " ", "_")+"_example"+ending)
		require.NoError(t, os.WriteFile(file, []byte(blocks[name]), 0o644))
		return file, rawBody[name]
	}

	t.Run("JavaScript", func(t *testing.T) {
		t.Parallel()
		sdk := builtJavaScript(t)
		dir := filepath.Join(copied(t, "testdata/frameworks"), "testdata/frameworks")
		if why := install(t, dir); why != "" {
			giveUp(t, "%s", why)
		}
		home := filepath.Join(dir, "node_modules/@videocloud")
		require.NoError(t, os.MkdirAll(home, 0o755))
		require.NoError(t, os.Symlink(sdk, filepath.Join(home, "sdk")))
		for _, name := range []string{"express", "fastify", "hono", "next"} {
			for _, trap := range []string{"", " trap"} {
				file, want := example(t, dir, name+trap, ".mjs")
				require.Regexp(t, "^"+want+"$", lastLine(t, dir, os.Environ(), "node", "frameworks.mjs", name, file), name+trap)
			}
		}
	})

	t.Run("Python", func(t *testing.T) {
		t.Parallel()
		need(t, "python3")
		dir := copied(t, "python", "testdata")
		path := "PYTHONPATH=" + filepath.Join(dir, "python/src") + string(os.PathListSeparator) + os.Getenv("PYTHONPATH")
		for _, name := range []string{"flask", "django", "fastapi"} {
			// With the framework itself, where there is one.
			installed := exec.CommandContext(t.Context(), "python3", "-c", "import "+name).Run() == nil
			for _, trap := range []string{"", " trap"} {
				file, want := example(t, dir, name+trap, ".py")
				require.Regexp(t, "^"+want+"$", lastLine(t, dir, append(os.Environ(), path), "python3", "testdata/frameworks.py", name, file), name+trap)
				if installed {
					require.Regexp(t, "^"+want+"$", lastLine(t, dir, append(os.Environ(), path), "python3", "testdata/frameworks_installed.py", name, file), name+trap)
				}
			}
		}
	})

	t.Run("Go", func(t *testing.T) {
		t.Parallel()
		need(t, "go")
		asked, err := os.ReadFile("testdata/nethttp.go.txt")
		require.NoError(t, err)
		for _, trap := range []string{"", " trap"} {
			dir := t.TempDir()
			file, want := example(t, dir, "nethttp"+trap, ".go")
			// One file: the page's block has no imports.
			require.NoError(t, os.WriteFile(file, append(asked, blocks["nethttp"+trap]...), 0o644))
			require.Regexp(t, "^"+want+"$", lastLine(t, ".", os.Environ(), "go", "run", file), "nethttp"+trap)
		}
	})
}

// lastLine is the last line that a command prints on its standard output.
func lastLine(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	cmd := command(t, dir, env, name, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%s %v:\n%s", name, args, tail(stderr.Bytes()))
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}
