package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/sender"
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
	var alone, with, ratio []float64
	for round := range o.rounds {
		var p99 [2]float64
		for i, hanging := range []bool{false, true} {
			times, err := roundIsolation(ctx, o, k, addr, hanging)
			if err != nil {
				return nil, err
			}
			p99[i] = percentile(times, 99)
		}
		alone, with, ratio = append(alone, p99[0]), append(with, p99[1]), append(ratio, p99[1]/p99[0])
		progress("round %d of %d: p99 alone %.2f ms, with hanging ones %.2f ms", round+1, o.rounds, p99[0], p99[1])
	}
	f := &figures{}
	f.add("p99_alone_ms", round3(median(alone)))
	f.add("p99_with_hanging_ms", round3(median(with)))
	f.add("ratio", round3(median(ratio)))
	return f, nil
}

func roundIsolation(ctx context.Context, o options, k *child, addr string, hanging bool) ([]float64, error) {
	server, err := startRedis(ctx, o.aof)
	if err != nil {
		return nil, err
	}
	defer server.stop()
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
	s, store, err := openSender(config.Redis{URL: server.url()}, conf)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	for _, t := range conf.EventTypes {
		_, _, err := s.CreateWebhook(ctx, config.DefaultAccount, sender.NewWebhook{Settings: sender.Settings{URL: "http://" + addr + "/" + t.Name[len("bench."):], Events: []string{t.Name}}, Secret: benchSecret})
		if err != nil {
			return nil, fmt.Errorf("registering: %w", err)
		}
	}
	if hanging {
		if err := backlog(ctx, s, hang, hangingEvents*hangingHooks, o.size); err != nil {
			return nil, err
		}
	}
	c, err := startSender(ctx, senderSettings{Redis: config.Redis{URL: server.url()}, Limits: conf, Profile: o.profile})
	if err != nil {
		return nil, err
	}
	defer c.stop()
	return steady(ctx, s, k, healthy, o.n, o.rate, o.size)
}
