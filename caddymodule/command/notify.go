package command

import (
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/spf13/cobra"
)

func newNotifyTest() *cobra.Command {
	var f adminFlags
	cmd := &cobra.Command{
		Use:   "notify-test",
		Short: "Tries whether notices about failed webhooks arrive",
		Long: `
Has the running Caddy send one message to each address of notify_email, to
notify_slack and to notify_url, and says what their servers answered. The exit
status is 1 where one did not take it, and where none of the three is set.`,
		Example: `  $ caddy webhook notify-test`,
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return finish(cmd, notifyTest(cmd, &f)) },
	}
	f.add(cmd)
	return cmd
}

// triedNotice is what came of one message.
type triedNotice struct {
	Option, To, Answer string
	OK                 bool
}

func notifyTest(cmd *cobra.Command, f *adminFlags) error {
	a, err := f.connect()
	if err != nil {
		return err
	}
	text, err := a.askPatiently(cmd.Context(), http.MethodPost, "/webhooks/notify-test", struct{}{}) // a mail server takes its time
	if err != nil {
		return err
	}
	failed := false
	_, err = show(cmd, f, text, func(w io.Writer, n *struct{ Items []triedNotice }) {
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
