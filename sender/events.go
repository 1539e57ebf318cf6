package sender

import (
	"context"
	"time"

	"github.com/videocloud/webhooks/internal/queue"
)

// Events returns events of an account, newest first, for as long as their IDs are known, and the cursor of the next page where there is
// more. A page for one type may be short, or empty, and still have a next one.
func (s *Sender) Events(ctx context.Context, account string, f EventFilter) (items []EventSummary, next string, err error) {
	after, limit, err := checkPage(f.Cursor, f.Limit, isStreamID)
	if err != nil {
		return nil, "", err
	}
	shard, err := s.shard(ctx, account)
	if err != nil {
		return nil, "", err
	}
	events, after, err := s.queue.Events(ctx, shard, account, queue.EventsQuery{After: after, Since: f.Since, Until: f.Until, Type: f.Type, Limit: limit})
	if err != nil {
		return nil, "", s.unavailable("read", err)
	}
	items = make([]EventSummary, len(events))
	for i := range events {
		e := &events[i]
		items[i] = EventSummary{
			ID: eventIDOf(e.ID, e.Job), Type: e.Type, Timestamp: time.Unix(e.Timestamp, 0).UTC(), CreatedAt: e.Created.UTC(), Deliveries: make(map[State]int, len(states)),
		}
		for stored, state := range states {
			items[i].Deliveries[state] = e.Count(stored)
		}
	}
	return items, writeCursor(after), nil
}
