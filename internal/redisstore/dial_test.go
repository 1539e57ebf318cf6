package redisstore

import (
	"bytes"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestClientTalksToTheStoresLogger: what the client says of a store's connections never reaches standard error; what it
// says of a program's own clients is the program's.
func TestClientTalksToTheStoresLogger(t *testing.T) {
	t.Parallel()
	var ours, theirs bytes.Buffer
	l := &clientLog{rest: log.New(&theirs, "", 0)}
	failed := &dialError{errors.New("refused"), slog.New(slog.NewTextHandler(&ours, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	l.Printf(t.Context(), "failed to dial after %d attempts: %v", 1, failed)
	l.Printf(t.Context(), "sentinel: failed: %s", fmt.Errorf("wrapped: %w", failed))
	require.Empty(t, theirs.String())
	require.Contains(t, ours.String(), "failed to dial after 1 attempts: refused")
	require.Contains(t, ours.String(), "wrapped")

	l.Printf(t.Context(), "failed to dial after %d attempts: %v", 1, errors.New("somebody else's"))
	require.Contains(t, theirs.String(), "somebody else's")
}
