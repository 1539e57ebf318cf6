package sender

import (
	"context"
	"errors"
	"time"
)

// mailLoop sends what is in the mailboxes of one kind. Each kind has a loop of its own, so that a mail server which does not
// answer does not delay Slack.
type mailLoop struct {
	s     *Sender
	kind  string
	send  func(context.Context, *mailClaim) error
	idle  func(next time.Duration) time.Duration // called between messages; returns when to call it again, next at the latest
	close func()                                 // called when the loop ends

	failures    int       // failures of the server since it last accepted a message
	pausedUntil time.Time // nothing is sent before
}

// mailLoops returns the loops of the kinds for which this process has a server.
func (s *Sender) mailLoops() (loops []*mailLoop) {
	none := func(next time.Duration) time.Duration { return next }
	if s.mails.server != nil {
		loops = append(loops, &mailLoop{s: s, kind: boxKindMail, send: s.sendMail, idle: s.mails.server.idle, close: s.mails.server.close})
	}
	if s.mails.slack != nil {
		loops = append(loops, &mailLoop{s: s, kind: boxKindSlack, send: s.sendSlack, idle: none, close: func() {}})
	}
	return loops
}

// run sends what is due, one mailbox after the other, until ctx ends.
func (m *mailLoop) run(ctx context.Context) {
	defer m.close()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.s.mails.wake[m.kind]:
		case <-timer.C:
		}
		next := time.Until(m.pausedUntil)
		if next <= 0 {
			next = m.sendDue(ctx)
		}
		timer.Reset(m.idle(next))
	}
}

// sendDue sends the content of all mailboxes that are due, and returns after what time to call it again.
func (m *mailLoop) sendDue(ctx context.Context) time.Duration {
	next := time.Minute // another process may put something in
	shards, err := m.s.store.Shards(ctx)
	if err != nil {
		return next
	}
	for shard := range shards {
		for ctx.Err() == nil {
			wait, err := m.sendNext(ctx, shard)
			if err != nil {
				m.s.o.Observer.StoreError("mail")
				m.s.log.Error("telling owners of failed webhooks; trying again", "error", err)
				return time.Second
			}
			if pause := time.Until(m.pausedUntil); pause > 0 {
				return pause
			}
			if wait > 0 {
				next = min(next, wait)
			}
			if wait != 0 {
				break
			}
		}
	}
	return next
}

// sendNext sends the content of one mailbox that is due. It returns how long until the next is due: 0 where more may be due now,
// negative where there is none. An error is one of the store; the mailbox is then due again when its lease ends.
func (m *mailLoop) sendNext(ctx context.Context, shard int) (time.Duration, error) {
	found, err := m.s.registry.ClaimMailbox(ctx, shard, m.kind, mailLease)
	if err != nil || found.Box == "" {
		return found.Wait, err
	}
	l := newMailClaim(shard, found.Box, found.Content)
	bounded, cancel := context.WithTimeout(ctx, mailTimeout)
	err = m.send(bounded, l)
	cancel()
	switch {
	case isUnavailable(err):
		return 0, err
	case err != nil && ctx.Err() != nil:
		return 0, nil // a shutdown; another process goes on after the lease
	}
	m.backOff(err)
	return 0, m.settle(ctx, l, err)
}

// backOff pauses the loop where the server accepted nothing, each time for longer, and ends that where it did accept a message.
func (m *mailLoop) backOff(err error) {
	if !errors.Is(err, errServer) {
		if !errors.Is(err, errNoRecipient) { // the server was not asked
			m.failures = 0
		}
		return
	}
	pauses := m.s.mails.pauses
	m.pausedUntil = time.Now().Add(pauses[min(m.failures, len(pauses)-1)])
	m.failures++
}

// settle records the outcome of a message, also where the process is asked to stop meanwhile.
//
// Failure policy: while the store can't be written to, it is tried again for a quarter of the lease. If that fails too, a message
// that was accepted is sent a second time.
func (m *mailLoop) settle(ctx context.Context, l *mailClaim, err error) error {
	end := ctx
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), mailLease/4)
	defer cancel()
	defer context.AfterFunc(end, func() { time.AfterFunc(mailGrace, cancel) })()
	write := m.logOutcome(ctx, l, err)
	for {
		err := write()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Second):
		}
	}
}

// logOutcome logs the outcome of a message, and returns the function that records it in the store.
func (m *mailLoop) logOutcome(ctx context.Context, l *mailClaim, err error) (write func() error) {
	attrs := []any{"to", l.address, "account", l.account, "notices", len(l.notices)}
	pause := mailPause
	if m.kind == boxKindSlack {
		pause, attrs = slackPause, []any{"to", "notify_slack", "notices", len(l.notices)}
	}
	if err != nil {
		attrs = append(attrs, "error", err)
	}
	registry, schedule, log := m.s.registry, m.s.mails.schedule, m.s.log
	again := func(later time.Duration, tries int) func() error {
		log.WarnContext(ctx, "mail.failed", append(attrs, "next_try_in", later.Round(time.Millisecond).String())...)
		return func() error { return registry.RescheduleMail(ctx, l.shard, m.kind, l.box, later, tries) }
	}
	ended := func(pause time.Duration) func() error {
		return func() error { return registry.SettleMail(ctx, l.shard, m.kind, l.box, l.fields, pause) }
	}
	switch {
	case err == nil:
		log.InfoContext(ctx, "mail.sent", attrs...)
		return ended(pause)
	case errors.Is(err, errNoRecipient):
		return ended(0)
	case errors.Is(err, errRefused):
		log.ErrorContext(ctx, "mail.refused", attrs...)
		return ended(pause)
	case errors.Is(err, errServer):
		return again(time.Until(m.pausedUntil), l.tries)
	case errors.Is(err, errUnanswered):
		return again(schedule[min(l.tries, len(schedule)-1)], l.tries+1)
	case l.tries >= len(schedule):
		log.ErrorContext(ctx, "mail.given_up", attrs...)
		return ended(pause)
	}
	return again(schedule[l.tries], l.tries+1)
}

// errNoRecipient says that nothing was sent, as the address is not one of its account's any more.
var errNoRecipient = errors.New("the address is not its account's any more")
