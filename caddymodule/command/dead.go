package command

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/videocloud/webhooks/internal/adminapi"
	"github.com/videocloud/webhooks/receiver"
)

func newDead() *cobra.Command {
	return group(&cobra.Command{
		Use:   "dead list|retry|purge|move [<name>]",
		Short: "Looks after the events that a receiver's queue gave up",
		Long: `
Looks after the events that a receiver's queue gave up after its last attempt,
and with --state waiting after those that wait. The name is the receiver's, with
the queues of all its apps, or after a slash that of one app: shop/billing. It
may be left out where only one receiver has a queue. What a deliver that was
renamed left behind is named like that too.`,
		Example: `  $ caddy webhook dead list
  $ caddy webhook dead retry shop --all
  $ caddy webhook dead purge shop 06e1...
  $ caddy webhook dead move shop/old new`,
	}, "list, retry, purge or move", newDeadList(), newDeadChange("retry", "Delivers them again, with a fresh retry table", "due now"),
		newDeadChange("purge", "Drops them for good", "dropped"), newDeadMove())
}

// chosenEvents say which events of a queue are meant.
type chosenEvents struct {
	times
	deliver, state, event string
}

func (c *chosenEvents) add(cmd *cobra.Command, states string) {
	flags := cmd.Flags()
	flags.StringVar(&c.deliver, "deliver", "", "only those for this deliver")
	flags.StringVar(&c.state, "state", "", states+" (default: dead)")
	flags.StringVar(&c.event, "event", "", "only events of this type")
	c.times.add(cmd, "only those received from this time on", "only those received until this time")
}

// resolve returns the queue that they are in, that of the receiver or of one of its delivers, and the times between which they came.
func (c *chosenEvents) resolve(receiver string) (queue string, since, until time.Time, err error) {
	switch queue = receiver; {
	case c.deliver == "":
	case queue == "":
		return "", since, until, usagef("deliver: name the receiver too, as in caddy webhook dead list shop --deliver %s", c.deliver)
	case strings.Contains(queue, "/"):
		return "", since, until, usagef("deliver: %s names one already", queue)
	default:
		queue += "/" + c.deliver
	}
	since, until, err = c.read()
	return queue, since, until, err
}

type deadListFlags struct {
	adminFlags
	chosenEvents
	headers bool
}

