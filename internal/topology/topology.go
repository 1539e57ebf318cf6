// Package topology starts real redis-server processes on loopback, for tests and benchmarks: a single one, a master with
// replicas under three Sentinels, or a cluster of three masters with a replica each. Each process can be killed, frozen
// and started again on its data.
//
//	t, err := topology.Start(ctx, topology.Cluster, "--appendonly", "yes")
//	...
//	defer t.Close()
//	store, err := redisstore.Open(t.Redis(), "", nil)
package topology

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/freeport"
)

// Kind is which servers a topology has.
type Kind string

// The kinds of topologies: one server; a master with two replicas under three Sentinels; three masters with a replica each.
const (
	Single   Kind = "single"
	Sentinel Kind = "sentinel"
	Cluster  Kind = "cluster"
)

// MasterName is the name that the Sentinels give to their master.
const MasterName = "webhooks"

const (
	masters  = 3 // of a cluster, each with one replica
	replicas = 2 // of the master under Sentinels
)

// downAfter is after how long without an answer the others take a server for dead.
const downAfter = time.Second

// Servers are the processes of one topology.
type Servers struct {
	Kind      Kind
	Nodes     []*Node // with data; the masters first
	Sentinels []*Node
	dir       string
}

// Start starts the servers, each with further arguments, and waits until all of them know each other.
func Start(ctx context.Context, kind Kind, args ...string) (*Servers, error) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		return nil, errors.New("redis-server is not on PATH; install Redis 6.2 or newer")
	}
	dir, err := os.MkdirTemp("", "topology")
	if err != nil {
		return nil, err
	}
	s := &Servers{Kind: kind, dir: dir}
	args = append([]string{
		"--save", "", "--maxmemory-policy", "noeviction", "--loglevel", "warning", "--repl-diskless-sync-delay", "0",
	}, args...)
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	switch kind {
	case Single:
		_, err = s.startNode(ctx, args)
	case Sentinel:
		err = s.startSentinel(ctx, args)
	case Cluster:
		err = s.startCluster(ctx, args)
	default:
		err = fmt.Errorf("a topology is single, sentinel or cluster, not %q", kind)
	}
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("starting %s: %w", kind, err)
	}
	return s, nil
}

// Close kills all servers and removes their data.
func (s *Servers) Close() {
	for _, n := range slices.Concat(s.Nodes, s.Sentinels) {
		n.Kill()
		_ = n.client.Close()
	}
	_ = os.RemoveAll(s.dir)
}

// Redis returns the options by which a program finds the servers, with a timeout of 2 s. Of a cluster it names one address, as with
// a managed one.
func (s *Servers) Redis() config.Redis {
	c := config.Redis{Timeout: 2 * time.Second}
	switch s.Kind {
	case Sentinel:
		c.MasterName = MasterName
		for _, n := range s.Sentinels {
			c.Addresses = append(c.Addresses, n.Addr())
		}
	case Cluster:
		c.Cluster, c.Addresses = true, []string{s.Nodes[0].Addr()}
	default:
		c.URL = "redis://" + s.Nodes[0].Addr() + "/0"
	}
	return c
}

// Masters returns the running servers that take writes.
func (s *Servers) Masters(ctx context.Context) (list []*Node) {
	for _, n := range s.Nodes {
		if n.Running() && n.Info(ctx, "role") == "master" && !s.deposed(ctx, n) {
			list = append(list, n)
		}
	}
	return list
}

// deposed reports whether a server was a master, was started again, and does not know yet that another took its place.
func (s *Servers) deposed(ctx context.Context, n *Node) bool {
	if s.Kind != Sentinel {
		return false
	}
	for _, sentinel := range s.Sentinels {
		at, err := sentinel.client.Do(ctx, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", MasterName).StringSlice()
		if err == nil {
			return len(at) != 2 || at[1] != strconv.Itoa(n.port)
		}
	}
	return false
}

// Replicas returns the running servers that are connected to the master they follow.
func (s *Servers) Replicas(ctx context.Context) (list []*Node) {
	for _, n := range s.Nodes {
		if n.Running() && n.Info(ctx, "role") == "slave" && n.Info(ctx, "master_link_status") == "up" {
			list = append(list, n)
		}
	}
	return list
}

// Whole reports whether every server runs and every master has its replicas again.
func (s *Servers) Whole(ctx context.Context) bool {
	switch s.Kind {
	case Sentinel:
		return len(s.Masters(ctx)) == 1 && len(s.Replicas(ctx)) == replicas
	case Cluster:
		return len(s.Masters(ctx)) == masters && len(s.Replicas(ctx)) == masters
	}
	return s.Nodes[0].Running()
}

func (s *Servers) startSentinel(ctx context.Context, args []string) error {
	for i := range 1 + replicas {
		var follow []string
		if i > 0 {
			follow = []string{"--replicaof", "127.0.0.1 " + strconv.Itoa(s.Nodes[0].port)}
		}
		if _, err := s.startNode(ctx, args, follow...); err != nil {
			return err
		}
	}
	if err := waitUntil(ctx, "the replicas follow", func() bool { return len(s.Replicas(ctx)) == replicas }); err != nil {
		return err
	}
	const sentinels = 3
	for range sentinels {
		n, err := newNode(s.dir)
		if err != nil {
			return err
		}
		conf := fmt.Sprintf("port %d\nbind 127.0.0.1\ndir %s\nsentinel monitor %s 127.0.0.1 %d 2\nsentinel down-after-milliseconds %s %d\nsentinel failover-timeout %s 3000\n",
			n.port, n.dir, MasterName, s.Nodes[0].port, MasterName, downAfter.Milliseconds(), MasterName)
		file := filepath.Join(n.dir, "sentinel.conf")
		if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
			return err
		}
		n.args = []string{file, "--sentinel"}
		s.Sentinels = append(s.Sentinels, n)
		if err := n.Up(ctx); err != nil {
			return err
		}
	}
	return waitUntil(ctx, "the Sentinels know each other", func() bool {
		for _, n := range s.Sentinels {
			master := redis.NewMapStringStringCmd(ctx, "SENTINEL", "MASTER", MasterName)
			_ = n.client.Process(ctx, master) // without an answer it has no fields
			fields := master.Val()
			if fields["num-slaves"] != strconv.Itoa(replicas) || fields["num-other-sentinels"] != strconv.Itoa(sentinels-1) {
				return false
			}
		}
		return true
	})
}

