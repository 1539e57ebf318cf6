package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/store"
)

// TestOpenKeepsPasswordsToItself: a URL that can't be used is not repeated, as it may hold a password.
func TestOpenKeepsPasswordsToItself(t *testing.T) {
	t.Parallel()
	for _, c := range []config.Redis{{URL: "redis://user:unseen@"}, {URL: "redis://user:unseen@host:port:1/0"}, {URL: "http://user:unseen@host/"}} {
		_, err := store.Open(c, store.Options{})
		require.ErrorContains(t, err, "redis")
		require.NotContains(t, err.Error(), "unseen")
	}
}

func TestStore(t *testing.T) {
	t.Parallel()
	s, err := store.Open(config.Redis{URL: config.Memory}, store.Options{Prefix: "mine"})
	require.NoError(t, err)
	require.NoError(t, s.Ready(t.Context()))
	require.NoError(t, s.Check(t.Context()))
	require.True(t, s.InMemory())
	require.Equal(t, "mine", s.Prefix())
	require.NoError(t, s.Close())
	require.ErrorIs(t, s.Check(t.Context()), store.ErrUnreachable)
}
