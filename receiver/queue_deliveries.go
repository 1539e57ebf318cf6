package receiver

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/videocloud/webhooks/internal/queue"
)

// Deliveries are the queues of one receiver in front of several apps, one for each app: each has its own retries and dead
// events, and one whose app is down holds no other. Which of them a request goes to stands in [Job.Deliveries]. It is in all of
// them, or in none, together with the claim of its events.
type Deliveries struct {
	queues []*Queue
}

// NewDeliveries puts queues of one receiver together. Each has another [QueueOptions.Delivery].
func NewDeliveries(queues ...*Queue) (*Deliveries, error) {
	if len(queues) == 0 {
		return nil, errors.New("queue: there is no delivery")
	}
	for i, q := range queues {
		if q.o.Name != queues[0].o.Name || q.store != queues[0].store {
			return nil, fmt.Errorf("queue: deliveries of one receiver have its name and its store; %q is not %q", q.o.Name, queues[0].o.Name)
		}
		if slices.ContainsFunc(queues[:i], func(other *Queue) bool { return other.o.Delivery == q.o.Delivery }) {
			return nil, fmt.Errorf("queue: the delivery %q is given twice", q.o.Delivery)
		}
	}
	names := make([]string, len(queues))
	for i, q := range queues {
		names[i], q.announcer = q.o.Delivery, nil
	}
	queues[0].announcer = newAnnouncer(queues[0], names...)
	return &Deliveries{queues}, nil
}

// Enqueue implements [Enqueuer].
func (d *Deliveries) Enqueue(_ context.Context, c *Claim, j *Job) (EnqueueResult, error) {
	return d.enqueue(c, j, isAny)
}

func (d *Deliveries) enqueue(c *Claim, j *Job, keep func(name string) bool) (EnqueueResult, error) {
	to := make([]*Queue, 0, len(d.queues))
	for _, q := range d.queues {
		if slices.Contains(j.Deliveries, q.o.Delivery) {
			to = append(to, q)
		}
	}
	if len(to) == 0 {
		return 0, ErrNoApp
	}
	return d.queues[0].enqueueTo(to, c, j, keep)
}

// ownQueue is an [Enqueuer] of this package: it keeps its own time, and writes what is kept of a request without another map.
type ownQueue interface {
	enqueue(c *Claim, j *Job, keep func(name string) bool) (EnqueueResult, error)
}

// target is where one delivery's job goes.
type target struct{ tag, job string }

// deliveryTag starts the keys of a delivery: in the slot of the receiver's own, so that one script writes to all of them.
func deliveryTag(prefix, name, delivery string) string {
	tag := Tag(prefix, name)
	if delivery != "" {
		tag = queue.InTag(tag, queue.KeyQueues, delivery, ":")
	}
	return tag
}

var (
	_ Enqueuer = (*Deliveries)(nil)
	_ ownQueue = (*Deliveries)(nil)
	_ ownQueue = (*Queue)(nil)
)
