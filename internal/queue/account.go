package queue

import (
	"context"
	"fmt"
)

var accountEndScript = Script(source("account_end"))

// accountEndKeys is how many keys one call of the script deletes at most, so that none holds Redis for long.
const accountEndKeys = 1200

// AccountEnd says how far the deletion of an account has come.
type AccountEnd string

// Answers of [Queue.EndAccount].
const (
	AccountEndMore  AccountEnd = "more"  // call it again
	AccountEndHooks AccountEnd = "hooks" // the account has webhooks, which have to be deleted first
	AccountEndDone  AccountEnd = "done"
	AccountEndNone  AccountEnd = "none" // there is no such account, or it is not being deleted
)

// AccountLanes are the lanes with notices about an account's webhooks.
type AccountLanes struct {
	Owner    string // notices to the owner of the account
	Operator string // notices to the operator, about all accounts
}

// EndAccount does one step of deleting everything that an account has in its shard. begin starts the deletion; without it, an account that
// is not being deleted stays as it is. From the first step on the account accepts nothing, and the task account:<name> stays until the last
// step is done.
func (q *Queue) EndAccount(ctx context.Context, shard int, account string, lanes AccountLanes, begin bool) (AccountEnd, error) {
	v, err := q.RunDurable(ctx, shard, accountEndScript, account, flag(begin), lanes.Owner, lanes.Operator, accountEndKeys)
	if err != nil {
		return "", err
	}
	progress, ok := v.(string)
	if !ok {
		return "", fmt.Errorf("unexpected answer of a script: %T", v)
	}
	return AccountEnd(progress), nil
}
