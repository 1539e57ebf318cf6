package main

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/videocloud/webhooks/config"
)

func init() {
	benchmarks["isolation"] = benchmark{"healthy webhooks beside such that hang, with a backlog", 1_600, 256, benchIsolation}
}

const (
	healthyHooks  = 80
	hangingHooks  = 20
	hangingEvents = 1_000 // waiting for each webhook that hangs
	isolationRate = 400   // events a second, of all healthy webhooks together
	// isolationTimeout is shorter than the sender's default, so that in a round attempts that hang time out and others take
	// their place.
	isolationTimeout = 2 * time.Second
)

func benchIsolation(ctx context.Context, o options) *figures {
	o.rate = cmp.Or(o.rate, isolationRate)
	k := must(startSink(ctx, sinkSettings{HangMS: int(2 * isolationTimeout.Milliseconds())}))
	defer k.stop()
	return aloneAndBeside(o, "p99_with_hanging_ms", func(hanging bool) []float64 { return roundIsolation(ctx, o, k, hanging) })
}

// aloneAndBeside measures how long something takes at the 99th percentile without others and beside them.
func aloneAndBeside(o options, beside string, run func(others bool) (ms []float64)) *figures {
	return o.eachRound(func(f *figures, _ int) {
		alone, withOthers := percentile(run(false), 99), percentile(run(true), 99)
		f.sample("p99_alone_ms", alone)
		f.sample(beside, withOthers)
		f.sample("ratio", withOthers/alone)
	})
}

func roundIsolation(ctx context.Context, o options, k sinkProcess, hanging bool) (ms []float64) {
	// The types bench.ok<i> go to webhooks that answer, and bench.hang<i> to those that hang: the sink knows them by their paths.
	numbered := func(name string, n int) []string {
		names := make([]string, n)
		for i := range names {
			names[i] = "bench." + name + strconv.Itoa(i)
		}
		return names
	}
	healthyTypes, hangingTypes := numbered("ok", healthyHooks), numbered("hang", hangingHooks)
	conf := senderConfig(o.c)
	conf.Timeout, conf.EventTypes = isolationTimeout, eventTypes(slices.Concat(healthyTypes, hangingTypes))
	x := newFixture(ctx, o.aof, conf)
	defer x.close()
	for _, t := range conf.EventTypes {
		createWebhook(ctx, x.sender, config.DefaultAccount, k.url(strings.TrimPrefix(t.Name, "bench.")), t.Name)
	}
	if hanging {
		publishBacklog(ctx, x.sender, hangingTypes, hangingEvents*hangingHooks, o.size)
	}
	c := must(x.startDelivering(ctx, o))
	defer c.stop()
	return latencies(ctx, o, x.sender, k, healthyTypes)
}
