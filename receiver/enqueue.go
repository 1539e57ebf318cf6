package receiver

import (
	"context"
	"errors"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// Enqueuer keeps events until they are delivered. Claiming and storing are one atomic step: from then on, a copy of the
// event is a duplicate.
type Enqueuer interface {
	// Enqueue stores the job, unless its event was claimed before. The claim is nil for an event without an identity. When
	// Enqueue returns Enqueued, the event outlives this process.
	Enqueue(ctx context.Context, c *Claim, j *Job) (EnqueueResult, error)
}

// EnqueueResult is what became of a job.
type EnqueueResult uint8

const (
	Enqueued         EnqueueResult = iota // stored
	EnqueueDuplicate                      // stored or finished before, so not stored again
	EnqueueInFlight                       // another request holds its claim
	EnqueueFull                           // the queue has as many waiting events as it may
)

// enqueue stores the event for later delivery, instead of forwarding it.
//
// Failure policy: the 200 goes out only after the store has the event, so no accepted event is lost. When the
// store did not answer, it may have the event nevertheless: then the sender's next attempt is a duplicate.
func (r *Receiver) enqueue(req *http.Request, x *exchange, c *Claim) *Refusal {
	ctx := x.detachedContext()
	// Claiming and storing are one step, so both spans measure that step.
	var dedup trace.Span
	if c != nil {
		_, dedup = x.span(ctx, "webhook.dedup")
	}
	ctx, span := x.span(ctx, "webhook.enqueue")
	job := newJob(req, &x.Outcome, x.body, r.now(), r.keepsHeader)
	if r.route != nil {
		job.Deliveries = r.route(req)
	}
	result, err := r.storeJob(ctx, c, job)
	if r.poolsBodies {
		x.releaseBody()
	}
	endSpan(span, err)
	endSpan(dedup, err)
	if errors.Is(err, ErrNoApp) {
		return refuse(http.StatusBadGateway, ReasonNoApp, errNoDelivery)
	}
	if err != nil {
		return refuseStore(err)
	}
	switch result {
	case EnqueueDuplicate:
		x.markDuplicate()
	case EnqueueInFlight:
		return refuseInFlight()
	case EnqueueFull:
		return refuseWithHeader(http.StatusServiceUnavailable, ReasonQueueFull, "Retry-After", retryQueueFull, nil)
	default:
		x.Result, x.Status = ResultQueued, http.StatusOK
	}
	return nil
}

// storeJob stores the job with the headers that the queue keeps.
func (r *Receiver) storeJob(ctx context.Context, c *Claim, j Job) (EnqueueResult, error) {
	if q, ok := r.queue.(ownQueue); ok {
		return q.enqueue(c, &j, r.keepsHeader)
	}
	ctx, cancel := context.WithTimeout(ctx, enqueueTimeout)
	defer cancel()
	j.Header = keptHeaders(j.Header, r.keepsHeader)
	return r.queue.Enqueue(ctx, c, &j)
}

var errNoDelivery = errors.New("no deliver matches the event: add one for it, without a matcher for all the rest")

// enqueueTimeout bounds how long a sender waits for its event to be stored.
const enqueueTimeout = 450 * time.Millisecond
