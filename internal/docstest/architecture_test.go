package docstest

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestArchitectureNamesEveryKey compares the keys that the queue's scripts explain with those of docs/architecture.md.
func TestArchitectureNamesEveryKey(t *testing.T) {
	t.Parallel()
	key := regexp.MustCompile(`(?m)^--   ([a-z]+)(?::<|, [a-z]+ | {2,})`)
	page := read(t, "docs/architecture.md")
	header, _, ok := strings.Cut(read(t, "internal/queue/lua/lib.lua"), "\nlocal ")
	require.True(t, ok)
	keys := key.FindAllStringSubmatch(header, -1)
	require.Greater(t, len(keys), 15, "the keys of lib.lua are not found")
	for _, m := range keys {
		named := strings.Contains(page, "`"+m[1]+"`") || strings.Contains(page, "`"+m[1]+":")
		require.True(t, named, "docs/architecture.md does not name the key %s", m[1])
	}
}
