package sender

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/videocloud/webhooks/internal/names"
	"github.com/videocloud/webhooks/internal/queue"
)

// Events returns the events of an account, newest first, for as long as their IDs are kept, and the cursor of the next page, ""
// where there is none. A page for one type may be short, even empty, although there is a next one.
func (s *Sender) Events(ctx context.Context, account string, f EventFilter) (items []EventSummary, next string, err error) {
	page, err := s.listPage(ctx, account, f.Cursor, f.Limit, isStreamID)
	if err != nil {
		return nil, "", err
	}
	events, place, err := s.queue.Events(ctx, page.shard, account, queue.EventsQuery{
		After: page.after, Since: f.Since, Until: f.Until, Type: f.Type, Limit: page.limit,
	})
	if err != nil {
		return nil, "", s.unavailable("read", err)
	}
	items = make([]EventSummary, len(events))
	for i := range events {
		e := &events[i]
		items[i] = EventSummary{
			ID: eventIDOf(e.ID, e.Job), Type: e.Type, Timestamp: time.Unix(e.Timestamp, 0).UTC(), CreatedAt: e.Created.UTC(), Deliveries: make(map[State]int, len(stateNames)),
		}
		for stored, state := range stateNames {
			items[i].Deliveries[state] = e.Count(stored)
		}
	}
	return items, writeCursor(place), nil
}

// Event returns an event of an account with its deliveries.
func (s *Sender) Event(ctx context.Context, account, id string) (EventRecord, error) {
	if !names.IsID(id) {
		return EventRecord{}, errNotFound
	}
	shard, err := s.shard(ctx, account)
	if err != nil {
		return EventRecord{}, err
	}
	found, err := s.queue.Event(ctx, shard, account, id, jobOfEventID(id), s.c.HistoryEntries)
	if err != nil {
		return EventRecord{}, s.unavailable("read", err)
	}
	if found == nil {
		return EventRecord{}, errNotFound
	}
	e := EventRecord{ID: id, Type: found.Type, Timestamp: time.Unix(found.Timestamp, 0).UTC(), Deliveries: []Delivery{}}
	if p, ok := decodePayload(found.Payload, found.Job); ok {
		e.Data = json.RawMessage(p.data)
	}
	for i := range found.Lanes {
		l := &found.Lanes[i]
		d := s.newDelivery(l.Lane, found.Job, &l.Standing)
		d.AttemptsLeftOut = l.LogLeftOut
		e.Deliveries = append(e.Deliveries, d)
	}
	return e, nil
}

// DeleteEvent removes the data of an event and all kept answers to it from the store, and cancels its waiting deliveries. An
// attempt that is under way ends and leaves nothing behind. The event can't be found any more, but its ID stays in use for 72
// hours: publishing under it is a conflict.
//
// What an append-only file or a backup of the store holds disappears when these are rewritten.
//
// Failure policy: where it returns an error after its first step, the data is gone and the rest is removed in the background.
func (s *Sender) DeleteEvent(ctx context.Context, account, id string) error {
	if !names.IsID(id) {
		return errNotFound
	}
	shard, err := s.shard(ctx, account)
	if err != nil {
		return err
	}
	step, err := s.queue.Expunge(ctx, shard, account, id, jobOfEventID(id))
	if err != nil {
		return s.unavailable("expunge", err)
	}
	if step == nil {
		return errNotFound
	}
	s.recordExpunged(ctx, step)
	if step.Left == 0 {
		return nil
	}
	if err := s.continueExpunge(ctx, shard, step.Job); err != nil {
		s.wakeTasks(shard)
		return s.unavailable("expunge", err)
	}
	return nil
}

// continueExpunge removes the rest of an event whose data is gone.
func (s *Sender) continueExpunge(ctx context.Context, shard int, job string) error {
	for {
		step, err := s.queue.ExpungeOn(ctx, shard, job)
		if err != nil || step == nil {
			return err
		}
		s.recordExpunged(ctx, step)
		if step.Left == 0 {
			return nil
		}
	}
}

// recordExpunged counts and logs the deliveries that a step cancelled.
func (s *Sender) recordExpunged(ctx context.Context, step *queue.Expunged) {
	for _, lane := range step.Cancelled {
		s.o.Observer.Delivery(StateCancelled)
		s.log.LogAttrs(ctx, slog.LevelInfo, "delivery of a deleted event is cancelled", slog.String("delivery_id", deliveryID(lane, step.Job)), slog.String("webhook_id", webhookPrefix+lane))
	}
}
