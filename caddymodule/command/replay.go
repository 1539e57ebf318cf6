package command

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"

	"github.com/spf13/cobra"

	"github.com/videocloud/webhooks/internal/adminapi"
	"github.com/videocloud/webhooks/sender"
)

func newReplay() *cobra.Command {
	var f replayFlags
	cmd := &cobra.Command{
		Use:   "replay <webhook> --since <time>",
		Short: "Sends many deliveries of a webhook again",
		Long: `
Sends deliveries of a webhook again, at 100 a second, those that failed unless
--all is given. Times are RFC 3339, or a duration: so long ago. The job goes on
in Caddy, whatever becomes of this command; it is shown until it is done, unless
--detach is given. "caddy webhook replay --id" shows one that was started before.

Failed deliveries whose payload has expired can't be sent again, and are counted
as unavailable. Behind one's own gateway see also "caddy webhook forget".`,
		Example: `  $ caddy webhook replay whk_0123456789ab --since 2h --dry-run
  $ caddy webhook replay whk_0123456789ab --since 2024-03-31T12:00:00Z
  $ caddy webhook replay --id rpl_...`,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	f.adminFlags.add(cmd)
	addAccount(cmd, &f.account)
	flags := cmd.Flags()
	f.times.add(cmd, "from this time on", "until this time (default: now)")
	flags.StringArrayVar(&f.events, "event", nil, "only events of this type (repeatable)")
	flags.BoolVar(&f.all, "all", false, "the succeeded ones too")
	flags.BoolVar(&f.dryRun, "dry-run", false, "only count them")
	flags.BoolVar(&f.detach, "detach", false, "don't wait for the end")
	flags.StringVar(&f.id, "id", "", "show a replay that was started before")
	return cmd
}

type replayFlags struct {
	adminFlags
	times
	account, id         string
	events              []string
	all, dryRun, detach bool
}

func (f *replayFlags) question(args []string) (q adminapi.Replay, err error) {
	if len(args) != 1 || args[0] == "" {
		return q, usagef("name a webhook; see --help")
	}
	q = adminapi.Replay{WebhookID: args[0], Account: f.account, Events: f.events, DryRun: f.dryRun}
	if f.all {
		q.State = "all"
	}
	if q.Since, q.Until, err = f.times.read(); err == nil && q.Since.IsZero() {
		err = usagef("since: give the time from which deliveries are sent again, such as 2h")
	}
	return q, err
}

// run shows on standard error how far the replay is, and at its end what came of it.
func (f *replayFlags) run(cmd *cobra.Command, args []string) error {
	r, err := f.begin(cmd, args)
	for shown := -1; err == nil; r, err = f.read(cmd, r.value.ID) {
		v := &r.value
		if v.State != "running" || f.detach {
			if err = r.print(cmd, &f.adminFlags, printReplay); err == nil && v.State == "cancelled" {
				return errNo
			}
			return err
		}
		if v.Sent != shown {
			shown = v.Sent
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: %d of %d\n", v.ID, v.Sent, v.Matched-v.Unavailable)
		}
		if !pause(cmd.Context()) {
			return nil
		}
	}
	return err
}

// begin starts the replay that the flags describe, or reads the one that --id names.
func (f *replayFlags) begin(cmd *cobra.Command, args []string) (r answer[sender.Replay], err error) {
	if f.id != "" {
		if len(args) > 0 || f.since != "" {
			return r, usagef("id: it goes alone, without a webhook and --since")
		}
		return f.read(cmd, f.id)
	}
	q, err := f.question(args)
	if err != nil {
		return r, err
	}
	return fetch[sender.Replay](cmd.Context(), &f.adminFlags, http.MethodPost, "/webhooks/replays", q)
}

func (f *replayFlags) read(cmd *cobra.Command, id string) (answer[sender.Replay], error) {
	path := pathOf("/webhooks/replays", map[string]string{"id": id, "account": f.account})
	return fetch[sender.Replay](cmd.Context(), &f.adminFlags, http.MethodGet, path, nil)
}

func printReplay(w io.Writer, r *sender.Replay) {
	if r.ID == "" {
		fmt.Fprint(w, counted(r.Matched, "delivery matches", "deliveries match"))
		if r.Unavailable > 0 {
			fmt.Fprintf(w, "; %d can't be sent again, for the payload has expired", r.Unavailable)
		}
		fmt.Fprintln(w)
		return
	}
	t := newTable(w, "replay", r.ID)
	t.row("webhook", r.WebhookID)
	t.row("state", r.State)
	t.row("matched", r.Matched)
	t.row("unavailable", r.Unavailable)
	t.row("sent", r.Sent)
	for _, reason := range slices.Sorted(maps.Keys(r.NotSent)) {
		t.row("not sent", fmt.Sprintf("%d: %s", r.NotSent[reason], reason))
	}
	t.end()
}
