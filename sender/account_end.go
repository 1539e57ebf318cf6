package sender

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	_ "embed"

	"github.com/videocloud/webhooks/internal/queue"
)

var (
	//go:embed lua/account_open.lua
	accountOpenLua string
	//go:embed lua/mail_forget.lua
	mailForgetLua string

	accountOpenScript = queue.Script(accountOpenLua)
	mailForgetScript  = queue.Script(mailForgetLua)
)

// An account ends in steps, each of which is bounded and can be repeated:
//
//	account:<name> is marked ─► its keys ─► its webhooks ─► the operator's mails of them ─► leases, notices, lanes, events, replays, mailboxes
//	─► the record
//
// From the mark on the account takes nothing. The chore account:<name>, written with it, is there until the record is not.

// accountEndAtOnce is for how long DELETE waits for the end of an account. What takes longer goes on as a chore.
const accountEndAtOnce = 20 * time.Second

// accountEndSteps is how many steps a chore makes before others have their turn.
const accountEndSteps = 200

// DeleteAccount takes all that an account has out of the store: webhooks, deliveries, events and their data, keys, replays, figures and what its owner
// set. From its first step on the account takes nothing; afterwards its name may be used afresh. ending reports that not all is done yet: the rest
// goes on by itself. An attempt under way ends, and leaves nothing behind.
//
// Failure policy: where it returns an error after its first step, the rest follows as a chore.
func (s *Sender) DeleteAccount(ctx context.Context, account string) (ending bool, err error) {
	if checkAccount(account) != nil {
		return false, errNoAccount
	}
	shard, err := s.shard(ctx, account)
	if err != nil {
		return false, err
	}
	far, err := s.queue.EndAccount(ctx, shard, account, lanesOf(account), true)
	if err != nil {
		return false, s.unavailable("account", err)
	}
	if far == queue.AccountEndNone {
		return false, errNoAccount
	}
	until := time.Now().Add(accountEndAtOnce)
	done, err := s.endAccount(ctx, shard, account, func() bool { return time.Now().Before(until) })
	if !done {
		s.look(shard)
	}
	if err != nil {
		return false, s.unavailable("account", err)
	}
	return !done, nil
}

var errNoAccount = &Error{Code: CodeNotFound, Message: "there is no such account; GET /accounts lists those that have stored anything"}

func lanesOf(account string) queue.AccountLanes {
	return queue.AccountLanes{Owner: ownerLane(account), Operator: notifyLane}
}

// endAccount goes on with an account that is being deleted, for as long as more says so.
func (s *Sender) endAccount(ctx context.Context, shard int, account string, more func() bool) (done bool, err error) {
	if err := s.endKeysOf(ctx, account); err != nil {
		return false, err
	}
	if err := s.unregisterAll(ctx, shard, account); err != nil {
		return false, err
	}
	if err := s.forgetMails(ctx, shard, account); err != nil {
		return false, err
	}
	for more() {
		far, err := s.queue.EndAccount(ctx, shard, account, lanesOf(account), false)
		switch {
		case err != nil:
			return false, err
		case far == queue.AccountEndHooks:
			if err := s.unregisterAll(ctx, shard, account); err != nil {
				return false, err
			}
		case far != queue.AccountEndMore:
			return true, nil
		}
	}
	return false, nil
}

// endAccountOn is endAccount as a chore.
func (s *Sender) endAccountOn(ctx context.Context, shard int, account string) error {
	steps := 0
	done, err := s.endAccount(ctx, shard, account, func() bool { steps++; return steps <= accountEndSteps })
	if err == nil && !done {
		s.look(shard)
	}
	return err
}

// openAccount notes an account in the store, which refuses it while it is being deleted.
func (s *Sender) openAccount(ctx context.Context, account string) error {
	shard, err := s.shard(ctx, account)
	if err != nil {
		return err
	}
	v, err := s.queue.RunDurable(ctx, shard, accountOpenScript, account)
	if err != nil {
		return s.unavailable("account", err)
	}
	if v == int64(0) {
		return errEnding
	}
	return nil
}

// endKeysOf ends all keys of an account.
func (s *Sender) endKeysOf(ctx context.Context, account string) error {
	for {
		ids, err := s.store.Client().ZRange(ctx, s.queue.Tag(keyShard)+"apikeysof:"+account, 0, deletedAtOnce-1).Result()
		if err != nil || len(ids) == 0 {
			return err
		}
		these := make([]any, len(ids))
		for i, id := range ids {
			these[i] = id
		}
		if err := s.endKeys(ctx, these...); err != nil {
			return err
		}
	}
}

// unregisterAll takes all of an account's webhooks out of it.
func (s *Sender) unregisterAll(ctx context.Context, shard int, account string) error {
	for {
		lanes, err := s.store.Client().ZRange(ctx, s.queue.Tag(shard)+"hooks:"+account, 0, 99).Result()
		if err != nil || len(lanes) == 0 {
			return err
		}
		for _, lane := range lanes {
			if _, _, err := s.unregister(ctx, account, webhookPrefix+lane); err != nil && !errors.Is(err, errNotFound) {
				return err
			}
		}
	}
}

// forgetMails takes what the operator is yet to be told of an account out of his mailboxes, and what tells the mails of its webhooks apart.
func (s *Sender) forgetMails(ctx context.Context, shard int, account string) error {
	const operatorShard = 0
	tag := s.queue.Tag(operatorShard)
	lanes, err := s.store.Client().ZRange(ctx, s.queue.Tag(shard)+"unhooked:"+account, 0, -1).Result()
	if err != nil {
		return err
	}
	for _, kind := range []string{boxesOfMail, boxesOfSlack} {
		boxes, err := s.store.Client().ZRange(ctx, tag+"mails:"+kind, 0, -1).Result()
		if err != nil {
			return err
		}
		for _, box := range boxes {
			if !strings.HasPrefix(box, notifyAccount+"/") {
				continue
			}
			fields, err := s.store.Client().HGetAll(ctx, tag+"mailbox:"+box).Result()
			if err != nil {
				return err
			}
			var told []any
			for field, text := range fields {
				if toldOf(text) == account {
					told = append(told, field)
				}
			}
			if err := s.forgetIn(ctx, operatorShard, kind, box, told, lanes); err != nil {
				return err
			}
		}
	}
	return nil
}

// toldOf is the account that an entry of a mailbox tells of.
func toldOf(text string) string {
	var t told
	if json.Unmarshal([]byte(text), &t) != nil {
		return ""
	}
	return t.Account
}

// forgottenAtOnce bounds how many entries one script takes out of a mailbox.
const forgottenAtOnce = 1000

func (s *Sender) forgetIn(ctx context.Context, shard int, kind, box string, entries []any, lanes []string) error {
	for {
		n := min(len(entries), forgottenAtOnce)
		args := append([]any{kind, box, n}, entries[:n]...)
		if entries = entries[n:]; len(entries) == 0 {
			for len(lanes) > 0 && len(args) < forgottenAtOnce {
				args, lanes = append(args, lanes[0]), lanes[1:]
			}
		}
		if _, err := s.queue.RunDurable(ctx, shard, mailForgetScript, args...); err != nil {
			return err
		}
		if len(entries)+len(lanes) == 0 {
			return nil
		}
	}
}
