package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/receiver"
)

// namedQueue is the queue of one receiver of a configuration.
type namedQueue struct {
	name string
	*receiver.Queue
}

// enqueuer makes the queue of r, which the app starts and stops. Its events take the deliver routes as if they had
// just arrived at the server that r belongs to, so delivery has everything that Caddy's own proxying has.
func (a *App) enqueuer(ctx caddy.Context, r *Receiver, c *config.Receiver) (receiver.Enqueuer, error) {
	server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok {
		return nil, errors.New("queue: a receiver with a queue belongs into a site's routes")
	}
	if err := r.Queue.Deliver.Provision(ctx); err != nil {
		return nil, fmt.Errorf("queue: deliver: %w", err)
	}
	// Routes that leave a request unanswered must not pass for delivery.
	routes := r.Queue.Deliver.Compile(caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return nil }))
	bring := deliver(func(w http.ResponseWriter, req *http.Request) error {
		repl := caddy.NewReplacer()
		kept := queuedValues{c.Name, req.Header.Get(config.HeaderVerified), req.Header.Get(config.HeaderID),
			req.Header.Get(config.HeaderEvent), req.Header.Get(config.HeaderTimestamp)}
		repl.Map(kept.placeholder)
		err := routes.ServeHTTP(w, caddyhttp.PrepareRequest(req, repl, w, server))
		return failure(err)
	})
	q, err := receiver.NewQueue(receiver.QueueOptions{
		Config: *c.Queue, Store: a.store, Name: c.Name, Logger: slogger(ctx), Deliver: bring.shown(c),
	})
	if err != nil {
		return nil, err
	}
	a.queues = append(a.queues, namedQueue{c.Name, q})
	return q, nil
}

// queuedValues are those of the placeholders of a request that comes out of a queue, as its headers kept them.
type queuedValues struct{ name, scheme, id, event, timestamp string }

func (v *queuedValues) placeholder(key string) (any, bool) {
	field, ours := strings.CutPrefix(key, placeholderPrefix)
	if !ours {
		return nil, false
	}
	switch field {
	case "name":
		return v.name, true
	case "scheme":
		return v.scheme, true
	case "id":
		return v.id, true
	case "event":
		return v.event, true
	case "timestamp":
		return v.timestamp, true
	default:
		return nil, false
	}
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
