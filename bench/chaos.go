package main

import (
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
	"github.com/videocloud/webhooks/receiver"
	"github.com/videocloud/webhooks/sender"
	"github.com/videocloud/webhooks/store"
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

// chaos is one run.
type chaos struct {
	o       options
	servers *topology.Servers
	redis   config.Redis
	wire    *arrivals // at the endpoint: deliveries that the sender was told are done
	app     *arrivals // behind the gateway
	mix     *mix      // nil: all webhooks are plain
	faults  faults
	kills   int // of senders
	restart int // of servers

	senders []*child

	published, refused, unanswered atomic.Int64
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
	servers, err := topology.Start(ctx, topology.Kind(o.topology), "--appendonly", yesUnless(o.aof, "off"), "--appendfsync", fsync(o.aof))
	if err != nil {
		return nil, err
	}
	defer servers.Close()
	c := &chaos{o: o, servers: servers, redis: servers.Redis(),
		wire: &arrivals{first: map[string]time.Time{}}, app: &arrivals{first: map[string]time.Time{}}}
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

	publishing, stop := context.WithCancel(ctx)
	var publishers sync.WaitGroup
	for i := range o.c {
		publishers.Go(func() { c.publish(publishing, publisher, i) })
	}
	err = c.rage(ctx)
	stop()
	publishers.Wait()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	for end := began.Add(chaosDrain); time.Now().Before(end) && c.wire.count() < c.due() && ctx.Err() == nil; {
		time.Sleep(20 * time.Millisecond)
	}
	drained := time.Since(began)
	c.settle(ctx, store) // what comes twice comes after its lease

	f := &figures{}
	published, delivered := int(c.published.Load()), c.wire.count()
	f.add("published", published)
	f.add("delivered", delivered)
	f.add("lost", c.due()-delivered)
	f.add("duplicates", len(c.wire.copies))
	f.add("sender_kills", c.kills)
	f.add("redis_restarts", c.restart)
	f.add("duplicates_percent", round3(float64(len(c.wire.copies))*100/math.Max(1, float64(published))))
	f.add("duplicates_by_cause", c.wire.byCause(&c.faults))
	f.add("app_duplicates", len(c.app.copies))
	f.add("app_duplicates_by_cause", c.app.byCause(&c.faults))
	f.add("publish_refused", c.refused.Load())
	f.add("gateway_store_errors", c.unanswered.Load())
	for _, cause := range []string{causePause, causeFreeze, causeSenderFreeze, causeFlush, causeCut} {
		f.add(cause, c.faults.count(cause))
	}
	c.mix.figures(f)
	f.add("topology", o.topology)
	f.add("seconds", o.seconds)
	f.add("drain_s", round3(drained.Seconds()))
	return f, nil
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

func yesUnless(value, no string) string {
	if value == no {
		return "no"
	}
	return "yes"
}

func fsync(aof string) string {
	if aof == "off" {
		return "everysec"
	}
	return aof
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
	s, err := start(ctx, "sender", senderSettings{Redis: c.redis, Limits: c.limits()})
	if err != nil {
		return nil, err
	}
	var ready string
	if err := s.hear(&ready); err != nil {
		return nil, err
	}
	return s, s.say("go")
}

// gateway serves all webhooks through a receiver, whose claims are in the same Redis.
func (c *chaos) gateway(ctx context.Context) (addr string, stop func(), err error) {
	store, err := store.Open(c.redis, store.Options{})
	if err != nil {
		return "", nil, err
	}
	claims := receiver.NewRedis(store, "chaos", receiver.RedisOptions{Guard: receiver.GuardOptions{
		OnError: func(string, error) { c.unanswered.Add(1) },
	}})
	r, err := receiver.New(receiver.Options{Config: config.Receiver{Name: "chaos", Secrets: []string{benchSecret}}, Store: claims})
	if err != nil {
		return "", nil, err
	}
	handler := r.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cause := ""
		if claims.Down() {
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
		return "", nil, err
	}
	go func() { _ = server.Serve(l) }()
	return l.Addr().String(), func() {
		_ = server.Close()
		_ = r.Close()
		_ = claims.Close()
		_ = store.Close()
	}, nil
}

// publish publishes at its share of the rate. What is refused is published again, with the same ID, until it is taken:
// also after the faults, for it may be stored all the same.
func (c *chaos) publish(ctx context.Context, s *sender.Sender, publisher int) {
	data := dataOf(c.o.size, 0)
	tick := time.NewTicker(time.Second * time.Duration(c.o.c) / chaosRate)
	defer tick.Stop()
	for n := publisher; ; n += c.o.c {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		event := sender.Event{Type: "bench.e0", ID: chaosID(n), Data: c.mix.data(data, n)}
		for {
			if p, err := s.Publish(context.WithoutCancel(ctx), chaosAccount(n), event); err == nil {
				c.mix.told(n, len(p.Deliveries))
				c.published.Add(1)
				break
			}
			c.refused.Add(1)
			time.Sleep(50 * time.Millisecond)
		}
	}
}
