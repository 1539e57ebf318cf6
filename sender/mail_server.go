package sender

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/videocloud/webhooks/config"
)

// mailServer is the connection to the server that takes mail. One goroutine uses it.
type mailServer struct {
	client  *mail.Client
	name    string // host and port
	from    string
	secrets *strings.Replacer // a server may repeat what it was told, and its words are logged
	used    time.Time
	keep    time.Duration // mailIdle

	mu   sync.Mutex
	conn net.Conn // nil: none
}

const (
	// mailIdle is for how long a connection to the mail server is kept for the next message.
	mailIdle = 20 * time.Second
	// mailStep bounds the way to the first message, and each message. A server looks at what it was given before it says
	// that it took it; who does not wait for that sends it twice.
	mailStep = 30 * time.Second
	// mailGrace is what a message under way has left when the process stops.
	mailGrace = 5 * time.Second
)

// What became of a message that was not taken. Anything else is an answer to it, such as a full mailbox, and has it tried
// again by the schedule of its own mailbox.
var (
	// errRefused ends a message: its server, or the rules of here, will never take it.
	errRefused = errors.New("refused for good")
	// errServer says nothing of the message: its server takes none now. Every mailbox waits for it, and none loses a try.
	errServer = errors.New("the server takes no message now")
	// errUnanswered leaves open whether the message was taken, so that it is tried by its mailbox's schedule, and never given up.
	errUnanswered = errors.New("no answer to the message")
)

// dialing opens a connection to a mail server.
type dialing = func(ctx context.Context, network, address string) (net.Conn, error)

// newMailServer makes the connection to be: with these roots and by this dialer where tests give them.
func newMailServer(c *config.Sender, roots *tls.Config, dial dialing) (*mailServer, error) {
	to, err := c.MailServer()
	if err != nil {
		return nil, err
	}
	m := &mailServer{keep: mailIdle, from: c.SMTPFrom, name: net.JoinHostPort(to.Host, strconv.Itoa(to.Port)), secrets: strings.NewReplacer()}
	settings := &tls.Config{}
	if roots != nil {
		settings = roots.Clone()
	}
	settings.ServerName, settings.MinVersion = to.Host, tls.VersionTLS12
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	options := []mail.Option{mail.WithPort(to.Port), mail.WithTimeout(mailStep), mail.WithoutSMTPUTF8()}
	switch {
	case to.TLS: // not WithSSL: the connection below is the one that has it
		options = append(options, mail.WithTLSPolicy(mail.TLSOpportunistic))
	case to.Loopback:
		// Here mail goes without TLS too, so a certificate of nobody's, as mail servers make themselves one, is no worse.
		settings.InsecureSkipVerify = true
		options = append(options, mail.WithTLSPolicy(mail.TLSOpportunistic))
	default:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	options = append(options, mail.WithTLSConfig(settings), mail.WithDialContextFunc(m.dialer(dial, settings, to.TLS)))
	if to.User != "" {
		how := mail.SMTPAuthAutoDiscover
		if to.Loopback && !to.TLS {
			how = mail.SMTPAuthPlainNoEnc // what autodiscovery would not take without TLS; nobody listens in on loopback
		}
		options = append(options, mail.WithSMTPAuth(how), mail.WithUsername(to.User), mail.WithPassword(to.Password))
		encode := base64.StdEncoding.EncodeToString
		m.secrets = strings.NewReplacer(to.Password, "…", encode([]byte("\x00"+to.User+"\x00"+to.Password)), "…", encode([]byte(to.Password)), "…")
	}
	if m.client, err = mail.NewClient(to.Host, options...); err != nil {
		return nil, fmt.Errorf("smtp: %w", err)
	}
	return m, nil
}

// dialer keeps hold of each connection: the library leaves one open where the server refuses STARTTLS or the login.
func (m *mailServer) dialer(dial dialing, settings *tls.Config, secure bool) dialing {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		m.mu.Lock()
		m.conn = conn
		m.mu.Unlock()
		if ctx.Err() != nil { // cut came too early for this one
			return nil, ctx.Err()
		}
		if !secure {
			return conn, nil
		}
		over := tls.Client(conn, settings)
		return over, over.HandshakeContext(ctx)
	}
}

