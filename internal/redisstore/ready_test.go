package redisstore_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2/server"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/internal/redistest"
)

// soon is how long a test waits for what must happen at once, on a machine that may be busy with everything else.
const soon = 2 * time.Minute

// nothingLeft waits until no goroutine is left but those that were there before.
func nothingLeft(t *testing.T, before goleak.Option) {
	t.Helper()
	require.Eventually(t, func() bool { return goleak.Find(before) == nil }, soon, time.Millisecond, "something is left: %v", goleak.Find(before))
}

// meta is where the layout of a store is kept.
const meta = "{webhooks}:meta"

func TestReady(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		shards, err := s.Shards(t.Context())
		require.NoError(t, err)
		require.Equal(t, config.DefaultShards, shards)
		require.NoError(t, s.Ready(t.Context()))
		installation, err := s.Installation(t.Context())
		require.NoError(t, err)
		stored := map[string]string{"version": "2", "shards": "16", "installation": installation, "since": strconv.FormatInt(s.Since().Unix(), 10)}
		require.WithinDuration(t, time.Now(), s.Since(), time.Minute)
		require.Equal(t, stored, s.Client().HGetAll(t.Context(), meta).Val(), "stored at first use")
	})
}

// The layout that is stored counts, and one that this program can't know is refused.
func TestLayout(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		stored []any
		shards int
		says   string
	}{
		"other shard count":    {stored: []any{"version", 2, "shards", 4}, shards: 4},
		"half written":         {stored: []any{"version", 2}, shards: 16},
		"newer data":           {stored: []any{"version", 3, "shards", 16}, says: "version 3"},
		"older data":           {stored: []any{"version", 1, "shards", 16}, says: "version 1"},
		"no shards":            {stored: []any{"version", 2, "shards", 0}, says: "shard count 0"},
		"too many shards":      {stored: []any{"version", 2, "shards", 1 << 20}, says: "shard count 1048576"},
		"something else's key": {stored: []any{"version", "v9", "shards", 16}, says: meta},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
				require.NoError(t, s.Client().HSet(t.Context(), meta, test.stored...).Err())
				shards, err := s.Shards(t.Context())
				if test.says == "" {
					require.NoError(t, err)
					require.Equal(t, test.shards, shards)
					return
				}
				require.ErrorIs(t, err, redisstore.ErrUnsafe)
				require.ErrorContains(t, err, test.says)
				require.Zero(t, shards)
			})
		})
	}
}

func TestPrefixesAreApart(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t)
	one := redistest.Open(t, config.Redis{URL: r.URL()})
	require.NoError(t, one.Client().HSet(t.Context(), meta, "version", 99).Err())
	require.Error(t, one.Ready(t.Context()))
	other, err := redisstore.Open(config.Redis{URL: r.URL(), Timeout: redistest.Patience}, "other", nil)
	require.NoError(t, err)
	defer other.Close()
	require.NoError(t, other.Ready(t.Context()))
	require.Equal(t, "other", other.Prefix())
}

