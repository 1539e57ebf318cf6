package command

import (
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/videocloud/webhooks/internal/adminapi"
	"github.com/videocloud/webhooks/sender"
)

func newWebhooks() *cobra.Command {
	var f adminFlags
	var status string
	cmd := &cobra.Command{
		Use:   "webhooks",
		Short: "Lists all webhooks with their backlog",
		Long: `
Lists all webhooks, of every account, with their status, the deliveries that
wait, are in flight and have failed, and how the last attempt went.`,
		Example: `  $ caddy webhook webhooks
  $ caddy webhook webhooks --account shop --status failed`,
		RunE: noArguments(func(cmd *cobra.Command) error {
			switch sender.Status(status) {
			case "", sender.StatusActive, sender.StatusFailed, sender.StatusPaused, sender.StatusDisabled:
			default:
				return usagef("status: it is active, failed, paused or disabled")
			}
			return view(cmd, &f, pathOf("/webhooks/webhooks", queryOf(cmd, "account", "status")), printWebhooks)
		}),
	}
	f.add(cmd)
	cmd.Flags().String("account", "", "only those of this account")
	cmd.Flags().StringVar(&status, "status", "", "only those that are active, failed, paused or disabled")
	return cmd
}

func printWebhooks(w io.Writer, list *adminapi.Page[sender.WebhookInfo]) {
	columns := []any{"WEBHOOK", "ACCOUNT", "STATUS", "WAITING", "IN FLIGHT", "FAILED", "LAST ATTEMPT", "URL"}
	printPage(w, list, "webhooks", columns, func(h *sender.WebhookInfo) []any {
		last := "never"
		if l := h.LastDelivery; l != nil {
			last = "ok, " + ago(&l.Timestamp)
			if !l.Success {
				last = "failed, " + ago(&l.Timestamp)
			}
		}
		status := string(h.Status)
		if h.FailedSince != nil {
			status += " for " + rounded(time.Since(*h.FailedSince))
		}
		return []any{h.ID, h.Account, status, h.Waiting, h.InFlight, h.Failed, last, h.URL}
	})
}
