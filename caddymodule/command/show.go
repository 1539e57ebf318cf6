package command

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/videocloud/webhooks/internal/adminapi"
)

func newShow() *cobra.Command {
	var f adminFlags
	return f.add(&cobra.Command{
		Use:   "show <receiver> <event>",
		Short: "Shows an event that waits or is dead in a receiver's queue",
		Long: `
Shows an event that waits or is dead in a receiver's queue: how it stands at
each app, its headers, of which values that may be secrets are hidden, and its
payload. The event is named by its ID, or by its job where it has none.`,
		Example: `  $ caddy webhook show shop evt_0190...
  $ caddy webhook show shop/billing 06h0hy8cdhr556vrb0pjm50w44 --json`,
		RunE: arguments(2, "a receiver and an event", func(cmd *cobra.Command, args []string) error {
			return view(cmd, &f, pathOf("/webhooks/show", map[string]string{"name": args[0], "event": args[1]}), printQueuedEvent)
		}),
	})
}

func printQueuedEvent(w io.Writer, e *adminapi.QueuedEvent) {
	t := newTable(w, "event", cmp.Or(e.ID, "-"))
	t.row("type", cmp.Or(e.Event, "-"))
	t.row("receiver", fmt.Sprintf("%s (%s)", e.Receiver, e.Scheme))
	t.row("received", e.Received.Format(time.RFC3339))
	t.row("request", strings.TrimSpace(e.Method+" "+e.URI))
	t.row("host", cmp.Or(e.Host, "-"))
	t.row("from", cmp.Or(e.RemoteAddr, "-"))
	t.end()
	fmt.Fprintln(w)
	t = newTable(w, "QUEUE", "JOB", "STATE", "ATTEMPTS", "WHEN", "ERROR")
	for _, d := range e.Deliveries {
		when := "-"
		switch {
		case d.Failed != nil:
			when = d.Failed.Format(time.RFC3339)
		case d.Due != nil:
			when = "due " + d.Due.Format(time.RFC3339)
		}
		state := strings.ReplaceAll(string(d.State), "_", " ")
		if d.Forgotten {
			state += ", no deliver has this name any more"
		}
		t.row(d.Queue, d.Job, state, d.Attempts, when, cmp.Or(d.Error, "-"))
	}
	t.end()
	fmt.Fprintln(w)
	printHeaders(w, "  ", e.Headers)
	fmt.Fprintln(w)
	if e.PayloadBase64 != "" {
		fmt.Fprintf(w, "%d bytes that are no text, in base64:\n%s\n", e.Size, e.PayloadBase64)
		return
	}
	// A payload comes from the network: it doesn't talk to the terminal.
	fmt.Fprintln(w, strings.Map(printable, e.Payload))
}
