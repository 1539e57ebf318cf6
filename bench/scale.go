package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/queue"
	"github.com/videocloud/webhooks/internal/redisstore"
)

func init() {
	benchmarks["scale"] = benchmark{"deliveries a second by senders; cost of a claim by webhooks and by backlog", 30_000, 128, benchScale}
}

const (
	// scaleClaim is how many jobs a measured claim takes, each from another webhook: so a claim is the same work
	// whatever there is beside it.
	scaleClaim  = 10
	scaleClaims = 100 // measured in a round
	scaleLanes  = 100 // that share a backlog
)

func benchScale(ctx context.Context, o options) *figures {
	f := &figures{}
	for _, series := range []struct {
		name, counted, unit string
		counts              []int
		measure             func(n int) float64
	}{
		{"senders", "senders", "deliveries a second", []int{1, 2, 4}, func(n int) float64 { return scaleSenders(ctx, o, n) }},
		{"claim_us", "webhooks", "µs a claim", []int{10, 1000, 100_000}, func(n int) float64 {
			return scaleClaimCost(ctx, o, n, max(n, 2*scaleClaim*scaleClaims*o.rounds))
		}},
		{"backlog_us", "events waiting", "µs a claim", []int{10_000, 1_000_000}, func(n int) float64 { return scaleClaimCost(ctx, o, scaleLanes, n) }},
	} {
		values := &figures{}
		for _, n := range series.counts {
			value := series.measure(n)
			values.add(strconv.Itoa(n), threeDecimals(value))
			progress("%d %s: %.0f %s", n, series.counted, value, series.unit)
		}
		f.add(series.name, values)
	}
	return f
}

// scaleSenders measures how many deliveries a second n processes make of a backlog of all accounts, without decimals.
func scaleSenders(ctx context.Context, o options, n int) float64 {
	var rates []float64
	for range min(o.rounds, 3) {
		rate := roundScaleSenders(ctx, o, n)
		rates = append(rates, rate)
	}
	return math.Trunc(median(rates))
}

func roundScaleSenders(ctx context.Context, o options, n int) (rate float64) {
	k := must(startSink(ctx, sinkSettings{}))
	defer k.stop()
	x := newFixture(ctx, o.aof, senderConfig(o.c))
	defer x.close()
	batch := eventBatch(typeNames(1), 0, o.n/chaosAccounts, eventData(o.size, 0))
	for i := range chaosAccounts {
		account := chaosAccount(i)
		createWebhook(ctx, x.sender, account, k.url(i), "*")
		publishBatch(ctx, x.sender, account, batch)
	}
	senders := make([]*child, n)
	for i := range senders {
		senders[i] = must(start(ctx, "sender", x.senderSettings(o), nil))
		defer senders[i].stop()
	}
	began := time.Now()
	for _, c := range senders {
		check(c.send("go"))
	}
	total := len(batch) * chaosAccounts
	counts := must(k.waitFor(ctx, total))
	if counts.Events < total {
		check(fmt.Errorf("only %d of %d arrived", counts.Events, total))
	}
	return float64(total) / time.Since(began).Seconds()
}

// scaleClaimCost measures how many microseconds a claim costs Redis, where so many webhooks of one shard share a backlog.
func scaleClaimCost(ctx context.Context, o options, webhooks, backlog int) float64 {
	server := must(startRedis(ctx, "off"))
	defer server.Close()
	store := must(redisstore.Open(config.Redis{URL: server.Redis().URL, Timeout: time.Minute}, "", nil))
	defer store.Close()
	c := config.Sender{}
	c.SetDefaults()
	q := queue.New(store, queue.Limits{
		Kept: c.RetentionSucceeded, KeptDead: c.RetentionFailed, IDLifetime: config.EventIDLifetime, LogLength: c.HistoryEntries, LogAge: c.HistoryAge,
		InFlight: c.PerWebhook, Pending: 2_000_000, MaxAge: c.MaxAge, RetrySpan: time.Hour,
	}, queue.ShardTags(store.Prefix()))
	scaleFill(ctx, store, q, webhooks, backlog)
	var costs []float64
	for range o.rounds * scaleClaims {
		n := must(q.Measure(ctx, 0, scaleClaim, func(claim func()) {
			server.c.ConfigResetStat(ctx)
			claim()
			costs = append(costs, server.commandUS(ctx, "evalsha")+server.commandUS(ctx, "eval"))
		}))
		if n != scaleClaim {
			check(fmt.Errorf("a claim got %d jobs, not %d", n, scaleClaim))
		}
	}
	return median(costs) // not the mean, which a few claims that the machine interrupted would raise
}

// scaleFill spreads a backlog over webhooks of one shard. Jobs of one event share its payload, as in a fan-out.
func scaleFill(ctx context.Context, store *redisstore.Store, q *queue.Queue, webhooks, backlog int) {
	const group = 10 // webhooks that get the same events
	pipe := store.Client().Pipeline()
	lane := func(i int) string { return fmt.Sprintf("%026d", i) }
	for i := range webhooks {
		pipe.HSet(ctx, q.Key(0, queue.KeyConf, lane(i)), queue.FieldStatus, "active", queue.FieldMeta, "settings of a webhook, about as long as they are in truth")
		pipe.SAdd(ctx, q.Key(0, queue.KeyTopic, "group-"+strconv.Itoa(i/group)), lane(i))
		if pipe.Len() >= 2000 || i == webhooks-1 {
			must(pipe.Exec(ctx))
		}
	}
	payload := string(eventData(256, 0))
	for done := 0; done < backlog; {
		var events []*queue.Event
		for len(events) < 1000 && done < backlog {
			id := queue.NewJobID(uuid.Must(uuid.NewV7()))
			events = append(events, &queue.Event{
				Account: "default", ID: id, OwnID: true, Job: id, Type: "bench.e0", Digest: "0123456789abcdef", Payload: payload,
				Topics: []string{"group-" + strconv.Itoa(done/group%(webhooks/group))},
			})
			done += group
		}
		_, errs := q.PushAll(ctx, 0, events)
		check(errors.Join(errs...), "filling")
	}
}

// commandUS is how many microseconds a command has cost Redis since its statistics were reset.
func (s *redisServer) commandUS(ctx context.Context, command string) float64 {
	var calls int
	var us float64 // 0 where the command was not called
	_, _ = fmt.Sscanf(s.c.InfoMap(ctx, "commandstats").Item("Commandstats", "cmdstat_"+command), "calls=%d,usec=%f", &calls, &us)
	return us
}
