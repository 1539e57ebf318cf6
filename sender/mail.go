package sender

import (
	"context"
	"encoding/json"
	"fmt"
	netmail "net/mail"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/videocloud/webhooks/sender/internal/registry"
)

// threadsKept is how long a mail about a webhook is known, for those that follow to stand under it.
const threadsKept = 30 * 24 * time.Hour

// maxReferences bounds the header References.
const maxReferences = 20

// thread is the mail that first told of a webhook's outage.
type thread struct {
	ID      string `json:"i"`
	Subject string `json:"s"`
}

func addressIn(from string) string {
	a, err := netmail.ParseAddress(from)
	if err != nil {
		return from
	}
	return a.Address
}

// sendMail sends what a mailbox has to say.
func (s *Sender) sendMail(ctx context.Context, l *letter) error {
	_, err := s.mail(ctx, l)
	return err
}

// mail is sendMail that returns the server's answer.
func (s *Sender) mail(ctx context.Context, l *letter) (string, error) {
	var of *accountRecord
	if l.account != notifyAccount {
		var err error
		if _, of, err = s.accountRecord(ctx, l.account); err != nil {
			return "", err
		}
	}
	if l.confirm {
		return s.mailConfirmation(ctx, l, of)
	}
	if of != nil && !of.hasConfirmed(l.address) {
		return "", errNobody
	}
	m, err := s.compose(ctx, l)
	if err != nil {
		return "", err
	}
	if of != nil {
		if m.Unsubscribe, m.oneClick, err = s.mailLink(of, l.address, linkUnsubscribe); err != nil {
			return "", err
		}
	}
	if err := s.underOutage(ctx, l, m); err != nil {
		return "", err
	}
	answer, err := s.post(ctx, m, "notice")
	if err != nil {
		return "", err
	}
	s.rememberThreads(ctx, l, m)
	return answer, nil
}

// underOutage has a mail refer to those that told of the same webhooks before.
func (s *Sender) underOutage(ctx context.Context, l *letter, m *message) error {
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
	// Some programs put a mail under another only where it has the same subject.
	if len(before) == len(m.all) && len(m.references) == 1 {
		m.Subject = "Re: " + before[0].Subject
	}
	return nil
}

// rememberThreads notes the mail that told of an outage first. Failure policy: without it the next one stands by itself.
func (s *Sender) rememberThreads(ctx context.Context, l *letter, m *message) {
	text, _ := json.Marshal(thread{m.id, m.Subject}) // strings
	threads := make([]registry.Thread, len(m.all))
	for i, o := range m.all {
		threads[i].Lane = o.Lane
		if o.state != stateRecovered {
			threads[i].Mail = string(text)
		}
	}
	if err := s.registry.KeepThreads(ctx, l.shard, l.box, threads, threadsKept); err != nil {
		s.o.Observer.StoreError("mail")
	}
}

// post has the mail server take a message, and returns its answer.
func (s *Sender) post(ctx context.Context, m *message, template string) (string, error) {
	return s.postBy(ctx, s.mails.server, m, template)
}

func (s *Sender) postBy(ctx context.Context, server *mailServer, m *message, template string) (string, error) {
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
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // no answers by machines
	msg.SetBodyString(mail.TypeTextPlain, text)
	msg.AddAlternativeString(mail.TypeTextHTML, html)
	return server.send(ctx, msg)
}
