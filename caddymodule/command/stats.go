package command

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/videocloud/webhooks/internal/adminapi"
)

func newStats() *cobra.Command {
	var f adminFlags
	return f.add(&cobra.Command{
		Use:   "stats",
		Short: "Shows how a running Caddy's webhooks do",
		Long: `
Shows how a running Caddy's webhooks do: whether its store and its workers are
well, how full the queues are, and what it counted since it started. The queues
are those of all processes, the counts are those of this one.

The exit status is 1 where something is wrong.`,
		Example: `  $ caddy webhook stats
  $ caddy webhook stats --json | jq .queues`,
		RunE: noArguments(func(cmd *cobra.Command) error {
			s, err := askAndPrint(cmd, &f, http.MethodGet, "/webhooks/stats", nil, printStats)
			if err == nil && s.Health.Status != "ok" {
				return errNo
			}
			return err
		}),
	})
}

func printStats(w io.Writer, s *adminapi.Stats) {
	h := &s.Health
	t := newTable(w, "status", h.Status)
	for _, problem := range h.Problems {
		t.row("problem", problem)
	}
	t.row("version", h.Version)
	store := h.Store.Kind
	if since := h.Store.Since; since != nil {
		store += " since " + since.Local().Format(time.DateTime)
	}
	t.row("store", store)
	if s := h.Store.Server; s != nil {
		t.row("server", fmt.Sprintf("%s, process %d since %s, in %s", s.Version, s.PID, s.Started.Local().Format(time.DateTime), s.Dir))
	}
	sender := strings.ReplaceAll(h.Sender, "_", " ")
	if h.Workers != nil {
		sender = fmt.Sprintf("%s, %d in flight in this process, last round %s", sender, h.Workers.InFlight, ago(h.Workers.LastRound))
	}
	t.row("sender", sender)
	t.end()
	printQueues(w, s.Queues)
	printCounts(w, "ATTEMPTS", s.Sender.Attempts)
	printCounts(w, "DELIVERIES", s.Sender.Deliveries)
	printReceivers(w, s.Receivers)
	printCounts(w, "STORE ERRORS", s.StoreErrors)
}

func printQueues(w io.Writer, queues []adminapi.QueueStats) {
	if len(queues) == 0 {
		return
	}
	fmt.Fprintln(w)
	t := newTable(w, "QUEUE", "WAITING", "IN FLIGHT", "DEAD", "OLDEST DUE")
	for _, q := range queues {
		dead := "-"
		if n, ok := q.Depth["dead"]; ok {
			dead = fmt.Sprint(n)
		}
		name := q.Queue
		if q.Forgotten {
			name += " (no deliver has this name any more)"
		}
		t.row(name, q.Depth["waiting"], q.Depth["in_flight"], dead, seconds(q.OldestDueSeconds))
	}
	t.end()
}

func printReceivers(w io.Writer, receivers []adminapi.ReceiverStats) {
	if !slices.ContainsFunc(receivers, func(r adminapi.ReceiverStats) bool { return len(sortedKeys(r.Requests)) > 0 }) {
		return
	}
	fmt.Fprintln(w)
	t := newTable(w, "RECEIVER", "SCHEME", "OUTCOME", "REQUESTS")
	for _, r := range receivers {
		for _, outcome := range sortedKeys(r.Requests) {
			t.row(cmp.Or(r.Name, noName), r.Scheme, outcome, wholeNumber(r.Requests[outcome]))
		}
	}
	t.end()
}

func printCounts(w io.Writer, title string, counts map[string]float64) {
	keys := sortedKeys(counts)
	if len(keys) == 0 {
		return
	}
	fmt.Fprintln(w)
	t := newTable(w, title)
	for _, k := range keys {
		t.row(k, wholeNumber(counts[k]))
	}
	t.end()
}

// noName stands for the name of a receiver in memory that has none.
const noName = "(no name)"
