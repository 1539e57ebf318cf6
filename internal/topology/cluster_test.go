//go:build topology

package topology_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/topology"
	"github.com/videocloud/webhooks/sender"
)

func TestClusterSpreadsAccounts(t *testing.T) {
	r := newRig(t, topology.Cluster)
	s := r.startSender("one")
	all := accounts()
	r.register(s, all...)
	l := r.startLoad(s, 8, all...)
	r.waitForTaken(l, 500)
	require.Zero(t, r.waitForArrival(l.stop()), "nothing failed, so nothing comes twice")
	for _, n := range r.servers.Masters(t.Context()) {
		require.NotZero(t, n.Client().DBSize(t.Context()).Val(), "%s holds nothing", n.Addr())
	}

	t.Run("wakes other processes", func(t *testing.T) {
		other := r.openSender("other")
		for _, account := range all[:12] {
			began := time.Now()
			taken := map[string]bool{}
			p, err := other.Publish(t.Context(), account, sender.Event{Type: "video.uploaded", Data: json.RawMessage(`{}`)})
			require.NoError(t, err)
			taken["/"+account+" "+p.ID] = true
			r.waitForArrival(taken)
			require.Less(t, time.Since(began), wakeLimit, "the poll, not the push, found it")
		}
	})
	t.Run("all scripts", func(t *testing.T) {
		ctx, account := t.Context(), "account-0"
		hooks, _, err := s.ListWebhooks(ctx, account, "", 10)
		require.NoError(t, err)
		id := hooks[0].ID
		d, _, err := s.Deliveries(ctx, account, id, sender.DeliveryFilter{Limit: 10})
		require.NoError(t, err)
		require.NotEmpty(t, d)
		_, err = s.RetryDelivery(ctx, account, d[0].ID)
		require.NoError(t, err)
		replay, err := s.StartReplay(ctx, account, id, sender.ReplayRequest{Since: time.Now().Add(-time.Hour), State: "all"})
		require.NoError(t, err)
		require.NotZero(t, replay.Matched)
		require.NoError(t, s.DeleteWebhook(ctx, account, id))
	})
}

// slotMove is the move of a slot to another node. Until it is finished, the keys of the slot are on both nodes.
type slotMove struct {
	t        *testing.T
	slot     int
	from, to *topology.Node
	nodes    []*topology.Node
	fromID   string
	toID     string
}

// startMove starts the move of the slot of a key.
func (r *rig) startMove(key string) *slotMove {
	ctx := r.t.Context()
	m := &slotMove{t: r.t, from: r.servers.MasterOf(ctx, key), nodes: r.servers.Masters(ctx)}
	for _, n := range m.nodes {
		if n != m.from {
			m.to = n
		}
	}
	m.slot = int(m.from.Client().ClusterKeySlot(ctx, key).Val())
	nodeID := func(n *topology.Node) string { return n.Client().Do(ctx, "CLUSTER", "MYID").Val().(string) }
	m.fromID, m.toID = nodeID(m.from), nodeID(m.to)
	require.NoError(r.t, m.to.Client().Do(ctx, "CLUSTER", "SETSLOT", m.slot, "IMPORTING", m.fromID).Err())
	require.NoError(r.t, m.from.Client().Do(ctx, "CLUSTER", "SETSLOT", m.slot, "MIGRATING", m.toID).Err())
	return m
}

// moveKeys moves up to n keys and returns how many it has moved.
func (m *slotMove) moveKeys(n int) int {
	ctx := m.t.Context()
	keys := m.from.Client().ClusterGetKeysInSlot(ctx, m.slot, n).Val()
	if len(keys) > 0 {
		host, port := "127.0.0.1", m.to.Addr()[len("127.0.0.1:"):]
		args := []any{"MIGRATE", host, port, "", 0, 5000, "KEYS"}
		for _, k := range keys {
			args = append(args, k)
		}
		require.NoError(m.t, m.from.Client().Do(ctx, args...).Err(), "a key is on both nodes")
	}
	return len(keys)
}

