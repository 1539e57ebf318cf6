package command

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/caddyserver/caddy/v2"

	"github.com/videocloud/webhooks/internal/version"
)

func newVersion() *cobra.Command {
	var asJSON bool
	return addJSON(&cobra.Command{
		Use:   "version",
		Short: "Prints the version of these modules",
		Long: `
Prints the version of these modules; that of Caddy is what "caddy version" prints.
With --json it says what else this program was built from.`,
		Example: `  $ caddy webhook version
  $ caddy webhook version --json`,
		RunE: noArguments(func(cmd *cobra.Command) error { return printVersion(cmd, asJSON) }),
	}, &asJSON)
}

// buildInfo is what a program was built from.
type buildInfo struct {
	Version  string `json:"version"`
	Caddy    string `json:"caddy"`
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
	Revision string `json:"revision,omitempty"` // of the sources, where Go knows it
}

func printVersion(cmd *cobra.Command, asJSON bool) error {
	b := buildInfo{Version: version.Number, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	b.Caddy, _ = caddy.Version()
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				b.Revision = s.Value
			}
		}
	}
	return printAnswer(cmd, asJSON, b, func(w io.Writer) { fmt.Fprintln(w, b.Version) })
}
