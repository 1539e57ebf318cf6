package sdk_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestGuideEd25519 runs the guide's examples of signatures that hold no secret, each with a delivery that is right, and with wrong ones.
func TestGuideEd25519(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../docs/guide.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(guide), "\n### Signatures that hold no secret\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n### ")
	blocks := map[string]string{}
	for _, m := range regexp.MustCompile("(?ms)^```(javascript|python|go)\n(.*?)^```$").FindAllStringSubmatch(section, -1) {
		blocks[m[1]] = m[2]
	}
	require.Len(t, blocks, 3)

	delivery := ed25519Delivery(t)
	try := func(t *testing.T, dir string, env []string, name string, args ...string) {
		t.Helper()
		cmd := command(t, dir, env, name, args...)
		cmd.Stdin = bytes.NewReader(delivery)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", tail(out))
	}
	t.Run("JavaScript", func(t *testing.T) {
		t.Parallel()
		sdk := builtJavaScript(t)
		dir := copied(t, "testdata")
		home := filepath.Join(dir, "node_modules/@videocloud")
		require.NoError(t, os.MkdirAll(home, 0o755))
		require.NoError(t, os.Symlink(sdk, filepath.Join(home, "sdk")))
		file := filepath.Join(dir, "example.mjs")
		require.NoError(t, os.WriteFile(file, []byte(blocks["javascript"]), 0o644))
		try(t, dir, os.Environ(), "node", "testdata/ed25519.mjs", file)
	})
	t.Run("Python", func(t *testing.T) {
		t.Parallel()
		need(t, "python3")
		dir := copied(t, "python", "testdata")
		file := filepath.Join(dir, "example.py")
		require.NoError(t, os.WriteFile(file, []byte(blocks["python"]), 0o644))
		try(t, dir, append(os.Environ(), "PYTHONPATH="+filepath.Join(dir, "python/src")), "python3", "testdata/ed25519.py", file)
	})
	t.Run("Go", func(t *testing.T) {
		t.Parallel()
		need(t, "go")
		dir := t.TempDir()
		driver, err := os.ReadFile("testdata/ed25519.go.txt")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "driver.go"), driver, 0o644))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "example.go"), []byte(blocks["go"]), 0o644))
		program := filepath.Join(dir, "program")
		run(t, ".", os.Environ(), "go", "build", "-o", program, filepath.Join(dir, "driver.go"), filepath.Join(dir, "example.go"))
		try(t, dir, os.Environ(), program)
	})
}

// ed25519Delivery is a delivery of now, signed as a sender would, with the key that it is right by and one that it is not.
func ed25519Delivery(t *testing.T) []byte {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	other, _, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	body, id, at := `{"event":"video.uploaded","timestamp":"2024-03-31T12:00:00Z","data":{"n":1.0}}`, "evt_1", strconv.FormatInt(time.Now().Unix(), 10)
	signature := ed25519.Sign(private, []byte(id+"."+at+"."+body))
	text, err := json.Marshal(map[string]any{
		"body": body, "key": "whpk_" + base64.StdEncoding.EncodeToString(public), "otherKey": "whpk_" + base64.StdEncoding.EncodeToString(other),
		"headers": map[string]string{"webhook-id": id, "webhook-timestamp": at, "webhook-signature": "v1a," + base64.StdEncoding.EncodeToString(signature)},
	})
	require.NoError(t, err)
	return text
}
