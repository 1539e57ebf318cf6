package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/queue"
	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/sender"
)

func init() {
	benchmarks["scale"] = benchmark{"deliveries a second by senders; cost of a claim by webhooks and by backlog", 30_000, 128, benchScale}
}

const (
	// scaleClaim is how many jobs a measured claim takes, each from another webhook: so a claim is the same work
	// whatever there is beside it.
	scaleClaim = 10
	// scaleClaims is how many are measured in a round.
	scaleClaims = 100
	// scaleLanes share a backlog.
	scaleLanes = 100
)

func benchScale(ctx context.Context, o options) (*figures, error) {
	senders := &figures{}
	for _, n := range []int{1, 2, 4} {
		var rates []float64
		for range min(o.rounds, 3) {
			rate, err := scaleSenders(ctx, o, n)
			if err != nil {
				return nil, err
			}
			rates = append(rates, rate)
		}
		senders.add(strconv.Itoa(n), int(median(rates)))
		progress("%d senders: %.0f/s", n, median(rates))
	}
	webhooks := &figures{}
	for _, n := range []int{10, 1000, 100_000} {
		us, err := scaleClaimCost(ctx, o, n, max(n, 2*scaleClaim*scaleClaims*o.rounds))
		if err != nil {
			return nil, err
		}
		webhooks.add(strconv.Itoa(n), round3(us))
		progress("%d webhooks: %.1f us a claim", n, us)
	}
	backlog := &figures{}
	for _, n := range []int{10_000, 1_000_000} {
		us, err := scaleClaimCost(ctx, o, scaleLanes, n)
		if err != nil {
			return nil, err
		}
		backlog.add(strconv.Itoa(n), round3(us))
		progress("backlog of %d: %.1f us a claim", n, us)
	}
	f := &figures{}
	f.add("senders", senders)
	f.add("claim_us", webhooks)
	f.add("backlog_us", backlog)
	return f, nil
}

// scaleSenders measures how fast so many processes deliver a backlog of all accounts.
func scaleSenders(ctx context.Context, o options, n int) (rate float64, err error) {
	k, addr, err := startSink(ctx, sinkSettings{})
	if err != nil {
		return 0, err
	}
	defer k.stop()
	s, err := newStage(ctx, o.aof, senderConfig(o.c))
	if err != nil {
		return 0, err
	}
	defer s.close()
	batch := make([]sender.Event, o.n/chaosAccounts)
	for i := range batch {
		batch[i] = sender.Event{Type: typeName(0), Data: dataOf(o.size, 0)}
	}
	for i := range chaosAccounts {
		account := chaosAccount(i)
		if _, err := createWebhook(ctx, s.sender, account, "http://"+addr+"/"+strconv.Itoa(i), "*"); err != nil {
			return 0, err
		}
		if err := publishBatch(ctx, s.sender, account, batch); err != nil {
			return 0, err
		}
	}
	var all []*child
	for range n {
		c, err := startSender(ctx, s.senders(o))
		if err != nil {
			return 0, err
		}
		defer c.stop()
		all = append(all, c)
	}
	began := time.Now()
	for _, c := range all {
		if err := c.say("go"); err != nil {
			return 0, err
		}
	}
	total := o.n / chaosAccounts * chaosAccounts
	counts, err := waitFor(ctx, k, total)
	if err != nil {
		return 0, err
	}
	if counts.Events < total {
		return 0, fmt.Errorf("only %d of %d arrived", counts.Events, total)
	}
	return float64(total) / time.Since(began).Seconds(), nil
}

// scaleClaimCost measures what a claim costs Redis, in microseconds, where so many webhooks of one shard share a backlog.
func scaleClaimCost(ctx context.Context, o options, webhooks, backlog int) (float64, error) {
	server, err := startRedis(ctx, "off")
	if err != nil {
		return 0, err
	}
	defer server.Close()
	store, err := redisstore.Open(config.Redis{URL: server.Redis().URL, Timeout: time.Minute}, "", nil)
	if err != nil {
		return 0, err
	}
	defer store.Close()
	c := config.Sender{}
	c.SetDefaults()
	q := queue.New(store, queue.Limits{
		Kept: c.RetentionSucceeded, KeptDead: c.RetentionFailed, IDLifetime: config.EventIDLifetime, LogLength: c.HistoryEntries, LogAge: c.HistoryAge,
		InFlight: c.PerWebhook, Pending: 2_000_000, MaxAge: c.MaxAge, RetrySpan: time.Hour,
	}, queue.ShardTags(store.Prefix()))
	if err := scaleFill(ctx, store, q, webhooks, backlog); err != nil {
		return 0, err
	}
	var costs []float64
	for range o.rounds * scaleClaims {
		n, err := q.Measure(ctx, 0, scaleClaim, func(claim func()) {
			server.c.ConfigResetStat(ctx)
			claim()
			costs = append(costs, server.spentOn(ctx, "evalsha")+server.spentOn(ctx, "eval"))
		})
		if err != nil {
			return 0, err
		}
		if n != scaleClaim {
			return 0, fmt.Errorf("a claim got %d jobs, not %d", n, scaleClaim)
		}
	}
	return median(costs), nil // not the mean: a claim in the middle of which the machine did something else says nothing
}

// scaleFill spreads a backlog over webhooks of one shard. Jobs of one event share its payload, as in a fan-out.
func scaleFill(ctx context.Context, store *redisstore.Store, q *queue.Queue, webhooks, backlog int) error {
	const group = 10 // webhooks that get the same events
	pipe := store.Client().Pipeline()
	lane := func(i int) string { return fmt.Sprintf("%026d", i) }
	for i := range webhooks {
		pipe.HSet(ctx, q.Key(0, queue.KeyConf, lane(i)), queue.FieldStatus, "active", queue.FieldMeta, "settings of a webhook, about as long as they are in truth")
		pipe.SAdd(ctx, q.Key(0, queue.KeyTopic, "group-"+strconv.Itoa(i/group)), lane(i))
		if pipe.Len() >= 2000 || i == webhooks-1 {
			if _, err := pipe.Exec(ctx); err != nil {
				return err
			}
		}
	}
	payload := string(dataOf(256, 0))
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
		if err := errors.Join(errs...); err != nil {
			return fmt.Errorf("filling: %w", err)
		}
	}
	return nil
}

// spentOn is how many microseconds a command has cost Redis.
func (s *redisServer) spentOn(ctx context.Context, command string) float64 {
	text, _ := s.c.Info(ctx, "commandstats").Result()
	return statField(text, "cmdstat_"+command+":", "usec=")
}

// statField reads one number of one line of INFO commandstats.
func statField(text, line, field string) float64 {
	for l := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(l, line)
		if !ok {
			continue
		}
		for part := range strings.SplitSeq(strings.TrimSpace(rest), ",") {
			if v, ok := strings.CutPrefix(part, field); ok {
				n, _ := strconv.ParseFloat(v, 64)
				return n
			}
		}
	}
	return 0
}
