package command

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/videocloud/webhooks/internal/redisstore"
)

func newTail() *cobra.Command {
	var f tailFlags
	cmd := &cobra.Command{
		Use:   "tail",
		Short: "Shows attempts and received webhooks as they happen",
		Long: `
Shows what happens in the Caddy that is asked, until an interrupt:

  attempt    the sender tried to deliver to a webhook
  received   a receiver got a request
  delivery   a receiver's queue tried to bring an event to its app

Where several processes work on one store, each shows its own. What happens
faster than it can be shown is left out, and how much that was is said.`,
		Example: `  $ caddy webhook tail
  $ caddy webhook tail --webhook whk_0123456789ab --failed
  $ caddy webhook tail --name shop --json | jq .outcome`,
		RunE: untilInterrupt(f.run),
	}
	f.add(cmd)
	flags := cmd.Flags()
	flags.String("webhook", "", "only attempts to this webhook")
	flags.String("account", "", "only attempts of this account")
	flags.String("name", "", "only requests to the receiver of this name, and deliveries of its queue; shop/billing: of that deliver")
	flags.String("event", "", "only events of this type, or with this ID")
	flags.Bool("failed", false, "only what failed or was refused")
	flags.IntVarP(&f.count, "count", "n", 0, "stop after so many lines (default: never)")
	return cmd
}

type tailFlags struct {
	adminFlags
	count int
}

func (f *tailFlags) run(ctx context.Context, cmd *cobra.Command) error {
	if f.count < 0 {
		return usagef("count: it is a number above zero")
	}
	path := pathOf("/webhooks/tail", queryOf(cmd, "webhook", "account", "name", "event", "failed"))
	shown, away := 0, false
	for first := true; ; first = false {
		resp, err := f.open(ctx, http.MethodGet, path, nil)
		switch {
		case ctx.Err() != nil:
			return nil
		case exitStatus(err) == statusUnreachable && !first:
			if !away {
				fmt.Fprintln(cmd.ErrOrStderr(), "Caddy is gone; waiting for it to be back, press Ctrl-C to stop")
				away = true
			}
			if !pause(ctx) {
				return nil
			}
			continue
		case err != nil:
			return err
		}
		away = false
		enough, err := f.follow(cmd, resp.Body, &shown)
		resp.Body.Close()
		if enough || err != nil || ctx.Err() != nil {
			return err
		}
		// The stream ends with each configuration: after a reload it goes on with the next.
		if !pause(ctx) {
			return nil
		}
	}
}

// reconnectAfter is how long a stream that ended waits.
const reconnectAfter = 200 * time.Millisecond

// pause waits a little before Caddy is asked again. It returns false where ctx ended meanwhile.
func pause(ctx context.Context) bool { return redisstore.Sleep(ctx, reconnectAfter) }

// follow prints one stream and reports whether there were enough lines.
func (f *tailFlags) follow(cmd *cobra.Command, stream io.Reader, shown *int) (enough bool, err error) {
	lines := bufio.NewScanner(stream)
	for lines.Scan() {
		text := lines.Bytes()
		if f.json {
			text = append(text, '\n')
			_, err = cmd.OutOrStdout().Write(text)
		} else {
			l, err2 := decode[tailLine](text)
			if err2 != nil {
				return false, err2
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), oneLine(l.String()))
		}
		if err != nil {
			return false, err
		}
		if *shown++; *shown == f.count {
			return true, nil
		}
	}
	return false, nil // why the stream ended does not matter: it is opened again
}

// tailLine is an attempt, a received request, or a delivery out of a receiver's queue.
type tailLine struct {
	Kind                        string
	At                          time.Time
	Outcome, Event, Error       string
	StatusCode                  int
	DurationMS                  int64
	Account, WebhookID, EventID string
	Attempt                     int
	State                       string
	NextAttemptInMS             int64
	Name, Deliver, Scheme, ID   string
	Count                       int
	LeftOut                     int64
	DryRun                      bool
}

func (l *tailLine) String() string {
	if l.Kind == "left_out" {
		return fmt.Sprintf("%d lines left out: more happens than can be shown", l.LeftOut)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %-8s  %-18s  ", l.At.Local().Format("15:04:05.000"), l.Kind, l.Outcome)
	if l.StatusCode != 0 {
		fmt.Fprintf(&b, "%d  ", l.StatusCode)
	} else {
		b.WriteString("  -  ")
	}
	fmt.Fprintf(&b, "%5d ms  ", l.DurationMS)
	if l.Kind == "received" {
		fmt.Fprintf(&b, "%s %s at %s (%s)", cmp.Or(l.Event, "-"), cmp.Or(l.ID, "-"), cmp.Or(l.Name, noName), l.Scheme)
		if l.DryRun {
			b.WriteString(", dry run")
		}
	} else if l.Kind == "delivery" {
		from := l.Name
		if l.Deliver != "" {
			from += "/" + l.Deliver
		}
		if l.Count > 0 {
			fmt.Fprintf(&b, "%s in the queue of %s", counted(l.Count, "event", "events"), from)
		} else {
			fmt.Fprintf(&b, "%s %s from the queue of %s, attempt %d", cmp.Or(l.Event, "-"), cmp.Or(l.ID, "-"), from, l.Attempt)
		}
	} else {
		fmt.Fprintf(&b, "%s %s to %s (%s), attempt %d, %s", l.Event, l.EventID, l.WebhookID, l.Account, l.Attempt, l.State)
	}
	if l.NextAttemptInMS > 0 {
		fmt.Fprintf(&b, ", again in %s", rounded(time.Duration(l.NextAttemptInMS)*time.Millisecond))
	}
	if l.Error != "" {
		fmt.Fprintf(&b, ": %s", l.Error)
	}
	return b.String()
}
