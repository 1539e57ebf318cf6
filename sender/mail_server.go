package sender

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/videocloud/webhooks/config"
)

// mailServer is the connection to the server that takes mail. One goroutine uses it.
type mailServer struct {
	client *mail.Client
	from   string
	open   bool
	used   time.Time
}

// mailIdle is for how long a connection to the mail server is kept for the next message.
const mailIdle = 20 * time.Second

func newMailServer(c *config.Sender, roots *tls.Config) (*mailServer, error) {
	to, err := c.MailServer()
	if err != nil {
		return nil, err
	}
	settings := &tls.Config{}
	if roots != nil {
		settings = roots.Clone()
	}
	settings.ServerName, settings.MinVersion = to.Host, tls.VersionTLS12
	options := []mail.Option{mail.WithPort(to.Port), mail.WithTimeout(mailTimeout / 2), mail.WithTLSConfig(settings), mail.WithoutSMTPUTF8()}
	switch {
	case to.TLS:
		options = append(options, mail.WithSSL())
	case to.Loopback:
		options = append(options, mail.WithTLSPolicy(mail.TLSOpportunistic))
	default:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if to.User != "" {
		how := mail.SMTPAuthAutoDiscover
		if to.Loopback && !to.TLS {
			how = mail.SMTPAuthPlainNoEnc // what autodiscovery would not take without TLS; nobody listens in on loopback
		}
		options = append(options, mail.WithSMTPAuth(how), mail.WithUsername(to.User), mail.WithPassword(to.Password))
	}
	m := &mailServer{from: c.SMTPFrom}
	if m.client, err = mail.NewClient(to.Host, options...); err != nil {
		return nil, fmt.Errorf("smtp: %w", err)
	}
	return m, nil
}

// send has the server take a message, over the connection of the one before where there is one, and returns its answer.
func (m *mailServer) send(ctx context.Context, msg *mail.Msg) (string, error) {
	if m.open {
		answer, err := m.over(msg)
		var of *mail.SendError
		if err == nil || !errors.As(err, &of) || of.Reason != mail.ErrConnCheck {
			return answer, err
		}
		m.close() // the server had closed it: nothing of the message has left
	}
	if err := m.client.DialWithContext(ctx); err != nil {
		return "", fmt.Errorf("connecting to the mail server: %w", err)
	}
	m.open = true
	return m.over(msg)
}

func (m *mailServer) over(msg *mail.Msg) (string, error) {
	m.used = time.Now()
	err := m.client.Send(msg)
	if err == nil {
		return strings.TrimSpace(msg.ServerResponse()), nil
	}
	var of *mail.SendError
	if errors.As(err, &of) && of.ErrorCode() >= 500 && (of.Reason == mail.ErrSMTPRcptTo || of.Reason == mail.ErrSMTPData || of.Reason == mail.ErrSMTPDataClose) {
		return "", fmt.Errorf("%w: %w", errRefused, err)
	}
	if !errors.As(err, &of) || of.ErrorCode() == 0 {
		m.close() // it broke
	}
	return "", err
}

// idle closes a connection that has not been used for a while, and returns when to look again.
func (m *mailServer) idle(next time.Duration) time.Duration {
	if left := mailIdle - time.Since(m.used); m.open && left > 0 {
		return min(next, left)
	}
	m.close()
	return next
}

func (m *mailServer) close() {
	if m.open {
		_ = m.client.Close()
		m.open = false
	}
}
