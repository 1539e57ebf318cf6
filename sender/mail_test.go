package sender

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redistest"
)

// mailed is a sender that sends mail by p, without the waits that a person would not notice.
func mailed(t *testing.T, store *Store, p *postOffice, change func(o *Options)) *bundle {
	t.Helper()
	b := newBundle(t, store, func(o *Options) {
		o.Config.SMTPURL, o.Config.SMTPFrom = p.url(), "VideoCloud <webhooks@videocloud.example>"
		o.Config.PortalURL, o.Config.Retry = "https://hooks.example.com/console/portal/", []time.Duration{0}
		if change != nil {
			change(o)
		}
	})
	var err error
	b.mails.rootCAs = p.trust
	b.mails.server, err = newMailServer(&b.c, p.trust, nil)
	require.NoError(t, err)
	b.mails.gather, b.mails.schedule = 300*time.Millisecond, []time.Duration{10 * time.Millisecond, 10 * time.Millisecond, 10 * time.Millisecond}
	b.mails.pauses = b.mails.schedule[:1]
	return b
}

var linkForm = regexp.MustCompile(`https://hooks\.example\.com/console/portal/[#?](confirm|unsubscribe)=([A-Za-z0-9._-]+)`)

// confirmed gives an account an address that is confirmed, by the link in its first mail.
func (b *bundle) confirmed(p *postOffice, account, address string) {
	b.t.Helper()
	before := len(p.got())
	_, _, err := b.UpdateAccount(b.t.Context(), account, AccountUpdate{Emails: &[]string{address}})
	require.NoError(b.t, err)
	first := p.mails(before + 1)[before]
	require.Equal(b.t, address, first.to)
	_, text, _ := first.read(b.t)
	link := linkForm.FindStringSubmatch(text)
	require.NotEmpty(b.t, link, text)
	require.Equal(b.t, "confirm", link[1])
	c, err := b.ConfirmEmail(b.t.Context(), link[2])
	require.NoError(b.t, err)
	require.Equal(b.t, Confirmation{address, true}, c)
	// The first mail began the pause, which a test does not wait for.
	b.unpause(account, address)
}

// unpause ends the ten minutes in which an address gets no other mail, once the mail before is written down.
func (b *bundle) unpause(account, address string) {
	b.t.Helper()
	shard, err := b.shard(b.t.Context(), account)
	require.NoError(b.t, err)
	key := b.queue.Tag(shard) + "mailed:" + boxName(account, address)
	eventually(b.t, "the mail is written down", func() bool { return b.store.Client().Del(b.t.Context(), key).Val() == 1 })
}

