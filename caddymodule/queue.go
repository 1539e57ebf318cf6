package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/receiver"
)

// namedQueue is the queue of one receiver of a configuration.
type namedQueue struct {
	name, shape string
	*receiver.Queue
}

// enqueuer makes the queue of r, which the app starts and stops. Its events take the deliver routes as if they had
// just arrived at the server that r belongs to, so delivery has everything that Caddy's own proxying has.
//
// Receivers of one name share one queue, which has to be alike in all of them.
func (a *App) enqueuer(ctx caddy.Context, r *Receiver, c *config.Receiver, shape string) (receiver.Enqueuer, error) {
	for _, q := range a.queues {
		switch {
		case q.name != c.Name:
		case q.shape != shape:
			return nil, differentQueues(c.Name, "another receiver's queue")
		case !r.DryRun:
			return q.Queue, nil
		}
	}
	server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok {
		return nil, errors.New("queue: a receiver with a queue belongs into a site's routes")
	}
	if err := r.Queue.Deliver.Provision(ctx); err != nil {
		return nil, fmt.Errorf("queue: deliver: %w", err)
	}
	routes := r.Queue.Deliver.Compile(endOfRoutes)
	bring := deliver(func(w http.ResponseWriter, req *http.Request) error {
		repl := caddy.NewReplacer()
		shown := shownOutcome{queuedOutcome(c, req.Header)}
		repl.Map(shown.placeholder)
		req = caddyhttp.PrepareRequest(req, repl, w, server)
		return orNoApp(req, failure(routes.ServeHTTP(w, req)))
	})
	q, err := receiver.NewQueue(receiver.QueueOptions{
		Config: *c.Queue, Store: a.store, Name: c.Name, Logger: slogger(ctx), Deliver: bring.shown(c),
	})
	if err != nil {
		return nil, err
	}
	if _, shared := a.queue(c.Name); shared {
		return q, nil // it accepts; what is accepted the first one delivers
	}
	a.queues = append(a.queues, namedQueue{c.Name, shape, q})
	return q, nil
}

// queuedOutcome is what the placeholders of a request that comes out of a queue show, as its headers kept it. Its key is
// known where its event has an ID.
func queuedOutcome(c *config.Receiver, h http.Header) *receiver.Outcome {
	o := &receiver.Outcome{Name: c.Name, Scheme: h.Get(config.HeaderVerified), ID: h.Get(config.HeaderID),
		Event: h.Get(config.HeaderEvent), Timestamp: h.Get(config.HeaderTimestamp)}
	if !c.Dedup.Off {
		o.Key = receiver.EventKey(c.Name, c.Scheme, o.ID).String()
	}
	return o
}

func (a *App) startQueues(ctx context.Context) {
	for _, q := range a.queues {
		q.Start(ctx)
	}
}

// stopQueues lets the attempts in flight end, in all queues at once.
func (a *App) stopQueues() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(a.ctx), stopGrace)
	defer cancel()
	stopped := make(chan struct{}, len(a.queues))
	for _, q := range a.queues {
		go func() {
			if err := q.Stop(ctx); err != nil {
				a.logger.Warn("a queue was cut off; what it was delivering will be delivered again", zap.String("webhook_name", q.name), zap.Error(err))
			}
			stopped <- struct{}{}
		}()
	}
	for range a.queues {
		<-stopped
	}
}

// queue returns the queue of the receivers of that name.
func (a *App) queue(name string) (*receiver.Queue, bool) {
	for _, q := range a.queues {
		if q.name == name {
			return q.Queue, true
		}
	}
	return nil, false
}
