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

// Forgotten is the queue of a delivery that no [Deliveries] names any more, as it was renamed or removed. Nobody delivers what is in it:
// it can be looked at, moved and purged. Name the delivery again, and its events go out.
type Forgotten struct {
	*Queue
	Delivery string // empty for the one without a name
	Depth    Depth
}

// Forgotten finds the deliveries that events were queued for, but that are not among these. Empty ones are left out.
func (d *Deliveries) Forgotten(ctx context.Context) ([]Forgotten, error) {
	first := d.queues[0]
	tags, err := first.queue.QueueTags(ctx, first.tag)
	if err != nil {
		return nil, queueError(err)
	}
	slices.Sort(tags)
	var all []Forgotten
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
			all = append(all, Forgotten{q, o.Delivery, depth})
		}
	}
	return all, nil
}

var (
	// ErrUnderWay says that not all could be moved or dropped, as a gateway is delivering some of the events right now.
	ErrUnderWay = errors.New("some events are being delivered right now: do it again when they have ended")
	// ErrQueueFull says that not all could be moved, as the other queue takes no more.
	ErrQueueFull = errors.New("the other queue is full: do it again when it has room, or raise its max_length")
)

// moveStep is how many events one call moves.
const moveStep = 100

// MoveTo moves all that waits or is dead to another queue of the same receiver, with its time and its attempts. It reports how many
// events that were, with [ErrUnderWay] or [ErrQueueFull] where some are left.
func (q *Queue) MoveTo(ctx context.Context, to *Queue) (int, error) {
	if to.o.Name != q.o.Name || to.store != q.store || to.o.Delivery == q.o.Delivery {
		return 0, errors.New("queue: events move between the deliveries of one receiver")
	}
	return q.empty(ctx, to.queue.Tag(0), to.o.Config.MaxLength)
}

// Drop drops all that waits or is dead, for good. It reports how many events that were, with [ErrUnderWay] where some are left.
func (q *Queue) Drop(ctx context.Context) (int, error) { return q.empty(ctx, "", 0) }

func (q *Queue) empty(ctx context.Context, target string, room int) (total int, err error) {
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
