package caddymodule

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/videocloud/webhooks/internal/adminapi"
	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/receiver"
	"github.com/videocloud/webhooks/sender"
)

// explain answers GET /webhooks/explain.
func explain(q *adminRequest) (any, error) {
	id := q.query.Get("id")
	gateways, err := q.app.atGateways(q.Context(), id)
	if err != nil {
		return nil, err
	}
	x := adminapi.Explanation{EventID: id, Gateways: gateways}
	sent, err := explainSent(q, id)
	switch {
	case err == nil:
		x.Explanation, x.EventID = sent, sent.EventID
	case len(gateways) == 0:
		return nil, err
	}
	return x, nil
}

// explainSent asks the sender.
func explainSent(q *adminRequest, id string) (*sender.Explanation, error) {
	switch q.sender = q.app.running; {
	case q.sender == nil && len(q.app.receivers) > 0:
		return nil, notQueued("the receivers of this Caddy")
	case q.sender == nil:
		return nil, errNoSender
	}
	account, err := q.accountOf(q.query.Get("account"), id)
	if err != nil {
		return nil, err
	}
	sent, err := q.sender.Explain(q.Context(), account, id)
	return &sent, err
}

// atGateways asks each receiver of this configuration once. Those of one name and scheme know the same.
func (a *App) atGateways(ctx context.Context, id string) ([]adminapi.Gateway, error) {
	var all []adminapi.Gateway
	asked := map[[2]string]bool{}
	for _, there := range a.receivers {
		key := [2]string{there.Name(), there.Scheme()}
		if asked[key] {
			continue
		}
		asked[key] = true
		queues, err := a.queuesBehind(ctx, there.Name())
		if err != nil {
			return nil, err
		}
		queued, err := findQueued(ctx, queues, id)
		if err != nil {
			return nil, err
		}
		record := adminapi.Gateway{Receiver: there.Name(), Scheme: there.Scheme()}
		claimed := id
		for _, q := range queued {
			if q.Scheme == "" || q.Scheme == there.Scheme() {
				record.Event, claimed = q.Event, cmp.Or(q.ID, id) // it may have been named by its job
				record.Deliveries = append(record.Deliveries, q.standing())
			}
		}
		claim, err := a.lookUpClaim(ctx, there, claimed)
		if err != nil {
			return nil, err
		}
		if claim.State == receiver.EventUnknown && len(record.Deliveries) == 0 {
			continue
		}
		describeClaim(&record, claim, len(queues) > 0)
		all = append(all, record)
	}
	return all, nil
}

// lookUpClaim asks a receiver for the claim of an event. A store that hangs fails it after one timeout of the store: the client of Redis
// would try again, each time for as long.
func (a *App) lookUpClaim(ctx context.Context, at *receiver.Receiver, event string) (receiver.EventStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, redisstore.Unwrap(a.store).Timeout())
	defer cancel()
	return at.Lookup(ctx, event)
}

// describeClaim puts into words how an event stands at a receiver, which may have a queue.
func describeClaim(g *adminapi.Gateway, k receiver.EventStatus, queue bool) {
	if k.State != receiver.EventUnknown {
		g.ClaimedAt, g.KnownUntil = &k.ClaimedAt, &k.Until
	}
	switch {
	case k.State == receiver.EventInWork:
		g.Known = "in_work"
		g.Says = append(g.Says, "it is with the app right now: copies are answered 409")
	case k.State == receiver.EventDone:
		g.Known = "done"
		text := "the app answered 2xx"
		if queue {
			text = "it was taken into the queue"
		}
		g.Says = append(g.Says, text+"; copies are duplicates until "+k.Until.Format(time.RFC3339))
	default:
		// Not only what was forgotten is not found: many schemes claim what is signed, and not an ID that nothing protects.
		g.Says = append(g.Says, "no claim goes by this ID: it is forgotten, and a copy would be taken again, or the scheme tells events apart by what is signed; then explain the key of its log line")
	}
	for i := range g.Deliveries {
		g.Says = append(g.Says, describeDelivery(&g.Deliveries[i]))
	}
	if queue && len(g.Deliveries) == 0 {
		g.Says = append(g.Says, "it is in the queue no more: it was delivered, or purged")
	}
}

// describeDelivery says how an event stands at an app, and what to do about it.
func describeDelivery(d *adminapi.QueuedDelivery) string {
	at := d.Queue
	switch {
	case d.Forgotten:
		return fmt.Sprintf("%s: %s, but the configuration has no such deliver any more; `caddy webhook dead move` brings it to another", at, d.State)
	case d.State == receiver.PlaceInFlight:
		return fmt.Sprintf("%s: attempt %d is under way", at, d.Attempts+1)
	case d.State == receiver.PlaceDead:
		word := "attempts"
		if d.Attempts == 1 {
			word = "attempt"
		}
		text := fmt.Sprintf("%s: dead since %s, after %d %s", at, d.Failed.Format(time.RFC3339), d.Attempts, word)
		if d.Error != "" {
			text += ": " + d.Error
		}
		return text + "; `caddy webhook dead retry` sends it again"
	}
	return fmt.Sprintf("%s: attempt %d is due at %s", at, d.Attempts+1, d.Due.Format(time.RFC3339))
}
