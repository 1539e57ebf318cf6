package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
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
	chaosSeconds = 60 // of faults; the draining comes on top
	chaosDrain   = 2 * time.Minute
	chaosRate    = 400 // events a second
	chaosSenders = 2
	// chaosAnswer is how long the app takes, so that a sender always dies with attempts in flight.
	chaosAnswer = 5 * time.Millisecond
	// chaosWorkers bounds what one kill can double.
	chaosWorkers = 16
	// chaosAccounts live on every node of a cluster. Each has one webhook, so that events and deliveries are as many.
	chaosAccounts = 48
)

// chaosRetry makes a refused attempt, such as one whose event a gateway still has in work, not last for minutes.
var chaosRetry = []time.Duration{0, time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second}

// chaosRun is what every run of chaos counts.
type chaosRun struct {
	o      options
	wire   *arrivals // at the endpoint: deliveries that the sender was told are done
	faults faults

	published, refused atomic.Int64
}

func newChaosRun(o options) chaosRun { return chaosRun{o: o, wire: newArrivals()} }

// chaos is one run on servers that are killed, frozen and cut off.
type chaos struct {
	chaosRun
	servers *topology.Servers
	redis   config.Redis
	app     *arrivals // behind the gateway
	mix     *mix      // nil: all webhooks are plain
	kills   int       // of senders
	restart int       // of servers

	senders []*child

	unanswered atomic.Int64
}

// due is how many deliveries there have to be.
func (c *chaos) due() int { return int(c.published.Load()) - c.mix.kept() }

func benchChaos(ctx context.Context, o options) (*figures, error) {
	if o.seconds == 0 {
		o.seconds = chaosSeconds
	}
	if o.topology == topologyLocal {
		if o.mix {
			return nil, errors.New("-mix goes with the topologies single, sentinel and cluster")
		}
		return benchChaosLocal(ctx, o)
	}
	durable, err := appendOnly(o.aof)
	if err != nil {
		return nil, err
	}
	servers, err := topology.Start(ctx, topology.Kind(o.topology), durable...)
	if err != nil {
		return nil, err
	}
	defer servers.Close()
	c := &chaos{chaosRun: newChaosRun(o), servers: servers, redis: servers.Redis(), app: newArrivals()}
	if servers.Kind != topology.Single {
		c.redis.Replicas = 1 // what a fail-over may not lose
	}
	if o.mix {
		var closeTokens func()
		if c.mix, closeTokens, err = newMix(); err != nil {
			return nil, err
		}
		defer closeTokens()
	}
	addr, closeGateway, err := c.gateway(ctx)
	if err != nil {
		return nil, err
	}
	defer closeGateway()
	publisher, store, err := openSender(c.redis, c.limits())
	if err != nil {
		return nil, err
	}
	defer store.Close()
	for i := range chaosAccounts {
		w := sender.NewWebhook{Settings: sender.Settings{URL: "http://" + addr + "/" + strconv.Itoa(i), Events: []string{"*"}}, Secret: benchSecret}
		c.mix.into(&w, i)
		if _, _, err := publisher.CreateWebhook(ctx, chaosAccount(i), w); err != nil {
			return nil, fmt.Errorf("registering: %w", err)
		}
	}
	for range chaosSenders {
		s, err := c.startSender(ctx)
		if err != nil {
			return nil, err
		}
		c.senders = append(c.senders, s)
	}
	defer func() {
		for _, s := range c.senders {
			s.stop()
		}
	}()

	drained, err := c.through(ctx, c.rage, func(publishing context.Context, i int) error {
		c.publish(publishing, publisher, i)
		return nil
	}, c.due)
	if err != nil {
		return nil, err
	}
	c.settle(ctx, store) // what comes twice comes after its lease

	f := c.figures(c.due())
	f.add("sender_kills", c.kills)
	f.add("redis_restarts", c.restart)
	f.add("app_duplicates", len(c.app.copies))
	f.add("app_duplicates_by_cause", c.app.byCause(&c.faults))
	f.add("gateway_store_errors", c.unanswered.Load())
	for _, cause := range []string{causePause, causeFreeze, causeSenderFreeze, causeFlush, causeCut} {
		f.add(cause, c.faults.count(cause))
	}
	c.mix.figures(f)
	f.add("drain_s", round3(drained.Seconds()))
	return f, nil
}

