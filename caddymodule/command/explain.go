package command

import (
	"cmp"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/videocloud/webhooks/internal/adminapi"
	"github.com/videocloud/webhooks/sender"
)

func newExplain() *cobra.Command {
	var f adminFlags
	var account string
	cmd := &cobra.Command{
		Use:   "explain <event or delivery>",
		Short: "Says what became of an event or a delivery, and what comes next",
		Long: `
Says what became of an event or of one delivery: every attempt, how it stands
now, why, and what comes next. An event that came to a gateway of this Caddy is
found by its ID, its key or its job: what its claims know, and how it stands in
the queue of each app.`,
		Example: `  $ caddy webhook explain evt_0190...
  $ caddy webhook explain dlv_... --json`,
		RunE: arguments(1, "an event or a delivery", func(cmd *cobra.Command, args []string) error {
			return view(cmd, &f, pathOf("/webhooks/explain", map[string]string{"id": args[0], "account": account}), printExplanation)
		}),
	}
	f.add(cmd)
	addAccount(cmd, &account)
	return cmd
}

func addAccount(cmd *cobra.Command, account *string) {
	cmd.Flags().StringVar(account, "account", "", "account that it belongs to (default: it is found)")
}

func printExplanation(w io.Writer, x *adminapi.Explanation) {
	if x.Explanation != nil {
		printSent(w, x)
	} else {
		newTable(w, "event", x.EventID).end()
	}
	for _, g := range x.Gateways {
		fmt.Fprintln(w)
		t := newTable(w, "gateway", fmt.Sprintf("%s (%s)", cmp.Or(g.Receiver, noName), g.Scheme))
		if g.Event != "" {
			t.row("type", g.Event)
		}
		for _, line := range g.Says {
			t.row("", line)
		}
		t.end()
	}
}

func printSent(w io.Writer, x *adminapi.Explanation) {
	t := newTable(w, "event", x.EventID)
	t.row("type", x.Type)
	t.row("account", x.Account)
	t.row("timestamp", x.Timestamp.Format(time.RFC3339))
	payload := "expired"
	if x.Size > 0 {
		payload = fmt.Sprintf("%d bytes", x.Size)
	}
	if len(x.Deliveries) > 0 {
		t.row("payload", payload)
	}
	if x.TraceID != "" {
		t.row("trace", x.TraceID)
	}
	t.end()
	if len(x.Deliveries) == 0 {
		fmt.Fprintln(w, "\nno webhook subscribed to it")
	}
	for i := range x.Deliveries {
		printDelivery(w, &x.Deliveries[i])
	}
}

func printDelivery(w io.Writer, d *sender.ExplainedDelivery) {
	fmt.Fprintln(w)
	t := newTable(w, "delivery", d.ID)
	to := d.WebhookID + " (deleted)"
	if d.Webhook != nil {
		to = fmt.Sprintf("%s (%s), %s", d.WebhookID, d.Webhook.Status, d.Webhook.URL)
	}
	t.row("webhook", to)
	state := string(d.State)
	if d.Reason != "" {
		state += " (" + d.Reason + ")"
	}
	t.row("state", state)
	for _, line := range d.Says {
		t.row("", line)
	}
	t.end()
	if len(d.Attempts) == 0 {
		return
	}
	t = newTable(w, "  ATTEMPT", "AT", "TOOK", "ANSWER", "ERROR")
	for _, a := range d.Attempts {
		answer := "-"
		if a.StatusCode != 0 {
			answer = fmt.Sprint(a.StatusCode)
		}
		t.row(fmt.Sprintf("  %d", a.Number), a.At.Format(time.RFC3339), fmt.Sprintf("%d ms", a.DurationMS), answer, a.Error)
	}
	t.end()
}
