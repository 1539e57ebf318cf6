package caddymodule

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// Delivery is one of the apps that the events of a queue go to.
type Delivery struct {
	// Name tells the apps apart: it is that of the queue, after the receiver's name and a slash, and what the app gets as
	// X-Webhook-Deliver. Required where there are several.
	Name string `json:"name,omitempty"`

	// MatcherSetsRaw say which events go to this app, by the request as it is accepted. Default: all.
	MatcherSetsRaw caddyhttp.RawMatcherSets `json:"match,omitempty" caddy:"namespace=http.matchers"`

	// Routes are what an event takes to the app. At least one is required.
	Routes caddyhttp.RouteList `json:"routes,omitempty"`

	matchers caddyhttp.MatcherSets
}

// deliveries are the apps of a queue, the only one included.
func (q *Queue) deliveries() []*Delivery {
	if len(q.Deliveries) > 0 {
		return q.Deliveries
	}
	return []*Delivery{{Routes: q.Deliver}}
}

var deliveryName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// checkDeliveries finds what the apps of a queue can't be together.
func (q *Queue) checkDeliveries() error {
	if len(q.Deliver) > 0 && len(q.Deliveries) > 0 {
		return fmt.Errorf("queue: deliver: it can't be with deliveries: give each deliver a name of its own")
	}
	for i, d := range q.deliveries() {
		switch {
		case len(d.Routes) == 0:
			return errDeliverMissing
		case d.Name == "" && len(q.Deliveries) > 1:
			return fmt.Errorf("queue: deliver: number %d has no name; with several each needs one", i+1)
		case d.Name != "" && !deliveryName.MatchString(d.Name):
			return fmt.Errorf("queue: deliver: %q is not a name; use letters, digits, dots, dashes and underscores, 64 at most", d.Name)
		case slices.ContainsFunc(q.Deliveries[:min(i, len(q.Deliveries))], func(other *Delivery) bool { return other.Name == d.Name }):
			return fmt.Errorf("queue: deliver: the name %q is given twice", d.Name)
		}
	}
	return nil
}

func (d *Delivery) provision(ctx caddy.Context) error {
	err := d.Routes.Provision(ctx)
	if err == nil && len(d.MatcherSetsRaw) > 0 {
		var sets any
		if sets, err = ctx.LoadModule(d, "MatcherSetsRaw"); err == nil {
			err = d.matchers.FromInterface(sets)
		}
	}
	if err != nil {
		return fmt.Errorf("queue: deliver %s: %w", d.Name, err)
	}
	return nil
}

// matching are the names of the apps that a request goes to. A matcher that fails lets the request through, so that nothing is lost by
// it.
func (q *Queue) matching(logger *zap.Logger, req *http.Request) []string {
	var names []string
	for _, d := range q.deliveries() {
		ok, err := d.matchers.AnyMatchWithError(req)
		if err != nil {
			logger.Error("the matcher of a deliver failed; the event goes to its app", zap.String("deliver", d.Name), zap.Error(err))
		}
		if ok || err != nil || len(d.matchers) == 0 {
			names = append(names, d.Name)
		}
	}
	return names
}

// atOnce is how a dry run brings a request to the apps: by each deliver that matches, and on to next.
func (q *Queue) atOnce(logger *zap.Logger, req *http.Request, next caddyhttp.Handler) caddyhttp.Handler {
	names := q.matching(logger, req)
	for _, d := range q.deliveries() {
		if slices.Contains(names, d.Name) {
			return d.Routes.Compile(next) // one app can answer a request
		}
	}
	return next
}

// readDeliver reads deliver [<matcher>] [<name>] { … }, whose directives are those of a site.
func (p *receiverParser) readDeliver(o option) error {
	q, d := p.receiver.Queue, new(Delivery)
	h := p.WithDispenser(o.unread())
	h.Next()
	args := h.CountRemainingArgs()
	matcher, found, err := h.MatcherToken()
	if err != nil {
		return err
	}
	if found {
		d.MatcherSetsRaw = caddyhttp.RawMatcherSets{matcher}
	}
	if found && h.NextArg() || !found && args > 0 { // what is no matcher was read all the same
		d.Name = h.Val()
	}
	if h.NextArg() {
		return o.argErr()
	}
	block := append(caddyfile.Segment{o.tokens[0]}, o.tokens[1+args:]...)
	handler, err := httpcaddyfile.ParseSegmentAsSubroute(p.WithDispenser(caddyfile.NewDispenser(block)))
	if err != nil {
		return err
	}
	subroute, ok := handler.(*caddyhttp.Subroute)
	if !ok {
		return o.Errf("deliver: can't be run as routes: %T", handler)
	}
	for o.Next() { // read by the copy
	}
	if d.Routes = subroute.Routes; d.Name == "" && !found && len(q.Deliver) == 0 && len(q.Deliveries) == 0 {
		q.Deliver = d.Routes
		return nil
	}
	if len(q.Deliver) > 0 {
		q.Deliver, q.Deliveries = nil, append(q.Deliveries, &Delivery{Routes: q.Deliver})
	}
	q.Deliveries = append(q.Deliveries, d)
	return o.wrap(q.checkDeliveries())
}

// differing says which other gateways have a queue of this configuration with another scheme or other delivers.
func (a *App) differing(ctx context.Context) (problems []string) {
	for _, name := range slices.Sorted(maps.Keys(a.shared)) {
		others, _ := a.shared[name].enqueuer.Differing(ctx)
		for _, other := range others {
			problems = append(problems, fmt.Sprintf("the queue %s is set up otherwise on another gateway, and what one takes the other delivers: %s; "+
				"make them alike, or give each a name of its own", name, other))
		}
	}
	return distinct(problems)
}

// forgotten says what waits for a deliver that was renamed or removed: it goes nowhere, and nobody would miss it. What can't be asked
// the health says otherwise.
func (a *App) forgotten(ctx context.Context) (problems []string) {
	for _, name := range slices.Sorted(maps.Keys(a.shared)) {
		all, _ := a.shared[name].enqueuer.OrphanedQueues(ctx)
		for _, f := range all {
			problems = append(problems, fmt.Sprintf("the receiver %s has %d events that wait and %d dead ones for the deliver %q, which it has no more: "+
				"name it again until they are delivered, or `caddy webhook dead move %s/%s <deliver>`, or purge them",
				name, f.Depth.Waiting+f.Depth.InFlight, f.Depth.Dead, f.Delivery, name, f.Delivery))
		}
	}
	return problems
}
