package main

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/queue"
	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/internal/topology"
	"github.com/videocloud/webhooks/sender"
)

func init() {
	benchmarks["chaos"] = benchmark{"what is lost and doubled while senders and Redis are killed, frozen and cut off", 0, 16, benchChaos}
}

const (
	chaosSeconds = 60 // of faults, before the time in which what is left arrives
	chaosDrain   = 2 * time.Minute
	chaosRate    = 400 // events a second
	chaosSenders = 2
	// chaosAnswer is how long the app takes, so that a sender always dies with attempts in flight.
	chaosAnswer = 5 * time.Millisecond
	// chaosConcurrency bounds how many deliveries one killed sender can double.
	chaosConcurrency = 16
	// chaosAccounts live on every node of a cluster. Each has one webhook, so that events and deliveries are as many.
	chaosAccounts = 48
	chaosPrefix   = "chaos-" // of the events' IDs
)

// chaosRetry is shorter than the sender's default, as an attempt whose event a gateway still has in work is refused, and would
// else wait for minutes.
var chaosRetry = []time.Duration{0, time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second}

func chaosID(n int) string { return chaosPrefix + strconv.Itoa(n) }

func chaosAccount(i int) string { return "account-" + strconv.Itoa(i%chaosAccounts) }

// chaosRun is what every run of chaos counts.
type chaosRun struct {
	options
	delivered *arrivals // answered with success at the endpoint, so that the sender takes the deliveries for done
	faults    faults

	published, refused atomic.Int64
}

func newChaosRun(o options) chaosRun { return chaosRun{options: o, delivered: newArrivals()} }

// chaos is one run on servers that are killed, frozen and cut off.
type chaos struct {
	chaosRun
	servers *topology.Servers
	redis   config.Redis
	handled *arrivals // by the app behind the gateway
	mix     *mix      // nil: all webhooks are plain
	senders []*child

	senderKills, serverRestarts int
	storeErrors                 atomic.Int64 // of the gateway
}

// expected is how many deliveries there have to be.
func (c *chaos) expected() int { return int(c.published.Load()) - c.mix.filteredOut() }

func benchChaos(ctx context.Context, o options) *figures {
	o.seconds = cmp.Or(o.seconds, chaosSeconds)
	if o.topology == topologyLocal {
		if o.mix {
			check(errors.New("-mix goes with the topologies single, sentinel and cluster"))
		}
		return benchChaosLocal(ctx, o)
	}
	durable := must(appendOnly(o.aof))
	servers := must(topology.Start(ctx, topology.Kind(o.topology), durable...))
	defer servers.Close()
	c := &chaos{chaosRun: newChaosRun(o), servers: servers, redis: servers.Redis(), handled: newArrivals()}
	if servers.Kind != topology.Single {
		c.redis.Replicas = 1 // what a fail-over may not lose
	}
	if o.mix {
		mix, stopTokens, err := newMix()
		check(err)
		defer stopTokens()
		c.mix = mix
	}
	addr, stopGateway, err := c.serveGateway()
	check(err)
	defer stopGateway()
	publisher, store, err := openSender(c.redis, c.limits())
	check(err)
	defer store.Close()
	for i := range chaosAccounts {
		w := sender.NewWebhook{Settings: sender.Settings{URL: "http://" + addr + "/" + strconv.Itoa(i), Events: []string{"*"}}, Secret: benchSecret}
		c.mix.configure(&w, i)
		_, _, err := publisher.CreateWebhook(ctx, chaosAccount(i), w)
		check(err, "registering")
	}
	defer func() {
		for _, s := range c.senders {
			s.stop()
		}
	}()
	for range chaosSenders {
		c.senders = append(c.senders, must(c.startSender(ctx)))
	}

	publish := func(ctx context.Context, i int) error { return c.publish(ctx, publisher, i) }
	drained := must(c.publishDuringFaults(ctx, c.injectFaults, publish, c.expected))
	check(c.waitForLeases(ctx, store)) // what comes twice comes after its lease
	f := c.figures(c.expected())
	f.add("sender_kills", c.senderKills)
	f.add("redis_restarts", c.serverRestarts)
	f.add("app_duplicates", len(c.handled.copies))
	f.add("app_duplicates_by_cause", c.handled.byCause(&c.faults))
	f.add("gateway_store_errors", c.storeErrors.Load())
	for _, cause := range []string{causePause, causeFreeze, causeSenderFreeze, causeFlush, causeCut} {
		f.add(cause, c.faults.count(cause))
	}
	c.mix.addFigures(f)
	f.add("drain_s", threeDecimals(drained.Seconds()))
	return f
}

