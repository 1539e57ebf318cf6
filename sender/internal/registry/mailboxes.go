package registry

import (
	"context"
	"time"

	"github.com/videocloud/webhooks/internal/queue"
)

var (
	mailAddScript    = script("mail_add")
	mailClaimScript  = script("mail_claim")
	mailDoneScript   = script("mail_done")
	mailForgetScript = script("mail_forget")
)

// AddMail adds an entry to a mailbox, which is due after the given time to gather more. An entry whose name is there already stays as
// it is, so that the call can be repeated.
func (r *Registry) AddMail(ctx context.Context, shard int, kind, box, name, content string, gather time.Duration) error {
	_, err := r.queue.RunDurable(ctx, shard, mailAddScript, kind, box, name, content, gather.Milliseconds())
	return err
}

// ClaimedMailbox is a mailbox that is due.
type ClaimedMailbox struct {
	Box     string
	Content map[string]string // by name
	// Wait is how long until the next mailbox is due, where none is now; negative where there is none.
	Wait time.Duration
}

// ClaimMailbox claims a mailbox that is due, for as long as the lease. Box is empty where none is due.
func (r *Registry) ClaimMailbox(ctx context.Context, shard int, kind string, lease time.Duration) (c ClaimedMailbox, err error) {
	v, err := r.queue.Run(ctx, shard, mailClaimScript, kind, lease.Milliseconds())
	if err != nil {
		return c, err
	}
	answer, _ := v.([]any)
	switch len(answer) {
	case 1:
		ms, _ := answer[0].(int64)
		return ClaimedMailbox{Wait: time.Duration(ms) * time.Millisecond}, nil
	case 3:
		content, _ := answer[2].([]any)
		c = ClaimedMailbox{Box: text(answer[1]), Content: map[string]string{}}
		for i := 0; i+1 < len(content); i += 2 {
			c.Content[text(content[i])] = text(content[i+1])
		}
		return c, nil
	}
	return c, errAnswer
}

// MailTries is the name of the entry that counts how often the message of a mailbox was tried.
const MailTries = queue.FieldTries

// SettleMail removes entries that were sent or given up from a mailbox, which is not due again until the pause is over.
func (r *Registry) SettleMail(ctx context.Context, shard int, kind, box string, names []string, pause time.Duration) error {
	for len(names) > maxMailNames { // after a crash in between, the next message has the rest
		if err := r.mailDone(ctx, shard, kind, box, "", pause, 0, names[:maxMailNames]); err != nil {
			return err
		}
		names = names[maxMailNames:]
	}
	return r.mailDone(ctx, shard, kind, box, "", pause, 0, names)
}

// RescheduleMail makes a mailbox due again later, with so many tries counted.
func (r *Registry) RescheduleMail(ctx context.Context, shard int, kind, box string, later time.Duration, tries int) error {
	return r.mailDone(ctx, shard, kind, box, later.Milliseconds(), 0, tries, nil)
}

func (r *Registry) mailDone(ctx context.Context, shard int, kind, box string, again any, pause time.Duration, tries int, told []string) error {
	_, err := r.queue.RunDurable(ctx, shard, mailDoneScript, append([]any{kind, box, again, pause.Milliseconds(), tries}, stringArgs(told)...)...)
	return err
}

// Threads returns, for each webhook, the first mail about it to a mailbox's address; empty where there was none.
func (r *Registry) Threads(ctx context.Context, shard int, box string, lanes []string) ([]string, error) {
	values, err := r.redis.HMGet(ctx, r.queue.Key(shard, queue.KeyThread, box), lanes...).Result()
	threads := make([]string, len(values))
	for i, v := range values {
		threads[i] = text(v)
	}
	return threads, err
}

// Thread is the first mail about a webhook. It is empty for a webhook that recovered.
type Thread struct{ Lane, Mail string }

// StoreThreads stores the first mails about webhooks, unless there are earlier ones, and removes those about webhooks that
// recovered.
func (r *Registry) StoreThreads(ctx context.Context, shard int, box string, threads []Thread, kept time.Duration) error {
	key, pipe := r.queue.Key(shard, queue.KeyThread, box), r.redis.Pipeline()
	for _, t := range threads {
		if t.Mail == "" {
			pipe.HDel(ctx, key, t.Lane)
		} else {
			pipe.HSetNX(ctx, key, t.Lane, t.Mail)
		}
	}
	pipe.PExpire(ctx, key, kept)
	_, err := pipe.Exec(ctx)
	return err
}

// Mailboxes returns the names of all mailboxes of one kind.
func (r *Registry) Mailboxes(ctx context.Context, shard int, kind string) ([]string, error) {
	return r.redis.ZRange(ctx, r.queue.Key(shard, queue.KeyMails, kind), 0, -1).Result()
}

// MailboxContent returns the entries of a mailbox, by name.
func (r *Registry) MailboxContent(ctx context.Context, shard int, box string) (map[string]string, error) {
	return r.redis.HGetAll(ctx, r.queue.Key(shard, queue.KeyMailbox, box)).Result()
}

// maxMailNames is how many entries one call of a script removes from a mailbox.
const maxMailNames = 1000

// RemoveMail removes entries from a mailbox, and the first mails about webhooks from its threads.
func (r *Registry) RemoveMail(ctx context.Context, shard int, kind, box string, names, lanes []string) error {
	for {
		these := names[:min(len(names), maxMailNames)]
		names = names[len(these):]
		those := lanes[:min(len(lanes), maxMailNames-len(these))]
		lanes = lanes[len(those):]
		args := append(append([]any{kind, box, len(these)}, stringArgs(these)...), stringArgs(those)...)
		if _, err := r.queue.RunDurable(ctx, shard, mailForgetScript, args...); err != nil {
			return err
		}
		if len(names)+len(lanes) == 0 {
			return nil
		}
	}
}
