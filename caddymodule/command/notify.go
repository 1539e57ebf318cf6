package command

import (
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/videocloud/webhooks/internal/adminapi"
	"github.com/videocloud/webhooks/sender"
)

func newNotifyTest() *cobra.Command {
	f := adminFlags{patient: true} // a mail server takes its time
	return f.add(&cobra.Command{
		Use:   "notify-test",
		Short: "Tries whether notices about failed webhooks arrive",
		Long: `
Has the running Caddy send one message to each address of notify_email, to
notify_slack and to notify_url, and says what their servers answered. The exit
status is 1 where one did not take it, and where none of the three is set.`,
		Example: `  $ caddy webhook notify-test`,
		RunE:    noArguments(func(cmd *cobra.Command) error { return notifyTest(cmd, &f) }),
	})
}

func notifyTest(cmd *cobra.Command, f *adminFlags) error {
	failed := false
	_, err := askAndPrint(cmd, f, http.MethodPost, "/webhooks/notify-test", struct{}{}, func(w io.Writer, n *adminapi.Page[sender.NotifyTest]) {
		for _, t := range n.Items {
			word := "taken"
			if !t.OK {
				word, failed = "FAILED", true
			}
			fmt.Fprintf(w, "%s %s: %s: %s\n", t.Option, t.To, word, t.Answer)
		}
	})
	if err == nil && failed {
		err = errors.New("not every message was taken")
	}
	return err
}
