package receiver

import (
	"context"
	"time"
)

// Forget lets the receiver take an event again: as a sender's replay through one's own gateway needs. The event is
// named by its ID or, where it has none, by its key ([Outcome.Key]). It reports how many events that were: one that is
// in work stays.
func (r *Receiver) Forget(ctx context.Context, event string) (int, error) {
	if r.store == nil {
		return 0, nil
	}
	n, err := r.store.Forget(ctx, EventKey(r.config.Name, r.scheme, event))
	if err != nil || n > 0 {
		return n, err
	}
	if k, ok := ParseKey(event); ok {
		return r.store.Forget(ctx, k)
	}
	return 0, nil
}

// ForgetSince lets the receiver take every event again that it took at or after t.
func (r *Receiver) ForgetSince(ctx context.Context, t time.Time) (int, error) {
	if r.store == nil {
		return 0, nil
	}
	return r.store.ForgetSince(ctx, t)
}
