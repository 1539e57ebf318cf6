package docstest

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/sender"
)

// TestGlossary holds docs/glossary.md to one entry a word, and to the code's states and statuses.
func TestGlossary(t *testing.T) {
	t.Parallel()
	text := read(t, "docs/glossary.md")
	seen := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\| ([a-z][a-z ,]*) \| (.*) \|$`).FindAllStringSubmatch(text, -1) {
		if m[1] == "word" {
			continue
		}
		require.False(t, seen[m[1]], "%s stands there twice", m[1])
		seen[m[1]] = true
		require.NotEmpty(t, m[2])
	}
	require.Greater(t, len(seen), 30)
	for _, s := range []sender.State{sender.StatePending, sender.StateRetrying, sender.StateSucceeded, sender.StateFailed, sender.StateCancelled} {
		require.Contains(t, text, "`"+string(s)+"`")
	}
	for _, s := range []sender.Status{sender.StatusActive, sender.StatusFailed, sender.StatusPaused, sender.StatusDisabled} {
		require.Contains(t, text, "`"+string(s)+"`")
	}
}
