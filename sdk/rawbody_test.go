package sdk_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRawBody runs the examples of docs/raw-body.md: a right signature is taken, a wrong one and none are not.
func TestRawBody(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/raw-body.md")
	require.NoError(t, err)
	blocks := map[string]string{}
	for _, m := range regexp.MustCompile("(?ms)^```(?:javascript|python)\n(?://|#) (\\w+)\n(.*?)^```$").FindAllStringSubmatch(string(page), -1) {
		blocks[m[1]] = m[2]
	}
	require.Len(t, blocks, 7)

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
			file := filepath.Join(dir, name+".mjs")
			require.NoError(t, os.WriteFile(file, []byte(blocks[name]), 0o644))
			run(t, dir, os.Environ(), "node", "frameworks.mjs", name, file)
		}
	})

	t.Run("Python", func(t *testing.T) {
		t.Parallel()
		need(t, "python3")
		dir := copied(t, "python", "testdata")
		for _, name := range []string{"flask", "django", "fastapi"} {
			file := filepath.Join(dir, name+"_example.py")
			require.NoError(t, os.WriteFile(file, []byte(blocks[name]), 0o644))
			run(t, dir, append(os.Environ(), "PYTHONPATH="+filepath.Join(dir, "python/src")), "python3", "testdata/frameworks.py", name, file)
			// With the framework itself, where there is one.
			if exec.CommandContext(t.Context(), "python3", "-c", "import "+name).Run() == nil {
				run(t, dir, append(os.Environ(), "PYTHONPATH="+filepath.Join(dir, "python/src")+string(os.PathListSeparator)+os.Getenv("PYTHONPATH")), "python3", "testdata/frameworks_installed.py", name, file)
			}
		}
	})
}
