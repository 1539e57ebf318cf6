package sender

import (
	"context"
	"encoding/json"
	"fmt"
	netmail "net/mail"
	"slices"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/videocloud/webhooks/sender/internal/registry"
)

// threadsKept is how long a mail about a webhook is remembered, so that later ones can be shown as replies to it.
const threadsKept = 30 * 24 * time.Hour

// maxReferences is how many Message-IDs the header References holds.
const maxReferences = 20

// thread is the first mail about a webhook's outage.
type thread struct {
	ID      string `json:"i"`
	Subject string `json:"s"`
}

func bareAddress(from string) string {
	a, err := netmail.ParseAddress(from)
	if err != nil {
		return from
	}
	return a.Address
}

// sendMail mails the content of a claimed mailbox.
func (s *Sender) sendMail(ctx context.Context, l *mailClaim) error {
	var of *accountRecord
	if l.account != notifyAccount {
		var err error
		if _, of, err = s.accountRecord(ctx, l.account); err != nil {
			return err
		}
	}
	if l.confirm {
		return s.sendConfirmation(ctx, l, of)
	}
	if of != nil && !slices.Contains(of.Emails, NotifyEmail{l.address, true}) {
		return errNoRecipient
	}
	m, err := s.newMessage(ctx, l)
	if err != nil {
		return err
	}
	if of != nil {
		if m.Unsubscribe, m.oneClick, err = s.mailLink(of, l.address, linkUnsubscribe); err != nil {
			return err
		}
	}
	if err := s.setReferences(ctx, l, m); err != nil {
		return err
	}
	if _, err := s.postMail(ctx, s.mails.server, m, "notice"); err != nil {
		return err
	}
	s.storeThreads(ctx, l, m)
	return nil
}

// setReferences makes a mail a reply to the first mails about the same webhooks.
func (s *Sender) setReferences(ctx context.Context, l *mailClaim, m *message) error {
	lanes := make([]string, len(m.all))
	for i, o := range m.all {
		lanes[i] = o.Lane
	}
	threads, err := s.registry.Threads(ctx, l.shard, l.box, lanes)
	if err != nil {
		return s.unavailable("mail", err)
	}
	var before []thread
	for _, text := range threads {
		var t thread
		if json.Unmarshal([]byte(text), &t) == nil && t.ID != m.id {
			before = append(before, t)
			m.references = append(m.references, t.ID)
		}
	}
	m.references = distinct(m.references)
	m.references = m.references[:min(len(m.references), maxReferences)]
	// Some mail programs show a reply below a mail only where it has the same subject.
	if len(before) == len(m.all) && len(m.references) == 1 {
		m.Subject = "Re: " + before[0].Subject
	}
	return nil
}

// storeThreads stores the first mail about an outage. Failure policy: where this fails, the next mail is not shown as a reply.
func (s *Sender) storeThreads(ctx context.Context, l *mailClaim, m *message) {
	text, _ := json.Marshal(thread{m.id, m.Subject}) // strings
	threads := make([]registry.Thread, len(m.all))
	for i, o := range m.all {
		threads[i].Lane = o.Lane
		if o.state != stateRecovered {
			threads[i].Mail = string(text)
		}
	}
	if err := s.registry.StoreThreads(ctx, l.shard, l.box, threads, threadsKept); err != nil {
		s.o.Observer.StoreError("mail")
	}
}

// postMail has a mail server accept a message, and returns its answer.
func (s *Sender) postMail(ctx context.Context, server *mailServer, m *message, template string) (string, error) {
	text, html, err := m.render(template)
	if err != nil {
		return "", err
	}
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := msg.From(server.from); err != nil {
		return "", fmt.Errorf("%w: %w", errServer, err)
	}
	if err := msg.To(m.Address); err != nil {
		return "", fmt.Errorf("%w: %w", errRefused, err)
	}
	msg.Subject(m.Subject)
	msg.SetDate()
	msg.SetMessageIDWithValue(m.id)
	if len(m.references) > 0 {
		msg.SetGenHeaderPreformatted(mail.HeaderInReplyTo, "<"+m.references[0]+">")
		msg.SetGenHeaderPreformatted(mail.HeaderReferences, "<"+strings.Join(m.references, ">\r\n <")+">")
	}
	if m.oneClick != "" { // RFC 8058
		msg.SetGenHeaderPreformatted(mail.HeaderListUnsubscribe, "<"+m.oneClick+">")
		msg.SetGenHeaderPreformatted(mail.HeaderListUnsubscribePost, "List-Unsubscribe=One-Click")
	}
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // asks for no automatic replies
	msg.SetBodyString(mail.TypeTextPlain, text)
	msg.AddAlternativeString(mail.TypeTextHTML, html)
	return server.send(ctx, msg)
}
