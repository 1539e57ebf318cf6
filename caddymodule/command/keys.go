package command

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/videocloud/webhooks/internal/adminapi"
)

func newKeys() *cobra.Command {
	return group(&cobra.Command{
		Use:   "keys create|list|delete",
		Short: "Makes, lists and ends API keys",
		Long: `
Makes, lists and ends keys of the REST API at run time, as POST /api-keys does.
Only hashes of them are kept: a key is shown as it is made, and never again. One
that is deleted is refused everywhere within a second, with all that it made.`,
		Example: `  $ caddy webhook keys create --account shop --role all --expires-in 90d
  $ caddy webhook keys list --account shop
  $ caddy webhook keys delete key_06h0hy8cdhr556vrb0pjm50w44`,
	}, "create, list or delete", newKeysCreate(), newKeysList(), newKeysDelete())
}

func newKeysCreate() *cobra.Command {
	var f adminFlags
	var q adminapi.NewKey
	var life duration
	cmd := &cobra.Command{
		Use:     "create --role <role>",
		Short:   "Makes an API key, and prints it once",
		Example: `  $ caddy webhook keys create --account shop --role publish --description "the shop's backend"`,
		RunE: noArguments(func(cmd *cobra.Command) error {
			if q.Role == "" {
				return usagef("role: say what the key may do: publish, read, manage or all")
			}
			if life > 0 {
				q.ExpiresIn = life.String()
			}
			_, err := askAndPrint(cmd, &f, http.MethodPost, "/webhooks/keys", q, func(w io.Writer, k *adminapi.Key) { fmt.Fprintln(w, k.Key) })
			if err == nil && !f.json {
				fmt.Fprintln(cmd.ErrOrStderr(), "keep it: it is not shown again")
			}
			return err
		}),
	}
	f.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&q.Account, "account", "", "account that it acts for, or * for any, which each request then names; default: the account named default")
	flags.StringVar(&q.Role, "role", "", "what it may do: publish, read, manage or all")
	flags.StringVar(&q.Description, "description", "", "a note of yours")
	flags.Var(&life, "expires-in", "how long it works, such as 12h or 90d; default: until it is deleted")
	return cmd
}

func newKeysList() *cobra.Command {
	var f adminFlags
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Lists the API keys that were made, oldest first",
		Example: `  $ caddy webhook keys list
  $ caddy webhook keys list --account shop --json`,
		RunE: noArguments(func(cmd *cobra.Command) error {
			return view(cmd, &f, pathOf("/webhooks/keys", queryOf(cmd, "account", "limit", "cursor")), printKeys)
		}),
	}
	f.add(cmd)
	cmd.Flags().String("account", "", "only those of this account; default: all")
	addPage(cmd)
	return cmd
}

func printKeys(w io.Writer, list *adminapi.Page[adminapi.Key]) {
	columns := []any{"KEY", "ACCOUNT", "ROLE", "MADE", "LAST USED", "ENDS", "DESCRIPTION"}
	printPage(w, list, "keys", columns, func(k *adminapi.Key) []any {
		ends := "never"
		if k.ExpiresAt != nil {
			ends = "in " + rounded(time.Until(*k.ExpiresAt))
		}
		return []any{k.ID, k.Account, k.Role, ago(&k.CreatedAt), ago(k.LastUsedAt), ends, cmp.Or(k.Description, "-")}
	})
}

func newKeysDelete() *cobra.Command {
	var f adminFlags
	return f.add(&cobra.Command{
		Use:     "delete <key>",
		Short:   "Ends an API key, and all that it made",
		Example: `  $ caddy webhook keys delete key_06h0hy8cdhr556vrb0pjm50w44`,
		RunE: arguments(1, "a key, by its ID: key_…", func(cmd *cobra.Command, args []string) error {
			path := pathOf("/webhooks/keys", map[string]string{"id": args[0]})
			_, err := askAndPrint(cmd, &f, http.MethodDelete, path, nil, func(w io.Writer, k *adminapi.Key) { fmt.Fprintln(w, k.ID, "is ended") })
			return err
		}),
	})
}
