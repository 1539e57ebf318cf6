package sdk_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestJavaScript runs the JavaScript SDK's tests, with a running system for those that need one.
func TestJavaScript(t *testing.T) {
	t.Parallel()
	dir := builtJavaScript(t)
	run(t, dir, startSystem(t).environment(), "npm", "test")
}

// TestPython runs the Python SDK's tests, with a running system for those that need one.
func TestPython(t *testing.T) {
	t.Parallel()
	need(t, "python3")
	dir := filepath.Join(copied(t, "python", "testdata"), "python")
	env := startSystem(t).environment("PYTHONPATH="+filepath.Join(dir, "src"), "PYTHONDONTWRITEBYTECODE=1")
	run(t, dir, env, "python3", "-W", "error", "-m", "unittest", "discover", "-s", "tests", "-t", ".")
}

// TestPythonPackage builds the package as an installation would, and looks for what would be missing.
func TestPythonPackage(t *testing.T) {
	t.Parallel()
	need(t, "python3")
	if exec.CommandContext(t.Context(), "python3", "-c", "import setuptools").Run() != nil {
		t.Skip("setuptools is not installed")
	}
	dir := filepath.Join(copied(t, "python"), "python")
	run(t, dir, os.Environ(), "python3", "-c", "import setuptools; setuptools.setup()", "-q", "build")
	sources, err := os.ReadDir("python/src/videocloud")
	require.NoError(t, err)
	for _, source := range sources {
		if !source.IsDir() {
			require.FileExists(t, filepath.Join(dir, "build/lib/videocloud", source.Name()))
		}
	}
}

// TestPythonTypes has pyright read the package and what users write, both in strict mode. Only checks of a type that is declared
// already are let be: callers without a type checker are told what is wrong.
func TestPythonTypes(t *testing.T) {
	t.Parallel()
	need(t, "npm")
	dir := filepath.Join(copied(t, "python", "testdata"), "testdata/pyright")
	if why := install(t, dir); why != "" {
		giveUp(t, "%s", why)
	}
	run(t, dir, os.Environ(), "node", "node_modules/pyright/index.js", "-p", "pyrightconfig.json")
}

// TestGo runs the Go client's tests against a running system; without one its own run leaves those out.
func TestGo(t *testing.T) {
	t.Parallel()
	need(t, "go")
	dir, err := filepath.Abs("../client")
	require.NoError(t, err)
	run(t, dir, startSystem(t).environment(), "go", "test", "-count=1", "-run", "^TestRunning", ".")
}

// need skips the test where a program is missing; in CI that is a failure.
func need(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		giveUp(t, "%s is not installed", program)
	}
}

func giveUp(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

func run(t *testing.T, dir string, env []string, name string, args ...string) {
	t.Helper()
	out, err := command(t, dir, env, name, args...).CombinedOutput()
	require.NoError(t, err, "%s %v:\n%s", name, args, tail(out))
}

func command(t *testing.T, dir string, env []string, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir, cmd.Env = dir, env
	return cmd
}

// tail is the end of a long output: there the test runners say what failed.
func tail(out []byte) string {
	return string(out[max(0, len(out)-16<<10):])
}

// copied is a fresh copy of folders of this one, so that what a build leaves behind stays out of the work tree.
func copied(t *testing.T, folders ...string) string {
	t.Helper()
	to := t.TempDir()
	copyFolders(t, to, folders...)
	return to
}

func copyFolders(t *testing.T, to string, folders ...string) {
	t.Helper()
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() {
				switch d.Name() {
				case "node_modules", "dist", "build", "__pycache__":
					return filepath.SkipDir
				}
				return os.MkdirAll(filepath.Join(to, path), 0o755)
			}
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(to, path), content, 0o644)
		})
		require.NoError(t, err)
	}
}

// javaScript is built once for all tests of a run, in a folder that TestMain removes.
var javaScript struct {
	once sync.Once
	root string
	dir  string // empty where it could not be built
	why  string
}

func TestMain(m *testing.M) {
	code := m.Run()
	if javaScript.root != "" {
		_ = os.RemoveAll(javaScript.root)
	}
	os.Exit(code)
}

// builtJavaScript is a copy of the JavaScript SDK, installed and built.
func builtJavaScript(t *testing.T) (dir string) {
	t.Helper()
	need(t, "npm")
	js := &javaScript
	js.once.Do(func() {
		var err error
		js.root, err = os.MkdirTemp("", "videocloud-sdk-")
		require.NoError(t, err)
		copyFolders(t, js.root, "javascript", "testdata")
		dir := filepath.Join(js.root, "javascript")
		if js.why = install(t, dir); js.why != "" {
			return
		}
		run(t, dir, os.Environ(), "npm", "run", "build")
		js.dir = dir
	})
	if js.why != "" {
		giveUp(t, "%s", js.why)
	}
	require.NotEmpty(t, js.dir, "the JavaScript SDK was not built")
	return js.dir
}

// install installs what a lock file names, and says why that failed: mostly because there is no network.
func install(t *testing.T, dir string) (why string) {
	t.Helper()
	out, err := command(t, dir, os.Environ(), "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline").CombinedOutput()
	if err != nil {
		return "npm ci: " + err.Error() + "\n" + tail(out)
	}
	return ""
}
