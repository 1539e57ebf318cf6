package command

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/videocloud/webhooks/sender"
)

// eventList is a page of an account's events.
type eventList struct {
	Items      []sender.EventSummary
	NextCursor string
}

func newEvents() *cobra.Command {
	var f adminFlags
	var account, event, since, until string
	var p page
	cmd := &cobra.Command{
		Use:   "events",
		Short: "Lists an account's events",
		Long: `
Lists events of an account, newest first, with how many of their deliveries are
in which state. They are listed for as long as their IDs are known, which is
72 hours at least. The last line says how to go on where there are more.`,
		Example: `  $ caddy webhook events
  $ caddy webhook events --account shop --event video.uploaded --since 2h`,
		RunE: runner(func(cmd *cobra.Command) error {
			query := map[string]string{"account": account, "event": event}
			for name, text := range map[string]string{"since": since, "until": until} {
				t, err := parseTime(name, text)
				if err != nil {
					return err
				}
				query[name] = written(t)
			}
			p.into(cmd, query)
			_, err := view(cmd, &f, pathOf("/webhooks/events", query), printEvents)
			return err
		}),
	}
	f.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&account, "account", "", "whose events; default: the account named default")
	flags.StringVar(&event, "event", "", "only those of this type")
	flags.StringVar(&since, "since", "", "published from this time on: RFC 3339, or so long ago, such as 2h or 7d")
	flags.StringVar(&until, "until", "", "published until this time")
	p.add(cmd)
	return cmd
}

func printEvents(w io.Writer, list *eventList) {
	if len(list.Items) == 0 {
		fmt.Fprintln(w, "no events")
	} else {
		t := newTable(w, "EVENT", "TYPE", "PUBLISHED", "PENDING", "RETRYING", "SUCCEEDED", "FAILED", "CANCELLED")
		for _, e := range list.Items {
			n := e.Deliveries
			t.row(e.ID, e.Type, ago(&e.CreatedAt), n[sender.StatePending], n[sender.StateRetrying], n[sender.StateSucceeded], n[sender.StateFailed], n[sender.StateCancelled])
		}
		t.end()
	}
	if list.NextCursor != "" {
		fmt.Fprintln(w, "more: --cursor", list.NextCursor)
	}
}
