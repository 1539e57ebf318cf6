package sender

import (
	"context"
	"errors"
	"time"
)

// endReplay ends a replay that still runs.
func (s *Sender) endReplay(ctx context.Context, shard int, id, state string) error {
	return s.registry.EndReplay(ctx, shard, id, state, replayKept)
}

// ListReplays returns an account's replays that can still be looked at, newest first, and the cursor of the next page.
func (s *Sender) ListReplays(ctx context.Context, account, cursor string, limit int) (items []Replay, next string, err error) {
	before, limit, err := checkPage(cursor, limit, isNumber)
	if err != nil {
		return nil, "", err
	}
	shard, err := s.shard(ctx, account)
	if err != nil {
		return nil, "", err
	}
	ids, place, err := s.registry.ListReplays(ctx, shard, account, before, limit)
	if err != nil {
		return nil, "", s.unavailable("replays", err)
	}
	items = make([]Replay, 0, len(ids))
	for _, id := range ids {
		r, err := s.Replay(ctx, account, id)
		if errors.Is(err, errNotFound) {
			continue // it ended long ago
		}
		if err != nil {
			return nil, "", err
		}
		items = append(items, r)
	}
	return items, writeCursor(place), nil
}

// CancelReplay ends a replay: what it has not sent yet stays as it is.
func (s *Sender) CancelReplay(ctx context.Context, account, id string) (Replay, error) {
	if _, err := s.Replay(ctx, account, id); err != nil {
		return Replay{}, err
	}
	shard, err := s.shard(ctx, account)
	if err != nil {
		return Replay{}, err
	}
	if err := s.endReplay(ctx, shard, id, replayCancelled); err != nil {
		return Replay{}, s.unavailable("replay", err)
	}
	return s.Replay(ctx, account, id)
}

// everSince is where a replay of all that is kept begins.
var everSince = time.UnixMilli(1)

// RetryWebhook sends all failed deliveries of a webhook again, as a replay.
func (s *Sender) RetryWebhook(ctx context.Context, account, id string, r ReplayRequest) (Replay, error) {
	if r.Since.IsZero() {
		r.Since = everSince
	}
	return s.StartReplay(ctx, account, id, r)
}
