package command

import (
	"fmt"
	"io"
	"net/http"

	"github.com/spf13/cobra"
)

func newReencrypt() *cobra.Command {
	var f adminFlags
	cmd := &cobra.Command{
		Use:   "reencrypt",
		Short: "Encrypts all stored secrets with the first encryption key",
		Long: `
Encrypts with the first encryption_key the signing secret and the header values
of every webhook that are in the clear or encrypted with an older key. When it
is done, the older keys can be taken out of the configuration.

Run it once every process of the sender has the new key first. It is safe beside
traffic, and to be interrupted and run again. The exit status is 1 where some
secret could not be opened, as its key is not among those of encryption_key, and
where encryption_key is not set.`,
		Example: `  $ caddy webhook reencrypt`,
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return finish(cmd, reencrypt(cmd, &f)) },
	}
	f.add(cmd)
	return cmd
}

func reencrypt(cmd *cobra.Command, f *adminFlags) error {
	a, err := f.connect()
	if err != nil {
		return err
	}
	text, err := a.askPatiently(cmd.Context(), http.MethodPost, "/webhooks/reencrypt", struct{}{}) // there may be many webhooks
	if err != nil {
		return err
	}
	_, err = show(cmd, f, text, func(w io.Writer, n *struct{ Count int }) {
		fmt.Fprintln(w, counted(n.Count, "webhook is", "webhooks are"), "encrypted anew")
	})
	return err
}
