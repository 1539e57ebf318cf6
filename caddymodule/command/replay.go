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
		RunE: func(cmd *cobra.Command, args []string) error { return finish(cmd, f.run(cmd, args)) },
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

func (f *replayFlags) run(cmd *cobra.Command, args []string) error {
	a, err := f.connect()
	if err != nil {
		return err
	}
	var text []byte
	if f.id != "" {
		if len(args) > 0 || f.since != "" {
			return usagef("id: it goes alone, without a webhook and --since")
		}
		text, err = a.ask(cmd.Context(), http.MethodGet, f.path(f.id), nil)
	} else {
		q, err2 := f.question(args)
		if err2 != nil {
			return err2
		}
		text, err = a.ask(cmd.Context(), http.MethodPost, "/webhooks/replays", q)
	}
	if err != nil {
		return err
	}
	return f.follow(cmd, a, text)
}

func (f *replayFlags) path(id string) string {
	return pathOf("/webhooks/replays", map[string]string{"id": id, "account": f.account})
}

// follow shows on standard error how far the replay is, and at its end what came of it.
func (f *replayFlags) follow(cmd *cobra.Command, a *admin, text []byte) error {
	shown := -1
	for {
		r, err := decode[sender.Replay](text)
		if err != nil {
			return err
		}
		if r.State != "running" || f.detach {
			if _, err = show(cmd, &f.adminFlags, text, printReplay); err == nil && r.State == "cancelled" {
				return errNo
			}
			return err
		}
		if r.Sent != shown {
			shown = r.Sent
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: %d of %d\n", r.ID, r.Sent, r.Matched-r.Unavailable)
		}
		if !pause(cmd.Context()) {
			return nil
		}
		if text, err = a.ask(cmd.Context(), http.MethodGet, f.path(r.ID), nil); err != nil {
			return err
		}
	}
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
