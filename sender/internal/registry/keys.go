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

// SharedShard is the shard of what is no account's: API keys, which are found before their account is known, and event types.
const SharedShard = 0

// maxDeletedKeys bounds how many keys one call ends.
const maxDeletedKeys = 100

// NewKey is an API key to be kept.
type NewKey struct {
	ID, Sum, Record string // Sum is a hash of the key
	Account, By     string
	Ends            string // unix ms; empty: never
	Limit           int    // keys of an account
}

// CreateKey keeps a key, and returns when it was made. It returns [ErrLimit] where its account has too many, and [ErrGone] where the key that
// makes it was deleted.
func (r *Registry) CreateKey(ctx context.Context, k NewKey) (time.Time, error) {
	return r.write(ctx, SharedShard, keyMakeScript, k.ID, k.Sum, k.Record, k.Account, k.By, k.Ends, k.Limit)
}

// FindKey finds a key by its hash, and notes that it is used. The ID is empty where there is none.
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

// KeyRecord reads a key; empty where there is none.
func (r *Registry) KeyRecord(ctx context.Context, id string) (string, error) {
	return emptyIfNil(r.redis.HGet(ctx, r.queue.Key(SharedShard, queue.KeyAPIKeys), id).Result())
}

// ListedKey is a key of a list.
type ListedKey struct {
	ID, Record string
	Created    int64     // ms; no two have the same
	Used       time.Time // to the hour; zero: never
}

// ListKeys lists keys of an account, or of all where account is "", oldest first, that were made after a time in ms, or all where it is "". more says that there
// are others behind them.
func (r *Registry) ListKeys(ctx context.Context, account, after string, most int) (keys []ListedKey, more bool, err error) {
	order := r.queue.Key(SharedShard, queue.KeyAPIKeysAll)
	if account != "" {
		order = r.queue.Key(SharedShard, queue.KeyAPIKeysOf, account)
	}
	found, err := r.redis.ZRangeArgsWithScores(ctx, redis.ZRangeArgs{
		Key: order, ByScore: true, Start: "(" + cmp.Or(after, "0"), Stop: "+inf", Count: int64(most) + 1,
	}).Result()
	if err != nil || len(found) == 0 {
		return nil, false, err
	}
	if more = len(found) > most; more {
		found = found[:most]
	}
	keys = make([]ListedKey, len(found))
	ids := make([]string, len(found))
	for i, z := range found {
		ids[i] = text(z.Member)
		keys[i] = ListedKey{ID: ids[i], Created: int64(z.Score)}
	}
	pipe := r.redis.TxPipeline() // one reading
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

// DeleteKeys ends keys and all that they made, and with them those whose time is over.
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
			ids = nil // what was left to be found again
		}
	}
}

// DeleteKeysOf ends all keys of an account.
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
