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
// From the mark on the account takes nothing. The task account:<name>, written with it, is there until the record is not.

// accountEndWait is how long DeleteAccount works on the end of an account before it returns. What takes longer goes on as a
// task.
const accountEndWait = 20 * time.Second

// accountEndSteps is the number of steps that a task makes before the next task has its turn.
const accountEndSteps = 200

// DeleteAccount removes everything that an account has from the store: webhooks, deliveries, events and their data, keys,
// replays, figures, and what its owner set. From the first step on the account accepts nothing; once all is gone its name can be
// used again. An attempt that is under way when the account is deleted ends and leaves nothing behind. DeleteAccount works for at
// most 20 s; ending reports that something is left, which this or another process then removes in the background.
//
// Failure policy: where it returns an error after its first step, the rest is removed in the background too.
func (s *Sender) DeleteAccount(ctx context.Context, account string) (ending bool, err error) {
	if !names.IsAccount(account) {
		return false, errNoAccount
	}
	shard, err := s.shard(ctx, account)
	if err != nil {
		return false, err
	}
	step, err := s.queue.EndAccount(ctx, shard, account, accountLanes(account), true)
	if err != nil {
		return false, s.unavailable("account", err)
	}
	if step == queue.AccountEndNone {
		return false, errNoAccount
	}
	until := time.Now().Add(accountEndWait)
	done, err := s.endAccount(ctx, shard, account, func() bool { return time.Now().Before(until) })
	if !done {
		s.wakeTasks(shard)
	}
	if err != nil {
		return false, s.unavailable("account", err)
	}
	return !done, nil
}

var errNoAccount = &Error{Code: CodeNotFound, Message: "there is no such account; GET /accounts lists those that have stored anything"}

func accountLanes(account string) queue.AccountLanes {
	return queue.AccountLanes{Owner: ownerLane(account), Operator: notifyLane}
}

// endAccount removes more of an account that is being deleted, for as long as more returns true.
func (s *Sender) endAccount(ctx context.Context, shard int, account string, more func() bool) (done bool, err error) {
	if err := s.registry.DeleteKeysOf(ctx, account); err != nil {
		return false, err
	}
	if err := s.unregisterAll(ctx, shard, account); err != nil {
		return false, err
	}
	if err := s.removeMail(ctx, shard, account); err != nil {
		return false, err
	}
	for more() {
		step, err := s.queue.EndAccount(ctx, shard, account, accountLanes(account), false)
		switch {
		case err != nil:
			return false, err
		case step == queue.AccountEndHooks:
			if err := s.unregisterAll(ctx, shard, account); err != nil {
				return false, err
			}
		case step != queue.AccountEndMore:
			return true, nil
		}
	}
	return false, nil
}

// runAccountEnd makes some steps of the end of an account, as a task.
func (s *Sender) runAccountEnd(ctx context.Context, shard int, account string) error {
	steps := 0
	done, err := s.endAccount(ctx, shard, account, func() bool { steps++; return steps <= accountEndSteps })
	if err == nil && !done {
		s.wakeTasks(shard)
	}
	return err
}

// openAccount records that an account exists. The store refuses that while the account is being deleted.
func (s *Sender) openAccount(ctx context.Context, account string) error {
	shard, err := s.shard(ctx, account)
	if err != nil {
		return err
	}
	if err := s.registry.OpenAccount(ctx, shard, account); err != nil {
		return s.writeError("account", err)
	}
	return nil
}

// unregisterAll removes all webhooks of an account.
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

// removeMail removes the notices about an account from the mailboxes of the operator, and the Message-IDs of earlier mails about
// its webhooks.
func (s *Sender) removeMail(ctx context.Context, shard int, account string) error {
	const operatorShard = 0
	lanes, err := s.registry.DeletedLanes(ctx, shard, account)
	if err != nil {
		return err
	}
	for _, kind := range []string{boxKindMail, boxKindSlack} {
		boxes, err := s.registry.Mailboxes(ctx, operatorShard, kind)
		if err != nil {
			return err
		}
		for _, box := range boxes {
			if !strings.HasPrefix(box, notifyAccount+"/") {
				continue
			}
			entries, err := s.registry.MailboxContent(ctx, operatorShard, box)
			if err != nil {
				return err
			}
			var fields []string
			for field, text := range entries {
				if entryAccount(text) == account {
					fields = append(fields, field)
				}
			}
			if err := s.registry.RemoveMail(ctx, operatorShard, kind, box, fields, lanes); err != nil {
				return err
			}
		}
	}
	return nil
}

// entryAccount returns the account of the webhook that an entry of a mailbox is about; "" where the entry can't be read.
func entryAccount(text string) string {
	var t mailEntry
	if json.Unmarshal([]byte(text), &t) != nil {
		return ""
	}
	return t.Account
}