// TestMailOfAnOutage: one mail at the failure and one at the recovery, which stands under it.
func TestMailOfAnOutage(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		p := newPostOffice(t, true)
		b := mailed(t, store, p, nil)
		b.mails.gather = time.Hour // until all have failed that the mail is to count
		b.mails.server.keepAlive = time.Hour
		b.start()
		b.confirmed(p, "default", "owner@example.com")
		a := answering(503)
		to := newSink(t, a.answer)
		w := b.webhook(to.URL + "/<b>in</b>")
		b.update(w, WebhookUpdate{Change: func(w *Webhook) error { w.Description = "<script>alert(1)</script>\r\nBcc: x@example.com"; return nil }})
		for range 3 {
			b.reaches(b.publish(guideData), StateFailed)
		}
		box := boxName("default", "owner@example.com")
		b.gathered(mustShard(t, b), box, 1)
		b.dueAt(mustShard(t, b), box)
		outage := p.mails(2)[1]
		require.True(t, outage.secure)
		head, text, html := outage.read(t)
		require.Equal(t, "owner@example.com", outage.to)
		require.Contains(t, head.Get("From"), "webhooks@videocloud.example")
		require.Regexp(t, `^Webhook failed: 127\.0\.0\.1:\d+$`, head.Get("Subject"))
		require.Equal(t, "auto-generated", head.Get("Auto-Submitted"))
		require.Empty(t, head.Get("References"))
		require.Empty(t, head.Get("Bcc"))
		require.Regexp(t, `^<[A-Za-z0-9_-]+@videocloud\.example>$`, head.Get("Message-ID"))
		for _, has := range []string{w.ID, "answered 503", "Waiting: 0", "POST /webhooks/" + w.ID + "/replay", "https://hooks.example.com/console/portal/#/webhooks/" + w.ID, "<script>alert(1)</script> Bcc: x@example.com"} {
			require.Contains(t, text, has)
		}
		require.Contains(t, html, "&lt;script&gt;")
		require.NotContains(t, html, "<script>")
		if path := os.Getenv("WEBHOOK_MAIL_HTML"); path != "" {
			require.NoError(t, os.WriteFile(path, []byte(html), 0o600))
		}
		unsubscribe := linkForm.FindStringSubmatch(head.Get("List-Unsubscribe"))
		require.NotEmpty(t, unsubscribe)
		require.Equal(t, "unsubscribe", unsubscribe[1])
		require.Equal(t, "List-Unsubscribe=One-Click", head.Get("List-Unsubscribe-Post"))
		require.Equal(t, "<https://hooks.example.com/console/portal/?unsubscribe="+unsubscribe[2]+">", head.Get("List-Unsubscribe"))
		require.Contains(t, text, "https://hooks.example.com/console/portal/#unsubscribe="+unsubscribe[2])

		b.unpause("default", "owner@example.com")
		a.set(204)
		b.reaches(b.publish(guideData), StateSucceeded)
		b.gathered(mustShard(t, b), box, 1)
		b.dueAt(mustShard(t, b), box)
		recovery, text, _ := p.mails(3)[2].read(t)
		require.Equal(t, head.Get("Message-ID"), recovery.Get("References"))
		require.Equal(t, head.Get("Message-ID"), recovery.Get("In-Reply-To"))
		require.Equal(t, "Re: "+head.Get("Subject"), recovery.Get("Subject"))
		require.Contains(t, text, "Recovered: ")

		c, err := b.ConfirmEmail(t.Context(), unsubscribe[2])
		require.NoError(t, err)
		require.Equal(t, Confirmation{"owner@example.com", false}, c)
		account, err := b.Account(t.Context(), "default")
		require.NoError(t, err)
		require.Empty(t, account.Emails)
		_, err = b.ConfirmEmail(t.Context(), unsubscribe[2])
		requireError(t, err, CodeNotFound, "")
		require.NotContains(t, everything(t, store), unsubscribe[2])
		require.EqualValues(t, 1, p.conns.Load(), "the connection is kept for the next mail")
	})
}

// TestTenWebhooksMakeOneMail: what fails together is told of together, and what comes later waits for the end of the pause.
func TestTenWebhooksMakeOneMail(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		p := newPostOffice(t, false)
		b := mailed(t, store, p, func(o *Options) { o.Config.NotifyEmail = []string{"ops@example.com"} })
		b.mails.gather = time.Hour // until all ten have failed
		b.start()
		b.confirmed(p, "default", "owner@example.com")
		to := newSink(t, status(500))
		ids := map[string]bool{}
		for range 10 {
			ids[b.webhook(to.URL, "video.uploaded").ID] = true
		}
		b.publish(guideData)
		shard, owners, operators := mustShard(t, b), boxName("default", "owner@example.com"), boxName(notifyAccount, "ops@example.com")
		b.gathered(shard, owners, 10)
		b.gathered(0, operators, 10)
		b.dueAt(shard, owners)
		b.dueAt(0, operators)
		all := p.mails(3)[1:]
		for _, l := range all {
			head, text, _ := l.read(t)
			require.Equal(t, "10 webhooks: 10 failed", head.Get("Subject"))
			for id := range ids {
				require.Contains(t, text, id)
			}
			require.Equal(t, l.to == "ops@example.com", strings.Contains(text, "(account default)"))
			require.Equal(t, l.to == "owner@example.com", head.Get("List-Unsubscribe") != "")
		}
		later := b.webhook(to.URL, "video.deleted")
		b.publishes("default", Event{Type: "video.deleted"})
		b.gathered(shard, owners, 1)
		b.gathered(0, operators, 1)
		require.Contains(t, everything(t, store), `"l":"`+laneOf(later.ID))
		require.Len(t, p.got(), 3)
	})
}

