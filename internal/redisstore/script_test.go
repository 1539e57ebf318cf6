package redisstore_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/internal/redistest"
)

const tag = "{webhooks:0}:"

var (
	add  = redisstore.NewScript("local base = KEYS[1]", "return redis.call('INCRBY', base .. 'n', ARGV[1])")
	echo = redisstore.NewScript("return ARGV[1]")
	bad  = redisstore.NewScript("return redis.call('LPUSH', KEYS[1] .. 'n', 'x')")
)

// Lesson 3: a Redis that lost its scripts gets them again, one by one or in a batch, and each runs once.
func TestLesson03ScriptsReload(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		ctx := t.Context()
		n, err := s.Run(ctx, add, tag, 5)
		require.NoError(t, err)
		require.EqualValues(t, 5, n)
		require.NoError(t, s.Client().ScriptFlush(ctx).Err())
		n, err = s.Run(ctx, add, tag, 5)
		require.NoError(t, err)
		require.EqualValues(t, 10, n)

		require.NoError(t, s.Client().ScriptFlush(ctx).Err())
		calls := []redisstore.Call{{Script: add, Key: tag, Args: []any{1}}, {Script: echo, Key: tag, Args: []any{"a"}}, {Script: bad, Key: tag}, {Script: echo, Key: tag, Args: []any{"b"}}}
		cmds := s.RunAll(ctx, calls)
		require.Len(t, cmds, 4)
		require.EqualValues(t, 11, cmds[0].Val())
		require.Equal(t, "a", cmds[1].Val())
		require.Error(t, cmds[2].Err(), "each by its own")
		require.Equal(t, "b", cmds[3].Val())
		require.True(t, redisstore.Retried(cmds[0]), "out of order")
		for i, cmd := range s.RunAll(ctx, calls) {
			require.True(t, i == 2 || !redisstore.Retried(cmd), "loaded by now") // but for one that fails, in memory
		}
	})
}

// The context bounds a run, whatever Redis does.
func TestRunContext(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t)
	s := redistest.Open(t, config.Redis{URL: r.URL(), Timeout: time.Minute})
	_, err := s.Run(t.Context(), add, tag, 1)
	require.NoError(t, err)
	r.Freeze()
	defer r.Thaw()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = s.Run(ctx, add, tag, 1)
	require.Error(t, err)
	for _, cmd := range s.RunAll(ctx, []redisstore.Call{{Script: add, Key: tag, Args: []any{1}}, {Script: echo, Key: tag, Args: []any{1}}}) {
		require.Error(t, cmd.Err())
	}
}

// A value is there when its script runs, and has an end; where the script is refused it goes.
func TestRunWithValues(t *testing.T) {
	t.Parallel()
	keep := redisstore.NewScript("return redis.call('GET', KEYS[1] .. ARGV[1])")
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		ctx := t.Context()
		value := &redisstore.Value{Key: tag + "v", Data: "first", TTL: time.Minute}
		for range 2 { // the first time the script is loaded
			got, err := s.RunWithValues(ctx, []*redisstore.Value{value}, keep, tag, "v")
			require.NoError(t, err)
			require.NoError(t, value.Err)
			require.Equal(t, value.Data, got)
			left := s.Client().PTTL(ctx, value.Key).Val()
			require.Positive(t, left)
			require.LessOrEqual(t, left, value.TTL)
			value.Data = "second"
		}
		refuse := redisstore.NewScript("return redis.error_reply('OOM full')")
		_, err := s.RunWithValues(ctx, []*redisstore.Value{value}, refuse, tag)
		require.True(t, redis.HasErrorPrefix(err, "OOM"), "%v", err)
		require.Zero(t, s.Client().Exists(ctx, value.Key).Val())
	})
}

// Lesson 4: a refused write makes Ready look again, and say why.
func TestLesson04RefusedWriteMakesReadyLookAgain(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t)
	s := redistest.Open(t, config.Redis{URL: r.URL()})
	require.NoError(t, s.Ready(t.Context()))
	c := r.Client()
	require.NoError(t, c.ConfigSet(t.Context(), "maxmemory", "1").Err())
	require.NoError(t, s.Ready(t.Context()), "nothing told us")
	_, err := s.Run(t.Context(), add, tag, 1)
	require.True(t, redis.HasErrorPrefix(err, "OOM"), "%v", err)
	err = s.Ready(t.Context())
	require.ErrorIs(t, err, redisstore.ErrUnsafe)
	require.ErrorContains(t, err, "maxmemory")
	require.NoError(t, c.ConfigSet(t.Context(), "maxmemory", "0").Err())
	require.Eventually(t, func() bool { return s.Ready(t.Context()) == nil }, soon, 20*time.Millisecond)
}

// With replicas a write counts once they have it, and is there all the same when they don't.
func TestReplicas(t *testing.T) {
	t.Parallel()
	master := redistest.Start(t)
	host, port := "127.0.0.1", strconv.Itoa(master.Port)
	replica := redistest.Start(t, "--replicaof", host+" "+port)
	s := redistest.Open(t, config.Redis{URL: master.URL(), Replicas: 1})
	require.Equal(t, 1, s.Replicas())
	ctx := t.Context()
	require.Eventually(t, func() bool {
		_, err := s.RunDurable(ctx, add, tag, 1)
		return err == nil
	}, soon, 20*time.Millisecond, "the replica is there")
	n, err := s.Client().Get(ctx, tag+"n").Int()
	require.NoError(t, err)
	require.Equal(t, strconv.Itoa(n), replica.Client().Get(ctx, tag+"n").Val(), "it has the write when the answer comes")
	require.NoError(t, s.Client().ScriptFlush(ctx).Err())
	_, err = s.RunDurable(ctx, add, tag, 1)
	require.NoError(t, err, "a lost script is loaded")

	replica.Freeze()
	redisstore.WaitShortly(s, 600*time.Millisecond)
	_, err = s.RunDurable(ctx, add, tag, 1)
	require.ErrorIs(t, err, redisstore.ErrReplicas)
	require.Equal(t, strconv.Itoa(n+2), s.Client().Get(ctx, tag+"n").Val())
	_, err = s.RunDurable(ctx, echo, tag, 1)
	require.ErrorIs(t, err, redisstore.ErrReplicas, "one that writes nothing is no shortcut")
	replica.Thaw()
	require.Eventually(t, func() bool {
		_, err := s.RunDurable(ctx, echo, tag, 1)
		return err == nil
	}, soon, 20*time.Millisecond)

	_, err = s.RunDurable(ctx, bad, tag)
	require.Error(t, err)
	require.NotErrorIs(t, err, redisstore.ErrReplicas)
	alone := redistest.Open(t, config.Redis{URL: fmt.Sprintf("redis://%s:%s", host, port)})
	_, err = alone.RunDurable(ctx, echo, tag, 1)
	require.NoError(t, err)
}
