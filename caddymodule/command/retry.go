package command

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/videocloud/webhooks/internal/adminapi"
	"github.com/videocloud/webhooks/sender"
)

func newRetry() *cobra.Command {
	var f retryFlags
	cmd := &cobra.Command{
		Use:   "retry <delivery>",
		Short: "Sends a delivery again, now",
		Long: `
Makes a delivery due now, with a fresh retry table, whatever became of it. With
--wait it waits for the attempt, and exits with status 1 where that fails.`,
		Example: `  $ caddy webhook retry dlv_... --wait 30s`,
		RunE:    arguments(1, "a delivery", func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) }),
	}
	f.add(cmd)
	addAccount(cmd, &f.account)
	cmd.Flags().Var((*duration)(&f.wait), "wait", "how long to wait for the attempt, such as 30s")
	return cmd
}

type retryFlags struct {
	adminFlags
	account string
	wait    time.Duration
}

func (f *retryFlags) run(cmd *cobra.Command, id string) error {
	due, err := fetch[sender.Delivery](cmd.Context(), &f.adminFlags, http.MethodPost, "/webhooks/retry", adminapi.Retry{ID: id, Account: f.account})
	if err != nil {
		return err
	}
	if f.wait <= 0 {
		return due.print(cmd, &f.adminFlags, func(w io.Writer, d *sender.Delivery) { fmt.Fprintf(w, "%s is due now\n", d.ID) })
	}
	return f.follow(cmd, id)
}

// follow waits for the attempt.
func (f *retryFlags) follow(cmd *cobra.Command, id string) error {
	ctx, cancel := context.WithTimeout(cmd.Context(), f.wait)
	defer cancel()
	path := pathOf("/webhooks/explain", map[string]string{"id": id, "account": f.account})
	for {
		x, err := fetch[adminapi.Explanation](ctx, &f.adminFlags, http.MethodGet, path, nil)
		if err != nil {
			return err
		}
		var state sender.State
		if x.value.Explanation != nil && len(x.value.Deliveries) == 1 {
			state = x.value.Deliveries[0].State
		}
		over := state != "" && state != sender.StatePending
		if over || !pause(ctx) {
			err = x.print(cmd, &f.adminFlags, printExplanation)
			if err == nil && state != sender.StateSucceeded {
				err = errNo
			}
			return err
		}
	}
}
