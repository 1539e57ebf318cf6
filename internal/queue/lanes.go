package queue

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// Depth is how many jobs of a lane wait, are being attempted and failed.
type Depth struct {
	Waiting, InFlight, Dead int
	// FailedSince is when the lane began to fail; zero: it doesn't.
	FailedSince time.Time
	// Oldest is for how long the earliest waiting job has been due. Negative: it is not due yet. [Queue.Depths] leaves it out.
	Oldest time.Duration
}

// Depths says how full lanes of a shard are, in one round trip.
func (q *Queue) Depths(ctx context.Context, shard int, lanes ...string) ([]Depth, error) {
	pipe := q.store.Client().Pipeline()
	waiting, dead, flow := make([]*redis.IntCmd, len(lanes)), make([]*redis.IntCmd, len(lanes)), make([]*redis.SliceCmd, len(lanes))
	for i, lane := range lanes {
		waiting[i], dead[i] = pipe.ZCard(ctx, q.Key(shard, KeyLane, lane)), pipe.ZCard(ctx, q.Key(shard, KeyDead, lane))
		flow[i] = pipe.HMGet(ctx, q.Key(shard, KeyConf, lane), FieldInFlight, FieldFailedSince)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, err
	}
	depths := make([]Depth, len(lanes))
	for i := range lanes {
		values := flow[i].Val()
		depths[i] = Depth{Waiting: int(waiting[i].Val()), Dead: int(dead[i].Val()), InFlight: int(number(values[0]))}
		if ms := number(values[1]); ms > 0 {
			depths[i].FailedSince = time.UnixMilli(ms).UTC()
		}
	}
	return depths, nil
}

// Depth says how full the only lane of a shard is, as of one moment.
func (q *Queue) Depth(ctx context.Context, shard int, lane string) (d Depth, err error) {
	pipe := q.store.Client().TxPipeline()
	waiting, dead := pipe.ZCard(ctx, q.Key(shard, KeyLane, lane)), pipe.ZCard(ctx, q.Key(shard, KeyDead, lane))
	leased := pipe.ZCard(ctx, q.Key(shard, KeyLeases))
	head := pipe.ZRangeWithScores(ctx, q.Key(shard, KeyLane, lane), 0, 0)
	now := pipe.Time(ctx)
	if _, err := pipe.Exec(ctx); err != nil {
		return d, err
	}
	d = Depth{Waiting: int(waiting.Val()), InFlight: int(leased.Val()), Dead: int(dead.Val())}
	if z := head.Val(); len(z) == 1 {
		d.Oldest = now.Val().Sub(time.UnixMilli(int64(z[0].Score)))
	}
	return d, nil
}

var cancelScript = Script(source("cancel"))

// cancelBatch bounds one step of cancelling, which makes up to ten writes for each, so that it never holds Redis for long.
const cancelBatch = 150

// Cancel ends some of the jobs that wait in a deleted lane. It says how many are left, and how many it ended. The chore is done when none is
// left.
func (q *Queue) Cancel(ctx context.Context, shard int, lane string) (left, ended int, err error) {
	r := newReply(q.Run(ctx, shard, cancelScript, lane, cancelBatch))
	left, ended = int(r.number()), int(r.number())
	return left, ended, r.err
}

// QueueTags are the tags of the queues that a receiver's events were ever queued in. root is the receiver's own tag.
func (q *Queue) QueueTags(ctx context.Context, root string) ([]string, error) {
	return q.store.Client().SMembers(ctx, InTag(root, KeyDelivers)).Result()
}

// LaneDeleted reports whether a lane is there no more.
func (q *Queue) LaneDeleted(ctx context.Context, shard int, lane string) (bool, error) {
	status, err := q.store.Client().HGet(ctx, q.Key(shard, KeyConf, lane), FieldStatus).Result()
	if errors.Is(err, redis.Nil) {
		return true, nil
	}
	return status == StatusDeleted, err
}

// OpenLane has a lane served that nobody registers.
func (q *Queue) OpenLane(ctx context.Context, shard int, lane, account, status string) error {
	return q.store.Client().HSet(ctx, q.Key(shard, KeyConf, lane), FieldStatus, status, FieldAccount, account).Err()
}

// number is that of a field, 0 where it is missing.
func number(v any) int64 {
	text, _ := v.(string)
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}
