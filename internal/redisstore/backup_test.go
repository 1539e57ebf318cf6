package redisstore_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/internal/redistest"
)

// fill writes keys of every type, small ones and large ones, as Redis keeps them in different forms.
func fill(t *testing.T, c redis.UniversalClient, tag string) {
	t.Helper()
	ctx := t.Context()
	pipe := c.Pipeline()
	for _, n := range []int{1, 300, 3000} {
		key := func(kind string) string { return fmt.Sprintf("{%s:3}:%s:%d", tag, kind, n) }
		pipe.Set(ctx, key("text"), strings.Repeat("text ", n), 0)
		pipe.Set(ctx, key("number"), n, time.Hour)
		for i := range n {
			v := fmt.Sprintf("value-%d-%s", i, strings.Repeat("x", i%100))
			pipe.RPush(ctx, key("list"), v)
			pipe.SAdd(ctx, key("set"), v)
			pipe.SAdd(ctx, key("numbers"), i)
			pipe.ZAdd(ctx, key("sorted"), redis.Z{Score: float64(i) / 3, Member: v})
			pipe.HSet(ctx, key("hash"), v, i)
			pipe.XAdd(ctx, &redis.XAddArgs{Stream: key("stream"), Values: []any{"f", v}})
		}
	}
	pipe.XGroupCreate(ctx, "{"+tag+":3}:stream:300", "group", "0")
	pipe.XReadGroup(ctx, &redis.XReadGroupArgs{Group: "group", Consumer: "me", Streams: []string{"{" + tag + ":3}:stream:300", ">"}, Count: 7, Block: -1})
	pipe.Set(ctx, "{"+tag+":r:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}:i:1", "packed key", 0)
	_, err := pipe.Exec(ctx)
	require.NoError(t, err)
}

// values are all keys of a store with their values, shortened to a checksum.
func values(t *testing.T, c redis.UniversalClient, pattern string) map[string]string {
	t.Helper()
	ctx, all := t.Context(), map[string]string{}
	for _, key := range c.Keys(ctx, pattern).Val() {
		var v any
		kind := c.Type(ctx, key).Val()
		switch kind {
		case "string":
			v = c.Get(ctx, key).Val()
		case "list":
			v = c.LRange(ctx, key, 0, -1).Val()
		case "set":
			v = slices.Sorted(slices.Values(c.SMembers(ctx, key).Val()))
		case "zset":
			v = c.ZRangeWithScores(ctx, key, 0, -1).Val()
		case "hash":
			v = c.HGetAll(ctx, key).Val()
		case "stream":
			v = []any{c.XRange(ctx, key, "-", "+").Val(), c.XInfoGroups(ctx, key).Val()}
		}
		require.NotEmpty(t, v, key)
		all[key] = fmt.Sprintf("%s %x", kind, sha256.Sum256(fmt.Append(nil, v)))
	}
	return all
}

// TestBackup: what comes back is what was there, with its ends; what is another's is neither saved nor touched.
func TestBackup(t *testing.T) {
	t.Parallel()
	from, to := redistest.Start(t, "--requirepass", "pass word"), redistest.Start(t)
	s := redistest.Open(t, config.Redis{URL: "redis://:pass%20word@" + from.Addr() + "/2"})
	require.NoError(t, s.Ready(t.Context()))
	fill(t, s.Client(), "webhooks")
	fill(t, s.Client(), "webhooks2")
	var file bytes.Buffer
	keys, err := s.Backup(t.Context(), &file)
	require.NoError(t, err)
	require.NotContains(t, file.String(), "webhooks2")

	target := redistest.Open(t, config.Redis{URL: to.URL()})
	require.NoError(t, target.Ready(t.Context()))
	require.NoError(t, target.Client().Set(t.Context(), "another's", "1", 0).Err())
	restored, err := target.Restore(t.Context(), bytes.NewReader(file.Bytes()), false)
	require.NoError(t, err)
	require.Equal(t, keys, restored)
	want := values(t, s.Client(), "{webhooks:*")
	require.Len(t, want, 3*8+1)
	maps.Copy(want, values(t, s.Client(), "{webhooks}*"))
	require.Len(t, want, keys)
	got := values(t, target.Client(), "{webhooks*")
	for key, value := range want {
		require.Equal(t, value, got[key], key)
	}
	require.Len(t, got, len(want))
	ttl, err := target.Client().PTTL(t.Context(), "{webhooks:3}:number:1").Result()
	require.NoError(t, err)
	require.InDelta(t, time.Hour.Seconds(), ttl.Seconds(), 60)
	require.NoError(t, target.Ready(t.Context()))
	mine, err := s.Installation(t.Context())
	require.NoError(t, err)
	theirs := redistest.Open(t, config.Redis{URL: to.URL()})
	name, err := theirs.Installation(t.Context())
	require.NoError(t, err)
	require.Equal(t, mine, name, "it is the same installation")

	_, err = target.Restore(t.Context(), bytes.NewReader(file.Bytes()), false)
	require.ErrorIs(t, err, redisstore.ErrNotEmpty)
	require.NoError(t, target.Check(t.Context()), "refused, it is as it was")
	require.NoError(t, target.Client().Set(t.Context(), "{webhooks:3}:later", "1", 0).Err())
	_, err = target.Restore(t.Context(), bytes.NewReader(file.Bytes()), true)
	require.NoError(t, err)
	require.Equal(t, got, values(t, target.Client(), "{webhooks*"))
	require.Equal(t, "1", target.Client().Get(t.Context(), "another's").Val())
}

