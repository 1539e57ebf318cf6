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

// AccountPlace is where an account lives.
type AccountPlace struct {
	Shard   int
	Account string
}

// Accounts reads accounts in one round trip. Of one that has stored nothing everything is zero.
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

// WriteAccount changes what an account's owner set, where it has still the version that was read, and returns when the account was
// made. Else it returns [ErrChanged], or [ErrEnding].
func (r *Registry) WriteAccount(ctx context.Context, shard int, account, version, info string) (time.Time, error) {
	return r.write(ctx, shard, accountWriteScript, account, version, info)
}

// AccountNames lists the accounts whose names come after one, by name, as many as most at most; all where most is 0.
func (r *Registry) AccountNames(ctx context.Context, shards int, after string, most int) ([]string, error) {
	from := "-"
	if after != "" {
		from = "(" + after
	}
	pipe, cmds := r.redis.Pipeline(), make([]*redis.StringSliceCmd, shards)
	for i := range cmds {
		cmds[i] = pipe.ZRangeByLex(ctx, r.queue.Key(i, queue.KeyAccounts), &redis.ZRangeBy{Min: from, Max: "+", Count: int64(most)})
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, err
	}
	var names []string
	for _, cmd := range cmds {
		names = append(names, cmd.Val()...)
	}
	slices.Sort(names)
	if most > 0 && len(names) > most {
		names = names[:most]
	}
	return names, nil
}

// OpenAccount notes an account with the first thing that it stores elsewhere. It returns [ErrEnding] while it is being deleted.
func (r *Registry) OpenAccount(ctx context.Context, shard int, account string) error {
	_, err := r.write(ctx, shard, accountOpenScript, account)
	return err
}
