package sender

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/queue"
	"github.com/videocloud/webhooks/internal/redistest"
	"github.com/videocloud/webhooks/sender/internal/registry"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		one, two := newBundle(t, store, nil), newBundle(t, store, nil)
		k, value, err := one.CreateKey(t.Context(), NewKey{Account: "shop", Role: "manage", Description: "x", By: "cfg_1", Root: "cfg_1"})
		require.NoError(t, err)
		found, err := two.FindKey(t.Context(), value)
		require.NoError(t, err)
		require.Equal(t, k.ID, found.ID)
		require.Equal(t, [4]string{"shop", "manage", "cfg_1", "cfg_1"}, [4]string{found.Account, found.Role, found.By, found.Root})
		items, next, err := two.ListKeys(t.Context(), "shop", "", 0)
		require.NoError(t, err)
		require.Empty(t, next)
		require.Len(t, items, 1)
		require.WithinDuration(t, time.Now(), items[0].LastUsedAt, time.Hour+time.Minute)
		require.NoError(t, two.DeleteKey(t.Context(), "*", k.ID))
		_, err = one.FindKey(t.Context(), value)
		require.ErrorIs(t, err, errNotFound)

		everything, err := store.Client().Keys(t.Context(), store.Prefix()+"*apikey*").Result()
		require.NoError(t, err)
		require.Empty(t, everything, "nothing of it stays")
	})
}

// The value is nowhere in the store: only its hash is.
func TestKeysAreKeptAsHashes(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, nil)
		_, value, err := b.CreateKey(t.Context(), NewKey{Account: "shop", Role: "all"})
		require.NoError(t, err)
		all, err := store.Client().HGetAll(t.Context(), b.queue.Key(registry.SharedShard, queue.KeyAPIKeys)).Result()
		require.NoError(t, err)
		require.NotContains(t, fmt.Sprint(all), value)
	})
}

func TestKeysEndWithTheirTime(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, nil)
		k, value, err := b.CreateKey(t.Context(), NewKey{Account: "shop", Role: "all", ExpiresAt: time.Now().Add(-time.Second)})
		require.NoError(t, err)
		_, err = b.FindKey(t.Context(), value)
		require.ErrorIs(t, err, errNotFound)
		_, child, err := b.CreateKey(t.Context(), NewKey{Account: "shop", Role: "all", By: k.ID})
		requireError(t, err, CodeUnauthorized, "")
		require.Empty(t, child)
		items, _, err := b.ListKeys(t.Context(), "*", "", 0)
		require.NoError(t, err)
		require.Empty(t, items)
	})
}

// However many a key made, and they in turn, all end, and the key itself is refused at once.
func TestAKeyEndsWithAThousandOthers(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, nil)
		root, _, err := b.CreateKey(t.Context(), NewKey{Account: "*", Role: "all"})
		require.NoError(t, err)
		var values []string
		for i := range 150 {
			child, value, err := b.CreateKey(t.Context(), NewKey{Account: "a", Role: "all", By: root.ID})
			require.NoError(t, err)
			values = append(values, value)
			if i%10 == 0 {
				for range 20 {
					_, value, err := b.CreateKey(t.Context(), NewKey{Account: fmt.Sprint("b", i), Role: "all", By: child.ID})
					require.NoError(t, err)
					values = append(values, value)
				}
			}
		}
		_, other, err := b.CreateKey(t.Context(), NewKey{Account: "a", Role: "all"})
		require.NoError(t, err)
		page, next, err := b.ListKeys(t.Context(), "*", "", 100)
		require.NoError(t, err)
		require.Len(t, page, 100)
		require.NotEmpty(t, next)
		require.NoError(t, b.DeleteKey(t.Context(), "*", root.ID))
		for _, value := range values {
			_, err := b.FindKey(t.Context(), value)
			require.ErrorIs(t, err, errNotFound)
		}
		_, err = b.FindKey(t.Context(), other)
		require.NoError(t, err)
		items, _, err := b.ListKeys(t.Context(), "*", "", 100)
		require.NoError(t, err)
		require.Len(t, items, 1, "and all are gone from the store")
	})
}
