package command

import (
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/videocloud/webhooks/receiver"
)

func newDead() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dead list|retry|purge <name>",
		Short: "Looks after the events that a receiver's queue gave up",
		Long: `
Looks after the events that a receiver's queue gave up after its last attempt.
The name is the receiver's.`,
		Example: `  $ caddy webhook dead list shop
  $ caddy webhook dead retry shop --all
  $ caddy webhook dead purge shop 06e1...`,
		Args: cobra.ArbitraryArgs, // answered below, with exit status 2
		RunE: func(cmd *cobra.Command, args []string) error {
			return finish(cmd, usagef("say list, retry or purge; see --help"))
		},
	}
	cmd.AddCommand(newDeadList(), newDeadChange("retry", "Delivers them again, with a fresh retry table", "due now"),
		newDeadChange("purge", "Drops them for good", "dropped"))
	return cmd
}

func newDeadList() *cobra.Command {
	var f adminFlags
	var offset, limit int
	cmd := &cobra.Command{
		Use:     "list <name>",
		Short:   "Lists them, the oldest first",
		Example: `  $ caddy webhook dead list shop`,
		RunE: about("a receiver", func(cmd *cobra.Command, name string) error {
			a, err := f.connect()
			if err != nil {
				return err
			}
			text, err := a.ask(cmd.Context(), http.MethodGet, pathOf("/webhooks/dead", map[string]string{
				"name": name, "offset": strconv.Itoa(offset), "limit": strconv.Itoa(limit),
			}), nil)
			if err != nil {
				return err
			}
			_, err = show(cmd, &f, text, printDead)
			return err
		}),
	}
	f.add(cmd)
	cmd.Flags().IntVar(&offset, "offset", 0, "how many to pass over")
	cmd.Flags().IntVar(&limit, "limit", 100, "how many to list, 1,000 at most")
	return cmd
}

func printDead(w io.Writer, list *struct{ Items []receiver.Dead }) {
	if len(list.Items) == 0 {
		fmt.Fprintln(w, "no dead events")
		return
	}
	t := newTable(w, "JOB", "EVENT", "ID", "DIED", "ATTEMPTS", "BYTES", "ERROR")
	for _, d := range list.Items {
		t.row(d.Job, or(d.Event, "-"), or(d.ID, "-"), ago(&d.Failed), d.Attempts, d.Size, d.Error)
	}
	t.end()
}

func newDeadChange(action, short, done string) *cobra.Command {
	var f adminFlags
	var all bool
	cmd := &cobra.Command{
		Use:   action + " <name> <job>...|--all",
		Short: short,
		RunE: func(cmd *cobra.Command, args []string) error {
			return finish(cmd, changeDead(cmd, &f, action, done, all, args))
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "all of them")
	return cmd
}

func changeDead(cmd *cobra.Command, f *adminFlags, action, done string, all bool, args []string) error {
	if len(args) == 0 {
		return usagef("name a receiver; see --help")
	}
	if all == (len(args) > 1) {
		return usagef("name jobs of `caddy webhook dead list`, or give --all")
	}
	a, err := f.connect()
	if err != nil {
		return err
	}
	text, err := a.ask(cmd.Context(), http.MethodPost, "/webhooks/dead", struct {
		Name   string   `json:"name"`
		Action string   `json:"action"`
		Jobs   []string `json:"jobs,omitempty"`
		All    bool     `json:"all,omitempty"`
	}{args[0], action, args[1:], all})
	if err != nil {
		return err
	}
	return showCount(cmd, f, text, done)
}

// showCount prints what became of how many events. Of none it exits with status 1.
func showCount(cmd *cobra.Command, f *adminFlags, text []byte, done string) error {
	n, err := show(cmd, f, text, func(w io.Writer, n *struct{ Count int }) {
		if n.Count == 1 {
			fmt.Fprintf(w, "1 event is %s\n", done)
			return
		}
		fmt.Fprintf(w, "%d events are %s\n", n.Count, done)
	})
	if err == nil && n.Count == 0 {
		return errNo
	}
	return err
}