// publishDuringFaults has as many publishers as -c says publish while there are faults, then waits until the expected deliveries
// have arrived, and returns how long that took.
func (c *chaosRun) publishDuringFaults(ctx context.Context, injectFaults func(context.Context) error,
	publish func(ctx context.Context, publisher int) error, expected func() int,
) (time.Duration, error) {
	publishing, stop := context.WithCancel(ctx)
	defer stop()
	var publishers sync.WaitGroup
	var failed firstError
	for i := range c.c {
		publishers.Go(func() { failed.set(publish(publishing, i)) })
	}
	err := injectFaults(ctx)
	stop()
	publishers.Wait()
	if err = cmp.Or(err, failed.get()); err != nil {
		return 0, err
	}
	began := time.Now()
	err = waitUntil(ctx, chaosDrain, 20*time.Millisecond, func() (bool, error) { return c.delivered.count() >= expected(), nil })
	return time.Since(began), err
}

// eachEvent calls do with the numbers of one publisher's events, at its share of the rate, until the context ends.
func (c *chaosRun) eachEvent(ctx context.Context, publisher int, do func(n int) error) error {
	for i := range ticks(ctx, time.Second*time.Duration(c.c)/chaosRate) {
		if err := do(publisher + i*c.c); err != nil {
			return err
		}
	}
	return nil
}

// eachSecond calls do for as long as there are faults.
func (c *chaosRun) eachSecond(ctx context.Context, do func(second int) error) error {
	for second := range ticks(ctx, time.Second) {
		if second%10 == 0 {
			progress("second %d: %d published, %d delivered", second, c.published.Load(), c.delivered.count())
		}
		if err := do(second); err != nil {
			return err
		}
		if second == c.seconds-1 {
			break
		}
	}
	return ctx.Err()
}

// figures are those of every run.
func (c *chaosRun) figures(expected int) *figures {
	f := &figures{}
	published, delivered, duplicates := int(c.published.Load()), c.delivered.count(), len(c.delivered.copies)
	f.add("published", published)
	f.add("delivered", delivered)
	f.add("lost", expected-delivered)
	f.add("duplicates", duplicates)
	f.add("duplicates_percent", threeDecimals(float64(duplicates)*100/float64(max(1, published))))
	f.add("duplicates_by_cause", c.delivered.byCause(&c.faults))
	f.add("publish_refused", c.refused.Load())
	f.add("topology", c.topology)
	f.add("seconds", c.seconds)
	return f
}

// waitForLeases waits until no job is leased any more, for 20 seconds at most.
func (c *chaos) waitForLeases(ctx context.Context, store *redisstore.Store) error {
	tag := queue.ShardTags(store.Prefix())
	return waitUntil(ctx, 20*time.Second, 100*time.Millisecond, func() (bool, error) {
		for shard := range config.DefaultShards {
			if n, err := store.Client().ZCard(ctx, queue.InTag(tag(shard), queue.KeyLeases)).Result(); err != nil || n > 0 {
				return false, nil // a store that does not answer may hold some
			}
		}
		return true, nil
	})
}

func (c *chaos) limits() config.Sender {
	limits := senderConfig(chaosConcurrency)
	limits.Retry = chaosRetry
	return limits
}

func (c *chaos) startSender(ctx context.Context) (*child, error) {
	return startAndGo(ctx, "sender", senderSettings{Redis: c.redis, Limits: c.limits()})
}

// serveGateway serves all webhooks through a receiver, whose claims are in the same Redis.
func (c *chaos) serveGateway() (addr string, stop func(), err error) {
	g, err := openGateway(c.redis, "chaos", &c.storeErrors)
	if err != nil {
		return "", nil, err
	}
	handler := g.handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cause := ""
		if g.claims.Down() {
			cause = causeOutage
		}
		c.handled.add(arrivalKey(r), cause)
		time.Sleep(chaosAnswer)
	}))
	addr, stopServer, err := serveHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !c.mix.admit(w, r) {
			return
		}
		key := arrivalKey(r)
		s := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		handler.ServeHTTP(s, r)
		if s.status < 300 {
			c.delivered.add(key, "")
		}
	}))
	if err != nil {
		g.close()
		return "", nil, err
	}
	return addr, func() {
		stopServer()
		g.close()
	}, nil
}

// publish publishes at its share of the rate. What is refused is published again, with the same ID, until it is taken:
// also after the faults, for it may be stored all the same.
func (c *chaos) publish(ctx context.Context, s *sender.Sender, publisher int) error {
	data := eventData(c.size, 0)
	return c.eachEvent(ctx, publisher, func(n int) error {
		event := sender.Event{Type: typeName(0), ID: chaosID(n), Data: c.mix.data(data, n)}
		for {
			p, err := s.Publish(context.WithoutCancel(ctx), chaosAccount(n), event)
			if err == nil {
				c.mix.countPublished(n, len(p.Deliveries))
				c.published.Add(1)
				return nil
			}
			c.refused.Add(1)
			time.Sleep(50 * time.Millisecond)
		}
	})
}
