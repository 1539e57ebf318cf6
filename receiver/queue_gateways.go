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

// setup is what all gateways of one queue have to agree on: a queue belongs to its name, so what one of them takes each of them
// delivers.
type setup struct {
	scheme     string
	deliveries []string // sorted
}

func (s setup) String() string { return s.scheme + "\n" + strings.Join(s.deliveries, "\n") }

func readSetup(text string) setup {
	parts := strings.Split(text, "\n")
	return setup{parts[0], parts[1:]}
}

// OtherGateway is a gateway on the same store whose queues of the same name are set up otherwise.
type OtherGateway struct {
	Machine    string // its host's name
	Scheme     string
	Deliveries []string // their names, an empty one for the only app without a name
}

// String says what it is like, for operators.
func (g OtherGateway) String() string {
	return fmt.Sprintf("the gateway on %s has the scheme %s and %s", g.Machine, g.Scheme, delivers(g.Deliveries))
}

func delivers(names []string) string {
	if len(names) == 1 && names[0] == "" {
		return "one deliver without a name"
	}
	return "the delivers " + strings.Join(names, ", ")
}

// announcer notes in the store how a gateway has set the queues of one name up, for as long as it runs.
type announcer struct {
	q           *Queue // one of them
	id, process string
	setup       setup
	farewell    time.Duration // bounds the taking back of the note
	told        string        // the others that the log knows of
}

// Times of a gateway's note in the store. One that ends without taking it back is forgotten after three of its beats.
const (
	announceEvery = 15 * time.Second
	announceFor   = 3 * announceEvery
)

// thisProcess tells the gateways of one process, of which a reload has two for a moment, from those of others.
var thisProcess = uuid.NewString()

// newAnnouncer is nil where nobody said which scheme the queue belongs to.
func newAnnouncer(q *Queue, names ...string) *announcer {
	if q.o.Scheme == "" {
		return nil
	}
	s := setup{signature.Canonical(q.o.Scheme), slices.Sorted(slices.Values(names))}
	return &announcer{q: q, id: uuid.NewString(), process: thisProcess, setup: s, farewell: enqueueTimeout}
}

func (a *announcer) call(ctx context.Context, kept time.Duration) ([]OtherGateway, error) {
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
		s := readSetup(text)
		others = append(others, OtherGateway{host, s.scheme, s.deliveries})
	}
	return others, nil
}

// run announces the gateway until ctx ends, and says in the log when others differ.
func (a *announcer) run(ctx context.Context) {
	beat := time.NewTicker(announceEvery)
	defer beat.Stop()
	for {
		if others, err := a.call(ctx, announceFor); err == nil { // a store that is down is told of by those who need it
			a.tell(others)
		}
		select {
		case <-beat.C:
		case <-ctx.Done():
			// Detached, as the end is what it is about; the note ends by itself where this fails.
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.farewell)
			defer cancel()
			_, _ = a.call(last, 0)
			return
		}
	}
}

func (a *announcer) tell(others []OtherGateway) {
	if text := fmt.Sprint(others); text != a.told {
		a.told = text
		if len(others) > 0 {
			a.q.log.Error("another gateway's queue of this name differs: events that one of them takes the other delivers; make them alike, or give each a name of its own",
				"webhook_name", a.q.o.Name, "scheme", a.setup.scheme, "delivers", a.setup.deliveries, "others", others)
		}
	}
}

// Differing are the gateways that run on the same store with a queue of the same name, but with another scheme or other
// deliveries. It is an error of the set-up: what one of them takes the other delivers.
func (d *Deliveries) Differing(ctx context.Context) ([]OtherGateway, error) {
	if a := d.queues[0].announcer; a != nil {
		return a.call(ctx, announceFor)
	}
	return nil, nil
}
