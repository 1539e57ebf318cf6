package redisstore_test

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/internal/redistest"
)

// The in-memory store starts nothing before its first use, and leaves nothing behind.
func TestMemoryComesAndGoes(t *testing.T) {
	before := goleak.IgnoreCurrent()
	for _, used := range []bool{false, true} {
		s, err := redisstore.Open(config.Redis{Timeout: redistest.Patience}, "", nil)
		require.NoError(t, err)
		require.True(t, s.InMemory())
		if used {
			require.NoError(t, s.Ready(t.Context()))
			require.NoError(t, s.Client().Set(t.Context(), "k", "v", 0).Err())
		}
		require.NoError(t, s.Close())
		_ = s.Close() // no panic
		require.Error(t, s.Client().Get(t.Context(), "k").Err())
		require.ErrorIs(t, s.Ready(t.Context()), redisstore.ErrUnreachable)
	}
	nothingLeft(t, before)
}

// What is in memory survives its connections.
func TestMemorySurvivesConnections(t *testing.T) {
	t.Parallel()
	s := redistest.Open(t, config.Redis{URL: config.Memory})
	c := s.Client()
	require.NoError(t, c.Set(t.Context(), "k", "v", time.Minute).Err())
	own := c.(*redis.Client).Conn()
	require.NoError(t, own.Ping(t.Context()).Err())
	require.NoError(t, own.Process(t.Context(), redis.NewStatusCmd(t.Context(), "QUIT")))
	require.NoError(t, own.Close())
	require.Equal(t, "v", c.Get(t.Context(), "k").Val())
}

// Keys of the in-memory store end by themselves.
func TestMemoryExpires(t *testing.T) {
	t.Parallel()
	s := redistest.Open(t, config.Redis{URL: config.Memory})
	redisstore.ExpireEvery(s, 10*time.Millisecond)
	c := s.Client()
	require.NoError(t, c.Set(t.Context(), "short", "v", 30*time.Millisecond).Err())
	require.NoError(t, c.Set(t.Context(), "long", "v", time.Hour).Err())
	require.Eventually(t, func() bool { return c.Exists(t.Context(), "short").Val() == 0 }, soon, 5*time.Millisecond)
	require.Equal(t, "v", c.Get(t.Context(), "long").Val())
	require.Less(t, c.PTTL(t.Context(), "long").Val(), time.Hour)
}

// A test can stop its clock.
func TestMemoryClock(t *testing.T) {
	t.Parallel()
	s := redistest.Open(t, config.Redis{URL: config.Memory})
	at := time.UnixMilli(1_700_000_000_123)
	s.SetTime(at)
	require.True(t, at.Equal(s.Client().Time(t.Context()).Val()))
	s.SetTime(time.Time{})
	require.WithinDuration(t, time.Now(), s.Client().Time(t.Context()).Val(), time.Minute)
}