// finish moves what is left and hands the slot over.
func (m *slotMove) finish() {
	for m.moveKeys(10) > 0 {
	}
	for _, n := range append([]*topology.Node{m.to, m.from}, m.nodes...) {
		require.NoError(m.t, n.Client().Do(m.t.Context(), "CLUSTER", "SETSLOT", m.slot, "NODE", m.toID).Err())
	}
}

// While a slot moves, a script that ran on one node would take the keys on the other one for missing.
func TestClusterSlotHalfMoved(t *testing.T) {
	r := newRig(t, topology.Cluster)
	s := r.openSender("one")
	const account = "account-0"
	r.register(s, account)
	shard := r.shardPrefix(account)
	// publish tries again what the cluster refuses until the time is over. Where an event has to be taken, that time is long.
	publish := func(d time.Duration, id string) error {
		ctx, cancel := context.WithTimeout(t.Context(), d)
		defer cancel()
		_, err := s.Publish(ctx, account, sender.Event{Type: "video.uploaded", ID: id, Data: large})
		return err
	}
	for i := range 5 {
		require.NoError(t, publish(time.Minute, fmt.Sprint(i)))
	}
	m := r.startMove(shard + "lane:x")
	requireRefused := func(when string) {
		t.Helper()
		keys := func() int64 {
			return m.from.Client().ClusterCountKeysInSlot(t.Context(), m.slot).Val() + m.to.Client().ClusterCountKeysInSlot(t.Context(), m.slot).Val()
		}
		before := keys()
		require.Error(t, publish(300*time.Millisecond, "new "+when), "a new event")
		require.Error(t, publish(300*time.Millisecond, "0"), "a known event")
		require.Equal(t, before, keys(), "nothing was written %s", when)
	}
	requireRefused("first")
	for m.moveKeys(3) > 0 {
		requireRefused("in-between")
	}
	m.finish()
	require.Eventually(t, func() bool { return publish(10*time.Second, "last") == nil }, 2*time.Minute, 10*time.Millisecond)
	p, err := s.Publish(t.Context(), account, sender.Event{Type: "video.uploaded", ID: "0", Data: large})
	require.NoError(t, err)
	require.True(t, p.Duplicate)
	require.NoError(t, s.Start(t.Context()))
	defer s.Stop(t.Context())
	taken := map[string]bool{"/" + account + " last": true}
	for i := range 5 {
		taken[fmt.Sprintf("/%s %d", account, i)] = true
	}
	require.Zero(t, r.waitForArrival(taken))
}

func TestClusterSlotMovesUnderLoad(t *testing.T) {
	r := newRig(t, topology.Cluster)
	r.sink.delay.Store(int64(20 * time.Millisecond)) // so that attempts are under way while it moves
	s := r.startSender("one")
	all := accounts()
	r.register(s, all...)
	l := r.startLoad(s, 16, all...)
	r.waitForTaken(l, 300)
	shard := r.shardPrefix(all[0])
	for range 3 {
		m := r.startMove(shard + "lane:x")
		r.waitForTaken(l, 20) // at least those of other slots are taken
		for m.moveKeys(5) > 0 {
			time.Sleep(time.Millisecond)
		}
		m.finish()
		r.waitForTaken(l, 100)
	}
	require.Zero(t, r.waitForArrival(l.stop()), "an attempt that ended during the move is settled after it")
}

