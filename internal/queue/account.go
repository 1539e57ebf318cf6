package queue

import (
	"context"
	"fmt"
)

var accountEndScript = Script(source("account_end"))

// accountEndKeys bounds how many keys one call of the script takes out.
const accountEndKeys = 1200

// AccountEnd says how far the end of an account has come.
type AccountEnd string

// How far it has come.
const (
	AccountEndMore  AccountEnd = "more"  // call again
	AccountEndHooks AccountEnd = "hooks" // it has webhooks, which are to be deleted first
	AccountEndDone  AccountEnd = "done"
	AccountEndNone  AccountEnd = "none" // there is no such account, or it is not being deleted
)

// AccountLanes are the lanes in which an account's webhooks are told of, beside those of these webhooks.
type AccountLanes struct {
	Owner    string // its owner's
	Operator string // the operator's, which it shares with others
}

// EndAccount begins to take all that an account has out of its shard, or goes on with it, by one step. From the first on the account takes nothing,
// and the chore account:<name> is written down until the last.
func (q *Queue) EndAccount(ctx context.Context, shard int, account string, lanes AccountLanes, begin bool) (AccountEnd, error) {
	v, err := q.RunDurable(ctx, shard, accountEndScript, account, flag(begin), lanes.Owner, lanes.Operator, accountEndKeys)
	if err != nil {
		return "", err
	}
	far, ok := v.(string)
	if !ok {
		return "", fmt.Errorf("unexpected answer of a script: %T", v)
	}
	return AccountEnd(far), nil
}