// TestRestoreCutOff: a store with half a backup in it is nobody's, until a whole one is put into it.
func TestRestoreCutOff(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t)
	s := redistest.Open(t, config.Redis{URL: r.URL()})
	require.NoError(t, s.Ready(t.Context()))
	fill(t, s.Client(), "webhooks")
	var file bytes.Buffer
	_, err := s.Backup(t.Context(), &file)
	require.NoError(t, err)
	other := redistest.Open(t, config.Redis{URL: r.URL()})
	require.NoError(t, other.Ready(t.Context()))

	for _, cut := range []int{file.Len() / 2, file.Len() - 1} {
		_, err = s.Restore(t.Context(), bytes.NewReader(file.Bytes()[:cut]), true)
		require.ErrorContains(t, err, "not whole")
		require.ErrorIs(t, s.Check(t.Context()), redisstore.ErrUnsafe)
		require.Error(t, other.Client().Ping(t.Context()).Err(), "nor does a connection made anew slip in")
		require.ErrorContains(t, other.Check(t.Context()), "being restored")
		_, err = s.Restore(t.Context(), bytes.NewReader(file.Bytes()), false)
		require.Error(t, err)
	}
	_, err = s.Restore(t.Context(), io.MultiReader(bytes.NewReader(file.Bytes())), true)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return other.Check(t.Context()) == nil }, 2*time.Minute, 10*time.Millisecond, "%v", other.Check(t.Context()))
	_, err = s.Restore(t.Context(), strings.NewReader("something else"), true)
	require.ErrorContains(t, err, "no backup")
	require.NoError(t, s.Check(t.Context()), "before anything was touched")
	third := redistest.Open(t, config.Redis{URL: r.URL()})
	require.NoError(t, third.Ready(t.Context()))
	apart, err := redisstore.Open(config.Redis{URL: r.URL(), Timeout: redistest.Patience}, "apart", nil)
	require.NoError(t, err)
	defer apart.Close()
	_, err = apart.Restore(t.Context(), bytes.NewReader(file.Bytes()), true)
	require.ErrorContains(t, err, "key_prefix")
}

// TestBackupAmidWrites: it is of one moment: what was written in one step is in it as a whole or not at all.
func TestBackupAmidWrites(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "bk")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	redistest.Need(t, "redis-server")
	s := redistest.Open(t, config.Redis{Local: &config.LocalRedis{Dir: filepath.Join(dir, "a"), Fsync: config.FsyncEverySec}})
	fill(t, s.Client(), "webhooks")
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			pipe := s.Client().TxPipeline()
			pipe.Set(t.Context(), "{webhooks:1}:a", i, 0)
			pipe.Set(t.Context(), "{webhooks:1}:z", i, 0)
			_, _ = pipe.Exec(t.Context())
		}
	}()
	require.Eventually(t, func() bool { return s.Client().Exists(t.Context(), "{webhooks:1}:z").Val() == 1 }, soon, time.Millisecond)
	to := redistest.Open(t, config.Redis{Local: &config.LocalRedis{Dir: filepath.Join(dir, "b"), Fsync: config.FsyncEverySec}})
	for range 3 {
		var file bytes.Buffer
		_, err := s.Backup(t.Context(), &file)
		require.NoError(t, err)
		_, err = to.Restore(t.Context(), &file, true)
		require.NoError(t, err)
		both, err := to.Client().MGet(t.Context(), "{webhooks:1}:a", "{webhooks:1}:z").Result()
		require.NoError(t, err)
		require.NotNil(t, both[0])
		require.Equal(t, both[0], both[1])
		require.NoFileExists(t, filepath.Join(dir, "a", "dump.rdb"), "nothing is left beside the append-only file")
	}
	close(stop)
	<-done
	require.Equal(t, []string{"local", "local"}, []string{s.Kind(), to.Kind()})
}

// TestNoBackupOfMemory: it says so, rather than hand out an empty one.
func TestNoBackupOfMemory(t *testing.T) {
	t.Parallel()
	s := redistest.Open(t, config.Redis{URL: config.Memory})
	_, err := s.Backup(t.Context(), io.Discard)
	require.True(t, errors.Is(err, redisstore.ErrNoBackup))
	_, err = s.Restore(t.Context(), strings.NewReader(""), true)
	require.True(t, errors.Is(err, redisstore.ErrNoBackup))
}