// send has the server take a message, over the connection of the one before where there is one, and returns its answer.
func (m *mailServer) send(ctx context.Context, msg *mail.Msg) (string, error) {
	if m.connection() != nil {
		answer, err := m.over(ctx, msg)
		var of *mail.SendError
		if !errors.As(err, &of) || of.Reason != mail.ErrConnCheck {
			return answer, m.judge(err)
		}
		m.close() // the server had closed it: nothing of the message has left
	}
	stop := context.AfterFunc(ctx, m.cut)
	err := m.client.DialWithContext(ctx)
	stop()
	if err != nil {
		m.close()
		return "", fmt.Errorf("%w: connecting to %s: %s", errServer, m.name, m.words(err))
	}
	answer, err := m.over(ctx, msg)
	return answer, m.judge(err)
}

// over sends a message over the connection that there is. The end of ctx leaves it a moment: one that is cut off may have been taken.
func (m *mailServer) over(ctx context.Context, msg *mail.Msg) (string, error) {
	m.used = time.Now()
	conn := m.connection()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now().Add(mailGrace)) })
	defer stop()
	err := m.client.Send(msg)
	if !msg.IsDelivered() {
		return "", err
	}
	if err != nil { // it concerns what follows the message
		m.close()
	}
	return m.words(errors.New(msg.ServerResponse())), nil
}

// judge says what an error of the library means for the message.
func (m *mailServer) judge(err error) error {
	var of *mail.SendError
	if err == nil {
		return nil
	}
	if !errors.As(err, &of) {
		m.close()
		return fmt.Errorf("%w: %s", errServer, m.words(err))
	}
	code, kind := of.ErrorCode(), error(nil)
	toMessage := of.Reason == mail.ErrSMTPRcptTo || of.Reason == mail.ErrSMTPData || of.Reason == mail.ErrSMTPDataClose || of.Reason == mail.ErrWriteContent
	switch {
	case code == 0 && (of.Reason == mail.ErrSMTPDataClose || of.Reason == mail.ErrWriteContent):
		kind = errUnanswered
	case code == 0 || code == serviceClosing || !toMessage:
		kind = errServer
	case code >= 500:
		kind = errRefused
	}
	if code == 0 || code == serviceClosing {
		m.close()
	}
	if kind == nil {
		return errors.New(m.words(err))
	}
	return fmt.Errorf("%w: %s", kind, m.words(err))
}

// serviceClosing is what a server says that is about to stop, to whatever it was asked (RFC 5321, 3.8).
const serviceClosing = 421

// quotedAnswer is a server's answer as the standard library tells of it.
var quotedAnswer = regexp.MustCompile(`(\d{3}) ("(?:[^"\\]|\\.)*")`)

// words are what a server or the library says, fit for a line of a log or of a terminal.
func (m *mailServer) words(err error) string {
	text := quotedAnswer.ReplaceAllStringFunc(err.Error(), func(answer string) string {
		said, err := strconv.Unquote(answer[4:])
		if err != nil {
			return answer
		}
		return answer[:4] + said
	})
	return oneLine(m.secrets.Replace(text))
}

// idle closes a connection that has not been used for a while, and returns when to look again.
func (m *mailServer) idle(next time.Duration) time.Duration {
	if left := m.keep - time.Since(m.used); m.connection() != nil && left > 0 {
		return min(next, left)
	}
	m.close()
	return next
}

func (m *mailServer) connection() net.Conn {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.conn
}

// cut ends the connection, whatever is under way on it.
func (m *mailServer) cut() {
	if conn := m.connection(); conn != nil {
		_ = conn.Close()
	}
}

// close ends the connection, where there is one. A server that is said goodbye to has a second to answer.
func (m *mailServer) close() {
	conn := m.connection()
	if conn == nil {
		return
	}
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	_ = m.client.Close()
	_ = conn.Close()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.conn = nil
}
