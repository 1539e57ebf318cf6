package queue

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// Entry is a job in the history of its lane.
type Entry struct {
	ID  string // its place: the ms at which it was queued, a dash and a number
	Job string
}

// History reads jobs of a lane from one place to another, oldest or newest first. What is older than an event's ID is in another stream
// under the same places; both are read in one step, as entries move from one to the other.
func (q *Queue) History(ctx context.Context, shard int, lane string, newestFirst bool, from, to string, most int) ([]Entry, error) {
	pipe := q.store.Client().TxPipeline()
	read, first, second := pipe.XRangeN, q.Key(shard, KeyOld, lane), q.Key(shard, KeyIndex, lane)
	if newestFirst {
		read, first, second = pipe.XRevRangeN, second, first
	}
	streams := [2]*redis.XMessageSliceCmd{read(ctx, first, from, to, int64(most)), read(ctx, second, from, to, int64(most))}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, err
	}
	var entries []Entry
	seen := map[string]bool{} // an aborted script may have left one in both
	for _, stream := range streams {
		for _, e := range stream.Val() {
			if len(entries) < most && !seen[e.ID] {
				seen[e.ID] = true
				job, _ := e.Values[FieldJob].(string)
				entries = append(entries, Entry{e.ID, job})
			}
		}
	}
	return entries, nil
}

// Payload reads what is stored of a job's payload, and for how long its key has yet: zero where that has no end. It is empty where the
// payload is gone.
func (q *Queue) Payload(ctx context.Context, shard int, job string) (payload string, left time.Duration, err error) {
	pipe := q.store.Client().Pipeline()
	body, ttl := pipe.Get(ctx, q.Key(shard, KeyBody, job)), pipe.PTTL(ctx, q.Key(shard, KeyBody, job))
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return "", 0, err
	}
	return PayloadOf(body.Val()), max(ttl.Val(), 0), nil
}

// AccountOfLane finds the account of a lane in whichever shard has it, "" where there is none.
func (q *Queue) AccountOfLane(ctx context.Context, shards int, lane string) (string, error) {
	return q.findField(ctx, shards, FieldAccount, KeyConf, lane)
}

// AccountOfJob finds the account of a job's event in whichever shard has it, "" where there is none.
func (q *Queue) AccountOfJob(ctx context.Context, shards int, job string) (string, error) {
	return q.findField(ctx, shards, FieldAccount, KeyEvent, job)
}

func (q *Queue) findField(ctx context.Context, shards int, field Field, name Key, of string) (string, error) {
	pipe, cmds := q.store.Client().Pipeline(), make([]*redis.StringCmd, shards)
	for shard := range shards {
		cmds[shard] = pipe.HGet(ctx, q.Key(shard, name, of), field)
	}
	_, _ = pipe.Exec(ctx) // each command carries its own error
	for _, cmd := range cmds {
		switch value, err := cmd.Result(); {
		case errors.Is(err, redis.Nil):
		case err != nil:
			return "", err
		case value != "":
			return value, nil
		}
	}
	return "", nil
}

// GivenID is an event's ID that its publisher gave, in an account of a shard.
type GivenID struct {
	Shard       int
	Account, ID string
}

// FindGiven returns the place of the first of these that is known, and -1 where none is.
func (q *Queue) FindGiven(ctx context.Context, ids []GivenID) (int, error) {
	pipe, cmds := q.store.Client().Pipeline(), make([]*redis.IntCmd, len(ids))
	for i, id := range ids {
		cmds[i] = pipe.Exists(ctx, q.Key(id.Shard, KeyID, id.Account, ":", id.ID))
	}
	_, _ = pipe.Exec(ctx) // each command carries its own error
	for i, cmd := range cmds {
		switch n, err := cmd.Result(); {
		case err != nil:
			return -1, err
		case n > 0:
			return i, nil
		}
	}
	return -1, nil
}
