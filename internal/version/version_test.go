package version

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const repository = "../.."

// Every file has what `go generate` would write into it, so all have the version of the file VERSION.
func TestEveryPlaceSaysOneVersion(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(repository, "VERSION"))
	require.NoError(t, err)
	require.Regexp(t, `^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?\n$`, string(text))
	require.Equal(t, Number+"\n", string(text), "run go generate ./internal/version")

	// The generator runs in a copy of the tree with another version, and must find every place.
	dir := t.TempDir()
	before := map[string]string{}
	for _, pattern := range []string{
		"VERSION", "internal/version/*.go", "client/version.go", "sdk/javascript/package*.json", "sdk/javascript/src/version.ts",
		"sdk/python/src/videocloud/_version.py", "deploy/helm/*/Chart.yaml", "deploy/kubernetes/*.yaml", "README.md", "docs/install.md", "docs/command-line.md", "docs/operations.md",
	} {
		files, err := filepath.Glob(filepath.Join(repository, pattern))
		require.NoError(t, err)
		require.NotEmpty(t, files, pattern)
		for _, file := range files {
			name, err := filepath.Rel(repository, file)
			require.NoError(t, err)
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			before[name] = string(text)
			require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), text, 0o644))
		}
	}
	generate := func() {
		cmd := exec.Command("go", "run", "generate.go")
		cmd.Dir = filepath.Join(dir, "internal/version")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
	}
	generate()
	for name, want := range before {
		got, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, want, string(got), "%s: run go generate ./internal/version", name)
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "VERSION"), []byte("9.8.7\n"), 0o644))
	generate()
	for name, text := range before {
		got, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		if filepath.Base(name) != "generate.go" && !strings.HasPrefix(filepath.Base(name), "version") || filepath.Dir(name) != "internal/version" {
			require.NotEqual(t, text, string(got), name)
			require.Contains(t, string(got), "9.8.7", name)
			require.NotContains(t, string(got), Number+"_", name)
			require.NotContains(t, string(got), "v"+Number, name)
		}
	}
}
