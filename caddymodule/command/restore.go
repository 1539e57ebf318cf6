package command

import (
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/spf13/cobra"

	"github.com/videocloud/webhooks/internal/adminapi"
)

func newRestore() *cobra.Command {
	f := adminFlags{patient: true}
	var replace bool
	cmd := &cobra.Command{
		Use:   "restore <file>",
		Short: "Puts a backup into the store",
		Long: `
Puts a backup into a running Caddy's store, which has to be empty; with --replace
what is there goes. Until it is done no process on the store takes events or
delivers. What waited in the backup is delivered then: what was delivered since
it was made comes again. It needs the key_prefix and the encryption_key that the
backup was made with, and a server that is not older.

A restore that is cut off leaves the store closed; run it again with --replace.`,
		Example: `  $ caddy webhook restore webhooks-2026-11-28.backup`,
		RunE:    arguments(1, "a file", func(cmd *cobra.Command, args []string) error { return restoreBackup(cmd, &f, args[0], replace) }),
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&replace, "replace", false, "drop what the store holds")
	return cmd
}

func restoreBackup(cmd *cobra.Command, f *adminFlags, path string, replace bool) error {
	file, err := os.Open(path)
	if err != nil {
		return usage(err)
	}
	defer file.Close()
	if _, err := countKeys(file); err != nil { // before anything is dropped for it
		return usagef("%s: %w", path, err)
	}
	query := map[string]string{}
	if replace {
		query["replace"] = "true"
	}
	_, err = askAndPrint(cmd, f, http.MethodPost, pathOf("/webhooks/restore", query), io.NopCloser(file), func(w io.Writer, v *adminapi.Restored) {
		fmt.Fprintf(w, "%d keys restored\n", v.Restored)
	})
	return err
}