func (s *Servers) startCluster(ctx context.Context, args []string) error {
	ids := make([]string, 0, 2*masters)
	for range 2 * masters {
		bus, err := freeport.Find()
		if err != nil {
			return err
		}
		n, err := s.startNode(ctx, args, "--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf",
			"--cluster-port", strconv.Itoa(bus), "--cluster-node-timeout", strconv.FormatInt(downAfter.Milliseconds(), 10),
			"--cluster-require-full-coverage", "no", "--cluster-allow-replica-migration", "no")
		if err != nil {
			return err
		}
		n.bus = bus
		id, err := n.client.Do(ctx, "CLUSTER", "MYID").Text()
		if err != nil {
			return err
		}
		ids = append(ids, id)
	}
	const slots = 16384
	for i, n := range s.Nodes {
		if err := n.client.Do(ctx, "CLUSTER", "SET-CONFIG-EPOCH", i+1).Err(); err != nil {
			return err
		}
		if i < masters {
			if err := n.client.ClusterAddSlotsRange(ctx, i*slots/masters, (i+1)*slots/masters-1).Err(); err != nil {
				return err
			}
		}
		if err := s.Nodes[0].client.Do(ctx, "CLUSTER", "MEET", "127.0.0.1", n.port, n.bus).Err(); i > 0 && err != nil {
			return err
		}
	}
	if err := waitUntil(ctx, "the nodes know each other", func() bool {
		for _, n := range s.Nodes {
			if text, _ := n.client.ClusterNodes(ctx).Result(); strings.Count(text, "connected") != len(s.Nodes) || strings.Contains(text, "handshake") {
				return false
			}
		}
		return true
	}); err != nil {
		return err
	}
	for i, n := range s.Nodes[masters:] {
		if err := n.client.ClusterReplicate(ctx, ids[i]).Err(); err != nil {
			return err
		}
	}
	return waitUntil(ctx, "the cluster is whole", func() bool {
		for _, n := range s.Nodes {
			if text, _ := n.client.ClusterInfo(ctx).Result(); !strings.Contains(text, "cluster_state:ok") {
				return false
			}
			// Every node has to know who follows whom: else, when a master dies, its replica may not take its place yet.
			if text, _ := n.client.ClusterNodes(ctx).Result(); strings.Count(text, "slave") != masters {
				return false
			}
		}
		return s.Whole(ctx)
	})
}

// MasterOf returns the master that has a key's slot in a cluster; nil where none does.
func (s *Servers) MasterOf(ctx context.Context, key string) *Node {
	slot := s.Nodes[0].client.ClusterKeySlot(ctx, key).Val()
	for _, n := range s.Masters(ctx) {
		for _, shard := range n.client.ClusterShards(ctx).Val() {
			if master := s.shardMaster(shard, slot); master != nil {
				return master
			}
		}
	}
	return nil
}

// shardMaster returns the master of a shard if the shard has the slot, and else nil.
func (s *Servers) shardMaster(shard redis.ClusterShard, slot int64) *Node {
	if !slices.ContainsFunc(shard.Slots, func(r redis.SlotRange) bool { return r.Start <= slot && slot <= r.End }) {
		return nil
	}
	for _, member := range shard.Nodes {
		for _, n := range s.Nodes {
			if member.Role == "master" && n.Addr() == net.JoinHostPort(member.IP, strconv.FormatInt(member.Port, 10)) {
				return n
			}
		}
	}
	return nil
}

// waitUntil waits until ok reports true. The error of a context that ends before says what was waited for.
func waitUntil(ctx context.Context, state string, ok func() bool) error {
	for !ok() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s: %w", state, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}
