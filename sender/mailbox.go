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

// Kinds of mailboxes. A process sends those for whose kind it has a server.
const (
	boxKindMail  = "mail"
	boxKindSlack = "slack"
)

// A mailbox holds the notices for one address, from the outbox, until one message reports them together. It is in the shard of
// its account; those of the operator, who gets the notices of all accounts, are in the first shard.
//
//	outbox ──► mailbox of each address ──► after a moment, or at the end of ten minutes: one message
//
// Failure policy: a notice is in the mailbox before it leaves the outbox, and stays there until a server has accepted the
// message. After a crash in between the message is sent again, with the same Message-ID.

const (
	// mailGather is how long a mailbox waits for more notices before its first message: webhooks of one host fail together.
	mailGather = 5 * time.Second
	// mailPause is how long an address gets nothing after a message.
	mailPause = 10 * time.Minute
	// slackPause is the same for Slack, which limits the rate of messages.
	slackPause = 5 * time.Second
	// mailLease is how long a process has to send one message and to record its outcome. Sending alone is bounded by mailTimeout.
	mailLease   = 2 * time.Minute
	mailTimeout = 2 * mailStepTimeout
	// maxNoticesPerMail is how many notices one message reports.
	maxNoticesPerMail = 5000
	// fieldConfirm is the entry of a mailbox that asks for the first mail to an address, and fieldTries counts how often its message
	// was tried.
	fieldConfirm = "#confirm"
	fieldTries   = registry.MailTries
)

// mailRetry is the schedule of a message that its server does not accept now; it is given up at the end.
var mailRetry = []time.Duration{
	time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour,
}

// serverRetry is how long a process waits for a server that accepts nothing, after each failure in a row; the last value is
// repeated.
var serverRetry = []time.Duration{5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute}

// boxName returns the name of an address's mailbox. No account has a slash in its name.
func boxName(account, address string) string { return account + "/" + address }

// mailSettings is how this process sends mail and messages to Slack.
type mailSettings struct {
	server   *mailServer              // nil without smtp
	slack    *slack                   // nil without notify_slack
	wake     map[string]chan struct{} // by kind
	gather   time.Duration
	schedule []time.Duration
	pauses   []time.Duration // serverRetry
	rootCAs  *tls.Config     // roots for tests; nil: the system's
	dial     dialFunc        // for tests; nil: the network
}

func (s *Sender) newMailSettings() (m mailSettings, err error) {
	m = mailSettings{
		wake:   map[string]chan struct{}{boxKindMail: make(chan struct{}, 1), boxKindSlack: make(chan struct{}, 1)},
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

// mailEntry is a notice as it is stored in a mailbox.
type mailEntry struct {
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

// addNotice adds a notice to the mailboxes of all who get it by mail or Slack.
func (s *Sender) addNotice(ctx context.Context, shard int, r *record, n notice, of *accountRecord) error {
	text, err := json.Marshal(mailEntry{
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
				if err := s.addMail(ctx, shard, boxKindMail, boxName(r.Account, e.Address), field, string(text), s.mails.gather); err != nil {
					return err
				}
			}
		}
		for _, address := range s.c.NotifyEmail {
			if err := s.addMail(ctx, 0, boxKindMail, boxName(notifyAccount, address), field, string(text), s.mails.gather); err != nil {
				return err
			}
		}
	}
	if s.mails.slack != nil {
		return s.addMail(ctx, 0, boxKindSlack, boxName(notifyAccount, boxKindSlack), field, string(text), min(time.Second, s.mails.gather))
	}
	return nil
}

func (s *Sender) addMail(ctx context.Context, shard int, kind, box, field, value string, gather time.Duration) error {
	if err := s.registry.AddMail(ctx, shard, kind, box, field, value, gather); err != nil {
		return err
	}
	select {
	case s.mails.wake[kind] <- struct{}{}:
	default:
	}
	return nil
}

// mailClaim is the content of a claimed mailbox.
type mailClaim struct {
	shard   int
	box     string
	account string // notifyAccount: the operator
	address string
	confirm bool
	notices []mailEntry // in their order
	fields  []string    // names of its entries in the mailbox, the oldest first
	tries   int
}

func newMailClaim(shard int, box string, fields map[string]string) *mailClaim {
	l := &mailClaim{shard: shard, box: box}
	l.account, l.address, _ = strings.Cut(l.box, "/")
	l.tries, _ = strconv.Atoi(fields[fieldTries])
	delete(fields, fieldTries)
	if _, l.confirm = fields[fieldConfirm]; l.confirm {
		l.fields = []string{fieldConfirm}
		return l
	}
	notices := map[string]mailEntry{}
	for name, text := range fields {
		var n mailEntry
		_ = json.Unmarshal([]byte(text), &n) // an entry that can't be read is removed with the others
		notices[name] = n
	}
	l.fields = slices.SortedFunc(maps.Keys(notices), func(a, b string) int {
		return cmp.Or(cmp.Compare(notices[a].At, notices[b].At), strings.Compare(a, b))
	})
	l.fields = l.fields[:min(len(l.fields), maxNoticesPerMail)]
	for _, name := range l.fields {
		l.notices = append(l.notices, notices[name])
	}
	return l
}
