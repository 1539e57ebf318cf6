package command

import (
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"
)

// apiKey is an API key that was made at run time.
type apiKey struct {
	ID, Key, Account, Role, WebhookID, Description string
	CreatedAt                                      time.Time
	ExpiresAt, LastUsedAt                          *time.Time
}

// keyList is a page of keys.
type keyList struct {
	Items      []apiKey
	NextCursor string
}

func newKeys() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys create|list|delete",
		Short: "Makes, lists and ends API keys",
		Long: `
Makes, lists and ends keys of the REST API at run time, as POST /api-keys does.
Only hashes of them are kept: a key is shown as it is made, and never again. One
that is deleted is refused everywhere within a second, with all that it made.`,
		Example: `  $ caddy webhook keys create --account shop --role all --expires-in 90d
  $ caddy webhook keys list --account shop
  $ caddy webhook keys delete key_06h0hy8cdhr556vrb0pjm50w44`,
		Args: cobra.ArbitraryArgs, // answered below, with exit status 2
		RunE: func(cmd *cobra.Command, args []string) error {
			return finish(cmd, usagef("say create, list or delete; see --help"))
		},
	}
	cmd.AddCommand(newKeysCreate(), newKeysList(), newKeysDelete())
	return cmd
}

// keyQuestion is what the admin API is asked.
type keyQuestion struct {
	Account     string `json:"account,omitempty"`
	Role        string `json:"role"`
	Description string `json:"description,omitempty"`
	ExpiresIn   string `json:"expiresIn,omitempty"`
}

func newKeysCreate() *cobra.Command {
	var f adminFlags
	var q keyQuestion
	var life duration
	cmd := &cobra.Command{
		Use:     "create --role <role>",
		Short:   "Makes an API key, and prints it once",
		Example: `  $ caddy webhook keys create --account shop --role publish --description "the shop's backend"`,
		RunE: runner(func(cmd *cobra.Command) error {
			if q.Role == "" {
				return usagef("role: say what the key may do: publish, read, manage or all")
			}
			if life > 0 {
				q.ExpiresIn = life.String()
			}
			a, err := f.connect()
			if err != nil {
				return err
			}
			text, err := a.ask(cmd.Context(), http.MethodPost, "/webhooks/keys", q)
			if err != nil {
				return err
			}
			_, err = show(cmd, &f, text, func(w io.Writer, k *apiKey) { fmt.Fprintln(w, k.Key) })
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
	var account string
	var p page
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Lists the API keys that were made, oldest first",
		Example: `  $ caddy webhook keys list
  $ caddy webhook keys list --account shop --json`,
		RunE: runner(func(cmd *cobra.Command) error {
			query := map[string]string{"account": account}
			p.into(cmd, query)
			_, err := view(cmd, &f, pathOf("/webhooks/keys", query), printKeys)
			return err
		}),
	}
	f.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&account, "account", "", "only those of this account; default: all")
	p.add(cmd)
	return cmd
}

func printKeys(w io.Writer, list *keyList) {
	if len(list.Items) == 0 {
		fmt.Fprintln(w, "no keys")
	} else {
		t := newTable(w, "KEY", "ACCOUNT", "ROLE", "MADE", "LAST USED", "ENDS", "DESCRIPTION")
		for _, k := range list.Items {
			ends := "never"
			if k.ExpiresAt != nil {
				ends = "in " + rounded(time.Until(*k.ExpiresAt))
			}
			t.row(k.ID, k.Account, k.Role, ago(&k.CreatedAt), ago(k.LastUsedAt), ends, or(k.Description, "-"))
		}
		t.end()
	}
	if list.NextCursor != "" {
		fmt.Fprintln(w, "more: --cursor", list.NextCursor)
	}
}

func newKeysDelete() *cobra.Command {
	var f adminFlags
	cmd := &cobra.Command{
		Use:     "delete <key>",
		Short:   "Ends an API key, and all that it made",
		Example: `  $ caddy webhook keys delete key_06h0hy8cdhr556vrb0pjm50w44`,
		RunE: about("a key, by its ID: key_…", func(cmd *cobra.Command, id string) error {
			a, err := f.connect()
			if err != nil {
				return err
			}
			text, err := a.ask(cmd.Context(), http.MethodDelete, pathOf("/webhooks/keys", map[string]string{"id": id}), nil)
			if err != nil {
				return err
			}
			_, err = show(cmd, &f, text, func(w io.Writer, k *apiKey) { fmt.Fprintln(w, k.ID, "is ended") })
			return err
		}),
	}
	f.add(cmd)
	return cmd
}
