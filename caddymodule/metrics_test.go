package caddymodule

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// A counter that appears with its first error hides that error from Prometheus, so every operation that anybody counts
// has to be known beforehand.
func TestEveryStoreOperationIsShownFromTheStart(t *testing.T) {
	t.Parallel()
	counted := regexp.MustCompile(`(?:unavailable|notWritten|StoreError|writeError|openBreaker|g\.call)\((?:ctx, )?"([a-z_]+)"`)
	found := map[string]bool{operationReceive: true, operationDepth: true}
	for _, folder := range []string{"sender", "receiver"} {
		files, err := filepath.Glob(filepath.Join("..", folder, "*.go"))
		require.NoError(t, err)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			for _, match := range counted.FindAllStringSubmatch(string(text), -1) {
				found[match[1]] = true
			}
		}
	}
	var operations []string
	for operation := range found {
		operations = append(operations, operation)
	}
	require.ElementsMatch(t, operations, storeOperations)
}
