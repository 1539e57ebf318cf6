// Command bench measures VideoCloud Webhooks on this machine, on loopback, and beside each figure a yardstick measured
// in the same run, so that their ratio holds on any machine:
//
//	go run ./bench <name> [-json] [-n N] [-c N] [-size BYTES] [-aof always|everysec|off]
//
// It starts everything that it needs itself (redis-server, a sink, senders, Caddy) as processes of their own, and stops
// them. Rounds of product and yardstick are interleaved; the figures are medians of five.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
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

// figures are the results of a benchmark, in the order in which people read them.
type figures struct {
	names  []string
	values map[string]any
}

func (f *figures) add(name string, value any) {
	if f.values == nil {
		f.values = map[string]any{}
	}
	if _, known := f.values[name]; !known {
		f.names = append(f.names, name)
	}
	f.values[name] = value
}

// count adds to a figure that is the sum over all rounds.
func (f *figures) count(name string, n int) {
	sum, _ := f.values[name].(int)
	f.add(name, sum+n)
}

// samples are the values of a figure, one a round. The figure is their median.
type samples struct {
	values []float64
	whole  bool // without digits behind the point
}

// sample adds the value of a round, whole that of one without digits behind the point.
func (f *figures) sample(name string, value float64) { f.addSample(name, value, false) }
func (f *figures) whole(name string, value float64)  { f.addSample(name, value, true) }

func (f *figures) addSample(name string, value float64, whole bool) {
	s, _ := f.values[name].(samples)
	f.add(name, samples{append(s.values, value), whole})
}

// value is a figure as people read it.
func (f *figures) value(name string) any {
	s, sampled := f.values[name].(samples)
	switch {
	case !sampled:
		return f.values[name]
	case s.whole:
		return int(median(s.values))
	default:
		return round3(median(s.values))
	}
}

// MarshalJSON keeps the order.
func (f *figures) MarshalJSON() ([]byte, error) {
	var b strings.Builder
	b.WriteByte('{')
	for i, name := range f.names {
		if i > 0 {
			b.WriteByte(',')
		}
		v, err := json.Marshal(f.value(name))
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%q:%s", name, v)
	}
	b.WriteByte('}')
	return []byte(b.String()), nil
}

// benchmark is one of those that the command line names.
type benchmark struct {
	about string
	n, c  int // defaults
	run   func(ctx context.Context, o options) (*figures, error)
}

// benchmarks by name; each file registers its own.
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
	name := ""
	if len(os.Args) > 1 {
		name = os.Args[1]
	}
	b, ok := benchmarks[name]
	if !ok {
		usage()
		os.Exit(2)
	}
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

func usage() {
	fmt.Fprintln(os.Stderr, "usage: go run ./bench <name> [-json] [-n N] [-c N] [-size BYTES] [-aof always|everysec|off]")
	for _, name := range slices.Sorted(maps.Keys(benchmarks)) {
		fmt.Fprintf(os.Stderr, "  %-10s %s\n", name, benchmarks[name].about)
	}
}

// progress tells people how far it is; standard output is for the figures.
func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

func median[T cmp.Ordered](values []T) T {
	values = slices.Clone(values)
	slices.Sort(values)
	return values[len(values)/2]
}

// round3 keeps three digits behind the point.
func round3(v float64) float64 { return float64(int64(v*1000+0.5)) / 1000 }