// fake is a server that answers INFO as it is told, and as much else as the checks ask for.
func fake(t *testing.T, info string) *server.Server {
	s, err := server.NewServer("127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(s.Close)
	answer(t, s, info)
	return s
}

func answer(t *testing.T, s *server.Server, info string) {
	for name, cmd := range map[string]server.Cmd{
		"INFO": func(c *server.Peer, _ string, _ []string) {
			if strings.HasPrefix(info, "-") {
				c.WriteError(info[1:])
				return
			}
			c.WriteBulk(info)
		},
		"HSETNX": func(c *server.Peer, _ string, _ []string) { c.WriteInt(0) },
		"HMGET": func(c *server.Peer, _ string, _ []string) {
			c.WriteStrings([]string{"2", "16", "name", "1711886400", ""})
		},
		"AUTH":   func(c *server.Peer, _ string, _ []string) { c.WriteOK() },
		"SELECT": func(c *server.Peer, _ string, _ []string) { c.WriteOK() },
	} {
		require.NoError(t, s.Register(name, cmd))
	}
}

// What Redis says of itself decides.
func TestSafety(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		info string
		want error
		says string
	}{
		"6.2":                    {info: "redis_version:6.2.0\r\nmaxmemory_policy:noeviction\r\nrole:master\r\nloading:0\r\n"},
		"a later one":            {info: "# Server\r\nredis_version:10.0.3\r\nrole:master\r\n"},
		"no policy to see":       {info: "redis_version:7.2.4\r\n"},
		"6.0":                    {info: "redis_version:6.0.16\r\nmaxmemory_policy:noeviction\r\n", want: redisstore.ErrUnsafe, says: "6.0.16"},
		"5":                      {info: "redis_version:5.0.7\r\n", want: redisstore.ErrUnsafe, says: "6.2"},
		"no version":             {info: "role:master\r\n", want: redisstore.ErrUnsafe, says: "version"},
		"evicts":                 {info: "redis_version:7.0.0\r\nmaxmemory_policy:allkeys-lru\r\n", want: redisstore.ErrUnsafe, says: "noeviction"},
		"evicts what has an end": {info: "redis_version:7.0.0\r\nmaxmemory_policy:volatile-ttl\r\n", want: redisstore.ErrUnsafe, says: "volatile-ttl"},
		"a replica":              {info: "redis_version:7.0.0\r\nrole:slave\r\n", want: redisstore.ErrUnsafe, says: "master_name"},
		"loading":                {info: "redis_version:7.0.0\r\nloading:1\r\n", want: redisstore.ErrUnreachable, says: "loading"},
		"loading, and says so":   {info: "-LOADING Redis is loading the dataset in memory", want: redisstore.ErrUnreachable, says: "LOADING"},
		"wants a password":       {info: "-NOAUTH Authentication required.", want: redisstore.ErrUnsafe, says: "password"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := redistest.Open(t, config.Redis{URL: "redis://" + fake(t, test.info).Addr().String()})
			err := s.Ready(t.Context())
			if test.want == nil {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, test.want)
			require.ErrorContains(t, err, test.says)
		})
	}
}

func TestAtLeast(t *testing.T) {
	t.Parallel()
	for v, want := range map[string]bool{"6.2": true, "6.2.13": true, "6.10.0": true, "7.0.0": true, "10.0.0": true, "6.1.9": false, "5.9.9": false, "": false, "7": false, "a.b": false} {
		require.Equal(t, want, redisstore.AtLeast(v, 6, 2), v)
	}
}

// A check stands as long as no connection is made anew; then it is made again.
func TestReconnectChecksAgain(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t)
	s := redistest.Open(t, config.Redis{URL: r.URL()})
	c := r.Client()
	asked := func() string {
		return c.InfoMap(t.Context(), "commandstats").Item("Commandstats", "cmdstat_hmget") // the checks' own
	}
	require.NoError(t, s.Ready(t.Context()))
	before := asked()
	for range 100 {
		require.NoError(t, s.Ready(t.Context()))
	}
	require.Equal(t, before, asked(), "asked once")

	require.NoError(t, c.ConfigSet(t.Context(), "maxmemory-policy", "allkeys-lru").Err())
	require.NoError(t, s.Ready(t.Context()), "nothing told us")
	require.NoError(t, c.Do(t.Context(), "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes").Err())
	require.Eventually(t, func() bool {
		_ = s.Client().Ping(t.Context()).Err()
		return s.Ready(t.Context()) != nil
	}, soon, 5*time.Millisecond)
	require.ErrorIs(t, s.Ready(t.Context()), redisstore.ErrUnsafe)

	require.NoError(t, c.ConfigSet(t.Context(), "maxmemory-policy", "noeviction").Err())
	require.Eventually(t, func() bool { return s.Ready(t.Context()) == nil }, soon, 20*time.Millisecond, "a failure is checked again by itself")
}

// Opening never dials; a Redis that is down is unreachable, at once, and ready when it comes.
func TestDownAndUp(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t)
	r.Kill()
	var log bytes.Buffer
	s, err := redisstore.Open(config.Redis{URL: r.URL(), Timeout: redistest.Patience}, "", slog.New(slog.NewTextHandler(&log, nil)))
	require.NoError(t, err)
	defer s.Close()
	for range 3 {
		require.ErrorIs(t, s.Ready(t.Context()), redisstore.ErrUnreachable)
	}
	require.Equal(t, 1, strings.Count(log.String(), "store not ready"), "said once")
	r.Up()
	require.Eventually(t, func() bool { return s.Ready(t.Context()) == nil }, soon, 20*time.Millisecond)
	require.Contains(t, log.String(), "store ready again")
}

