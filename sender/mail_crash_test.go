package sender

import (
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
	store := redistest.Open(t, config.Redis{URL: server.URL()})
	p := newPostOffice(t, false)
	p.answers("GREETING", "421 4.3.2 not yet") // what the first process may ask in time
	kill := startChild(t, server.URL(), childMail+"="+p.url())
	b := mailed(t, store, p, func(o *Options) { o.Config.NotifyEmail = []string{childMailTo} })
	w := b.webhook(newSink(t, status(500)).URL)
	b.publish(guideData)
	eventually(t, "it is in the mailbox", func() bool { return strings.Contains(everything(t, store), "mailbox:") })
	kill()
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
	store := redistest.Open(t, config.Redis{URL: server.URL()})
	p := newPostOffice(t, false)
	p.answers("TAKEN", "silence")
	kill := startChild(t, server.URL(), childMail+"="+p.url())
	b := mailed(t, store, p, func(o *Options) { o.Config.NotifyEmail = []string{childMailTo} })
	b.webhook(newSink(t, status(500)).URL)
	b.publish(guideData)
	first, _, _ := p.mails(1)[0].read(t)
	kill()
	p.answers("NOTHING", "")
	b.mailDueNow(childMailTo)
	b.start()
	second, _, _ := p.mails(2)[1].read(t)
	require.Equal(t, first.Get("Message-ID"), second.Get("Message-ID"))
	eventually(t, "it is written down", func() bool { return !strings.Contains(everything(t, store), "mailbox:") })
	require.Len(t, p.got(), 2)
}

// mailDueNow ends what the operator's mailbox waits for, such as the lease of a process that was killed.
func (b *bundle) mailDueNow(address string) {
	b.t.Helper()
	b.dueAt(0, boxName(notifyAccount, address))
}

// dueAt has a mailbox of mail due, and looked at.
func (b *bundle) dueAt(shard int, box string) {
	b.t.Helper()
	key := b.queue.Tag(shard) + "mails:" + boxesOfMail
	require.NoError(b.t, b.store.Client().ZAdd(b.t.Context(), key, redis.Z{Member: box}).Err())
	select {
	case b.mails.wake[boxesOfMail] <- struct{}{}:
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
