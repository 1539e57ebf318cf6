package sender

import (
	"fmt"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redistest"
)

// TestKilledBeforeItsMail: a process that is killed between an outage and its mail leaves it to the next one.
func TestKilledBeforeItsMail(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	store := redistest.Open(t, config.Redis{URL: server.URL(), Timeout: redistest.Patience})
	p := newPostOffice(t, false)
	p.answers("GREETING", "421 4.3.2 not yet") // what the first process may ask in time
	kill := startChild(t, server.URL(), childMail+"="+p.url())
	b := mailed(t, store, p, func(o *Options) { o.Config.NotifyEmail = []string{childMailTo} })
	w := b.webhook(newSink(t, status(500)).URL)
	b.publish(guideData)
	b.gathered(0, boxName(notifyAccount, childMailTo), 1)
	kill()
	require.NoError(t, server.Client().Ping(t.Context()).Err(), "what the process asked for last is done")
	p.answers("NOTHING", "")
	b.mailDueNow(childMailTo)
	b.start()
	_, text, _ := p.mails(1)[0].read(t)
	require.Contains(t, text, w.ID)
	eventually(t, "it is written down", func() bool { return !strings.Contains(everything(t, store), "mailbox:") })
	require.Len(t, p.got(), 1)
}

// TestKilledWithItsMailUnderWay: what a server took from a process that was killed before it heard so comes twice at most, and shows
// as one.
func TestKilledWithItsMailUnderWay(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	store := redistest.Open(t, config.Redis{URL: server.URL(), Timeout: redistest.Patience})
	p := newPostOffice(t, false)
	p.answers("TAKEN", "silence")
	kill := startChild(t, server.URL(), childMail+"="+p.url())
	b := mailed(t, store, p, func(o *Options) { o.Config.NotifyEmail = []string{childMailTo} })
	b.webhook(newSink(t, status(500)).URL)
	b.publish(guideData)
	first, _, _ := p.mails(1)[0].read(t)
	b.gathered(0, boxName(notifyAccount, childMailTo), 1)
	kill()
	require.NoError(t, server.Client().Ping(t.Context()).Err(), "what the process asked for last is done")
	p.answers("NOTHING", "")
	b.mailDueNow(childMailTo)
	b.start()
	second, _, _ := p.mails(2)[1].read(t)
	require.Equal(t, first.Get("Message-ID"), second.Get("Message-ID"))
	eventually(t, "it is written down", func() bool { return !strings.Contains(everything(t, store), "mailbox:") })
	require.Len(t, p.got(), 2)
}

// gathered waits until so many notices are in a mailbox, and none of its account's in the outbox any more: who tells one again whose mail has gone fills
// the mailbox anew.
func (b *bundle) gathered(shard int, box string, notices int) {
	b.t.Helper()
	outbox := b.queue.Tag(mustShard(b.t, b)) + "outbox"
	eventually(b.t, fmt.Sprintf("%d notices are in the mailbox", notices), func() bool {
		content, err := b.registry.MailboxContent(b.t.Context(), shard, box)
		if err != nil {
			return false
		}
		delete(content, fieldTries)
		left, err := b.store.Client().XLen(b.t.Context(), outbox).Result()
		return err == nil && left == 0 && len(content) == notices
	})
}

// mailDueNow ends what the operator's mailbox waits for, such as the lease of a process that was killed.
func (b *bundle) mailDueNow(address string) {
	b.t.Helper()
	b.dueAt(0, boxName(notifyAccount, address))
}

// dueAt has a mailbox of mail due, and looked at.
func (b *bundle) dueAt(shard int, box string) {
	b.t.Helper()
	b.dueIn(boxKindMail, shard, box)
}

// dueIn has a mailbox of a kind due, and looked at.
func (b *bundle) dueIn(kind string, shard int, box string) {
	b.t.Helper()
	require.NoError(b.t, b.store.Client().ZAdd(b.t.Context(), b.queue.Tag(shard)+"mails:"+kind, redis.Z{Member: box}).Err())
	select {
	case b.mails.wake[kind] <- struct{}{}:
	default:
	}
}

// TestNoticeToldTwice: a crash between mailbox and outbox has a notice told again, and the mailbox knows it.
func TestNoticeToldTwice(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		p := newPostOffice(t, false)
		b := mailed(t, store, p, func(o *Options) { o.Config.NotifyEmail = []string{"ops@example.com"} })
		w := b.webhook(newSink(t, nil).URL)
		shard := mustShard(t, b)
		n := notice{id: "1764385200000-0", kind: "failed", lane: laneOf(w.ID), count: 1}
		for range 2 {
			require.NoError(t, b.sendNotice(t.Context(), shard, n))
		}
		content, err := b.registry.MailboxContent(t.Context(), 0, boxName(notifyAccount, "ops@example.com"))
		require.NoError(t, err)
		require.Len(t, content, 1)
	})
}
