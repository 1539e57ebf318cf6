package command

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func newStats() *cobra.Command {
	var f adminFlags
	cmd := &cobra.Command{
		Use:   "stats",
		Short: "Shows how a running Caddy's webhooks do",
		Long: `
Shows how a running Caddy's webhooks do: whether its store and its workers are
well, how full the queues are, and what it counted since it started. The queues
are those of all processes, the counts are those of this one.

The exit status is 1 where something is wrong.`,
		Example: `  $ caddy webhook stats
  $ caddy webhook stats --json | jq .queues`,
		RunE: runner(func(cmd *cobra.Command) error {
			s, err := view(cmd, &f, "/webhooks/stats", printStats)
			if err == nil && s.Health.Status != "ok" {
				return errNo
			}
			return err
		}),
	}
	f.add(cmd)
	return cmd
}

// statsAnswer is what is shown of the admin API's answer.
type statsAnswer struct {
	Health struct {
		Status, Version, Sender string
		Problems                []string
		Store                   struct {
			Kind   string
			Since  *time.Time
			Server *struct {
				Version, Dir string
				PID          int
				Started      time.Time
			}
		}
		Workers *struct {
			LastRound *time.Time
			InFlight  int
		}
	}
	Queues []struct {
		Queue            string
		Depth            map[string]int
		OldestDueSeconds float64
		Forgotten        bool
	}
	Sender      struct{ Attempts, Deliveries map[string]float64 }
	Receivers   []receiverCounts
	StoreErrors map[string]float64
}

type receiverCounts struct {
	Name, Scheme string
	Requests     map[string]float64
}

func printStats(w io.Writer, s *statsAnswer) {
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
	s.printQueues(w)
	printCounts(w, "ATTEMPTS", s.Sender.Attempts)
	printCounts(w, "DELIVERIES", s.Sender.Deliveries)
	s.printReceivers(w)
	printCounts(w, "STORE ERRORS", s.StoreErrors)
}

func (s *statsAnswer) printQueues(w io.Writer) {
	if len(s.Queues) == 0 {
		return
	}
	fmt.Fprintln(w)
	t := newTable(w, "QUEUE", "WAITING", "IN FLIGHT", "DEAD", "OLDEST DUE")
	for _, q := range s.Queues {
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

func (s *statsAnswer) printReceivers(w io.Writer) {
	if !slices.ContainsFunc(s.Receivers, func(r receiverCounts) bool { return len(sortedKeys(r.Requests)) > 0 }) {
		return
	}
	fmt.Fprintln(w)
	t := newTable(w, "RECEIVER", "SCHEME", "OUTCOME", "REQUESTS")
	for _, r := range s.Receivers {
		for _, outcome := range sortedKeys(r.Requests) {
			t.row(nameOr(r.Name), r.Scheme, outcome, whole(r.Requests[outcome]))
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
		t.row(k, whole(counts[k]))
	}
	t.end()
}

// nameOr is a receiver's name; those in memory need none.
func nameOr(name string) string {
	if name == "" {
		return "(no name)"
	}
	return name
}
