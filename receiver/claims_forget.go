package receiver

import (
	"context"
	"time"
)

// Forget lets the receiver accept an event again, which a replay by the sender needs. The event is named by its ID or,
// where it has none, by its key ([Outcome.Key]). Forget returns the number of events forgotten; an event in work is
// not forgotten. Its errors match [ErrStore].
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

// ForgetSince lets the receiver accept every done event again that it claimed at or after t. It returns their number.
func (r *Receiver) ForgetSince(ctx context.Context, t time.Time) (int, error) {
	if r.store == nil {
		return 0, nil
	}
	return r.store.ForgetSince(ctx, t)
}
