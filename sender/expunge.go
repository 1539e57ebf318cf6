package sender

import (
	"context"
	"log/slog"

	"github.com/videocloud/webhooks/internal/names"
	"github.com/videocloud/webhooks/internal/queue"
)

// DeleteEvent takes an event's data and all kept answers to it out of the store, and cancels its deliveries that wait. An
// attempt under way ends, and leaves nothing behind. The event is not found any more, but its ID stays known for 72
// hours: publishing under it is a conflict.
//
// What an append-only file or a backup of the store holds goes as these are written anew.
//
// Failure policy: where it returns an error after its first step, the data is gone and the rest follows as a chore.
func (s *Sender) DeleteEvent(ctx context.Context, account, id string) error {
	if !names.IsID(id) {
		return errNotFound
	}
	shard, err := s.shard(ctx, account)
	if err != nil {
		return err
	}
	step, err := s.queue.Expunge(ctx, shard, account, id, jobOfOwn(id))
	if err != nil {
		return s.unavailable("expunge", err)
	}
	if step == nil {
		return errNotFound
	}
	s.expunged(ctx, step)
	if step.Left == 0 {
		return nil
	}
	if err := s.expungeOn(ctx, shard, step.Job); err != nil {
		s.wakeChores(shard)
		return s.unavailable("expunge", err)
	}
	return nil
}

// expungeOn goes on with an event whose data is gone, to its end.
func (s *Sender) expungeOn(ctx context.Context, shard int, job string) error {
	for {
		step, err := s.queue.ExpungeOn(ctx, shard, job)
		if err != nil || step == nil {
			return err
		}
		s.expunged(ctx, step)
		if step.Left == 0 {
			return nil
		}
	}
}

// expunged tells of the deliveries that a step cancelled.
func (s *Sender) expunged(ctx context.Context, step *queue.Expunged) {
	for _, lane := range step.Cancelled {
		s.o.Observer.Delivery(StateCancelled)
		s.log.LogAttrs(ctx, slog.LevelInfo, "delivery of a deleted event is cancelled", slog.String("delivery_id", deliveryID(lane, step.Job)), slog.String("webhook_id", webhookPrefix+lane))
	}
}
