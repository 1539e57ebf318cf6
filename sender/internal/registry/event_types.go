package registry

import (
	"context"

	"github.com/videocloud/webhooks/internal/queue"
)

var eventTypeWriteScript = script("event_type_write")

// EventTypesVersion is another after every change of the event types; empty: there was none.
func (r *Registry) EventTypesVersion(ctx context.Context) (string, error) {
	return emptyIfNil(r.redis.Get(ctx, r.queue.Key(SharedShard, queue.KeyEventTypesMoved)).Result())
}

// EventTypes are those that were made or changed at run time, by name.
func (r *Registry) EventTypes(ctx context.Context) (map[string]string, error) {
	return r.redis.HGetAll(ctx, r.queue.Key(SharedShard, queue.KeyEventTypes)).Result()
}

// WriteEventType changes what is stored of an event type that is still as it was read; empty stands for nothing. It returns [ErrChanged]
// where it is another by now, and [ErrLimit] where there are as many as most.
func (r *Registry) WriteEventType(ctx context.Context, name, old, text string, most int) error {
	_, err := r.write(ctx, SharedShard, eventTypeWriteScript, name, old, text, most)
	return err
}
