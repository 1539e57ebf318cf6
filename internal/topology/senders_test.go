//go:build topology

package topology_test

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/internal/topology"
)

func TestSentinelMasterKilled(t *testing.T) {
	r := newRig(t, topology.Sentinel)
	r.sink.hold.Store(int64(20 * time.Millisecond))
	publisher := r.open("publisher", durable)
	r.start("one", durable)
	all := accounts()[:8]
	r.register(publisher, all...)
	l := r.publish(publisher, 16, all...)
	r.more(l, 300)
	dead := r.servers.Masters(t.Context())[0]
	dead.Kill()
	r.more(l, 200) // on the new master
	require.NotEqual(t, dead, r.servers.Masters(t.Context())[0])
	require.NoError(t, dead.Up(t.Context()))
	r.more(l, 100)
	require.Less(t, r.arrive(l.end()), 64, "only what was in flight may come twice")

	l = r.publish(publisher, 1, all...) // pushes wake the sender again
	began := time.Now()
	r.more(l, 5)
	r.arrive(l.end())
	require.Less(t, time.Since(began), beforeAPoll)
}

// Without replicas in the promise a master takes events along that it hadn't passed on; with it the publisher hears of it.
func TestSentinelReplicasPromise(t *testing.T) {
	r := newRig(t, topology.Sentinel)
	s := r.open("one", durable)
	r.register(s, "default")
	l := r.publish(s, 4, "default")
	r.more(l, 50)
	for _, n := range r.servers.Replicas(t.Context()) {
		n.Freeze()
	}
	before := l.count()
	require.Never(t, func() bool { return l.count() > before+4 }, time.Second, 50*time.Millisecond, "nothing more is promised")
	for _, n := range r.servers.Nodes {
		n.Thaw()
	}
	r.more(l, 50)
	taken := l.end()
	r.servers.Masters(t.Context())[0].Kill()
	r.start("after")
	r.arrive(taken)
}

func TestSendersShareTheWork(t *testing.T) {
	r := newRig(t, topology.Single)
	r.sink.hold.Store(int64(5 * time.Millisecond))
	all := accounts()
	publisher := r.open("publisher")
	r.register(publisher, all...)
	for i := range 4 {
		r.start(fmt.Sprintf("sender-%d", i))
	}
	l := r.publish(publisher, 64, all...)
	r.more(l, 4000)
	taken := l.end()
	require.Zero(t, r.arrive(taken))
	r.sink.mu.Lock()
	defer r.sink.mu.Unlock()
	require.Len(t, r.sink.by, 4)
	for name, n := range r.sink.by {
		require.Greater(t, n, len(taken)/20, "%s gets hardly anything: %v", name, r.sink.by)
	}
}

// What a killed process was working on is delivered by the others within its lease.
func TestKilledSenderIsCovered(t *testing.T) {
	r := newRig(t, topology.Single)
	all := accounts()[:4]
	publisher := r.open("publisher")
	r.register(publisher, all...)
	r.sink.hold.Store(int64(time.Minute)) // the first one hangs with what it has
	child := r.child()
	l := r.publish(publisher, 4, all...)
	r.more(l, 40)
	taken := l.end()
	ctx, c := t.Context(), r.servers.Nodes[0].Client()
	require.Eventually(t, func() bool {
		n := int64(0)
		for shard := range config.DefaultShards {
			n += c.ZCard(ctx, fmt.Sprintf("{webhooks:%d}:leases", shard)).Val()
		}
		return n >= 4
	}, 2*time.Minute, 10*time.Millisecond)
	require.NoError(t, child.Process.Kill())
	_ = child.Wait()
	killed := time.Now()
	r.sink.hold.Store(0)
	r.start("next")
	r.arrive(taken)
	require.Less(t, time.Since(killed), 30*time.Second, "its leases run 10 s")
}

// A rolling restart: each process is told to stop, hands back what it has, and another takes its place.
func TestRollingRestart(t *testing.T) {
	r := newRig(t, topology.Single)
	r.sink.hold.Store(int64(10 * time.Millisecond))
	all := accounts()
	publisher := r.open("publisher")
	r.register(publisher, all...)
	running := []interface {
		Signal() error
		Wait() error
	}{}
	start := func() {
		cmd := r.child()
		running = append(running, process{func() error { return cmd.Process.Signal(syscall.SIGTERM) }, cmd.Wait})
	}
	start()
	start()
	l := r.publish(publisher, 16, all...)
	for range 4 {
		r.more(l, 200)
		start()
		old := running[0]
		running = running[1:]
		require.NoError(t, old.Signal())
		require.NoError(t, old.Wait(), "it stops in order")
	}
	require.Zero(t, r.arrive(l.end()), "a stop in order makes no duplicates")
}

type process struct {
	signal, wait func() error
}

func (p process) Signal() error { return p.signal() }
func (p process) Wait() error   { return p.wait() }

// A program never works on data of a layout that it doesn't know.
func TestDataVersions(t *testing.T) {
	r := newRig(t, topology.Single)
	c := r.servers.Nodes[0].Client()
	for version, word := range map[int]string{1: "of before 1.0", 3: "newer program"} {
		require.NoError(t, c.HSet(t.Context(), "{webhooks}:meta", "version", version).Err())
		store, err := redisstore.Open(r.redis, "", nil)
		require.NoError(t, err)
		err = store.Ready(t.Context())
		require.ErrorIs(t, err, redisstore.ErrUnsafe)
		require.ErrorContains(t, err, word)
		require.ErrorContains(t, err, fmt.Sprintf("version %d", version))
		require.NoError(t, store.Close())
		require.Equal(t, fmt.Sprint(version), c.HGet(t.Context(), "{webhooks}:meta", "version").Val(), "it is left alone")
	}
}

// The number of shards can be chosen before the first start, for a large cluster.
func TestShardsChosenInAdvance(t *testing.T) {
	r := newRig(t, topology.Single)
	require.NoError(t, r.servers.Nodes[0].Client().HSet(t.Context(), "{webhooks}:meta", "version", 2, "shards", 64).Err())
	s := r.start("one")
	all := accounts()
	r.register(s, all...)
	l := r.publish(s, 4, all...)
	r.more(l, 100)
	require.Zero(t, r.arrive(l.end()))
	require.NotEmpty(t, r.servers.Nodes[0].Client().Keys(t.Context(), "{webhooks:[2-6][0-9]}:*").Val())
}

// A Redis that stands still for longer than every timeout loses nothing and makes few copies.
func TestFrozenRedis(t *testing.T) {
	r := newRig(t, topology.Single)
	r.sink.hold.Store(int64(5 * time.Millisecond))
	all := accounts()[:8]
	s := r.start("one")
	r.register(s, all...)
	l := r.publish(s, 8, all...)
	r.more(l, 200)
	r.servers.Nodes[0].Freeze()
	select {
	case <-time.After(r.redis.Timeout + time.Second):
	case <-t.Context().Done():
	}
	r.servers.Nodes[0].Thaw()
	r.more(l, 200)
	require.NoError(t, r.servers.Nodes[0].Client().ScriptFlush(context.Background()).Err())
	require.NoError(t, r.servers.Nodes[0].Client().ClientKillByFilter(context.Background(), "TYPE", "normal").Err())
	r.more(l, 200)
	require.Less(t, r.arrive(l.end()), 64)
}
