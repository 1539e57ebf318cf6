package queue

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// Entry is a job in the history of its lane.
type Entry struct {
	ID  string // its place: the unix milliseconds at which it was queued, a dash and a number
	Job string
}

// History reads up to most jobs of a lane between two places, both included, oldest or newest first. With newestFirst, from is the later
// place. Entries older than the time for which IDs are known are in a second stream, under the same places. Both streams are read in one
// step, as entries move from one to the other.
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
	seen := map[string]bool{} // a script that was refused half-way may have left an entry in both
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

// Payload reads the payload of a job and for how long the store still keeps it, zero for no end. payload is "" where it has expired.
func (q *Queue) Payload(ctx context.Context, shard int, job string) (payload string, left time.Duration, err error) {
	pipe := q.store.Client().Pipeline()
	body, ttl := pipe.Get(ctx, q.Key(shard, KeyBody, job)), pipe.PTTL(ctx, q.Key(shard, KeyBody, job))
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return "", 0, err
	}
	return PayloadOf(body.Val()), max(ttl.Val(), 0), nil
}

// AccountOfLane looks in all shards for the account of a lane. It returns "" where no shard has the lane.
func (q *Queue) AccountOfLane(ctx context.Context, shards int, lane string) (string, error) {
	return q.findField(ctx, shards, FieldAccount, KeyConf, lane)
}

// AccountOfJob looks in all shards for the account of a job's event. It returns "" where no shard has the event.
func (q *Queue) AccountOfJob(ctx context.Context, shards int, job string) (string, error) {
	return q.findField(ctx, shards, FieldAccount, KeyEvent, job)
}

// findField returns the first value of a field that any shard has, "" for none.
func (q *Queue) findField(ctx context.Context, shards int, field Field, key Key, name string) (string, error) {
	pipe, cmds := q.store.Client().Pipeline(), make([]*redis.StringCmd, shards)
	for shard := range shards {
		cmds[shard] = pipe.HGet(ctx, q.Key(shard, key, name), field)
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

// GivenID is an ID that the publisher of an event gave it, in the shard of its account.
type GivenID struct {
	Shard       int
	Account, ID string
}

// FindGiven returns the place in ids of the first that belongs to a known event, and -1 where none does.
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