// through publishes by as many publishers as -c says while there are faults, then waits until what is due has come, and returns how
// long that took.
func (c *chaosRun) through(ctx context.Context, rage func(context.Context) error, publish func(ctx context.Context, publisher int) error, due func() int) (time.Duration, error) {
	publishing, stop := context.WithCancel(ctx)
	defer stop()
	var publishers sync.WaitGroup
	var failed errorOnce
	for i := range c.o.c {
		publishers.Go(func() { failed.set(publish(publishing, i)) })
	}
	err := rage(ctx)
	stop()
	publishers.Wait()
	if err = cmp.Or(err, failed.get()); err != nil {
		return 0, err
	}
	began := time.Now()
	for end := began.Add(chaosDrain); time.Now().Before(end) && c.wire.count() < due() && ctx.Err() == nil; {
		time.Sleep(20 * time.Millisecond)
	}
	return time.Since(began), nil
}

// eachTick calls do with one publisher's numbers of events, at its share of the rate, until the context ends.
func (c *chaosRun) eachTick(ctx context.Context, publisher int, do func(n int) error) error {
	tick := time.NewTicker(time.Second * time.Duration(c.o.c) / chaosRate)
	defer tick.Stop()
	for n := publisher; ; n += c.o.c {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := do(n); err != nil {
			return err
		}
	}
}

// eachSecond calls do for as long as there are faults.
func (c *chaosRun) eachSecond(ctx context.Context, do func(second int) error) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for second := range c.o.seconds {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if second%10 == 0 {
			progress("second %d: %d published, %d delivered", second, c.published.Load(), c.wire.count())
		}
		if err := do(second); err != nil {
			return err
		}
	}
	return nil
}

// figures are those of every run.
func (c *chaosRun) figures(due int) *figures {
	f := &figures{}
	published, delivered := int(c.published.Load()), c.wire.count()
	f.add("published", published)
	f.add("delivered", delivered)
	f.add("lost", due-delivered)
	f.add("duplicates", len(c.wire.copies))
	f.add("duplicates_percent", round3(float64(len(c.wire.copies))*100/math.Max(1, float64(published))))
	f.add("duplicates_by_cause", c.wire.byCause(&c.faults))
	f.add("publish_refused", c.refused.Load())
	f.add("topology", c.o.topology)
	f.add("seconds", c.o.seconds)
	return f
}

// settle waits until nothing is leased any more.
func (c *chaos) settle(ctx context.Context, store *redisstore.Store) {
	tag := queue.ShardTags(store.Prefix())
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end) && ctx.Err() == nil; {
		left := int64(0)
		for shard := range config.DefaultShards {
			n, err := store.Client().ZCard(ctx, queue.InTag(tag(shard), queue.KeyLeases)).Result()
			if err != nil {
				n = 1
			}
			left += n
		}
		if left == 0 {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

const chaosPrefix = "chaos-" // of the events' IDs

func chaosID(n int) string { return chaosPrefix + strconv.Itoa(n) }

func chaosAccount(i int) string { return "account-" + strconv.Itoa(i%chaosAccounts) }

func (c *chaos) limits() config.Sender {
	limits := senderConfig(chaosWorkers)
	limits.Retry = chaosRetry
	return limits
}

func (c *chaos) startSender(ctx context.Context) (*child, error) {
	return startDelivering(ctx, senderSettings{Redis: c.redis, Limits: c.limits()})
}

// gateway serves all webhooks through a receiver, whose claims are in the same Redis.
func (c *chaos) gateway(ctx context.Context) (addr string, stop func(), err error) {
	g, err := openGateway(c.redis, "chaos", &c.unanswered)
	if err != nil {
		return "", nil, err
	}
	handler := g.handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cause := ""
		if g.claims.Down() {
			cause = causeOutage
		}
		c.app.add(arrivalKey(r), time.Now(), cause)
		time.Sleep(chaosAnswer)
	}))
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !c.mix.admits(w, r) {
			return
		}
		key := arrivalKey(r)
		s := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		handler.ServeHTTP(s, r)
		if s.status < 300 {
			c.wire.add(key, time.Now(), "")
		}
	})}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		g.close()
		return "", nil, err
	}
	go func() { _ = server.Serve(l) }()
	return l.Addr().String(), func() {
		_ = server.Close()
		g.close()
	}, nil
}

// publish publishes at its share of the rate. What is refused is published again, with the same ID, until it is taken:
// also after the faults, for it may be stored all the same.
func (c *chaos) publish(ctx context.Context, s *sender.Sender, publisher int) {
	data := dataOf(c.o.size, 0)
	_ = c.eachTick(ctx, publisher, func(n int) error {
		event := sender.Event{Type: typeName(0), ID: chaosID(n), Data: c.mix.data(data, n)}
		for {
			p, err := s.Publish(context.WithoutCancel(ctx), chaosAccount(n), event)
			if err == nil {
				c.mix.told(n, len(p.Deliveries))
				c.published.Add(1)
				return nil
			}
			c.refused.Add(1)
			time.Sleep(50 * time.Millisecond)
		}
	})
}
