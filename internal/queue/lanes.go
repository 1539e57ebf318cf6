package queue

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// Depth says how many jobs of a lane wait, are being attempted, and are kept as failed.
type Depth struct {
	Waiting, InFlight, Dead int
	// FailedSince is when the lane began to fail, in UTC; zero where it does not. Only [Queue.Depths] sets it.
	FailedSince time.Time
	// Oldest is for how long the earliest waiting job has been due, negative until it is. Zero without one. Only [Queue.Depth] sets it.
	Oldest time.Duration
}

// Depths returns the depth of each of these lanes of a shard, in their order and in one round trip.
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
		depths[i] = Depth{
			Waiting: int(waiting[i].Val()), Dead: int(dead[i].Val()), InFlight: int(number(values[0])), FailedSince: timeOf(number(values[1])).UTC(),
		}
	}
	return depths, nil
}

// Depth returns the depth of the only lane of a shard, as of one moment. It counts all leases of the shard as in flight.
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

// cancelBatch is how many jobs one call cancels at most. Each takes up to ten writes, and no call may hold Redis for long.
const cancelBatch = 150

// Cancel cancels some of the jobs that wait in a deleted lane. It returns how many are left, and how many it cancelled. Once none is left, the
// task is done and removed.
func (q *Queue) Cancel(ctx context.Context, shard int, lane string) (left, ended int, err error) {
	r := newReply(q.Run(ctx, shard, cancelScript, lane, cancelBatch))
	left, ended = int(r.number()), int(r.number())
	return left, ended, r.err
}

// QueueTags returns the tags of all queues that hold, or once held, events of a receiver. root is the receiver's own tag.
func (q *Queue) QueueTags(ctx context.Context, root string) ([]string, error) {
	return q.store.Client().SMembers(ctx, InTag(root, KeyDelivers)).Result()
}

// LaneDeleted reports whether a lane was deleted or never existed.
func (q *Queue) LaneDeleted(ctx context.Context, shard int, lane string) (bool, error) {
	status, err := q.store.Client().HGet(ctx, q.Key(shard, KeyConf, lane), FieldStatus).Result()
	if errors.Is(err, redis.Nil) {
		return true, nil
	}
	return status == StatusDeleted, err
}

// timeOf is a time that the store has in unix milliseconds; zero for 0.
func timeOf(milliseconds int64) time.Time {
	if milliseconds <= 0 {
		return time.Time{}
	}
	return time.UnixMilli(milliseconds)
}

// number is the value of a field of a hash, 0 where it is missing or no number.
func number(v any) int64 {
	text, _ := v.(string)
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}
