package docstest

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard" // the Caddyfile's adapter, and the directives beside ours
	_ "github.com/videocloud/webhooks/caddymodule"
)

// TestCaddyfiles adapts every Caddyfile of every page.
func TestCaddyfiles(t *testing.T) {
	t.Parallel()
	adapter := caddyconfig.GetAdapter("caddyfile")
	require.NotNil(t, adapter)
	n := 0
	for _, page := range pages(t) {
		for _, b := range blocks(t, page) {
			if b.language != "caddyfile" || b.verb == "skip" {
				continue
			}
			n++
			t.Run(fmt.Sprintf("%s:%d", page, b.line), func(t *testing.T) {
				t.Parallel()
				_, warnings, err := adapter.Adapt([]byte(b.text), map[string]any{"filename": "Caddyfile"})
				require.NoError(t, err)
				require.Empty(t, warnings, "Caddyfiles are shown as `caddy fmt` writes them")
			})
		}
	}
	require.Greater(t, n, 60, "the pages' Caddyfiles are not found")
}