// TestMailServerFails: what is no fault of the address is tried again and lost by nobody; what is ends, with a line in the log.
func TestMailServerFails(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		command, says string
		ends          bool
	}{
		"busy":                {"RCPT", "451 4.3.0 later", false},
		"busy before a login": {"AUTH", "454 4.7.0 later", false},
		"wrong password":      {"AUTH", "535 5.7.8 no", false},
		"no sender":           {"MAIL", "550 5.7.1 not from there", false},
		"hangs up":            {"MAIL", "hang up", false},
		"no such address":     {"RCPT", "550 5.1.1 nobody", true},
		"refuses the mail":    {"DATA", "554 5.7.1 spam", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log logText
			p := newPostOffice(t, false)
			p.answers(row.command, row.says)
			b := mailed(t, redistest.Open(t, config.Redis{URL: config.Memory}), p, func(o *Options) {
				o.Config.NotifyEmail, o.Logger = []string{"ops@example.com"}, log.logger()
			})
			b.mails.schedule = slices.Repeat(b.mails.schedule, 10_000) // it is not given up before this test has seen it fail
			b.start()
			to := newSink(t, status(500))
			w := b.webhook(to.URL)
			b.publish(guideData)
			if row.ends {
				eventually(t, "it is refused", func() bool { return strings.Contains(log.String(), `"msg":"mail.refused"`) })
				eventually(t, "nothing waits", func() bool { return !strings.Contains(everything(t, b.store), "mailbox:") })
				require.Empty(t, p.got())
				return
			}
			eventually(t, "it is tried", func() bool { return strings.Contains(log.String(), `"msg":"mail.failed"`) })
			p.answers("NOTHING", "")
			_, text, _ := p.mails(1)[0].read(t)
			require.Contains(t, text, w.ID)
			require.NotContains(t, log.String(), "pass word")
		})
	}
}

// TestMailSurvivesACrash: a process that dies between an outage and its mail leaves it to the next one, and so does one
// that dies with the mail under way: then it comes twice, with one Message-ID.
func TestMailSurvivesACrash(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		p := newPostOffice(t, false)
		p.answers("DATA", "hang up") // no mail leaves the first process
		ops := func(o *Options) { o.Config.NotifyEmail = []string{"ops@example.com"} }
		first := mailed(t, store, p, ops)
		first.mails.pauses = []time.Duration{time.Millisecond}
		require.NoError(t, first.Start(t.Context()))
		to := newSink(t, status(500))
		w := first.webhook(to.URL)
		first.publish(guideData)
		first.gathered(0, boxName(notifyAccount, "ops@example.com"), 1)
		require.NoError(t, first.Stop(t.Context()))
		// As if it had died with the mailbox in its hands: nobody says what became of it before the lease ends.
		shards, err := store.Shards(t.Context())
		require.NoError(t, err)
		due := first.queue.Tag(0) + "mails:" + boxKindMail
		require.Positive(t, shards)
		require.NoError(t, store.Client().ZAdd(t.Context(), due, redis.Z{Member: boxName(notifyAccount, "ops@example.com")}).Err())
		p.answers("NOTHING", "")
		second := mailed(t, store, p, ops).start()
		_, text, _ := p.mails(1)[0].read(t)
		require.Contains(t, text, w.ID)
		eventually(t, "it is written down", func() bool { return !strings.Contains(everything(t, store), "mailbox:") })
		require.Len(t, p.got(), 1)
		require.NoError(t, second.Stop(t.Context()))
	})
}

// TestOwnersNotifyURL: notices go to it signed, and follow a change of it.
func TestOwnersNotifyURL(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, func(o *Options) { o.Config.Retry = []time.Duration{0} }).start()
		to, failing := newSink(t, nil), newSink(t, status(500))
		_, _, err := b.UpdateAccount(t.Context(), "default", AccountUpdate{NotifyURL: &to.URL, NotifySecret: ptr("owners_notify_secret")})
		require.NoError(t, err)
		w := b.webhook(failing.URL)
		b.reaches(b.publish(guideData), StateFailed)
		eventually(t, "the owner is told", func() bool { return len(to.got()) == 1 })
		r := to.got()[0]
		requireSigned(t, r, "owners_notify_secret")
		require.Contains(t, string(r.body), `"kind":"webhook_failed","webhookId":"`+w.ID)
		require.Equal(t, "system.error", r.header.Get("X-VideoCloud-Event"))
	})
}