func TestClusterMasterKilled(t *testing.T) {
	r := newRig(t, topology.Cluster, "--appendonly", "yes", "--appendfsync", "everysec")
	r.sink.delay.Store(int64(20 * time.Millisecond))
	publisher := r.openSender("publisher", withReplica)
	r.startSender("one", withReplica)
	all := accounts()
	r.register(publisher, all...)
	l := r.startLoad(publisher, 16, all...)
	r.waitForTaken(l, 300)
	dead := r.servers.MasterOf(t.Context(), r.shardPrefix(all[0]))
	dead.Kill()
	require.Eventually(t, func() bool { return len(r.servers.Masters(t.Context())) == 3 }, 2*time.Minute, 50*time.Millisecond, "its replica takes over")
	// With replicas 1 nothing is promised of that shard until there is a replica again.
	require.NoError(t, dead.Up(t.Context()))
	r.waitForTaken(l, 300)
	taken := l.stop()
	duplicates := r.waitForArrival(taken)
	require.Less(t, duplicates, 64, "only what was in flight may come twice")

	require.Eventually(t, func() bool { return r.servers.Whole(t.Context()) }, 2*time.Minute, 50*time.Millisecond)
	for _, account := range all { // pushes wake the sender again, whichever node it was subscribed at
		began := time.Now()
		p, err := publisher.Publish(t.Context(), account, sender.Event{Type: "video.uploaded", Data: json.RawMessage(`{}`)})
		require.NoError(t, err)
		r.waitForArrival(map[string]bool{"/" + account + " " + p.ID: true})
		require.Less(t, time.Since(began), wakeLimit)
	}
}

// While a master is down and no replica has taken its place, the accounts on other nodes are served.
func TestClusterPartlyDown(t *testing.T) {
	r := newRig(t, topology.Cluster)
	s := r.startSender("one")
	all := accounts()
	r.register(s, all...)
	dead := r.servers.MasterOf(t.Context(), "{webhooks}:meta")
	var alive []string
	for _, a := range all {
		if r.servers.MasterOf(t.Context(), r.shardPrefix(a)) != dead {
			alive = append(alive, a)
		}
	}
	require.NotEmpty(t, alive)
	for _, n := range r.servers.Replicas(t.Context()) {
		n.Kill()
	}
	dead.Kill()
	l := r.startLoad(s, 8, alive...)
	r.waitForTaken(l, 200)
	r.waitForArrival(l.stop())
}

func TestClusterReplicasPromise(t *testing.T) {
	r := newRig(t, topology.Cluster)
	s := r.openSender("one", withReplica)
	const account = "account-0"
	r.register(s, account)
	for _, n := range r.servers.Replicas(t.Context()) {
		n.Freeze()
		defer n.Thaw()
	}
	event := sender.Event{Type: "video.uploaded", ID: "promised", Data: json.RawMessage(`{}`)}
	for range 2 { // the second time the event is there, but on no replica
		_, err := s.Publish(t.Context(), account, event)
		var refusal *sender.Error
		require.ErrorAs(t, err, &refusal)
		require.Equal(t, sender.CodeUnavailable, refusal.Code)
	}
	for _, n := range r.servers.Nodes {
		n.Thaw()
	}
	require.Eventually(t, func() bool {
		_, err := s.Publish(t.Context(), account, event)
		return err == nil
	}, 2*time.Minute, 50*time.Millisecond)
}

// The same data moves from one Redis to a cluster: same keys, same values.
func TestOneRedisToCluster(t *testing.T) {
	r := newRig(t, topology.Single)
	s := r.openSender("before")
	all := accounts()
	r.register(s, all...)
	l := r.startLoad(s, 8, all...)
	r.waitForTaken(l, 200)
	taken := l.stop()

	ctx := t.Context()
	cluster := newRig(t, topology.Cluster)
	to := redis.NewClusterClient(&redis.ClusterOptions{Addrs: cluster.redis.Addresses})
	defer to.Close()
	from := r.servers.Nodes[0].Client()
	keys, err := from.Keys(ctx, "*").Result()
	require.NoError(t, err)
	for _, key := range keys {
		dump, err := from.Dump(ctx, key).Result()
		if errors.Is(err, redis.Nil) {
			continue
		}
		require.NoError(t, err)
		ttl := max(from.PTTL(ctx, key).Val(), 0)
		require.NoError(t, to.Restore(ctx, key, ttl, dump).Err())
	}
	cluster.sink = r.sink
	cluster.startSender("after")
	require.Zero(t, r.waitForArrival(taken))
}
