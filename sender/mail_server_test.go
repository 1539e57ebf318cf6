package sender

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redistest"
)

// toOps has the operator's notices mailed, and keeps the log.
func toOps(log *logText, addresses ...string) func(*Options) {
	return func(o *Options) { o.Config.NotifyEmail, o.Logger = addresses, log.logger() }
}

// by has a sender reach its mail server by a dialer.
func (b *bundle) by(p *postOffice, dial dialFunc) {
	b.t.Helper()
	var err error
	b.mails.dial = dial
	b.mails.server, err = newMailServer(&b.c, p.trust, dial)
	require.NoError(b.t, err)
}

// TestMailServerDownForDays: whatever a server says or does not say before it is asked to take a message is no fault of the message.
func TestMailServerDownForDays(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ command, says string }{
		"refuses connections": {},
		"hangs up":            {"GREETING", "hang up"},
		"is too busy":         {"GREETING", "421 4.3.2 come back later"},
		"does not log in":     {"AUTH", "535 5.7.8 no"},
		"takes no sender":     {"MAIL", "550 5.7.1 not from there"},
		"closes":              {"RCPT", "421 4.3.2 closing"},
		"breaks":              {"DATA", "hang up"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log logText
			var dialled atomic.Int64
			var up atomic.Bool
			p := newPostOffice(t, false)
			p.answers(row.command, row.says)
			b := mailed(t, redistest.Open(t, config.Redis{URL: config.Memory}), p, toOps(&log, "ops@example.com"))
			b.by(p, func(ctx context.Context, network, address string) (net.Conn, error) {
				dialled.Add(1)
				if row.command == "" && !up.Load() {
					return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
				}
				return new(net.Dialer).DialContext(ctx, network, address)
			})
			clock := stopClock(b)
			b.mails.gather = 0
			b.start()
			w := b.webhook(newSink(t, status(500)).URL)
			b.publish(guideData)
			for i := range 3 * 24 / 4 { // more tries than the schedule has
				eventually(t, "it is tried", func() bool {
					clock.advance(time.Second)
					return strings.Count(log.String(), `"msg":"mail.failed"`) > i
				})
				clock.advance(4 * time.Hour)
			}
			p.answers("NOTHING", "")
			up.Store(true)
			eventually(t, "it is sent", func() bool {
				clock.advance(time.Minute)
				return strings.Contains(log.String(), `"msg":"mail.sent"`)
			})
			_, text, _ := p.mails(1)[0].read(t)
			require.Contains(t, text, w.ID)
			require.NotContains(t, log.String(), "mail.given_up")
			require.Len(t, p.got(), 1)
		})
	}
}

// TestMailIsGivenUpByItsOwnAnswers: a mailbox that is full for all of its schedule ends, and others get theirs meanwhile.
func TestMailIsGivenUpByItsOwnAnswers(t *testing.T) {
	t.Parallel()
	var log logText
	p := newPostOffice(t, false)
	p.answers("RCPT TO:<FULL@", "452 4.2.2 mailbox full")
	b := mailed(t, redistest.Open(t, config.Redis{URL: config.Memory}), p, toOps(&log, "full@example.com", "ops@example.com"))
	b.mails.gather = 0
	b.start()
	b.webhook(newSink(t, status(500)).URL)
	b.publish(guideData)
	eventually(t, "it is given up", func() bool { return strings.Contains(log.String(), `"msg":"mail.given_up"`) })
	require.Equal(t, "ops@example.com", p.mails(1)[0].to)
	require.Equal(t, len(b.mails.schedule), strings.Count(log.String(), `"msg":"mail.failed"`))
	require.NotContains(t, log.String(), "connecting to")
}

