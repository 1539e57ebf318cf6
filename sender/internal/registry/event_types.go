package registry

import (
	"context"

	"github.com/videocloud/webhooks/internal/queue"
)

var eventTypeWriteScript = script("event_type_write")

// EventTypesVersion returns a version that changes with every change of the event types; "" where there was none.
func (r *Registry) EventTypesVersion(ctx context.Context) (string, error) {
	return emptyIfNil(r.redis.Get(ctx, r.queue.Key(SharedShard, queue.KeyEventTypesMoved)).Result())
}

// EventTypes returns the event types that were made or changed at run time, by name.
func (r *Registry) EventTypes(ctx context.Context) (map[string]string, error) {
	return r.redis.HGetAll(ctx, r.queue.Key(SharedShard, queue.KeyEventTypes)).Result()
}

// WriteEventType changes what is stored of an event type, if that is still old. An empty text stands for nothing. It returns
// [ErrChanged] where something else is stored by now, and [ErrLimit] where there are limit event types already.
func (r *Registry) WriteEventType(ctx context.Context, name, old, text string, limit int) error {
	_, err := r.write(ctx, SharedShard, eventTypeWriteScript, name, old, text, limit)
	return err
}
