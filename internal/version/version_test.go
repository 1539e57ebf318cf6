package version

import (
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReleaseOf(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		module debug.Module
		want   string
	}{
		"a release":         {debug.Module{Version: "v1.2.3"}, "1.2.3"},
		"a commit":          {debug.Module{Version: "v0.0.0-20260101000000-0123456789ab"}, "0.0.0-20260101000000-0123456789ab"},
		"the sources":       {debug.Module{Version: "(devel)"}, "dev"},
		"changed sources":   {debug.Module{Version: "v1.2.3+dirty"}, "dev"},
		"a replaced module": {debug.Module{Version: "v1.2.3", Replace: &debug.Module{Path: "./elsewhere"}}, "dev"},
		"no version":        {debug.Module{}, "dev"},
	} {
		require.Equal(t, test.want, releaseOf(test.module), name)
	}
}
