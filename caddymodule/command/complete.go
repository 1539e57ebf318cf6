package command

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/videocloud/webhooks/config"
)

// words are what a shell completes the value of a flag with, by the flag's name.
var words = map[string]func() []string{
	"scheme": func() []string { return append([]string{schemeAuto}, schemeNames()...) },
	"event": func() []string {
		var names []string
		for _, t := range config.DefaultEventTypes() {
			names = append(names, t.Name)
		}
		return names
	},
	"status":    func() []string { return []string{"active", "failed", "paused", "disabled"} },
	"state":     func() []string { return []string{"pending", "retrying", "succeeded", "failed", "cancelled"} },
	"role":      func() []string { return []string{"publish", "read", "manage", "all"} },
	"type":      func() []string { return []string{"secret", "encryption", "ed25519"} },
	"tolerance": func() []string { return []string{"off", "5m"} },
	"method":    func() []string { return []string{"POST", "GET"} },
	"adapter":   func() []string { return []string{"caddyfile"} },
}

// complete gives every command of the tree completion: of flags with known words, and no files where none are taken.
func complete(cmd *cobra.Command) {
	for flag, list := range words {
		if f := cmd.Flags().Lookup(flag); f == nil || f.Value.Type() == "int" {
			continue
		}
		_ = cmd.RegisterFlagCompletionFunc(flag, func(c *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
			found := slices.DeleteFunc(list(), func(word string) bool {
				return !strings.HasPrefix(word, begun) || word == schemeAuto && flag == "scheme" && c.Name() != "verify" && c.Name() != "listen"
			})
			return found, cobra.ShellCompDirectiveNoFileComp
		})
	}
	if cmd.ValidArgsFunction == nil && !cmd.HasSubCommands() {
		cmd.ValidArgsFunction = cobra.NoFileCompletions
	}
	for _, sub := range cmd.Commands() {
		complete(sub)
	}
}