// TestOneOfSeveralAddressesIsRefused: 5xx to one ends it for that one alone.
func TestOneOfSeveralAddressesIsRefused(t *testing.T) {
	t.Parallel()
	var log logText
	p := newPostOffice(t, false)
	p.answers("RCPT TO:<GONE@", "550 5.1.1 nobody here")
	b := mailed(t, redistest.Open(t, config.Redis{URL: config.Memory}), p, toOps(&log, "a@example.com", "gone@example.com", "z@example.com")).start()
	b.webhook(newSink(t, status(500)).URL)
	b.publish(guideData)
	got := p.mails(2)
	require.ElementsMatch(t, []string{"a@example.com", "z@example.com"}, []string{got[0].to, got[1].to})
	eventually(t, "nothing waits", func() bool { return !strings.Contains(everything(t, b.store), "mailbox:") })
	require.Equal(t, 1, strings.Count(log.String(), `"msg":"mail.refused"`))
	require.Contains(t, log.String(), `550 5.1.1 nobody here`)
	require.Len(t, p.got(), 2)
}

// TestMailThatGetsNoAnswer: it is tried for as long as it takes, by the schedule of its own mailbox.
func TestMailThatGetsNoAnswer(t *testing.T) {
	t.Parallel()
	var log logText
	p := newPostOffice(t, false)
	p.answers("CONTENT", "hang up")
	b := mailed(t, redistest.Open(t, config.Redis{URL: config.Memory}), p, toOps(&log, "ops@example.com"))
	b.mails.gather = 0
	b.start()
	b.webhook(newSink(t, status(500)).URL)
	b.publish(guideData)
	eventually(t, "it is tried more often than its schedule is long", func() bool {
		return strings.Count(log.String(), `"msg":"mail.failed"`) > 2*len(b.mails.schedule)
	})
	require.Empty(t, p.got())
	p.answers("NOTHING", "")
	eventually(t, "it is sent", func() bool { return strings.Contains(log.String(), `"msg":"mail.sent"`) })
	require.Len(t, p.got(), 1)
	require.NotContains(t, log.String(), "mail.given_up")
}

// TestMailTakenBeforeTheServerBroke: what was taken is not sent again because of what came after it.
func TestMailTakenBeforeTheServerBroke(t *testing.T) {
	t.Parallel()
	for _, says := range []string{"hang up", "421 4.3.2 closing", "500 what?"} {
		t.Run(says, func(t *testing.T) {
			t.Parallel()
			var log logText
			p := newPostOffice(t, false)
			p.answers("RSET", says)
			b := mailed(t, redistest.Open(t, config.Redis{URL: config.Memory}), p, toOps(&log, "ops@example.com")).start()
			b.webhook(newSink(t, status(500)).URL)
			b.publish(guideData)
			eventually(t, "it is sent", func() bool { return strings.Contains(log.String(), `"msg":"mail.sent"`) })
			eventually(t, "nothing waits", func() bool { return !strings.Contains(everything(t, b.store), "mailbox:") })
			require.Len(t, p.got(), 1)
			require.NotContains(t, log.String(), "mail.failed")
		})
	}
}

// TestMailNeedsTLS: to another machine no password and no mail goes in the clear, and to nobody who can't show that it is that machine.
func TestMailNeedsTLS(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		secure, whole bool
		url           string
		command, says string
		problem       string // "": it is sent
	}{
		"STARTTLS is not offered":     {url: "smtp://user:pass%20word@mail.example.com", problem: "does not support STARTTLS"},
		"STARTTLS is refused":         {secure: true, url: "smtp://user:pass%20word@mail.example.com", command: "STARTTLS", says: "454 4.7.0 not now", problem: "454 4.7.0 not now"},
		"a certificate for another":   {secure: true, url: "smtp://user:pass%20word@mail.example.com", problem: "x509"},
		"smtps, another's":            {secure: true, whole: true, url: "smtps://user:pass%20word@mail.example.com", problem: "x509"},
		"smtps":                       {secure: true, whole: true, url: "smtps://user:pass%20word@127.0.0.1"},
		"smtps where there is none":   {url: "smtps://user:pass%20word@127.0.0.1", problem: "tls"},
		"loopback, its own signature": {secure: true, url: "smtp://user:pass%20word@localhost"},
		"loopback, without":           {url: "smtp://user:pass%20word@[::1]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := (&postOffice{t: t, whole: row.whole}).opened(row.secure)
			p.answers(row.command, row.says)
			b := mailed(t, redistest.Open(t, config.Redis{URL: config.Memory}), p, func(o *Options) {
				o.Config.SMTPURL, o.Config.NotifyEmail = row.url, []string{"ops@example.com"}
			})
			b.by(p, func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, p.l.Addr().String())
			})
			list, err := b.TestNotices(t.Context())
			require.NoError(t, err)
			require.Equal(t, row.problem == "", list[0].OK, list[0].Answer)
			if row.problem == "" {
				require.Equal(t, row.secure, p.got()[0].secure)
				require.EqualValues(t, 1, p.logins.Load())
				return
			}
			require.Contains(t, list[0].Answer, row.problem)
			require.Contains(t, list[0].Answer, "connecting to ")
			require.False(t, p.hears("AUTH"), "no login before TLS")
			require.False(t, p.hears("MAIL"))
			eventually(t, "no connection is left open", func() bool { return p.open.Load() == 0 })
		})
	}
}