// Many that ask a Redis that does not answer wait for one check at the same time, not one behind the other, and no longer than each may.
func TestFrozenRedisHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t)
	s := redistest.Open(t, config.Redis{URL: r.URL(), Timeout: time.Hour})
	r.Freeze()
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			shards, err := s.Shards(ctx)
			if err == nil || shards != 0 {
				t.Error("a frozen Redis is not ready")
			}
		})
	}
	require.Eventually(t, func() bool { return redisstore.Waiting(s) == 50 }, soon, time.Millisecond, "all of them wait")
	cancel()
	all.Wait()
	require.ErrorIs(t, s.Ready(ctx), redisstore.ErrUnreachable)
	r.Thaw()
	require.NoError(t, s.Ready(t.Context()))
}

// Whoever asks gets shards or an error, never neither, whenever they give up.
func TestShardsOrError(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		for n := range 300 {
			s.InvalidateCheck()
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(n)*5*time.Microsecond)
			shards, err := s.Shards(ctx)
			cancel()
			require.True(t, (shards > 0) == (err == nil), "%d shards, error %v", shards, err)
		}
		require.NoError(t, s.Ready(t.Context()))
	})
}

// Closing ends a check that is under way, and leaves nothing.
func TestCloseDuringACheck(t *testing.T) {
	before := goleak.IgnoreCurrent()
	l, err := net.Listen("tcp", "127.0.0.1:0") // accepts, by the kernel, and never answers
	require.NoError(t, err)
	defer l.Close()
	s, err := redisstore.Open(config.Redis{URL: "redis://" + l.Addr().String(), Timeout: time.Minute}, "", nil)
	require.NoError(t, err)
	answered := make(chan error, 1)
	go func() { answered <- s.Ready(context.Background()) }()
	require.Eventually(t, func() bool { return redisstore.Waiting(s) == 1 }, soon, time.Millisecond, "a check is under way")
	require.Empty(t, answered, "nobody answered that")
	require.NoError(t, s.Close())
	require.Error(t, <-answered)
	require.ErrorIs(t, s.Ready(context.Background()), redisstore.ErrUnreachable)
	nothingLeft(t, before)
}

// No error and no log line holds a password, wherever it was given.
func TestNoPasswordInErrors(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t, "--requirepass", "right-password")
	const wrong = "wr0ng-s3cret"
	for name, c := range map[string]config.Redis{
		"wrong, in the URL":        {URL: fmt.Sprintf("redis://:%s@%s/0", wrong, r.Addr())},
		"wrong, with a user":       {URL: fmt.Sprintf("redis://joe:%s@%s/0", wrong, r.Addr())},
		"wrong, as an option":      {Addresses: []string{r.Addr()}, Password: wrong},
		"in a URL with a bad port": {URL: "redis://:" + wrong + "@localhost:port/0"},
		"in a URL with a bad db":   {URL: "redis://:" + wrong + "@localhost:6379/nought"},
		"nobody there":             {URL: "redis://:" + wrong + "@127.0.0.1:1/0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			c.Timeout = time.Second
			s, err := redisstore.Open(c, "", slog.New(slog.NewTextHandler(&log, nil)))
			if err == nil {
				defer s.Close()
				err = s.Ready(t.Context())
			}
			require.Error(t, err)
			require.NotContains(t, err.Error()+log.String(), wrong)
		})
	}
	t.Run("right", func(t *testing.T) {
		t.Parallel()
		for _, c := range []config.Redis{
			{URL: fmt.Sprintf("redis://:right-password@%s/0", r.Addr())},
			{URL: r.URL(), Password: "right-password"},
			{Addresses: []string{r.Addr()}, Password: "right-password", DB: 2},
		} {
			require.NoError(t, redistest.Open(t, c).Ready(t.Context()))
		}
	})
}
