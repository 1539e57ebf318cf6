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

// AddMail puts something into a mailbox, which then waits for more of it for a moment. It goes by a name, so that it may be repeated.
func (r *Registry) AddMail(ctx context.Context, shard int, kind, box, name, content string, gather time.Duration) error {
	_, err := r.queue.RunDurable(ctx, shard, mailAddScript, kind, box, name, content, gather.Milliseconds())
	return err
}

// ClaimedMailbox is a mailbox that is due.
type ClaimedMailbox struct {
	Box     string
	Content map[string]string // by name
	// Wait is how long until the next is due, where none is now; negative: there is none.
	Wait time.Duration
}

// ClaimMailbox hands out a mailbox that is due, for a while. Box is empty where none is.
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

// MailTries is the name in a mailbox of how often its message was tried.
const MailTries = queue.FieldTries

// SettleMail says that something of a mailbox was told or given up, and for how long nothing more is told.
func (r *Registry) SettleMail(ctx context.Context, shard int, kind, box string, names []string, pause time.Duration) error {
	for len(names) > maxMailNames { // after a crash in between the rest is in the next message
		if err := r.mailDone(ctx, shard, kind, box, "", pause, 0, names[:maxMailNames]); err != nil {
			return err
		}
		names = names[maxMailNames:]
	}
	return r.mailDone(ctx, shard, kind, box, "", pause, 0, names)
}

// RescheduleMail has a mailbox due again later, after so many tries.
func (r *Registry) RescheduleMail(ctx context.Context, shard int, kind, box string, later time.Duration, tries int) error {
	return r.mailDone(ctx, shard, kind, box, later.Milliseconds(), 0, tries, nil)
}

func (r *Registry) mailDone(ctx context.Context, shard int, kind, box string, again any, pause time.Duration, tries int, told []string) error {
	_, err := r.queue.RunDurable(ctx, shard, mailDoneScript, append([]any{kind, box, again, pause.Milliseconds(), tries}, stringArgs(told)...)...)
	return err
}

// Threads reads the mails to a mailbox's address that told of webhooks first; empty where there was none.
func (r *Registry) Threads(ctx context.Context, shard int, box string, lanes []string) ([]string, error) {
	values, err := r.redis.HMGet(ctx, r.queue.Key(shard, queue.KeyThread, box), lanes...).Result()
	threads := make([]string, len(values))
	for i, v := range values {
		threads[i] = text(v)
	}
	return threads, err
}

// Thread is a mail that told of a webhook. Of one that recovered it is empty.
type Thread struct{ Lane, Mail string }

// StoreThreads notes mails that told of webhooks, unless others did before, and forgets those of webhooks that recovered.
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

// Mailboxes are all of one kind.
func (r *Registry) Mailboxes(ctx context.Context, shard int, kind string) ([]string, error) {
	return r.redis.ZRange(ctx, r.queue.Key(shard, queue.KeyMails, kind), 0, -1).Result()
}

// MailboxContent is what is in a mailbox, by name.
func (r *Registry) MailboxContent(ctx context.Context, shard int, box string) (map[string]string, error) {
	return r.redis.HGetAll(ctx, r.queue.Key(shard, queue.KeyMailbox, box)).Result()
}

// maxMailNames bounds how many entries one call takes out of a mailbox.
const maxMailNames = 1000

// RemoveMail takes entries out of a mailbox, and the mails that told of webhooks out of its threads.
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
