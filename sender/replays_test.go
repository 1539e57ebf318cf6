package sender

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/redistest"
)

func TestReplaysAreListedAndCancelled(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, nil) // not started: nothing makes steps
		w := b.webhook("http://127.0.0.1:1/")
		var ids []string
		for range 3 {
			r, err := b.RetryWebhook(t.Context(), "default", w.ID, ReplayRequest{})
			require.NoError(t, err)
			ids = append([]string{r.ID}, ids...)
			time.Sleep(2 * time.Millisecond) // another time of Redis' clock
		}
		page, next, err := b.ListReplays(t.Context(), "default", "", 2)
		require.NoError(t, err)
		require.Equal(t, ids[:2], []string{page[0].ID, page[1].ID})
		rest, end, err := b.ListReplays(t.Context(), "default", next, 2)
		require.NoError(t, err)
		require.Empty(t, end)
		require.Len(t, rest, 1)
		require.Equal(t, ids[2], rest[0].ID)
		others, _, err := b.ListReplays(t.Context(), "another", "", 0)
		require.NoError(t, err)
		require.Empty(t, others)

		r, err := b.CancelReplay(t.Context(), "default", ids[0])
		require.NoError(t, err)
		require.Equal(t, replayCancelled, r.State)
		shard := mustShard(t, b)
		require.NoError(t, b.endReplay(t.Context(), shard, ids[0], replayDone))
		r, err = b.Replay(t.Context(), "default", ids[0])
		require.NoError(t, err)
		require.Equal(t, replayCancelled, r.State, "who ended it first has decided")
		_, err = b.CancelReplay(t.Context(), "another", ids[1])
		require.ErrorIs(t, err, errNotFound)
		p, err := b.SendExample(t.Context(), "default", w.ID, "video.uploaded")
		require.NoError(t, err)
		require.Equal(t, "video.uploaded", p.Type)
	})
}
