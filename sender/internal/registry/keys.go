package registry

import (
	"cmp"
	"context"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/videocloud/webhooks/internal/queue"
)

var (
	keyMakeScript   = script("key_make")
	keyFindScript   = script("key_find")
	keyDeleteScript = script("key_delete")
)

// SharedShard is the shard of what belongs to no account: event types, and API keys, which are looked up before their account is
// known.
const SharedShard = 0

// maxDeletedKeys is how many keys one call of the script deletes.
const maxDeletedKeys = 100

// NewKey is an API key to be stored.
type NewKey struct {
	ID, Sum, Record string // Sum is a hash of the key
	Account, By     string
	Ends            string // unix milliseconds; empty: never
	Limit           int    // how many keys an account may have
}

// CreateKey stores a key, and returns when it was created. It returns [ErrLimit] where its account has too many, and [ErrGone]
// where the key that makes it was deleted.
func (r *Registry) CreateKey(ctx context.Context, k NewKey) (time.Time, error) {
	return r.write(ctx, SharedShard, keyMakeScript, k.ID, k.Sum, k.Record, k.Account, k.By, k.Ends, k.Limit)
}

// FindKey returns the key with a hash, and records that it is used. The ID is empty where there is none.
func (r *Registry) FindKey(ctx context.Context, sum string) (id, record string, err error) {
	v, err := r.queue.Run(ctx, SharedShard, keyFindScript, sum)
	if err != nil {
		return "", "", err
	}
	if found, _ := v.([]any); len(found) == 2 {
		return text(found[0]), text(found[1]), nil
	}
	return "", "", nil
}

// KeyRecord returns the record of a key; empty where there is none.
func (r *Registry) KeyRecord(ctx context.Context, id string) (string, error) {
	return emptyIfNil(r.redis.HGet(ctx, r.queue.Key(SharedShard, queue.KeyAPIKeys), id).Result())
}

// ListedKey is a key of a list.
type ListedKey struct {
	ID, Record string
	Created    int64     // ms; no two have the same
	Used       time.Time // to the hour; zero: never
}

// ListKeys returns at most limit keys of an account, of all accounts where account is "", oldest first, that were created after a
// time in unix milliseconds, "" for all. more reports that there are others after them.
func (r *Registry) ListKeys(ctx context.Context, account, after string, limit int) (keys []ListedKey, more bool, err error) {
	order := r.queue.Key(SharedShard, queue.KeyAPIKeysAll)
	if account != "" {
		order = r.queue.Key(SharedShard, queue.KeyAPIKeysOf, account)
	}
	found, err := r.redis.ZRangeArgsWithScores(ctx, redis.ZRangeArgs{
		Key: order, ByScore: true, Start: "(" + cmp.Or(after, "0"), Stop: "+inf", Count: int64(limit) + 1,
	}).Result()
	if err != nil || len(found) == 0 {
		return nil, false, err
	}
	if more = len(found) > limit; more {
		found = found[:limit]
	}
	keys = make([]ListedKey, len(found))
	ids := make([]string, len(found))
	for i, z := range found {
		ids[i] = text(z.Member)
		keys[i] = ListedKey{ID: ids[i], Created: int64(z.Score)}
	}
	pipe := r.redis.TxPipeline() // both are read at one moment
	records, used := pipe.HMGet(ctx, r.queue.Key(SharedShard, queue.KeyAPIKeys), ids...), pipe.HMGet(ctx, r.queue.Key(SharedShard, queue.KeyAPIKeysUsed), ids...)
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, false, err
	}
	for i := range keys {
		keys[i].Record = text(records.Val()[i]) // empty: deleted in between
		if hour, err := strconv.ParseInt(text(used.Val()[i]), 10, 64); err == nil {
			keys[i].Used = time.Unix(hour*3600, 0).UTC()
		}
	}
	return keys, more, nil
}

// DeleteKeys deletes keys with all that they made, and those that have expired.
func (r *Registry) DeleteKeys(ctx context.Context, ids ...string) error {
	for {
		left, err := r.queue.RunDurable(ctx, SharedShard, keyDeleteScript, append([]any{maxDeletedKeys}, stringArgs(ids)...)...)
		if err != nil {
			return err
		}
		if left == int64(0) {
			if len(ids) == 0 {
				return nil
			}
			ids = nil // the script finds the rest by itself
		}
	}
}

// DeleteKeysOf deletes all keys of an account.
func (r *Registry) DeleteKeysOf(ctx context.Context, account string) error {
	for {
		ids, err := r.redis.ZRange(ctx, r.queue.Key(SharedShard, queue.KeyAPIKeysOf, account), 0, maxDeletedKeys-1).Result()
		if err != nil || len(ids) == 0 {
			return err
		}
		if err := r.DeleteKeys(ctx, ids...); err != nil {
			return err
		}
	}
}
