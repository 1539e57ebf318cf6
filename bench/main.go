// Command bench measures VideoCloud Webhooks on this machine, on loopback, and beside each figure a yardstick measured
// in the same run, so that their ratio holds on any machine:
//
//	go run ./bench <name> [-json] [-n N] [-c N] [-size BYTES] [-aof always|everysec|off]
//
// It starts everything that it needs itself (redis-server, a sink, senders, Caddy) as processes of their own, and stops
// them. Rounds of product and yardstick are interleaved; the figures are medians of five.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"
)

// options are what the command line sets.
type options struct {
	json     bool
	n        int
	c        int
	size     int
	aof      string
	rounds   int
	topology string
	mix      bool
	seconds  int
	profile  string
	rate     int
	hosts    int
	delay    time.Duration
	observed bool // with metrics and tracing, see overhead.go
}

// benchmark is what the command line can ask for by a name.
type benchmark struct {
	about   string
	n, c    int // defaults
	measure func(ctx context.Context, o options) *figures
}

func (b benchmark) run(ctx context.Context, o options) (f *figures, err error) {
	err = errorOf(func() { f = b.measure(ctx, o) })
	return f, err
}

// benchmarks by name. Each file registers its own.
var benchmarks = map[string]benchmark{}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) > 2 && os.Args[1] == "-role" {
		if err := runRole(ctx, os.Args[2], os.Args[3:]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	var b benchmark
	if len(os.Args) > 1 {
		b = benchmarks[os.Args[1]]
	}
	if b.measure == nil {
		printUsage()
		os.Exit(2)
	}
	name := os.Args[1]
	var o options
	aof := "everysec"
	if name == "chaos" {
		aof = "always" // it counts what is lost
	}
	flags := flag.NewFlagSet("bench "+name, flag.ExitOnError)
	flags.BoolVar(&o.json, "json", false, "print one JSON object")
	flags.IntVar(&o.n, "n", b.n, "how many requests or deliveries in a round")
	flags.IntVar(&o.c, "c", b.c, "how many at once")
	flags.IntVar(&o.size, "size", 1024, "bytes of an event's body")
	flags.StringVar(&o.aof, "aof", aof, "redis' append-only file: always, everysec or off")
	flags.IntVar(&o.rounds, "rounds", 5, "rounds; the figures are their medians")
	flags.StringVar(&o.topology, "topology", "single", "chaos: single, sentinel, cluster or local")
	flags.BoolVar(&o.mix, "mix", false, "chaos: webhooks that are ordered, filtered, with retries and auth of their own, in all combinations")
	flags.IntVar(&o.seconds, "seconds", 0, "chaos: how long (0: its default)")
	flags.IntVar(&o.rate, "rate", 0, "soak, latency: events a second (0: its default)")
	flags.IntVar(&o.hosts, "hosts", 0, "world: how many endpoints (0: its default)")
	flags.DurationVar(&o.delay, "delay", 0, "world: how long they take to answer (0: its default)")
	flags.StringVar(&o.profile, "profile", "", "folder for CPU profiles of the processes under test")
	_ = flags.Parse(os.Args[2:]) // exits on an error
	progress("bench %s: %s", name, b.about)
	f, err := b.run(ctx, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	if o.json {
		out, _ := json.Marshal(f)
		fmt.Println(string(out))
		return
	}
	for _, name := range f.names {
		fmt.Printf("%-28s %v\n", name, f.value(name))
	}
}

func printUsage() {
	fmt.Fprintln(os.Stderr, "usage: go run ./bench <name> [-json] [-n N] [-c N] [-size BYTES] [-aof always|everysec|off]")
	for _, name := range slices.Sorted(maps.Keys(benchmarks)) {
		fmt.Fprintf(os.Stderr, "  %-10s %s\n", name, benchmarks[name].about)
	}
}

// progress tells people how far the benchmark is, on standard error, as standard output is for the figures.
func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
