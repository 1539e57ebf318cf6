package main

import (
	"context"
	"strconv"
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
	// The sender's timeout is shorter than its default, so that a round sees it pass: what hangs fails, and the next takes
	// its place.
	isolationTimeout = 2 * time.Second
)

func benchIsolation(ctx context.Context, o options) (*figures, error) {
	k, addr, err := startSink(ctx, sinkSettings{HangMS: int(2 * isolationTimeout.Milliseconds())})
	if err != nil {
		return nil, err
	}
	defer k.stop()
	if o.rate == 0 {
		o.rate = isolationRate
	}
	return aloneAndBeside(o, "p99_with_hanging_ms", func(hanging bool) ([]float64, error) { return roundIsolation(ctx, o, k, addr, hanging) })
}

// aloneAndBeside measures how long something takes at the 99th percentile without others and beside them.
func aloneAndBeside(o options, beside string, run func(others bool) (ms []float64, err error)) (*figures, error) {
	f := &figures{}
	for round := range o.rounds {
		var p99 [2]float64
		for i, others := range []bool{false, true} {
			ms, err := run(others)
			if err != nil {
				return nil, err
			}
			p99[i] = percentile(ms, 99)
		}
		f.sample("p99_alone_ms", p99[0])
		f.sample(beside, p99[1])
		f.sample("ratio", p99[1]/p99[0])
		progress("round %d of %d: p99 alone %.2f ms, beside the others %.2f ms", round+1, o.rounds, p99[0], p99[1])
	}
	return f, nil
}

func roundIsolation(ctx context.Context, o options, k *child, addr string, hanging bool) ([]float64, error) {
	healthy, hang := make([]string, healthyHooks), make([]string, hangingHooks)
	conf := senderConfig(o.c)
	conf.Timeout, conf.EventTypes = isolationTimeout, nil
	for _, group := range []struct {
		names []string
		path  string
	}{{healthy, "ok"}, {hang, "hang"}} {
		for i := range group.names {
			group.names[i] = "bench." + group.path + strconv.Itoa(i)
			conf.EventTypes = append(conf.EventTypes, config.EventType{Name: group.names[i], Group: "bench"})
		}
	}
	s, err := newStage(ctx, o.aof, conf)
	if err != nil {
		return nil, err
	}
	defer s.close()
	for _, t := range conf.EventTypes {
		if _, err := createWebhook(ctx, s.sender, config.DefaultAccount, "http://"+addr+"/"+t.Name[len("bench."):], t.Name); err != nil {
			return nil, err
		}
	}
	if hanging {
		if err := backlog(ctx, s.sender, hang, hangingEvents*hangingHooks, o.size); err != nil {
			return nil, err
		}
	}
	c, err := startDelivering(ctx, s.senders(o))
	if err != nil {
		return nil, err
	}
	defer c.stop()
	return steady(ctx, s.sender, k, healthy, o.n, o.rate, o.size)
}
