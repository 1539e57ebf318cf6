package sender

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/videocloud/webhooks/internal/names"
	"github.com/videocloud/webhooks/internal/queue"
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
	if !names.IsAccount(account) {
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
		s.wakeChores(shard)
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
	if err := s.registry.EndKeysOf(ctx, account); err != nil {
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
		s.wakeChores(shard)
	}
	return err
}

// openAccount notes an account in the store, which refuses it while it is being deleted.
func (s *Sender) openAccount(ctx context.Context, account string) error {
	shard, err := s.shard(ctx, account)
	if err != nil {
		return err
	}
	if err := s.registry.OpenAccount(ctx, shard, account); err != nil {
		return s.notWritten("account", err)
	}
	return nil
}

// unregisterAll takes all of an account's webhooks out of it.
func (s *Sender) unregisterAll(ctx context.Context, shard int, account string) error {
	for {
		webhooks, err := s.registry.ListWebhooks(ctx, shard, account)
		if err != nil || len(webhooks) == 0 {
			return err
		}
		for _, w := range webhooks {
			if _, _, err := s.unregister(ctx, account, webhookPrefix+w.Lane); err != nil && !errors.Is(err, errNotFound) {
				return err
			}
		}
	}
}

// forgetMails takes what the operator is yet to be told of an account out of his mailboxes, and what tells the mails of its webhooks apart.
func (s *Sender) forgetMails(ctx context.Context, shard int, account string) error {
	const operatorShard = 0
	lanes, err := s.registry.DeletedLanes(ctx, shard, account)
	if err != nil {
		return err
	}
	for _, kind := range []string{boxesOfMail, boxesOfSlack} {
		boxes, err := s.registry.Mailboxes(ctx, operatorShard, kind)
		if err != nil {
			return err
		}
		for _, box := range boxes {
			if !strings.HasPrefix(box, notifyAccount+"/") {
				continue
			}
			fields, err := s.registry.MailboxContent(ctx, operatorShard, box)
			if err != nil {
				return err
			}
			var told []string
			for field, text := range fields {
				if toldOf(text) == account {
					told = append(told, field)
				}
			}
			if err := s.registry.ForgetMail(ctx, operatorShard, kind, box, told, lanes); err != nil {
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
