package caddymodule

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/redistest"
)

// TestRedisClientTalksToTheLog: not to standard error, past all that is configured.
func TestRedisClientTalksToTheLog(t *testing.T) {
	s := newServer(t)
	s.load(fmt.Sprintf("webhooks {\nredis redis://127.0.0.1:%d\n}", redistest.FreePort(t)), "respond hello")
	require.Eventually(t, func() bool {
		for line := range strings.Lines(s.logged()) {
			if strings.Contains(line, `"logger":"webhooks.store"`) && strings.Contains(line, `"level":"debug"`) {
				return true
			}
		}
		return false
	}, 2*time.Minute, 10*time.Millisecond)
}
