package receiver

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/videocloud/webhooks/internal/queue"
)

// Deliveries are the queues of one receiver in front of several apps, one for each app. Each has its own retries and dead
// events, so an app that is down delays no other. [Job.Deliveries] names those that a request goes to. It is stored in
// all of them or in none, in one step with the claim of its events.
type Deliveries struct {
	queues []*Queue
}

// NewDeliveries combines queues of one receiver. They must have the same name and store, and different [QueueOptions.Delivery].
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

// ownQueue is an [Enqueuer] of this package: it has its own timeout, and filters the headers without copying them.
type ownQueue interface {
	enqueue(c *Claim, j *Job, keep func(name string) bool) (EnqueueResult, error)
}

// target is where one delivery's job goes.
type target struct{ tag, job string }

// deliveryTag returns the tag of a delivery's keys. All are in the slot of the receiver's own keys, so that one script can
// write to all deliveries.
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
