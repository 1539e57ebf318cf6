package names_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/names"
)

func TestNames(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct{ account, id, header bool }{
		"":                       {},
		"shop-1_eu":              {true, true, true},
		"shop.eu":                {true, false, true},
		"X-Team!":                {false, false, true},
		"a b":                    {},
		"a/b":                    {},
		"naïve":                  {},
		"a\n":                    {},
		strings.Repeat("a", 64):  {true, true, true},
		strings.Repeat("a", 65):  {false, true, true},
		strings.Repeat("a", 128): {false, true, true},
		strings.Repeat("a", 129): {false, false, true},
	} {
		require.Equal(t, want.account, names.IsAccount(text), "%q as an account", text)
		require.Equal(t, want.id, names.IsID(text), "%q as an ID", text)
		require.Equal(t, want.header, names.IsHeader(text), "%q as a header", text)
	}
}
