package receiver

import (
	"cmp"
	"context"
	_ "embed"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/videocloud/webhooks/internal/queue"
	"github.com/videocloud/webhooks/internal/redisstore"
)

var (
	//go:embed lua/accept.lua
	acceptLua string
	//go:embed lua/lanes.lua
	lanesLua     string
	acceptScript = queue.Script(lanesLua+keysLua+acceptLua, acceptSeldom...)

	acceptSeldom = []string{"bury_in", "claim", "verdict_when_full"} // a full queue, and a request that is no single event
)

// Bounds of one call of the accept script.
const (
	acceptEvents = 128
	acceptBytes  = 512 << 10
	acceptWrites = 1500
)

// writes is the most that the script may write for the event: the keys of each claim, given back where one of them is in work, and a
// job, or a dead one, for each app.
func (a *accept) writes() int {
	perApp := 6
	if queue.IsLarge(len(a.payload)) {
		perApp = 8
	}
	return 4*len(a.claims) + perApp*len(a.targets)
}

// plainShape is the shape of nearly all requests: one app, one claim.
var plainShape any = "1 1"

// shape says how many apps the request goes to, and how many claims it has.
func (a *accept) shape() any {
	if len(a.targets) == 1 && len(a.claims) == 1 {
		return plainShape
	}
	return fmt.Sprint(len(a.targets), len(a.claims))
}

// oneLane marks the payload of an event with one lane, see lib.lua of internal/queue.
const oneLane = '1'

// accept is an event on its way into the queue.
type accept struct {
	call
	claims  []acceptClaim // of the request's events
	ttl     int64
	targets []target // one job for each app
	payload []byte

	result EnqueueResult
}

// acceptClaim are a claim's keys, and what they are to hold.
type acceptClaim struct{ held, id, digest string }

// MarshalBinary makes the payload an argument of a command, without another allocation.
func (a *accept) MarshalBinary() ([]byte, error) { return a.payload, nil }

// accepts are used again and again, with their buffers.
var accepts = sync.Pool{New: func() any { return &accept{call: call{ready: make(chan struct{}, 1)}} }}

// Enqueue implements [Enqueuer].
func (q *Queue) Enqueue(_ context.Context, c *Claim, j *Job) (EnqueueResult, error) {
	return q.enqueue(c, j, isAny)
}

// enqueue stores the job with some of its headers. It answers within enqueueTimeout.
func (q *Queue) enqueue(c *Claim, j *Job, keep func(name string) bool) (EnqueueResult, error) {
	return q.enqueueTo([]*Queue{q}, c, j, keep)
}

// enqueueTo is enqueue for some queues of one receiver.
func (q *Queue) enqueueTo(to []*Queue, c *Claim, j *Job, keep func(name string) bool) (EnqueueResult, error) {
	a := accepts.Get().(*accept)
	*a = accept{call: call{at: time.Now(), ready: a.ready}, claims: a.claims[:0], targets: a.targets[:0],
		payload: j.append(append(a.payload[:0], oneLane), keep)}
	for _, other := range to {
		u := uuid.Must(uuid.NewV7()) // fails only where crypto/rand would
		a.targets = append(a.targets, target{other.queue.Tag(0), queue.NewJobID(u)})
	}
	if c != nil {
		a.ttl = max(1, c.TTL.Milliseconds())
		a.claim(q.tag, c)
		for _, other := range c.Others {
			a.claim(q.tag, other)
		}
	}
	q.accepts.run(a)
	result, err := a.result, a.err
	if err == nil && result == Enqueued {
		for _, other := range to {
			other.pushed()
		}
	}
	if !a.lost && cap(a.payload) <= maxKeptBuffer {
		accepts.Put(a)
	}
	return result, err
}

func (a *accept) claim(tag string, c *Claim) {
	var k acceptClaim
	k.id, k.digest, k.held = c.inRedis(tag, stateDone)
	a.claims = append(a.claims, k)
}

// acceptor carries events into the queue.
type acceptor struct {
	q       *Queue
	args    []any
	beside  []*redisstore.Value // the large payload of each request, nil for a small one
	answers string
	err     error
}

func (t *acceptor) most(events []*accept) int {
	n, size, writes := 0, 0, 0
	for n < len(events) && n < acceptEvents {
		size += len(events[n].payload) * len(events[n].targets)
		if writes += events[n].writes(); n > 0 && (size > acceptBytes || writes > acceptWrites) {
			break
		}
		n++
	}
	return n
}

func (t *acceptor) carry(ctx context.Context, events []*accept) {
	clear(t.args)
	var beside queue.Beside
	t.beside = t.beside[:0]
	args := append(t.args[:0], t.q.o.Name, &beside.Name)
	for i, a := range events {
		payload, large := any(a), (*redisstore.Value)(nil)
		if queue.IsLarge(len(a.payload)) {
			payload, large = "", t.q.queue.PutBeside(&beside, 0, i+1, a)
		}
		t.beside = append(t.beside, large)
		args = append(args, payload, &a.ttl, a.shape())
		for i := range a.targets {
			args = append(args, &a.targets[i].tag, &a.targets[i].job)
		}
		for i := range a.claims {
			k := &a.claims[i]
			args = append(args, &k.held, &k.id, &k.digest)
		}
	}
	t.args = args
	v, err := t.q.queue.RunBeside(ctx, 0, &beside, acceptScript, args...)
	t.answers, t.err = "", err
	if err == nil {
		t.answers, _ = v.(string)
	}
}

func (t *acceptor) answer(events []*accept) {
	for i, a := range events {
		err := errAnswer
		switch {
		case t.err != nil:
			err = t.err
		case i < len(t.answers) && t.answers[i] == '4':
			err = cmp.Or(t.beside[i].Err, queue.ErrUnsaved)
		case i < len(t.answers):
			a.result, err = readAccepted(t.answers[i])
		}
		if err != nil {
			err = fmt.Errorf("%w: %w", ErrStore, err)
		}
		a.end(err)
	}
}

func readAccepted(answer byte) (EnqueueResult, error) {
	switch answer {
	case '0':
		return Enqueued, nil
	case '1':
		return EnqueueInFlight, nil
	case '2':
		return EnqueueDuplicate, nil
	case '3':
		return EnqueueFull, nil
	}
	return 0, errAnswer
}

// pushed wakes this process's workers. Where all are busy the next one that ends looks for more by itself.
func (q *Queue) pushed() {
	if q.dispatcher.InFlight() < q.o.Config.Concurrency {
		q.queue.Pushed(0)
	}
}
