package sender

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/redistest"
)

// cutting fails what goes on with an event while it is on: as if the publisher's process died there.
type cutting struct{ on atomic.Bool }

var errCut = errors.New("cut off")

func (c *cutting) cuts(cmd redis.Cmder) bool {
	args := cmd.Args()
	return c.on.Load() && cmd.Name() == "evalsha" && slices.Contains(args, any("on"))
}

func (c *cutting) DialHook(next redis.DialHook) redis.DialHook { return next }

func (c *cutting) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if c.cuts(cmd) {
			cmd.SetErr(errCut)
			return errCut
		}
		return next(ctx, cmd)
	}
}

func (c *cutting) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		for _, cmd := range cmds {
			if c.cuts(cmd) {
				cmd.SetErr(errCut)
				return errCut
			}
		}
		return next(ctx, cmds)
	}
}

// Lesson 64: an event to many webhooks whose publisher is cut off in the middle is finished: each webhook gets it once, and a
// publisher who asks again hears so.
func TestLesson64PublishCutOffIsFinished(t *testing.T) {
	t.Parallel()
	const hooks = 150
	for name, again := range map[string]bool{"the publisher asks again": true, "nobody asks again": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redistest.Each(t, func(t *testing.T, store *Store) {
				sink := newSink(t, nil)
				b := newBundle(t, store, nil)
				for range hooks {
					b.webhook(sink.URL, "video.uploaded")
				}
				cut := &cutting{}
				store.Client().AddHook(cut)
				cut.on.Store(true)
				e := Event{ID: "one", Type: "video.uploaded", Data: []byte(`{"n":1}`)}
				_, err := b.Publish(t.Context(), "default", e)
				requireError(t, err, CodeUnavailable, "")
				told, err := b.Event(t.Context(), "default", "one")
				require.NoError(t, err)
				require.Len(t, told.Deliveries, hooks, "what is told is the whole of it")
				b.start()
				cut.on.Store(false)
				if again {
					p, err := b.Publish(t.Context(), "default", e)
					require.NoError(t, err)
					require.True(t, p.Duplicate)
					require.Len(t, p.Deliveries, hooks)
				}
				eventually(t, "all have it", func() bool {
					told, err := b.Event(t.Context(), "default", "one")
					require.NoError(t, err)
					return !slices.ContainsFunc(told.Deliveries, func(d Delivery) bool { return d.State != StateSucceeded })
				})
				require.Len(t, sink.got(), hooks)
			})
		})
	}
}

// What changes which webhooks get an event says so, as a batch to many of them does not look for them each time.
func TestSubscriptionsChange(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, nil)
		before := ""
		changed := func() bool {
			now, _ := store.Client().HGet(t.Context(), b.queue.Tag(mustShard(t, b))+"stats", "subscriptions").Result()
			defer func() { before = now }()
			return now != before
		}
		w := b.webhook("http://127.0.0.1:9/")
		require.True(t, changed())
		b.update(w, WebhookUpdate{Change: func(to *Webhook) error { to.Events = []string{"video.uploaded"}; return nil }})
		require.True(t, changed())
		b.publish(guideData)
		require.False(t, changed())
		require.NoError(t, b.DeleteWebhook(t.Context(), "default", w.ID))
		require.True(t, changed())
	})
}
