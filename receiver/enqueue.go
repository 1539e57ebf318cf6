package receiver

import (
	"context"
	"errors"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// Enqueuer keeps events until they are delivered. Claim and push are one atomic step: the event is known
// from then on, and a copy of it is a duplicate.
type Enqueuer interface {
	// Enqueue stores the job, unless the claim says that its event is known. The claim is nil for events
	// without an identity. When it returns Enqueued, the event survives whatever happens to this process.
	Enqueue(ctx context.Context, c *Claim, j *Job) (EnqueueResult, error)
}

// EnqueueResult is what became of a job.
type EnqueueResult uint8

const (
	Enqueued         EnqueueResult = iota // stored
	EnqueueDuplicate                      // known; not stored again
	EnqueueInFlight                       // somebody else is working on it
	EnqueueFull                           // no room for it
)

// enqueue hands the event over and answers at once.
//
// Failure policy: the 200 goes out only after the store has the event, so nothing accepted is lost. When the
// store did not answer, the event may be there all the same: then the sender's next try is a duplicate.
func (r *Receiver) enqueue(req *http.Request, x *exchange, c *Claim) *Refusal {
	ctx := x.lasting()
	// Claim and push are one step, so both spans are of that step.
	var dedup trace.Span
	if c != nil {
		_, dedup = x.span(ctx, "webhook.dedup")
	}
	ctx, span := x.span(ctx, "webhook.enqueue")
	job := newJob(req, &x.Outcome, x.body, r.now(), r.kept)
	if r.route != nil {
		job.Deliveries = r.route(req)
	}
	result, err := r.put(ctx, c, job)
	if r.stores {
		x.recycle()
	}
	endSpan(span, err)
	endSpan(dedup, err)
	if errors.Is(err, ErrNoApp) {
		return refuse(http.StatusBadGateway, ReasonNoApp, errNoDelivery)
	}
	if err != nil {
		return refuseFor(http.StatusServiceUnavailable, ReasonStore, "Retry-After", retryStore, err)
	}
	switch result {
	case EnqueueDuplicate:
		x.markDuplicate()
	case EnqueueInFlight:
		return refuseFor(http.StatusConflict, ReasonInFlight, "Retry-After", retryInFlight, nil)
	case EnqueueFull:
		return refuseFor(http.StatusServiceUnavailable, ReasonQueueFull, "Retry-After", retryQueueFull, nil)
	default:
		x.Result, x.Status = ResultQueued, http.StatusOK
	}
	return nil
}

// put hands a request over whose headers are not all kept.
func (r *Receiver) put(ctx context.Context, c *Claim, j Job) (EnqueueResult, error) {
	if q, ok := r.queue.(ownQueue); ok {
		return q.enqueue(c, &j, r.kept)
	}
	ctx, cancel := context.WithTimeout(ctx, enqueueTimeout)
	defer cancel()
	j.Header = keptHeaders(j.Header, r.kept)
	return r.queue.Enqueue(ctx, c, &j)
}

var errNoDelivery = errors.New("no deliver matches the event: add one for it, without a matcher for all the rest")

// enqueueTimeout bounds how long a sender waits for its event to be stored.
const enqueueTimeout = 450 * time.Millisecond
