package command

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/videocloud/webhooks/receiver"
)

func newDead() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dead list|retry|purge [<name>]",
		Short: "Looks after the events that a receiver's queue gave up",
		Long: `
Looks after the events that a receiver's queue gave up after its last attempt.
The name is the receiver's, and may be left out where only one has a queue.`,
		Example: `  $ caddy webhook dead list
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
		Use:     "list [<name>]",
		Short:   "Lists them, the oldest first",
		Example: `  $ caddy webhook dead list shop`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return finish(cmd, listDead(cmd, &f, args, offset, limit))
		},
	}
	f.add(cmd)
	cmd.Flags().IntVar(&offset, "offset", 0, "how many to pass over")
	cmd.Flags().IntVar(&limit, "limit", 100, "how many to list, 1,000 at most")
	return cmd
}

func listDead(cmd *cobra.Command, f *adminFlags, args []string, offset, limit int) error {
	if len(args) > 1 {
		return usagef("unexpected argument %q; see --help", args[1])
	}
	name, _ := nameAndJobs(args)
	_, err := view(cmd, f, pathOf("/webhooks/dead", map[string]string{
		"name": name, "offset": strconv.Itoa(offset), "limit": strconv.Itoa(limit),
	}), printDead)
	return err
}

// nameAndJobs tells the receiver's name, which may be left out, from the jobs behind it.
func nameAndJobs(args []string) (name string, jobs []string) {
	if len(args) == 0 || isJob.MatchString(args[0]) {
		return "", args
	}
	return args[0], args[1:]
}

// isJob matches the ID of a job: 128 bits in base 32, the time first. Nobody names a receiver like this.
var isJob = regexp.MustCompile(`^0[0-9a-hjkmnp-tv-z]{25}$`)

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
		Use:   action + " [<name>] <job>...|--all",
		Short: short,
		Example: "  $ caddy webhook dead " + action + " shop 06h0hy8cdhr556vrb0pjm50w44\n" +
			"  $ caddy webhook dead " + action + " shop --all",
		RunE: func(cmd *cobra.Command, args []string) error {
			return finish(cmd, changeDead(cmd, &f, action, done, all, args))
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "all of them")
	return cmd
}

func changeDead(cmd *cobra.Command, f *adminFlags, action, done string, all bool, args []string) error {
	name, jobs := nameAndJobs(args)
	if all == (len(jobs) > 0) {
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
	}{name, action, jobs, all})
	if err != nil {
		return err
	}
	return showCount(cmd, f, text, done)
}

// showCount prints what became of how many events. Of none it exits with status 1.
func showCount(cmd *cobra.Command, f *adminFlags, text []byte, done string) error {
	n, err := show(cmd, f, text, func(w io.Writer, n *struct{ Count int }) {
		fmt.Fprintln(w, counted(n.Count, "event is", "events are"), done)
	})
	if err == nil && n.Count == 0 {
		return errNo
	}
	return err
}
