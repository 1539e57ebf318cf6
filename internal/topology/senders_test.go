//go:build topology

package topology_test

import (
	"context"
	"fmt"
	"os/exec"
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
	r.sink.delay.Store(int64(20 * time.Millisecond))
	publisher := r.openSender("publisher", withReplica)
	r.startSender("one", withReplica)
	all := accounts()[:8]
	r.register(publisher, all...)
	l := r.startLoad(publisher, 16, all...)
	r.waitForTaken(l, 300)
	dead := r.servers.Masters(t.Context())[0]
	dead.Kill()
	r.waitForTaken(l, 200) // on the new master
	require.NotEqual(t, dead, r.servers.Masters(t.Context())[0])
	require.NoError(t, dead.Up(t.Context()))
	r.waitForTaken(l, 100)
	require.Less(t, r.waitForArrival(l.stop()), 64, "only what was in flight may come twice")

	l = r.startLoad(publisher, 1, all...) // pushes wake the sender again
	began := time.Now()
	r.waitForTaken(l, 5)
	r.waitForArrival(l.stop())
	require.Less(t, time.Since(began), wakeLimit)
}

// With `replicas 1` an event that no replica has is refused; else it would be lost when its master fails.
func TestSentinelReplicasPromise(t *testing.T) {
	r := newRig(t, topology.Sentinel)
	s := r.openSender("one", withReplica)
	r.register(s, "default")
	l := r.startLoad(s, 4, "default")
	r.waitForTaken(l, 50)
	for _, n := range r.servers.Replicas(t.Context()) {
		n.Freeze()
	}
	before := l.count()
	require.Never(t, func() bool { return l.count() > before+4 }, time.Second, 50*time.Millisecond, "nothing more is promised")
	for _, n := range r.servers.Nodes {
		n.Thaw()
	}
	r.waitForTaken(l, 50)
	taken := l.stop()
	r.servers.Masters(t.Context())[0].Kill()
	r.startSender("after")
	r.waitForArrival(taken)
}

func TestSendersShareTheWork(t *testing.T) {
	r := newRig(t, topology.Single)
	r.sink.delay.Store(int64(5 * time.Millisecond))
	all := accounts()
	publisher := r.openSender("publisher")
	r.register(publisher, all...)
	for i := range 4 {
		r.startSender(fmt.Sprintf("sender-%d", i))
	}
	l := r.startLoad(publisher, 64, all...)
	r.waitForTaken(l, 4000)
	taken := l.stop()
	require.Zero(t, r.waitForArrival(taken))
	r.sink.mu.Lock()
	defer r.sink.mu.Unlock()
	require.Len(t, r.sink.bySender, 4)
	for name, n := range r.sink.bySender {
		require.Greater(t, n, len(taken)/20, "%s gets hardly anything: %v", name, r.sink.bySender)
	}
}

// What a killed process had leased is delivered by the others once its leases end.
func TestKilledSenderIsCovered(t *testing.T) {
	r := newRig(t, topology.Single)
	all := accounts()[:4]
	publisher := r.openSender("publisher")
	r.register(publisher, all...)
	r.sink.delay.Store(int64(time.Minute)) // the first one hangs with what it has
	child := r.startChild()
	l := r.startLoad(publisher, 4, all...)
	r.waitForTaken(l, 40)
	taken := l.stop()
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
	r.sink.delay.Store(0)
	r.startSender("next")
	r.waitForArrival(taken)
	require.Less(t, time.Since(killed), 30*time.Second, "its leases run 10 s")
}

// A rolling restart: each process is told to stop, hands back what it has, and another takes its place.
func TestRollingRestart(t *testing.T) {
	r := newRig(t, topology.Single)
	r.sink.delay.Store(int64(10 * time.Millisecond))
	all := accounts()
	publisher := r.openSender("publisher")
	r.register(publisher, all...)
	var running []*exec.Cmd
	start := func() { running = append(running, r.startChild()) }
	start()
	start()
	l := r.startLoad(publisher, 16, all...)
	for range 4 {
		r.waitForTaken(l, 200)
		start()
		old := running[0]
		running = running[1:]
		require.NoError(t, old.Process.Signal(syscall.SIGTERM))
		require.NoError(t, old.Wait(), "it stops in order")
	}
	require.Zero(t, r.waitForArrival(l.stop()), "a stop in order makes no duplicates")
}

// A program does not work on data of a version that it doesn't know.
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
	s := r.startSender("one")
	all := accounts()
	r.register(s, all...)
	l := r.startLoad(s, 4, all...)
	r.waitForTaken(l, 100)
	require.Zero(t, r.waitForArrival(l.stop()))
	require.NotEmpty(t, r.servers.Nodes[0].Client().Keys(t.Context(), "{webhooks:[2-6][0-9]}:*").Val())
}

// A Redis that is frozen for longer than every timeout loses no event and makes few duplicates.
func TestFrozenRedis(t *testing.T) {
	r := newRig(t, topology.Single)
	r.sink.delay.Store(int64(5 * time.Millisecond))
	all := accounts()[:8]
	s := r.startSender("one")
	r.register(s, all...)
	l := r.startLoad(s, 8, all...)
	r.waitForTaken(l, 200)
	r.servers.Nodes[0].Freeze()
	select {
	case <-time.After(r.redis.Timeout + time.Second):
	case <-t.Context().Done():
	}
	r.servers.Nodes[0].Thaw()
	r.waitForTaken(l, 200)
	require.NoError(t, r.servers.Nodes[0].Client().ScriptFlush(context.Background()).Err())
	require.NoError(t, r.servers.Nodes[0].Client().ClientKillByFilter(context.Background(), "TYPE", "normal").Err())
	r.waitForTaken(l, 200)
	require.Less(t, r.waitForArrival(l.stop()), 64)
}
