package receiver

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/videocloud/webhooks/internal/queue"
	"github.com/videocloud/webhooks/internal/signature"
)

var (
	//go:embed lua/gateways.lua
	gatewaysLua    string
	gatewaysScript = queue.Script(gatewaysLua)
)

// queueSetup holds the settings that have to be the same on all gateways of one queue: they share the queue by its name, so an
// event that one of them takes may be delivered by another.
type queueSetup struct {
	scheme     string
	deliveries []string // sorted
}

func (s queueSetup) String() string { return s.scheme + "\n" + strings.Join(s.deliveries, "\n") }

func parseQueueSetup(text string) queueSetup {
	parts := strings.Split(text, "\n")
	return queueSetup{parts[0], parts[1:]}
}

// OtherGateway is a gateway on the same store that has a queue of the same name with other settings.
type OtherGateway struct {
	Machine    string // its host's name
	Scheme     string
	Deliveries []string // their names, an empty one for the only app without a name
}

// String describes the gateway for operators.
func (g OtherGateway) String() string {
	return fmt.Sprintf("the gateway on %s has the scheme %s and %s", g.Machine, g.Scheme, describeDeliveries(g.Deliveries))
}

func describeDeliveries(names []string) string {
	if len(names) == 1 && names[0] == "" {
		return "one deliver without a name"
	}
	return "the delivers " + strings.Join(names, ", ")
}

// announcer records in the store, for as long as a gateway runs, which settings its queues of one name have.
type announcer struct {
	q               *Queue // any of them
	id, process     string
	setup           queueSetup
	withdrawTimeout time.Duration // bounds the removal of the record when the gateway stops
	logged          string        // the differing gateways that were logged last
}

// A gateway's record is renewed at this interval. The record of a gateway that crashed ends after three of them.
const (
	announceEvery = 15 * time.Second
	announceFor   = 3 * announceEvery
)

// thisProcess names this process: a reload has two gateways in one process for a moment, and these are not compared.
var thisProcess = uuid.NewString()

// newAnnouncer returns nil for a queue without [QueueOptions.Scheme].
func newAnnouncer(q *Queue, names ...string) *announcer {
	if q.o.Scheme == "" {
		return nil
	}
	s := queueSetup{signature.Canonical(q.o.Scheme), slices.Sorted(slices.Values(names))}
	return &announcer{q: q, id: uuid.NewString(), process: thisProcess, setup: s, withdrawTimeout: enqueueTimeout}
}

func (a *announcer) announce(ctx context.Context, kept time.Duration) ([]OtherGateway, error) {
	machine, _ := os.Hostname() // without one it has no name
	v, err := a.q.queue.Run(ctx, 0, gatewaysScript, a.q.tag, a.id, a.setup.String(), a.process, machine, kept.Milliseconds())
	if err != nil {
		return nil, queueError(err)
	}
	values, _ := v.([]any)
	var others []OtherGateway
	for i := 0; i+1 < len(values); i += 2 {
		host, _ := values[i].(string)
		text, _ := values[i+1].(string)
		s := parseQueueSetup(text)
		others = append(others, OtherGateway{host, s.scheme, s.deliveries})
	}
	return others, nil
}

// run records the gateway until ctx ends, and logs it when others differ.
func (a *announcer) run(ctx context.Context) {
	beat := time.NewTicker(announceEvery)
	defer beat.Stop()
	for {
		if others, err := a.announce(ctx, announceFor); err == nil { // others log that the store is down
			a.logDifferences(others)
		}
		select {
		case <-beat.C:
		case <-ctx.Done():
			// A context that has not ended. Where this fails, the record expires.
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.withdrawTimeout)
			defer cancel()
			_, _ = a.announce(last, 0)
			return
		}
	}
}

func (a *announcer) logDifferences(others []OtherGateway) {
	if text := fmt.Sprint(others); text != a.logged {
		a.logged = text
		if len(others) > 0 {
			a.q.log.Error("another gateway's queue of this name differs: events that one of them takes the other delivers; make them alike, or give each a name of its own",
				"webhook_name", a.q.o.Name, "scheme", a.setup.scheme, "delivers", a.setup.deliveries, "others", others)
		}
	}
}

// Differing returns the gateways on the same store that have a queue of the same name, but another scheme or other
// deliveries. That is a mistake in their configuration: each would deliver events that the other took.
func (d *Deliveries) Differing(ctx context.Context) ([]OtherGateway, error) {
	if a := d.queues[0].announcer; a != nil {
		return a.announce(ctx, announceFor)
	}
	return nil, nil
}
