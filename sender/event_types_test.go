package sender

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/redistest"
)

func TestEventTypesAtRunTime(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b, other := newBundle(t, store, nil), newBundle(t, store, nil)
		ctx := t.Context()
		_, err := other.EventTypes(ctx)
		require.NoError(t, err)
		raw := func(s string) *json.RawMessage { return new(json.RawMessage(s)) }
		schema := raw(`{"type":"object","required":["size"],"properties":{"size":{"type":"integer"}}}`)
		made, err := b.PutEventType(ctx, "order.paid", EventTypeUpdate{Schema: schema, Example: raw(`{"size": 12345678901234567890}`)})
		require.NoError(t, err)
		require.Equal(t, "order", made.Group)
		_, err = b.PutEventType(ctx, "video.uploaded", EventTypeUpdate{Schema: schema})
		require.NoError(t, err)

		for _, kind := range []string{"order.paid", "video.uploaded"} {
			_, err = b.Publish(ctx, "default", Event{Type: kind, Data: json.RawMessage(`{"size":"large"}`)})
			requireError(t, err, CodeInvalidData, "data.size")
			_, err = b.Publish(ctx, "default", Event{Type: kind, Data: json.RawMessage(`{}`)})
			requireError(t, err, CodeInvalidData, "data.size")
		}
		eventually(t, "another process checks too", func() bool {
			_, err := other.Publish(ctx, "default", Event{Type: "order.paid", Data: json.RawMessage(`{"size":true}`)})
			refused, ok := err.(*Error)
			return ok && refused.Code == CodeInvalidData
		})
		w := b.webhook("http://127.0.0.1:1/", "order.*")
		p, err := b.SendExample(ctx, "default", w.ID, "order.paid")
		require.NoError(t, err)
		e, err := b.Event(ctx, "default", p.ID)
		require.NoError(t, err)
		require.Equal(t, `{"size": 12345678901234567890}`, string(e.Data))

		_, err = b.PutEventType(ctx, "order.paid", EventTypeUpdate{Example: raw(`{}`)})
		requireError(t, err, CodeInvalidField, "example")
		for _, bad := range []string{`{"type":"x"}`, `{"$ref":"http://127.0.0.1:1/"}`, `[]`} {
			_, err = b.PutEventType(ctx, "order.paid", EventTypeUpdate{Schema: raw(bad)})
			requireError(t, err, CodeInvalidField, "schema")
		}
		for _, name := range []string{"Order", "order", "webhook.test", "order.*"} {
			_, err = b.PutEventType(ctx, name, EventTypeUpdate{})
			requireError(t, err, CodeInvalidField, "name")
		}
		requireError(t, b.DeleteEventType(ctx, "video.uploaded"), CodeConflict, "")
		requireError(t, b.DeleteEventType(ctx, "order.none"), CodeNotFound, "")
		require.NoError(t, b.DeleteEventType(ctx, "order.paid"))
		_, err = b.Publish(ctx, "default", Event{Type: "order.paid", Data: json.RawMessage(`{"size":1}`)})
		requireError(t, err, CodeUnknownEventType, "event")
		_, err = b.PutEventType(ctx, "video.uploaded", EventTypeUpdate{Schema: raw("")})
		require.NoError(t, err)
		b.publish(guideData)
	})
}
