package docstest

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// The README's program is saved into the folder that was cloned, and run there. What was built before still builds.
func TestLesson75TheLibraryExampleLeavesTheBuildAlone(t *testing.T) {
	t.Parallel()
	readme := read(t, "README.md")
	m := regexp.MustCompile("(?s)save this as `([^`]+)`.*?```go\n(.*?)```.*?```sh\n(go run [^\n]+)\n").FindStringSubmatch(readme)
	require.NotNil(t, m, "README.md shows no program with a line that runs it")
	require.Equal(t, "go run ./"+filepath.Dir(m[1]), m[3])
	require.Contains(t, read(t, ".gitignore"), "/"+filepath.Dir(m[1])+"/\n", "it is nobody's change")

	dir := t.TempDir()
	program := filepath.Join(dir, "main.go")
	require.NoError(t, os.WriteFile(program, []byte(m[2]), 0o600))
	top, err := filepath.Abs(root)
	require.NoError(t, err)
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(top, m[1]): program}})
	require.NoError(t, err)
	file := filepath.Join(dir, "overlay.json")
	require.NoError(t, os.WriteFile(file, overlay, 0o600))
	for _, args := range [][]string{
		{"build", "-overlay", file, "-o", filepath.Join(dir, "try"), "./" + filepath.Dir(m[1])},
		{"list", "-overlay", file, "-deps", "."}, // what xcaddy builds
	} {
		cmd := exec.Command("go", args...)
		cmd.Dir = top
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "go %v: %s", args, out)
	}
}
