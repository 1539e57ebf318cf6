package sender

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/videocloud/webhooks/sender/internal/registry"
)

// Kinds of mailboxes. A process empties those for which it knows a server.
const (
	boxesOfMail  = "mail"
	boxesOfSlack = "slack"
)

// A mailbox is what waits to be told to one address: notices, from the outbox, until a message sums them up. It lives in
// its account's shard; those of the operator, who gets the notices of all accounts, in the first one.
//
//	outbox ──► mailbox of each address ──► after a moment, or at the end of ten minutes: one message
//
// Failure policy: a notice is in the mailbox before it leaves the outbox, and stays there until a server has taken the
// message. A crash in between has the message under way told again, with the same Message-ID.

const (
	// mailGather is how long a mailbox waits for more before its first message: webhooks of one host fail together.
	mailGather = 5 * time.Second
	// mailPause is how long an address gets nothing after a message.
	mailPause = 10 * time.Minute
	// slackPause keeps to what Slack takes of one sender.
	slackPause = 5 * time.Second
	// mailLease is how long a process has for one message; its time is bounded by mailTimeout.
	mailLease   = 2 * time.Minute
	mailTimeout = 30 * time.Second
	// maxMailed is how many notices one message sums up.
	maxMailed = 500
	// fieldConfirm stands in a mailbox for the first mail to an address, and fieldTries for how often it was tried.
	fieldConfirm = "#confirm"
	fieldTries   = registry.MailTries
)

// mailRetry is the schedule of messages that no server took; what is not taken by its end is given up.
var mailRetry = []time.Duration{
	time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour,
}

// boxName is the mailbox of an address. No account has a name with a slash.
func boxName(account, address string) string { return account + "/" + address }

// mailing is what a process knows of mail.
type mailing struct {
	server   *mailServer              // nil without smtp
	slack    *slack                   // nil without notify_slack
	wake     map[string]chan struct{} // by kind
	gather   time.Duration
	schedule []time.Duration
	trust    *tls.Config // roots for tests; nil: the system's
}

func (s *Sender) newMailing() (m mailing, err error) {
	m = mailing{
		wake:   map[string]chan struct{}{boxesOfMail: make(chan struct{}, 1), boxesOfSlack: make(chan struct{}, 1)},
		gather: mailGather, schedule: mailRetry,
	}
	if s.c.SMTPURL != "" {
		if m.server, err = newMailServer(&s.c, nil); err != nil {
			return m, err
		}
	}
	if s.c.NotifySlack != "" {
		m.slack = &slack{transport: s.notify.transport}
		if m.slack.url, err = url.Parse(s.c.NotifySlack); err != nil {
			return m, errors.New("notify_slack: not a valid URL")
		}
	}
	return m, nil
}

// told is a notice as a mailbox keeps it.
type told struct {
	Kind      string `json:"k"` // failed, disabled or recovered
	Account   string `json:"a"`
	Lane      string `json:"l"`
	URL       string `json:"u"`
	Note      string `json:"n,omitempty"` // the webhook's description
	At        int64  `json:"t"`           // unix ms
	Since     int64  `json:"s"`           // unix ms
	Count     int    `json:"c,omitempty"`
	Attempts  int    `json:"at,omitempty"`
	Status    int    `json:"st,omitempty"`
	LastError string `json:"e,omitempty"`
}

// tell puts a notice into the mailboxes of all who are to hear of it by mail or by Slack.
func (s *Sender) tell(ctx context.Context, shard int, r *record, n notice, of *accountRecord) error {
	text, err := json.Marshal(told{
		Kind: n.kind, Account: r.account, Lane: n.lane, URL: r.shown.URL, Note: r.shown.Description, At: noticeTime(n).UnixMilli(),
		Since: n.since.UnixMilli(), Count: n.count, Attempts: n.detail.Attempts, Status: n.detail.LastStatusCode, LastError: n.detail.LastError,
	})
	if err != nil {
		return err
	}
	field := strconv.Itoa(shard) + ":" + n.id
	if s.mails.server != nil {
		for _, e := range of.Emails {
			if e.Confirmed {
				if err := s.mailbox(ctx, shard, boxesOfMail, boxName(r.account, e.Address), field, string(text), s.mails.gather); err != nil {
					return err
				}
			}
		}
		for _, address := range s.c.NotifyEmail {
			if err := s.mailbox(ctx, 0, boxesOfMail, boxName(notifyAccount, address), field, string(text), s.mails.gather); err != nil {
				return err
			}
		}
	}
	if s.mails.slack != nil {
		return s.mailbox(ctx, 0, boxesOfSlack, boxName(notifyAccount, boxesOfSlack), field, string(text), min(time.Second, s.mails.gather))
	}
	return nil
}

func (s *Sender) mailbox(ctx context.Context, shard int, kind, box, field, value string, gather time.Duration) error {
	if err := s.registry.AddMail(ctx, shard, kind, box, field, value, gather); err != nil {
		return err
	}
	select {
	case s.mails.wake[kind] <- struct{}{}:
	default:
	}
	return nil
}

