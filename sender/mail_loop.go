package sender

import (
	"context"
	"errors"
	"time"
)

// mailLoop empties the mailboxes of one kind. Each kind has its own, and nothing else waits for it: a mail server that does
// not answer holds up no word to Slack.
type mailLoop struct {
	s    *Sender
	kind string
	send func(context.Context, *letter) error
	idle func(next time.Duration) time.Duration // tidies up between messages; may ask to be called sooner
	end  func()                                 // tidies up at the end

	failures int       // of the server, since it last took something
	until    time.Time // how long it is left alone
}

// mailLoops are those of the kinds for which this process knows a server.
func (s *Sender) mailLoops() (loops []*mailLoop) {
	none := func(next time.Duration) time.Duration { return next }
	if s.mails.server != nil {
		loops = append(loops, &mailLoop{s: s, kind: boxesOfMail, send: s.sendMail, idle: s.mails.server.idle, end: s.mails.server.close})
	}
	if s.mails.slack != nil {
		loops = append(loops, &mailLoop{s: s, kind: boxesOfSlack, send: s.sendSlack, idle: none, end: func() {}})
	}
	return loops
}

// run empties mailboxes as they are due, one after the other, until ctx ends.
func (m *mailLoop) run(ctx context.Context) {
	defer m.end()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.s.mails.wake[m.kind]:
		case <-timer.C:
		}
		next := time.Until(m.until)
		if next <= 0 {
			next = m.empty(ctx)
		}
		timer.Reset(m.idle(next))
	}
}

// empty empties the mailboxes that are due, and returns when to look again.
func (m *mailLoop) empty(ctx context.Context) time.Duration {
	next := time.Minute // what another process has put in
	shards, err := m.s.store.Shards(ctx)
	if err != nil {
		return next
	}
	for shard := range shards {
		for ctx.Err() == nil {
			wait, err := m.one(ctx, shard)
			if err != nil {
				m.s.o.Observer.StoreError("mail")
				m.s.log.Error("telling owners of failed webhooks; trying again", "error", err)
				return time.Second
			}
			if pause := time.Until(m.until); pause > 0 {
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

// one sends what one mailbox has to say, where one is due. It returns how long until the next is, 0 where there may be more
// now, and a negative time where there is none. An error is the store's: the mailbox is due again at the end of its lease.
func (m *mailLoop) one(ctx context.Context, shard int) (time.Duration, error) {
	found, err := m.s.registry.ClaimMailbox(ctx, shard, m.kind, mailLease)
	if err != nil || found.Box == "" {
		return found.Wait, err
	}
	l := readLetter(shard, found.Box, found.Content)
	bounded, cancel := context.WithTimeout(ctx, mailTimeout)
	err = m.send(bounded, l)
	cancel()
	var store *Error
	switch {
	case errors.As(err, &store) && store.Code == CodeUnavailable:
		return 0, err
	case err != nil && ctx.Err() != nil:
		return 0, nil // a shutdown; another process goes on after the lease
	}
	m.watch(err)
	return 0, m.settle(ctx, l, err)
}

// watch has the server left alone for a while where it took nothing, longer each time, and ends that where it did.
func (m *mailLoop) watch(err error) {
	if !errors.Is(err, errServer) {
		if !errors.Is(err, errNobody) { // nothing was asked of it
			m.failures = 0
		}
		return
	}
	pauses := m.s.mails.pauses
	m.until = time.Now().Add(pauses[min(m.failures, len(pauses)-1)])
	m.failures++
}

// settle writes down what became of a message, also where the process is asked to stop meanwhile.
//
// Failure policy: a store that can't be written to is asked again for as long as the lease lasts in any case. After that a message
// that was taken comes a second time.
func (m *mailLoop) settle(ctx context.Context, l *letter, err error) error {
	end := ctx
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), mailLease/4)
	defer cancel()
	defer context.AfterFunc(end, func() { time.AfterFunc(mailGrace, cancel) })()
	write := m.told(ctx, l, err)
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

// told logs what became of a message, and returns what writes it down.
func (m *mailLoop) told(ctx context.Context, l *letter, err error) (write func() error) {
	attrs := []any{"to", l.address, "account", l.account, "notices", len(l.notices)}
	pause := mailPause
	if m.kind == boxesOfSlack {
		pause, attrs = slackPause, []any{"to", "notify_slack", "notices", len(l.notices)}
	}
	if err != nil {
		attrs = append(attrs, "error", err)
	}
	registry, schedule, log := m.s.registry, m.s.mails.schedule, m.s.log
	again := func(later time.Duration, tries int) func() error {
		log.WarnContext(ctx, "mail.failed", append(attrs, "next_try_in", later.Round(time.Millisecond).String())...)
		return func() error { return registry.MailAgain(ctx, l.shard, m.kind, l.box, later, tries) }
	}
	ended := func(pause time.Duration) func() error {
		return func() error { return registry.MailTold(ctx, l.shard, m.kind, l.box, l.fields, pause) }
	}
	switch {
	case err == nil:
		log.InfoContext(ctx, "mail.sent", attrs...)
		return ended(pause)
	case errors.Is(err, errNobody):
		return ended(0)
	case errors.Is(err, errRefused):
		log.ErrorContext(ctx, "mail.refused", attrs...)
		return ended(pause)
	case errors.Is(err, errServer):
		return again(time.Until(m.until), l.tries)
	case errors.Is(err, errUnanswered):
		return again(schedule[min(l.tries, len(schedule)-1)], l.tries+1)
	case l.tries >= len(schedule):
		log.ErrorContext(ctx, "mail.given_up", attrs...)
		return ended(pause)
	}
	return again(schedule[l.tries], l.tries+1)
}

// errNobody says that there is nobody any more to tell it to, so that nothing was sent.
var errNobody = errors.New("the address is not its account's any more")
