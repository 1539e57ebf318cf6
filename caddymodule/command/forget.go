package command

import (
	"github.com/spf13/cobra"

	"github.com/videocloud/webhooks/internal/adminapi"
)

func newForget() *cobra.Command {
	var f adminFlags
	var since string
	cmd := &cobra.Command{
		Use:   "forget <name> <event ID>|--since <time>",
		Short: "Lets a receiver take an event again",
		Long: `
Lets a receiver take an event again that it has seen, as a replay through one's
own gateway needs. The name is the receiver's. An event without an ID is named
by its key, as {http.webhook.key} and the log show it. With --since it forgets
every event that it took since then: a time in RFC 3339, or a duration.

An event that is in work right now is not forgotten. The exit status is 1 where
there was nothing to forget.`,
		Example: `  $ caddy webhook forget shop evt_0190...
  $ caddy webhook forget shop --since 2h`,
		RunE: func(cmd *cobra.Command, args []string) error { return forget(cmd, &f, since, args) },
	}
	f.add(cmd)
	cmd.Flags().StringVar(&since, "since", "", "forget what was taken since: RFC 3339, or so long ago, such as 2h")
	return cmd
}

func forget(cmd *cobra.Command, f *adminFlags, since string, args []string) error {
	from, err := parseTime("since", since)
	if err != nil {
		return err
	}
	q := adminapi.Forget{Since: from}
	switch {
	case from.IsZero() && len(args) == 2:
		q.Name, q.Event = args[0], args[1]
	case !from.IsZero() && len(args) == 1:
		q.Name = args[0]
	default:
		return usagef("name a receiver and an event, or a receiver and --since; see --help")
	}
	return changeAndCount(cmd, f, "/webhooks/forget", q, "forgotten")
}