// doMail empties mailboxes of one kind as they are due, one after the other, until ctx ends. Nothing else waits for it: a mail server that
// does not answer holds up no word to Slack.
func (s *Sender) doMail(ctx context.Context, kind string, send func(context.Context, *letter) error) {
	idle := func(next time.Duration) time.Duration { return next }
	if kind == boxesOfMail { // between two mails the connection is kept for a while
		idle = s.mails.server.idle
		defer s.mails.server.close()
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.mails.wake[kind]:
		case <-timer.C:
		}
		timer.Reset(idle(s.emptyMailboxes(ctx, kind, send)))
	}
}

// emptyMailboxes empties the mailboxes of one kind that are due, and returns when to look again.
func (s *Sender) emptyMailboxes(ctx context.Context, kind string, send func(context.Context, *letter) error) time.Duration {
	next := time.Minute // what another process has put in
	shards, err := s.store.Shards(ctx)
	if err != nil {
		return next
	}
	for shard := range shards {
		for ctx.Err() == nil {
			wait, err := s.emptyMailbox(ctx, shard, kind, send)
			if err != nil {
				s.o.Observer.StoreError("mail")
				s.log.Error("telling owners of failed webhooks; trying again", "error", err)
				return time.Second
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

// mailKinds are the kinds that this process empties.
func (s *Sender) mailKinds() map[string]func(context.Context, *letter) error {
	kinds := map[string]func(context.Context, *letter) error{}
	if s.mails.server != nil {
		kinds[boxesOfMail] = s.sendMail
	}
	if s.mails.slack != nil {
		kinds[boxesOfSlack] = s.sendSlack
	}
	return kinds
}

// letter is what a mailbox has to say.
type letter struct {
	shard   int
	box     string
	account string // notifyAccount: the operator
	address string
	confirm bool
	notices []told   // in their order
	fields  []string // what it tells, by its names in the mailbox, the oldest first
	tries   int
}

// errRefused ends a message: its server, or the rules of here, will never take it.
var errRefused = errors.New("refused for good")

// emptyMailbox sends what one mailbox has to say, where one is due. It returns how long until the next is, 0 where there
// may be more now, and a negative time where there is none.
func (s *Sender) emptyMailbox(ctx context.Context, shard int, kind string, send func(context.Context, *letter) error) (time.Duration, error) {
	found, err := s.registry.ClaimMailbox(ctx, shard, kind, mailLease)
	if err != nil || found.Box == "" {
		return found.Wait, err
	}
	l := readLetter(shard, found.Box, found.Content)
	bounded, cancel := context.WithTimeout(ctx, mailTimeout)
	err = send(bounded, l)
	cancel()
	if err != nil && ctx.Err() != nil {
		return 0, nil // a shutdown; another process goes on after the lease
	}
	return 0, s.mailed(ctx, kind, l, err)
}

func readLetter(shard int, box string, fields map[string]string) *letter {
	l := &letter{shard: shard, box: box}
	l.account, l.address, _ = strings.Cut(l.box, "/")
	l.tries, _ = strconv.Atoi(fields[fieldTries])
	delete(fields, fieldTries)
	if _, l.confirm = fields[fieldConfirm]; l.confirm {
		l.fields = []string{fieldConfirm}
		return l
	}
	notices := map[string]told{}
	for name, text := range fields {
		var n told
		_ = json.Unmarshal([]byte(text), &n) // what can't be read is dropped with the rest
		notices[name] = n
	}
	l.fields = slices.SortedFunc(maps.Keys(notices), func(a, b string) int {
		if by := notices[a].At - notices[b].At; by != 0 {
			return int(max(-1, min(by, 1)))
		}
		return strings.Compare(a, b)
	})
	l.fields = l.fields[:min(len(l.fields), maxMailed)]
	for _, name := range l.fields {
		l.notices = append(l.notices, notices[name])
	}
	return l
}

// mailed writes down what became of a message.
func (s *Sender) mailed(ctx context.Context, kind string, l *letter, err error) error {
	// A message that a server took is written down also where a shutdown comes in between.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), mailTimeout)
	defer cancel()
	attrs := []any{"to", l.address, "account", l.account, "notices", len(l.notices)}
	var again time.Duration // 0: it was told, or given up
	pause := mailPause
	if kind == boxesOfSlack {
		pause, attrs = slackPause, []any{"to", "notify_slack", "notices", len(l.notices)}
	}
	switch {
	case errors.Is(err, errNobody):
		pause = 0
	case err == nil:
		s.log.InfoContext(ctx, "mail.sent", attrs...)
	case errors.Is(err, errRefused):
		s.log.ErrorContext(ctx, "mail.refused", append(attrs, "error", err)...)
	case l.tries >= len(s.mails.schedule):
		s.log.ErrorContext(ctx, "mail.given_up", append(attrs, "error", err)...)
	default:
		again = s.mails.schedule[l.tries]
		s.log.WarnContext(ctx, "mail.failed", append(attrs, "error", err, "next_try_in", again.String())...)
	}
	if again > 0 {
		return s.registry.MailAgain(ctx, l.shard, kind, l.box, again, l.tries+1)
	}
	return s.registry.MailTold(ctx, l.shard, kind, l.box, l.fields, pause)
}

// errNobody says that there is nobody any more to tell it to, so that nothing was sent.
var errNobody = errors.New("the address is not its account's any more")
