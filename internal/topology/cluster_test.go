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
	s := r.start("one")
	all := accounts()
	r.register(s, all...)
	l := r.publish(s, 8, all...)
	r.more(l, 500)
	require.Zero(t, r.arrive(l.end()), "nothing failed, so nothing comes twice")
	for _, n := range r.servers.Masters(t.Context()) {
		require.NotZero(t, n.Client().DBSize(t.Context()).Val(), "%s holds nothing", n.Addr())
	}

	t.Run("wakes other processes", func(t *testing.T) {
		other := r.open("other")
		for _, account := range all[:12] {
			began := time.Now()
			taken := map[string]bool{}
			p, err := other.Publish(t.Context(), account, sender.Event{Type: "video.uploaded", Data: json.RawMessage(`{}`)})
			require.NoError(t, err)
			taken["/"+account+" "+p.ID] = true
			r.arrive(taken)
			require.Less(t, time.Since(began), beforeAPoll, "the poll, not the push, found it")
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

// move begins the move of a slot: from then on until it is done, its keys are on two nodes.
type move struct {
	t        *testing.T
	slot     int
	from, to *topology.Node
	nodes    []*topology.Node
	fromID   string
	toID     string
}

func (r *rig) move(key string) *move {
	ctx := r.t.Context()
	m := &move{t: r.t, from: r.servers.Of(ctx, key), nodes: r.servers.Masters(ctx)}
	for _, n := range m.nodes {
		if n != m.from {
			m.to = n
		}
	}
	m.slot = int(m.from.Client().ClusterKeySlot(ctx, key).Val())
	id := func(n *topology.Node) string { return n.Client().Do(ctx, "CLUSTER", "MYID").Val().(string) }
	m.fromID, m.toID = id(m.from), id(m.to)
	require.NoError(r.t, m.to.Client().Do(ctx, "CLUSTER", "SETSLOT", m.slot, "IMPORTING", m.fromID).Err())
	require.NoError(r.t, m.from.Client().Do(ctx, "CLUSTER", "SETSLOT", m.slot, "MIGRATING", m.toID).Err())
	return m
}

// some moves up to n keys and returns how many it were.
func (m *move) some(n int) int {
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
func (m *move) finish() {
	for m.some(10) > 0 {
	}
	for _, n := range append([]*topology.Node{m.to, m.from}, m.nodes...) {
		require.NoError(m.t, n.Client().Do(m.t.Context(), "CLUSTER", "SETSLOT", m.slot, "NODE", m.toID).Err())
	}
}

// A script that ran on either node while a slot moves would take what is on the other one for empty.
func TestClusterSlotHalfMoved(t *testing.T) {
	r := newRig(t, topology.Cluster)
	s := r.open("one")
	const account = "account-0"
	r.register(s, account)
	shard := r.shardOf(account)
	// within publishes: what the cluster refuses is tried again until the time is over, which is long where it has to be taken.
	within := func(d time.Duration, id string) error {
		ctx, cancel := context.WithTimeout(t.Context(), d)
		defer cancel()
		_, err := s.Publish(ctx, account, sender.Event{Type: "video.uploaded", ID: id, Data: large})
		return err
	}
	for i := range 5 {
		require.NoError(t, within(time.Minute, fmt.Sprint(i)))
	}
	m := r.move(shard + "lane:x")
	refused := func(when string) {
		t.Helper()
		before := m.from.Client().ClusterCountKeysInSlot(t.Context(), m.slot).Val() + m.to.Client().ClusterCountKeysInSlot(t.Context(), m.slot).Val()
		require.Error(t, within(300*time.Millisecond, "new "+when), "a new event")
		require.Error(t, within(300*time.Millisecond, "0"), "a known event")
		after := m.from.Client().ClusterCountKeysInSlot(t.Context(), m.slot).Val() + m.to.Client().ClusterCountKeysInSlot(t.Context(), m.slot).Val()
		require.Equal(t, before, after, "nothing was written %s", when)
	}
	refused("first")
	for m.some(3) > 0 {
		refused("in-between")
	}
	m.finish()
	require.Eventually(t, func() bool { return within(10*time.Second, "last") == nil }, 2*time.Minute, 10*time.Millisecond)
	p, err := s.Publish(t.Context(), account, sender.Event{Type: "video.uploaded", ID: "0", Data: large})
	require.NoError(t, err)
	require.True(t, p.Duplicate)
	require.NoError(t, s.Start(t.Context()))
	defer s.Stop(t.Context())
	taken := map[string]bool{"/" + account + " last": true}
	for i := range 5 {
		taken[fmt.Sprintf("/%s %d", account, i)] = true
	}
	require.Zero(t, r.arrive(taken))
}

func TestClusterSlotMovesUnderLoad(t *testing.T) {
	r := newRig(t, topology.Cluster)
	r.sink.hold.Store(int64(20 * time.Millisecond)) // so that attempts are under way while it moves
	s := r.start("one")
	all := accounts()
	r.register(s, all...)
	l := r.publish(s, 16, all...)
	r.more(l, 300)
	shard := r.shardOf(all[0])
	for range 3 {
		m := r.move(shard + "lane:x")
		r.more(l, 20) // those of other slots at least
		for m.some(5) > 0 {
			time.Sleep(time.Millisecond)
		}
		m.finish()
		r.more(l, 100)
	}
	require.Zero(t, r.arrive(l.end()), "an attempt that ended during the move is settled after it")
}

func TestClusterMasterKilled(t *testing.T) {
	r := newRig(t, topology.Cluster, "--appendonly", "yes", "--appendfsync", "everysec")
	r.sink.hold.Store(int64(20 * time.Millisecond))
	publisher := r.open("publisher", durable)
	r.start("one", durable)
	all := accounts()
	r.register(publisher, all...)
	l := r.publish(publisher, 16, all...)
	r.more(l, 300)
	dead := r.servers.Of(t.Context(), r.shardOf(all[0]))
	dead.Kill()
	require.Eventually(t, func() bool { return len(r.servers.Masters(t.Context())) == 3 }, 2*time.Minute, 50*time.Millisecond, "its replica takes over")
	// With replicas 1 nothing is promised of that shard until there is a replica again.
	require.NoError(t, dead.Up(t.Context()))
	r.more(l, 300)
	taken := l.end()
	duplicates := r.arrive(taken)
	require.Less(t, duplicates, 64, "only what was in flight may come twice")

	require.Eventually(t, func() bool { return r.servers.Whole(t.Context()) }, 2*time.Minute, 50*time.Millisecond)
	for _, account := range all { // pushes wake the sender again, whichever node its subscription was on
		began := time.Now()
		p, err := publisher.Publish(t.Context(), account, sender.Event{Type: "video.uploaded", Data: json.RawMessage(`{}`)})
		require.NoError(t, err)
		r.arrive(map[string]bool{"/" + account + " " + p.ID: true})
		require.Less(t, time.Since(began), beforeAPoll)
	}
}

// What lives on the other nodes goes on while one is down and nobody took its place.
func TestClusterPartlyDown(t *testing.T) {
	r := newRig(t, topology.Cluster)
	s := r.start("one")
	all := accounts()
	r.register(s, all...)
	dead := r.servers.Of(t.Context(), "{webhooks}:meta")
	var alive []string
	for _, a := range all {
		if r.servers.Of(t.Context(), r.shardOf(a)) != dead {
			alive = append(alive, a)
		}
	}
	require.NotEmpty(t, alive)
	for _, n := range r.servers.Replicas(t.Context()) {
		n.Kill()
	}
	dead.Kill()
	l := r.publish(s, 8, alive...)
	r.more(l, 200)
	r.arrive(l.end())
}

func TestClusterReplicasPromise(t *testing.T) {
	r := newRig(t, topology.Cluster)
	s := r.open("one", durable)
	const account = "account-0"
	r.register(s, account)
	for _, n := range r.servers.Replicas(t.Context()) {
		n.Freeze()
		defer n.Thaw()
	}
	event := sender.Event{Type: "video.uploaded", ID: "promised", Data: json.RawMessage(`{}`)}
	for range 2 { // the second finds the first one's event, which no replica has
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
	s := r.open("before")
	all := accounts()
	r.register(s, all...)
	l := r.publish(s, 8, all...)
	r.more(l, 200)
	taken := l.end()

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
	cluster.start("after")
	require.Zero(t, r.arrive(taken))
}
