package receiver

import (
	"strconv"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redistest"
)

// openRedis returns a client as the gateway uses it.
func openRedis(t *testing.T, s *redistest.Server) redis.UniversalClient {
	t.Helper()
	return redistest.Open(t, config.Redis{URL: s.URL()}).Client()
}

func freeze(t *testing.T, s *redistest.Server) {
	t.Helper()
	s.Freeze()
}

func thaw(t *testing.T, s *redistest.Server) {
	t.Helper()
	s.Thaw()
}

func newClient(t *testing.T, o *redis.Options) *redis.Client {
	t.Helper()
	o.Protocol = 2
	o.DisableIdentity = true
	o.ContextTimeoutEnabled = true
	o.MaxRetries = 2
	o.DialerRetries = 1
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	c := redis.NewClient(o)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// backend is where the stores of a test keep their claims.
type backend struct {
	open func(t *testing.T, name string) Store // another gateway's store on the same data
	pass func(time.Duration)                   // lets time go by, where it can be told to
}

// eachBackend runs a test on every store there is. Where the store is a process of its own it starts one.
func eachBackend(t *testing.T, test func(*testing.T, backend)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		c := newClock()
		stores := map[string]*Memory{}
		test(t, backend{
			open: func(_ *testing.T, name string) Store {
				if stores[name] == nil {
					stores[name] = NewMemory(MemoryOptions{Now: c.now})
				}
				return stores[name]
			},
			pass: c.advance,
		})
	})
	t.Run("miniredis", func(t *testing.T) {
		t.Parallel()
		m := miniredis.RunT(t)
		client := newClient(t, &redis.Options{Addr: m.Addr()})
		test(t, backend{open: opener(client), pass: m.FastForward})
	})
	t.Run("redis", func(t *testing.T) {
		t.Parallel()
		client := openRedis(t, redistest.Start(t))
		test(t, backend{open: opener(client), pass: func(time.Duration) {}})
	})
}

// onCluster runs it on Redis Cluster, which takes two seconds to get up.
func onCluster(t *testing.T, test func(*testing.T, backend)) {
	t.Helper()
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		test(t, backend{open: opener(openCluster(t)), pass: func(time.Duration) {}})
	})
}

// openCluster starts a cluster of one node: a script whose keys are spread over slots fails there all the same.
func openCluster(t *testing.T) redis.UniversalClient {
	t.Helper()
	s := redistest.Start(t, "--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--cluster-port", strconv.Itoa(redistest.FreePort(t)))
	require.NoError(t, openRedis(t, s).Do(t.Context(), "CLUSTER", "ADDSLOTSRANGE", 0, 16383).Err())
	client := redistest.Open(t, config.Redis{Addresses: []string{s.Addr()}, Cluster: true}).Client()
	require.Eventually(t, func() bool { return client.Set(t.Context(), "up", 1, 0).Err() == nil }, 2*time.Minute, 10*time.Millisecond)
	return client
}

func opener(client redis.UniversalClient) func(*testing.T, string) Store {
	return func(t *testing.T, name string) Store {
		t.Helper()
		r := newRedis(client, "test", name, RedisOptions{Guard: GuardOptions{Timeout: redistest.Patience}})
		t.Cleanup(func() { require.NoError(t, r.Close()) })
		return r
	}
}
