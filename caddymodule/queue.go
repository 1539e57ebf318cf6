package caddymodule

import (
	"errors"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/receiver"
)

// namedQueue is the queue of one app behind the receivers of one name.
type namedQueue struct {
	name      string // of the receiver and, after a slash, of the app where it has a name
	owner     string // the receiver's name
	forgotten bool   // no deliver of the configuration is called so any more
	*receiver.Queue
}

// sharedQueue is what the receivers of one name share.
type sharedQueue struct {
	shape    string
	enqueuer *receiver.Deliveries
}

// enqueuer makes the queues of r, one for each app, which the app starts and stops. Their events take the deliver routes as if they had
// just arrived at the server that r belongs to, so delivery has everything that Caddy's own proxying has.
//
// Receivers of one name share their queues, which have to be alike in all of them.
func (a *App) enqueuer(ctx caddy.Context, r *Receiver, c *config.Receiver, shape string) (receiver.Enqueuer, error) {
	for _, d := range r.Queue.deliveries() {
		if err := d.provision(ctx); err != nil {
			return nil, err
		}
	}
	if shared, ok := a.shared[c.Name]; ok {
		if shared.shape != shape {
			return nil, differentQueues(c.Name, "another receiver's queue")
		}
		return shared.enqueuer, nil
	}
	server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok {
		return nil, errors.New("queue: a receiver with a queue belongs into a site's routes")
	}
	var queues []*receiver.Queue
	for _, d := range r.Queue.deliveries() {
		q, err := a.deliveryQueue(ctx, c, d, server)
		if err != nil {
			return nil, err
		}
		queues = append(queues, q)
	}
	enqueuer, err := receiver.NewDeliveries(queues...)
	if err != nil {
		return nil, err
	}
	a.shared[c.Name] = sharedQueue{shape, enqueuer}
	return enqueuer, nil
}

func (a *App) deliveryQueue(ctx caddy.Context, c *config.Receiver, d *Delivery, server *caddyhttp.Server) (*receiver.Queue, error) {
	routes := d.Routes.Compile(endOfRoutes)
	bring := func(w http.ResponseWriter, req *http.Request) error {
		repl := caddy.NewReplacer()
		shown := requestOutcome{queuedOutcome(c, req.Header)}
		repl.Map(shown.placeholder)
		req = caddyhttp.PrepareRequest(req, repl, w, server)
		return orNoApp(req, failure(routes.ServeHTTP(w, req)))
	}
	q, err := receiver.NewQueue(receiver.QueueOptions{
		Config: *c.Queue, Store: a.store, Name: c.Name, Scheme: c.Scheme, Delivery: d.Name, Logger: slogger(ctx), Deliver: bring,
		Observe: a.received.attempted(c.Name, feedDelivered(c.Name, d.Name)),
	})
	if err != nil {
		return nil, err
	}
	name := c.Name
	if d.Name != "" {
		name += "/" + d.Name
	}
	a.queues = append(a.queues, namedQueue{name: name, owner: c.Name, Queue: q})
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
