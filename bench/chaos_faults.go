package main

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

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
	causeRevoke       = "token_revocations" // of the mix
	// causeOutage is the gateway's own: it does without a store that doesn't answer in 250 ms (on_store_error local).
	causeOutage = "store_outage"
)

// Of a minute: 12 senders are killed, and 4 servers.
const (
	killEvery    = 5
	restartEvery = 15
)

// rage does something bad every second.
func (c *chaos) rage(ctx context.Context) error {
	var restarts sync.WaitGroup
	defer restarts.Wait()
	var failed errorOnce
	err := c.eachSecond(ctx, func(second int) error {
		if err := failed.get(); err != nil {
			return err
		}
		switch {
		case second%killEvery == 2:
			return c.killSender(ctx, second/killEvery%chaosSenders)
		case second%restartEvery == 6:
			restarts.Wait()
			c.restart++
			restarts.Go(func() { failed.set(c.killServer(ctx)) })
		case second%killEvery == 0:
			c.faults.during(causeFlush, func() {
				for _, n := range c.servers.Masters(ctx) {
					n.Client().ScriptFlush(ctx)
				}
			})
		case second%10 == 3:
			c.faults.during(causeCut, func() {
				for _, n := range c.servers.Masters(ctx) {
					n.Client().ClientKillByFilter(ctx, "TYPE", "normal", "SKIPME", "yes")
					n.Client().ClientKillByFilter(ctx, "TYPE", "pubsub")
				}
			})
		case second%20 == 8:
			c.faults.during(causePause, func() {
				for _, n := range c.servers.Masters(ctx) {
					n.Client().Do(ctx, "CLIENT", "PAUSE", 800, "ALL")
				}
				time.Sleep(800 * time.Millisecond)
			})
		case second%20 == 18:
			// Longer than the others wait for it, where there are others: then one of them takes its place.
			if masters := c.servers.Masters(ctx); len(masters) > 0 && c.servers.Whole(ctx) {
				c.faults.during(causeFreeze, func() {
					masters[0].Freeze()
					time.Sleep(1500 * time.Millisecond)
					masters[0].Thaw()
				})
			}
		case second%20 == 14 && c.mix != nil:
			c.faults.during(causeRevoke, c.mix.revoke)
		case second%20 == 4:
			c.faults.during(causeSenderFreeze, func() {
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

// killSender kills a sender with what it has in flight, and starts another.
func (c *chaos) killSender(ctx context.Context, which int) error {
	var err error
	c.faults.during(causeKill, func() {
		c.senders[which].kill()
		c.kills++
		c.senders[which], err = c.startSender(ctx)
	})
	return err
}

// killServer kills a master and starts it again, where there are replicas once one has taken its place. It waits until
// all servers follow each other again: the promise speaks of one failure at a time.
func (c *chaos) killServer(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := c.whole(ctx); err != nil {
		return err
	}
	masters := c.servers.Masters(ctx)
	dead := masters[c.restart%len(masters)]
	var err error
	c.faults.during(causeRestart, func() {
		dead.Kill()
		for c.servers.Kind != topology.Single && len(c.servers.Masters(ctx)) < len(masters) && ctx.Err() == nil {
			time.Sleep(50 * time.Millisecond)
		}
		if err = dead.Up(ctx); err == nil {
			err = c.whole(ctx)
		}
	})
	return err
}

func (c *chaos) whole(ctx context.Context) error {
	for !c.servers.Whole(ctx) {
		if ctx.Err() != nil {
			return fmt.Errorf("the servers don't find together again: %w", ctx.Err())
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil
}
