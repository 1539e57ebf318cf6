package registry

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/videocloud/webhooks/internal/queue"
)

var (
	accountWriteScript = script("account_write")
	accountOpenScript  = script("account_open")
)

// Account is an account as it is stored.
type Account struct {
	Version string // "" where nothing is stored
	Info    string // what its owner set
	Created time.Time
	Ending  bool // it is being deleted
}

// AccountPlace is an account with its shard.
type AccountPlace struct {
	Shard   int
	Account string
}

// Accounts reads accounts in one round trip. All fields of one that has stored nothing are zero.
func (r *Registry) Accounts(ctx context.Context, places []AccountPlace) ([]Account, error) {
	pipe, found := r.redis.Pipeline(), make([]*redis.SliceCmd, len(places))
	for i, p := range places {
		found[i] = pipe.HMGet(ctx, r.queue.Key(p.Shard, queue.KeyAccount, p.Account),
			queue.FieldVersion, queue.FieldInfo, queue.FieldCreated, queue.FieldEnding)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, err
	}
	all := make([]Account, len(places))
	for i, cmd := range found {
		values := cmd.Val()
		all[i] = Account{Version: text(values[0]), Info: text(values[1]), Ending: values[3] != nil}
		if ms, _ := strconv.ParseInt(text(values[2]), 10, 64); ms > 0 {
			all[i].Created = time.UnixMilli(ms).UTC()
		}
	}
	return all, nil
}

// WriteAccount changes what an account's owner set, if the account still has the given version, and returns when the account was
// created. Otherwise it returns [ErrChanged], or [ErrEnding].
func (r *Registry) WriteAccount(ctx context.Context, shard int, account, version, info string) (time.Time, error) {
	return r.write(ctx, shard, accountWriteScript, account, version, info)
}

// AccountNames returns at most limit account names that sort after the given one, sorted; all of them where limit is 0.
func (r *Registry) AccountNames(ctx context.Context, shards int, after string, limit int) ([]string, error) {
	from := "-"
	if after != "" {
		from = "(" + after
	}
	pipe, cmds := r.redis.Pipeline(), make([]*redis.StringSliceCmd, shards)
	for i := range cmds {
		cmds[i] = pipe.ZRangeByLex(ctx, r.queue.Key(i, queue.KeyAccounts), &redis.ZRangeBy{Min: from, Max: "+", Count: int64(limit)})
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, err
	}
	var names []string
	for _, cmd := range cmds {
		names = append(names, cmd.Val()...)
	}
	slices.Sort(names)
	if limit > 0 && len(names) > limit {
		names = names[:limit]
	}
	return names, nil
}

// OpenAccount records an account before the first thing that it stores elsewhere. It returns [ErrEnding] while the account is
// being deleted.
func (r *Registry) OpenAccount(ctx context.Context, shard int, account string) error {
	_, err := r.write(ctx, shard, accountOpenScript, account)
	return err
}
