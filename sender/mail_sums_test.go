package sender

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redistest"
)

// TestOneMailForAnOutageOfAll: where everything fails at once, the operator gets one mail and not one for each few hundred.
func TestOneMailForAnOutageOfAll(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		const all = 2500
		p := newPostOffice(t, false)
		b := mailed(t, store, p, func(o *Options) { o.Config.NotifyEmail = []string{"ops@example.com"} })
		for i := range all {
			lane := fmt.Sprintf("lane%08d", i)
			text, err := json.Marshal(mailEntry{Kind: "failed", Account: fmt.Sprint("account-", i), Lane: lane, URL: "https://" + lane + ".example.com/", At: int64(i), Count: 1})
			require.NoError(t, err)
			require.NoError(t, b.addMail(t.Context(), 0, boxKindMail, boxName(notifyAccount, "ops@example.com"), lane, string(text), time.Minute))
		}
		b.mailDueNow("ops@example.com")
		b.start()
		head, text, _ := p.mails(1)[0].read(t)
		require.Equal(t, fmt.Sprintf("%d webhooks: %d failed", all, all), head.Get("Subject"))
		require.Contains(t, text, fmt.Sprintf("and %d more.", all-maxListed))
		eventually(t, "it is written down", func() bool {
			n, err := store.Client().Exists(t.Context(), b.queue.Tag(0)+"mailbox:"+boxName(notifyAccount, "ops@example.com")).Result()
			return err == nil && n == 0
		})
		require.Len(t, p.got(), 1)
	})
}

// TestMailOfADisabledWebhook: one that was switched off is told of by mail, with what to do.
func TestMailOfADisabledWebhook(t *testing.T) {
	t.Parallel()
	p := newPostOffice(t, false)
	b := mailed(t, redistest.Open(t, config.Redis{URL: config.Memory}), p, func(o *Options) { o.Config.GoneDisable = true }).start()
	b.confirmed(p, "default", "owner@example.com")
	w := b.webhook(newSink(t, status(410)).URL)
	b.publish(guideData)
	head, text, _ := p.mails(2)[1].read(t)
	require.True(t, strings.HasPrefix(head.Get("Subject"), "Webhook disabled: "), head.Get("Subject"))
	require.Contains(t, text, w.ID)
	require.Contains(t, text, "set its status to active, then send again what failed")
}

// TestMailToAnAddressThatChangedMeanwhile: between outage and mail an owner took the address out, and gets none.
func TestMailToAnAddressThatChangedMeanwhile(t *testing.T) {
	t.Parallel()
	p := newPostOffice(t, false)
	b := mailed(t, redistest.Open(t, config.Redis{URL: config.Memory}), p, nil)
	b.mails.gather = time.Hour
	b.start()
	b.confirmed(p, "default", "owner@example.com")
	b.webhook(newSink(t, status(500)).URL)
	b.publish(guideData)
	b.gathered(mustShard(t, b), boxName("default", "owner@example.com"), 1)
	_, _, err := b.UpdateAccount(t.Context(), "default", AccountUpdate{Emails: &[]string{"other@example.com"}})
	require.NoError(t, err)
	require.Equal(t, "other@example.com", p.mails(2)[1].to, "the first mail to the new one")
	b.dueAt(mustShard(t, b), boxName("default", "owner@example.com"))
	eventually(t, "nothing waits", func() bool { return !strings.Contains(everything(t, b.store), "mailbox:default/owner@example.com") })
	require.Len(t, p.got(), 2)
}

// TestALargeMailboxIsHandedOutInParts: one that filled up while its server was down holds the store up no longer than a small one, and how often it was
// tried comes with each part.
func TestALargeMailboxIsHandedOutInParts(t *testing.T) {
	t.Parallel()
	const all = 25_000
	store := redistest.Open(t, config.Redis{URL: redistest.Start(t).URL(), Timeout: redistest.Patience})
	b := newBundle(t, store, nil)
	box := boxName(notifyAccount, "ops@example.com")
	key := b.queue.Tag(0) + "mailbox:" + box
	fields := make([]any, 0, 2*all)
	for i := range all {
		fields = append(fields, fmt.Sprintf("0:%d-1", i), "{}")
	}
	require.NoError(t, store.Client().HSet(t.Context(), key, fields...).Err())
	for left := all; left > 0; {
		require.NoError(t, store.Client().HSet(t.Context(), key, fieldTries, 3).Err())
		b.dueAt(0, box)
		c, err := b.registry.ClaimMailbox(t.Context(), 0, boxKindMail, time.Minute)
		require.NoError(t, err)
		require.Equal(t, box, c.Box)
		require.Equal(t, "3", c.Content[fieldTries])
		delete(c.Content, fieldTries)
		require.NotEmpty(t, c.Content)
		require.Less(t, len(c.Content), all/2)
		require.NoError(t, b.registry.SettleMail(t.Context(), 0, boxKindMail, box, slices.Collect(maps.Keys(c.Content)), 0))
		left -= len(c.Content)
		n, err := store.Client().HLen(t.Context(), key).Result()
		require.NoError(t, err)
		require.EqualValues(t, left, n)
	}
}

// TestMailOfAWebhookThatFailedForTooLong: disable_after is told by mail as well, though no delivery has failed for good.
func TestMailOfAWebhookThatFailedForTooLong(t *testing.T) {
	t.Parallel()
	p := newPostOffice(t, false)
	b := mailed(t, redistest.Open(t, config.Redis{URL: config.Memory}), p, func(o *Options) {
		o.Config.Retry, o.Config.DisableAfter = []time.Duration{0, 20 * time.Millisecond, 20 * time.Millisecond, time.Hour}, 30*time.Millisecond
	}).start()
	b.confirmed(p, "default", "owner@example.com")
	w := b.webhook(newSink(t, status(500)).URL)
	b.publish(guideData)
	head, text, _ := p.mails(2)[1].read(t)
	require.True(t, strings.HasPrefix(head.Get("Subject"), "Webhook disabled: "), head.Get("Subject"))
	require.Contains(t, text, w.ID)
	require.Contains(t, text, "500")
}
