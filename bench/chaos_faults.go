package main

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/videocloud/webhooks/internal/topology"
)

// Causes of duplicates, as the figures name them.
const (
	causeKill         = "sender_kills"
	causeRestart      = "redis_restarts"
	causePause        = "client_pauses"
	causeFreeze       = "redis_freezes"
	causeSenderFreeze = "sender_freezes"
	causeFlush        = "script_flushes"
	causeCut          = "connection_cuts"
	causeRevoke       = "token_revocations" // where there is a mix
	// causeOutage is told by the gateway, which does without a store that doesn't answer in 250 ms (on_store_error local).
	causeOutage = "store_outage"
)

// In seconds: of a minute, 12 senders are killed, and 4 servers.
const (
	killEvery    = 5
	restartEvery = 15
	pauseTime    = 800 * time.Millisecond
)

// injectFaults does something to the system in most seconds.
func (c *chaos) injectFaults(ctx context.Context) error {
	var restarts sync.WaitGroup
	defer restarts.Wait()
	var failed firstError
	err := c.eachSecond(ctx, func(second int) error {
		if err := failed.get(); err != nil {
			return err
		}
		switch {
		case second%killEvery == 2:
			return c.killSender(ctx, second/killEvery%chaosSenders)
		case second%restartEvery == 6:
			restarts.Wait()
			c.serverRestarts++
			restarts.Go(func() { failed.set(c.killServer(ctx)) })
		case second%killEvery == 0:
			c.onMasters(ctx, causeFlush, func(redis *redis.Client) { redis.ScriptFlush(ctx) }, 0)
		case second%10 == 3:
			c.onMasters(ctx, causeCut, func(redis *redis.Client) {
				redis.ClientKillByFilter(ctx, "TYPE", "normal", "SKIPME", "yes")
				redis.ClientKillByFilter(ctx, "TYPE", "pubsub")
			}, 0)
		case second%20 == 8:
			c.onMasters(ctx, causePause, func(redis *redis.Client) { redis.ClientPause(ctx, pauseTime) }, pauseTime)
		case second%20 == 18:
			// Longer than the others wait for it, where there are others: then one of them takes its place.
			if masters := c.servers.Masters(ctx); len(masters) > 0 && c.servers.Whole(ctx) {
				c.faults.record(causeFreeze, func() {
					masters[0].Freeze()
					time.Sleep(1500 * time.Millisecond)
					masters[0].Thaw()
				})
			}
		case second%20 == 14 && c.mix != nil:
			c.faults.record(causeRevoke, c.mix.revokeTokens)
		case second%20 == 4:
			c.faults.record(causeSenderFreeze, func() {
				s := c.senders[0]
				freeze(s.cmd.Process)
				time.Sleep(time.Second)
				thaw(s.cmd.Process)
			})
		}
		return nil
	})
	restarts.Wait()
	return cmp.Or(err, failed.get())
}

// onMasters runs a fault on all servers that take writes, and waits until it is over.
func (c *chaos) onMasters(ctx context.Context, cause string, do func(*redis.Client), lasts time.Duration) {
	c.faults.record(cause, func() {
		for _, n := range c.servers.Masters(ctx) {
			do(n.Client())
		}
		time.Sleep(lasts)
	})
}

// killSender kills a sender with what it has in flight, and starts another.
func (c *chaos) killSender(ctx context.Context, i int) error {
	var err error
	c.faults.record(causeKill, func() {
		c.senders[i].kill()
		c.senderKills++
		c.senders[i], err = c.startSender(ctx)
	})
	return err
}

// killServer kills a master and starts it again, where there are replicas once one has taken its place. It waits until
// all servers follow each other again: the promise speaks of one failure at a time.
func (c *chaos) killServer(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := c.waitUntilWhole(ctx); err != nil {
		return err
	}
	masters := c.servers.Masters(ctx)
	dead := masters[c.serverRestarts%len(masters)]
	var err error
	c.faults.record(causeRestart, func() {
		dead.Kill()
		for c.servers.Kind != topology.Single && len(c.servers.Masters(ctx)) < len(masters) && ctx.Err() == nil {
			time.Sleep(50 * time.Millisecond)
		}
		if err = dead.Up(ctx); err == nil {
			err = c.waitUntilWhole(ctx)
		}
	})
	return err
}

func (c *chaos) waitUntilWhole(ctx context.Context) error {
	for !c.servers.Whole(ctx) {
		if ctx.Err() != nil {
			return fmt.Errorf("the servers don't find together again: %w", ctx.Err())
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil
}