func newDeadList() *cobra.Command {
	var f deadListFlags
	cmd := &cobra.Command{
		Use:   "list [<name>]",
		Short: "Lists them, the oldest first",
		Example: `  $ caddy webhook dead list shop
  $ caddy webhook dead list shop/billing --state waiting --headers`,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	f.adminFlags.add(cmd)
	f.chosenEvents.add(cmd, "dead, waiting or in_flight")
	cmd.Flags().Int("limit", 100, "how many to list, 1,000 at most")
	cmd.Flags().String("cursor", "", "where the list before ended")
	cmd.Flags().BoolVar(&f.headers, "headers", false, "with their headers; values that may be secrets are hidden")
	return cmd
}

func (f *deadListFlags) run(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usagef("unexpected argument %q; see --help", args[1])
	}
	name, jobs := nameAndJobs(args)
	if len(jobs) > 0 {
		return usagef("%q is a job: caddy webhook show <name> <job> shows one", jobs[0])
	}
	name, since, until, err := f.resolve(name)
	if err != nil {
		return err
	}
	query := queryOf(cmd, "state", "event", "cursor")
	query["name"], query["since"], query["until"] = name, written(since), written(until)
	query["limit"] = cmd.Flags().Lookup("limit").Value.String() // also where it is the default
	return view(cmd, &f.adminFlags, pathOf(deadPath, query), f.print)
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

func (f *deadListFlags) print(w io.Writer, list *adminapi.Page[receiver.Queued]) {
	state := cmp.Or(f.state, string(receiver.PlaceDead))
	if len(list.Items) == 0 {
		fmt.Fprintln(w, "no", strings.ReplaceAll(state, "_", " "), "events")
	} else {
		f.printItems(w, list.Items)
	}
	if list.NextCursor != "" {
		fmt.Fprintf(w, "there may be more: --cursor %s\n", list.NextCursor)
	}
}

func (f *deadListFlags) printItems(w io.Writer, items []receiver.Queued) {
	named := slices.ContainsFunc(items, func(q receiver.Queued) bool { return q.Deliver != "" })
	columns := []any{"JOB", "EVENT", "ID", "WHEN", "ATTEMPTS", "BYTES", "ERROR"}
	if named {
		columns = append([]any{"DELIVER"}, columns...)
	}
	t := newTable(w, columns...)
	for _, q := range items {
		row := []any{q.Job, cmp.Or(q.Event, "-"), cmp.Or(q.ID, "-"), whenQueued(&q), q.Attempts, q.Size, q.Error}
		if named {
			row = append([]any{cmp.Or(q.Deliver, "-")}, row...)
		}
		t.row(row...)
		if f.headers {
			t.end()
			printHeaders(w, "  ", q.Headers)
		}
	}
	t.end()
}

// whenQueued says what a waiting event waits for, and since when a dead one is.
func whenQueued(q *receiver.Queued) string {
	switch {
	case q.Failed != nil:
		return "dead " + ago(q.Failed)
	case q.Due == nil:
		return "under way"
	case q.Due.After(time.Now()):
		return "due in " + rounded(time.Until(*q.Due))
	}
	return "due since " + rounded(time.Since(*q.Due))
}

type deadChange struct {
	adminFlags
	chosenEvents
	action, done string
	all          bool
}

func newDeadChange(action, short, done string) *cobra.Command {
	f := deadChange{action: action, done: done}
	cmd := &cobra.Command{
		Use:   action + " [<name>] <job>...|--all|--event|--since",
		Short: short,
		Example: "  $ caddy webhook dead " + action + " shop 06h0hy8cdhr556vrb0pjm50w44\n" +
			"  $ caddy webhook dead " + action + " shop --all\n" +
			"  $ caddy webhook dead " + action + " shop/billing --event video.uploaded --since 2h",
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	f.adminFlags.add(cmd)
	f.chosenEvents.add(cmd, "dead or waiting")
	cmd.Flags().BoolVar(&f.all, "all", false, "all of them")
	return cmd
}

func (f *deadChange) run(cmd *cobra.Command, args []string) error {
	name, jobs := nameAndJobs(args)
	queue, since, until, err := f.resolve(name)
	if err != nil {
		return err
	}
	q := adminapi.DeadChange{
		Name: queue, Action: f.action, Jobs: jobs, All: f.all, State: f.state, Event: f.event, Since: since, Until: until,
	}
	if q.Ambiguous() {
		return usagef("name jobs of `caddy webhook dead list`, or choose by --event, --since and --until, or give --all")
	}
	return changeAndCount(cmd, &f.adminFlags, deadPath, q, f.done)
}

func newDeadMove() *cobra.Command {
	var f adminFlags
	return f.add(&cobra.Command{
		Use:   "move <receiver>/<deliver> <deliver>",
		Short: "Moves all that waits or is dead to the queue of another deliver",
		Long: `
Moves all that waits or is dead for one deliver to the queue of another one of
the same receiver, with its time and its attempts: for a deliver that was
renamed. That of the only app without a name is <receiver>/ with nothing behind.`,
		Example: `  $ caddy webhook dead move shop/old new`,
		RunE: arguments(2, "the deliver whose events are moved, and the one that gets them", func(cmd *cobra.Command, args []string) error {
			return changeAndCount(cmd, &f, deadPath, adminapi.DeadChange{Name: args[0], Action: "move", To: args[1]}, "moved")
		}),
	})
}

// deadPath is where the admin API has the queues of receivers.
const deadPath = "/webhooks/dead"

// changeAndCount asks for a change of events, and prints what became of how many. Of none it exits with status 1.
func changeAndCount(cmd *cobra.Command, f *adminFlags, path string, q any, done string) error {
	n, err := askAndPrint(cmd, f, http.MethodPost, path, q, func(w io.Writer, n *adminapi.Count) {
		fmt.Fprintln(w, counted(n.Count, "event is", "events are"), done)
	})
	if err == nil && n.Count == 0 {
		return errNo
	}
	return err
}
