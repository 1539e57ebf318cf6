package queue

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// Kinds of chores: what whoever comes next goes on with, written down in the step that makes it necessary.
const (
	ChoreCancel  = "cancel"  // deliveries of a deleted lane
	ChoreExpunge = "expunge" // an event
	ChoreAccount = "account" // that is being deleted
	ChoreReplay  = "replay"
	ChoreFanout  = "fanout" // an event that is not in all of its lanes
)

// ChoreCounts says how many chores each shard has, in one round trip to each node.
func (q *Queue) ChoreCounts(ctx context.Context, shards int) ([]int, error) {
	pipe, cmds := q.store.Client().Pipeline(), make([]*redis.IntCmd, shards)
	for shard := range shards {
		cmds[shard] = pipe.SCard(ctx, q.Key(shard, KeyChores))
	}
	_, err := pipe.Exec(ctx)
	counts := make([]int, shards)
	for i, cmd := range cmds {
		counts[i] = int(cmd.Val())
	}
	return counts, err
}

// Chores returns those of a shard: each its kind, a colon and what it is about.
func (q *Queue) Chores(ctx context.Context, shard int) ([]string, error) {
	return q.store.Client().SMembers(ctx, q.Key(shard, KeyChores)).Result()
}

// Notice is an entry of a shard's outbox: that a lane failed, was disabled, or recovered.
type Notice struct {
	ID     string
	Kind   string // failed, disabled or recovered
	Lane   string
	Detail string // of the attempt, as its outcome gave it; empty for a recovery
	Since  time.Time
	Count  int // failed jobs
}

// Notices returns the first of a shard's outbox.
func (q *Queue) Notices(ctx context.Context, shard int, most int64) ([]Notice, error) {
	entries, err := q.store.Client().XRangeN(ctx, q.Key(shard, KeyOutbox), "-", "+", most).Result()
	if err != nil {
		return nil, err
	}
	notices := make([]Notice, len(entries))
	for i, e := range entries {
		notices[i] = newNotice(e)
	}
	return notices, nil
}

func newNotice(e redis.XMessage) Notice {
	field := func(name string) string {
		v, _ := e.Values[name].(string)
		return v
	}
	n := Notice{ID: e.ID, Kind: field("k"), Lane: field("l"), Detail: field("d")}
	if ms := number(field("s")); ms > 0 {
		n.Since = time.UnixMilli(ms).UTC()
	}
	n.Count, _ = strconv.Atoi(field("n"))
	return n
}

// NoticeTold removes a notice from its shard's outbox.
func (q *Queue) NoticeTold(ctx context.Context, shard int, id string) error {
	return q.store.Client().XDel(ctx, q.Key(shard, KeyOutbox), id).Err()
}
