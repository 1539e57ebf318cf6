package command

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/videocloud/webhooks/internal/adminapi"
	"github.com/videocloud/webhooks/sender"
)

func newEvents() *cobra.Command {
	var f adminFlags
	var between times
	cmd := &cobra.Command{
		Use:   "events",
		Short: "Lists an account's events",
		Long: `
Lists events of an account, newest first, with how many of their deliveries are
in which state. They are listed for as long as their IDs are known, which is
72 hours at least. The last line says how to go on where there are more.`,
		Example: `  $ caddy webhook events
  $ caddy webhook events --account shop --event video.uploaded --since 2h`,
		RunE: noArguments(func(cmd *cobra.Command) error {
			since, until, err := between.read()
			if err != nil {
				return err
			}
			query := queryOf(cmd, "account", "event", "limit", "cursor")
			query["since"], query["until"] = written(since), written(until)
			return view(cmd, &f, pathOf("/webhooks/events", query), printEvents)
		}),
	}
	f.add(cmd)
	cmd.Flags().String("account", "", "whose events; default: the account named default")
	cmd.Flags().String("event", "", "only those of this type")
	between.add(cmd, "published from this time on", "published until this time")
	addPage(cmd)
	return cmd
}

func printEvents(w io.Writer, list *adminapi.Page[sender.EventSummary]) {
	columns := []any{"EVENT", "TYPE", "PUBLISHED", "PENDING", "RETRYING", "SUCCEEDED", "FAILED", "CANCELLED"}
	printPage(w, list, "events", columns, func(e *sender.EventSummary) []any {
		n := e.Deliveries
		return []any{
			e.ID, e.Type, ago(&e.CreatedAt),
			n[sender.StatePending], n[sender.StateRetrying], n[sender.StateSucceeded], n[sender.StateFailed], n[sender.StateCancelled],
		}
	})
}
