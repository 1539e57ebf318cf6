package receiver

import (
	"context"
	_ "embed"
	"errors"
	"slices"
	"strings"

	"github.com/videocloud/webhooks/internal/queue"
)

var (
	//go:embed lua/move.lua
	moveLua    string
	moveScript = queue.Script(lanesLua + moveLua)
)

// OrphanedQueue is the queue of a delivery that was renamed or removed from the configuration while events were in it. They are not
// delivered, but can be listed, moved and purged. Once a delivery has that name again, they are delivered.
type OrphanedQueue struct {
	*Queue
	Delivery string // empty for the one without a name
	Depth    Depth
}

// OrphanedQueues returns the queues of deliveries that are not among these and still hold events.
func (d *Deliveries) OrphanedQueues(ctx context.Context) ([]OrphanedQueue, error) {
	first := d.queues[0]
	tags, err := first.queue.QueueTags(ctx, first.tag)
	if err != nil {
		return nil, queueError(err)
	}
	slices.Sort(tags)
	var all []OrphanedQueue
	for _, tag := range tags {
		if slices.ContainsFunc(d.queues, func(q *Queue) bool { return q.queue.Tag(0) == tag }) {
			continue
		}
		o := first.o
		o.Delivery = strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(tag, first.tag), string(queue.KeyQueues)), ":")
		q, err := NewQueue(o) // never started
		if err != nil {
			return nil, err
		}
		depth, err := q.Depth(ctx)
		if err != nil {
			return nil, err
		}
		if depth.Waiting+depth.InFlight+depth.Dead > 0 {
			all = append(all, OrphanedQueue{q, o.Delivery, depth})
		}
	}
	return all, nil
}

var (
	// ErrUnderWay means that not all events could be moved or dropped, as a gateway is delivering some of them.
	ErrUnderWay = errors.New("some events are being delivered right now: do it again when they have ended")
	// ErrQueueFull means that not all events could be moved, as the other queue is full.
	ErrQueueFull = errors.New("the other queue is full: do it again when it has room, or raise its max_length")
)

// moveStep is the number of events that one call moves.
const moveStep = 100

// MoveTo moves all waiting and dead events to another queue of the same receiver; they keep their times and attempts. It returns
// their number, with [ErrUnderWay] or [ErrQueueFull] where some are left.
func (q *Queue) MoveTo(ctx context.Context, to *Queue) (int, error) {
	if to.o.Name != q.o.Name || to.store != q.store || to.o.Delivery == q.o.Delivery {
		return 0, errors.New("queue: events move between the deliveries of one receiver")
	}
	return q.drain(ctx, to.queue.Tag(0), to.o.Config.MaxLength)
}

// Drop removes all waiting and dead events for good. It returns their number, with [ErrUnderWay] where some are left.
func (q *Queue) Drop(ctx context.Context) (int, error) { return q.drain(ctx, "", 0) }

func (q *Queue) drain(ctx context.Context, target string, room int) (total int, err error) {
	for {
		v, err := q.queue.RunDurable(ctx, 0, moveScript, q.o.Name, q.tag, target, moveStep, room)
		if err != nil {
			return total, queueError(err)
		}
		values, _ := v.([]any)
		if len(values) != 4 {
			return total, queueError(errAnswer)
		}
		n, _ := values[0].(int64)
		left, _ := values[1].(int64)
		held, _ := values[2].(int64)
		total += int(n)
		switch full := values[3] == "1"; {
		case left > 0 && full:
			return total, ErrQueueFull
		case left > 0 && n > 0:
			continue
		case left+held > 0:
			return total, ErrUnderWay
		}
		return total, nil
	}
}
