package queue

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

// Kinds of tasks. A task is work in several steps, recorded in the step that makes it necessary, so that any process can go on with it.
const (
	TaskCancel  = "cancel"  // cancel the deliveries of a deleted lane
	TaskExpunge = "expunge" // delete what is kept of an event
	TaskAccount = "account" // delete an account
	TaskReplay  = "replay"  // send the deliveries of a replay again
	TaskFanout  = "fanout"  // queue an event in the rest of its lanes
)

// TaskCounts returns the number of tasks of each shard, in one round trip to each node. With an error, the shards that did not answer have 0.
func (q *Queue) TaskCounts(ctx context.Context, shards int) ([]int, error) {
	pipe, cmds := q.store.Client().Pipeline(), make([]*redis.IntCmd, shards)
	for shard := range shards {
		cmds[shard] = pipe.SCard(ctx, q.Key(shard, KeyTasks))
	}
	_, err := pipe.Exec(ctx)
	counts := make([]int, shards)
	for i, cmd := range cmds {
		counts[i] = int(cmd.Val())
	}
	return counts, err
}

// Tasks returns the tasks of a shard, each as its kind, a colon and a name: of a lane, a job, an account or a replay.
func (q *Queue) Tasks(ctx context.Context, shard int) ([]string, error) {
	return q.store.Client().SMembers(ctx, q.Key(shard, KeyTasks)).Result()
}

// Notice is an entry of a shard's outbox: a lane failed, was disabled, or recovered.
type Notice struct {
	ID     string
	Kind   string // "failed", "disabled" or "recovered"
	Lane   string
	Detail string    // [Outcome.Detail] of the attempt; "" for a recovery
	Since  time.Time // when the lane began to fail, in UTC
	Count  int       // jobs that failed since the notice before; 0 for a recovery
}

// Notices returns the oldest entries of a shard's outbox, most at most.
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
	return Notice{
		ID: e.ID, Kind: field("k"), Lane: field("l"), Detail: field("d"), Since: timeOf(number(field("s"))).UTC(), Count: int(number(field("n"))),
	}
}

// NoticeTold removes a notice that was sent from its shard's outbox.
func (q *Queue) NoticeTold(ctx context.Context, shard int, id string) error {
	return q.store.Client().XDel(ctx, q.Key(shard, KeyOutbox), id).Err()
}