// TestASilentMailServerHoldsNobodyUp: Slack is told while mails wait for a server that takes the connection and says nothing.
func TestASilentMailServerHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	p := newPostOffice(t, true)
	p.answers("EHLO", "silence")
	slack, failing := newSink(t, nil), newSink(t, status(500))
	b := mailed(t, redistest.Open(t, config.Redis{URL: config.Memory}), p, func(o *Options) {
		o.Config.NotifyEmail, o.Config.NotifySlack = []string{"ops@example.com"}, slack.URL
	})
	b.mails.gather = 0
	b.start()
	b.webhook(failing.URL)
	b.publish(guideData)
	eventually(t, "the mail server is asked", func() bool { return p.hears("EHLO") })
	eventually(t, "Slack is told", func() bool { return len(slack.got()) == 1 })
	box := boxName(notifyAccount, boxKindSlack)
	b.gathered(0, box, 0)
	w := b.webhook(failing.URL)
	b.publish(guideData)
	b.gathered(0, box, 1)
	b.dueIn(boxKindSlack, 0, box) // else at the end of a pause
	eventually(t, "Slack is told", func() bool { return len(slack.got()) == 2 })
	require.Contains(t, string(slack.got()[1].body), w.ID)
	require.Empty(t, p.got())
}

// TestSlack: what came from outside is text.
func TestSlack(t *testing.T) {
	t.Parallel()
	a := answering(503)
	slack := newSink(t, a.answer)
	failing := newSink(t, status(500))
	var log logText
	b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), func(o *Options) {
		o.Config.Retry, o.Config.NotifySlack, o.Logger = []time.Duration{0}, slack.URL+"/services/secret-path", log.logger()
	})
	b.mails.gather, b.mails.pauses = 0, []time.Duration{time.Millisecond}
	b.start()
	w := b.webhook(failing.URL)
	b.update(w, WebhookUpdate{Change: func(w *Webhook) error { w.Description = "<!channel> & co"; return nil }})
	b.publish(guideData)
	eventually(t, "Slack was asked", func() bool { return len(slack.got()) >= 1 })
	a.set(http.StatusOK)
	eventually(t, "it is sent", func() bool { return strings.Contains(log.String(), `"msg":"mail.sent"`) })
	all := slack.got()
	require.Contains(t, string(all[len(all)-1].body), `\u0026lt;!channel\u0026gt; \u0026amp; co`)
	require.NotContains(t, log.String(), "secret-path")
}

func TestMailLinksAreNotGuessed(t *testing.T) {
	t.Parallel()
	b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), nil)
	for _, token := range []string{"", ".", "ZGVmYXVsdA.", "ZGVmYXVsdA.AAAA", "%.AAAA", strings.Repeat("x", 500)} {
		_, err := b.ConfirmEmail(t.Context(), token)
		requireError(t, err, CodeNotFound, "")
	}
	require.Equal(t, "a b c", oneLine("a\r\nb\u2028\u202ec"), "no line, and nothing that turns text around")
	require.Equal(t, "abcdef", oneLine("a\u061cb\u00adc\u2066d\U000e0041e\ufe0ff"), "nor what is not seen")
}

// TestNoticesAreTried: one of each, and what the servers answered.
func TestNoticesAreTried(t *testing.T) {
	t.Parallel()
	p, slack, to := newPostOffice(t, true), newSink(t, nil), newSink(t, status(500))
	b := mailed(t, redistest.Open(t, config.Redis{URL: config.Memory}), p, func(o *Options) {
		o.Config.NotifyEmail, o.Config.NotifySlack = []string{"a@example.com", "b@example.com"}, slack.URL+"/secret-path"
		o.Config.NotifyURL, o.Config.NotifySecret = to.URL, "operators_notify_secret"
	})
	t.Cleanup(b.closeIdleConnections)
	list, err := b.TestNotices(t.Context())
	require.NoError(t, err)
	require.Len(t, list, 4)
	for i, l := range p.got() {
		require.True(t, list[i].OK, list[i].Answer)
		require.Equal(t, list[i].To, l.to)
		require.Contains(t, list[i].Answer, fmt.Sprint("taken as number ", i+1))
	}
	require.Equal(t, NotifyTest{"notify_slack", strings.TrimPrefix(slack.URL, "http://"), true, "200"}, list[2])
	require.Equal(t, NotifyTest{"notify_url", strings.TrimPrefix(to.URL, "http://"), false, "answered 500"}, list[3])
	requireSigned(t, to.got()[0], "operators_notify_secret")
	_, err = newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), nil).TestNotices(t.Context())
	require.ErrorIs(t, err, ErrNoNotices)
}
