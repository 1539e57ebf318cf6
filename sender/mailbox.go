package sender

import (
	"cmp"
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
	// mailLease is how long a process has for one message and for writing down what became of it. The message itself is
	// bounded by mailTimeout.
	mailLease   = 2 * time.Minute
	mailTimeout = 2 * mailStep
	// maxMailed is how many notices one message sums up.
	maxMailed = 5000
	// fieldConfirm stands in a mailbox for the first mail to an address, and fieldTries for how often it was tried.
	fieldConfirm = "#confirm"
	fieldTries   = registry.MailTries
)

// mailRetry is the schedule of a message to which its server says not now; what is not taken by its end is given up.
var mailRetry = []time.Duration{
	time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour,
}

// serverRetry is how long a process leaves a server alone that takes nothing; the last one again and again.
var serverRetry = []time.Duration{5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute}

// boxName is the mailbox of an address. No account has a name with a slash.
func boxName(account, address string) string { return account + "/" + address }

// mailing is what a process knows of mail.
type mailing struct {
	server   *mailServer              // nil without smtp
	slack    *slack                   // nil without notify_slack
	wake     map[string]chan struct{} // by kind
	gather   time.Duration
	schedule []time.Duration
	pauses   []time.Duration // serverRetry
	trust    *tls.Config     // roots for tests; nil: the system's
	dial     dialing         // for tests; nil: the network
}

func (s *Sender) newMailing() (m mailing, err error) {
	m = mailing{
		wake:   map[string]chan struct{}{boxesOfMail: make(chan struct{}, 1), boxesOfSlack: make(chan struct{}, 1)},
		gather: mailGather, schedule: mailRetry, pauses: serverRetry,
	}
	if s.c.SMTPURL != "" {
		if m.server, err = newMailServer(&s.c, nil, nil); err != nil {
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
		Kind: n.kind, Account: r.Account, Lane: n.lane, URL: r.public.URL, Note: r.public.Description, At: noticeTime(n).UnixMilli(),
		Since: n.since.UnixMilli(), Count: n.count, Attempts: n.detail.Attempts, Status: n.detail.LastStatusCode, LastError: n.detail.LastError,
	})
	if err != nil {
		return err
	}
	field := strconv.Itoa(shard) + ":" + n.id
	if s.mails.server != nil {
		for _, e := range of.Emails {
			if e.Confirmed {
				if err := s.mailbox(ctx, shard, boxesOfMail, boxName(r.Account, e.Address), field, string(text), s.mails.gather); err != nil {
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
		return cmp.Or(cmp.Compare(notices[a].At, notices[b].At), strings.Compare(a, b))
	})
	l.fields = l.fields[:min(len(l.fields), maxMailed)]
	for _, name := range l.fields {
		l.notices = append(l.notices, notices[name])
	}
	return l
}
