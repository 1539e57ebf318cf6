package command

import (
	"fmt"
	"io"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/videocloud/webhooks/internal/adminapi"
)

func newReencrypt() *cobra.Command {
	f := adminFlags{patient: true} // there may be many webhooks
	return f.add(&cobra.Command{
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
		RunE: noArguments(func(cmd *cobra.Command) error {
			_, err := askAndPrint(cmd, &f, http.MethodPost, "/webhooks/reencrypt", struct{}{}, func(w io.Writer, n *adminapi.Count) {
				fmt.Fprintln(w, counted(n.Count, "webhook is", "webhooks are"), "encrypted anew")
			})
			return err
		}),
	})
}