// TestMailServerRepeatsThePassword: what it says is logged and shown, the password is not, nor anything that a terminal would obey.
func TestMailServerRepeatsThePassword(t *testing.T) {
	t.Parallel()
	p := newPostOffice(t, false)
	p.answers("AUTH", "535 5.7.8 \"pass word\" (AHVzZXIAcGFzcyB3b3Jk) is wrong\x1b[2J\u202e")
	b := mailed(t, redistest.Open(t, config.Redis{URL: config.Memory}), p, func(o *Options) { o.Config.NotifyEmail = []string{"ops@example.com"} })
	list, err := b.TestNotices(t.Context())
	require.NoError(t, err)
	require.False(t, list[0].OK)
	require.Contains(t, list[0].Answer, "535 5.7.8")
	for _, never := range []string{"pass word", "AHVzZXIAcGFzcyB3b3Jk", "\x1b", "\u202e"} {
		require.NotContains(t, list[0].Answer, never)
	}
	eventually(t, "no connection is left open", func() bool { return p.open.Load() == 0 })
}

// TestSilentMailServerEndsWithTheProcess: neither the way to it nor a message under way holds up a stop for long.
func TestSilentMailServerEndsWithTheProcess(t *testing.T) {
	t.Parallel()
	p := newPostOffice(t, false)
	p.answers("EHLO", "silence")
	m, err := newMailServer(&config.Sender{SMTPURL: p.url(), SMTPFrom: "a@example.com"}, nil, nil)
	require.NoError(t, err)
	b := mailed(t, redistest.Open(t, config.Redis{URL: config.Memory}), p, nil)
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		_, err := b.postMail(ctx, m, &message{Address: "ops@example.com", id: "x@example.com"}, "notice")
		failed <- err
	}()
	eventually(t, "it waits for an answer", func() bool { return p.hears("EHLO") })
	cancel()
	require.ErrorIs(t, <-failed, errServer)
	eventually(t, "no connection is left open", func() bool { return p.open.Load() == 0 })
}

// TestMailServerIsLeftAlone: each time for longer, whatever wakes the loop, until it takes something.
func TestMailServerIsLeftAlone(t *testing.T) {
	t.Parallel()
	b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), nil)
	m := &mailLoop{s: b.Sender, kind: boxKindMail}
	down := fmt.Errorf("%w: connecting", errServer)
	for i := range 2 * len(serverRetry) {
		before := time.Now()
		m.backOff(down)
		require.WithinRange(t, m.pausedUntil, before.Add(serverRetry[min(i, len(serverRetry)-1)]), time.Now().Add(serverRetry[min(i, len(serverRetry)-1)]))
	}
	m.backOff(errNoRecipient)
	require.Equal(t, 2*len(serverRetry), m.failures)
	m.backOff(errors.New("452 full"))
	require.Zero(t, m.failures)
}
