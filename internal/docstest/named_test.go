package docstest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestFilesThatPagesName looks for every file and folder of this project that a page names without a link to it, so that
// what is moved or renamed is not looked for in vain.
func TestFilesThatPagesName(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir(root)
	require.NoError(t, err)
	folders := map[string]bool{}
	for _, e := range entries {
		folders[e.Name()] = e.IsDir() && !strings.HasPrefix(e.Name(), ".")
	}
	named := regexp.MustCompile("`([a-z]+)(/[A-Za-z0-9_./-]+)`")
	found := 0
	for _, page := range pages(t) {
		for _, m := range named.FindAllStringSubmatch(fenced.ReplaceAllString(read(t, page), ""), -1) {
			if !folders[m[1]] {
				continue // a path of an app, of an address, of another machine
			}
			found++
			_, err := os.Stat(filepath.Join(root, filepath.FromSlash(m[1]+m[2])))
			require.NoError(t, err, "%s names %s%s", page, m[1], m[2])
		}
	}
	require.Greater(t, found, 20, "no files are found in the pages")
}

// TestLayoutVersion compares the version of the store's layout that docs/scaling.md tells operators with the program's.
func TestLayoutVersion(t *testing.T) {
	t.Parallel()
	m := regexp.MustCompile(`dataVersion += (\d+)`).FindStringSubmatch(read(t, "internal/redisstore/ready.go"))
	require.NotNil(t, m)
	page := read(t, "docs/scaling.md")
	for _, told := range []string{"the current one is " + m[1] + ",", "version " + m[1] + " shards"} {
		require.True(t, strings.Contains(page, told), "docs/scaling.md does not say: %s", told)
	}
}

// TestOneWayToMakeAnEncryptionKey holds pages and messages to the command that makes one: where Caddy is, nothing else
// is needed, and two ways make a reader ask which is right.
func TestOneWayToMakeAnEncryptionKey(t *testing.T) {
	t.Parallel()
	const command = "caddy webhook keygen --type encryption"
	for _, file := range []string{"sender/sender.go", "sender/reencrypt.go", "config/sender.go", "deploy/image/Caddyfile.redis", "docs/operations.md", "docs/faq.md"} {
		require.True(t, strings.Contains(read(t, file), command), "%s does not name: %s", file, command)
	}
	for _, file := range append(pages(t), "sender/sender.go", "sender/reencrypt.go", "config/sender.go", "deploy/image/Caddyfile.redis", "deploy/systemd/caddy-webhooks.service",
		"deploy/compose/compose.yml", "deploy/kubernetes/webhooks.yaml", "deploy/helm/caddy-webhooks/templates/NOTES.txt", "tools/chart/main.go") {
		require.False(t, strings.Contains(read(t, file), "openssl rand"), "%s names openssl", file)
	}
}
