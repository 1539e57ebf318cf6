// Package version knows which version of this module runs.
package version

import (
	"runtime/debug"
	"strings"
	"sync"
)

const modulePath = "github.com/videocloud/webhooks"

// Module is the version of this module in the running program, or dev for one built from its sources.
var Module = sync.OnceValue(func() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return devVersion
	}
	if info.Main.Path == modulePath {
		return releaseOf(info.Main)
	}
	for _, m := range info.Deps {
		if m.Path == modulePath {
			return releaseOf(*m)
		}
	}
	return devVersion
})

const devVersion = "dev"

// releaseOf returns the version of a module that was built from a release.
func releaseOf(m debug.Module) string {
	version := strings.TrimPrefix(m.Version, "v")
	if m.Replace != nil || version == "" || version == "(devel)" || version == "0.0.0" || strings.Contains(version, "+dirty") {
		return devVersion
	}
	return version
}
