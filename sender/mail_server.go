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

// mailServer is a mail server and the connection to it. Only one goroutine may use it.
type mailServer struct {
	client    *mail.Client
	name      string // host and port
	from      string
	secrets   *strings.Replacer // replaces the password in what the server says, which is logged
	lastUsed  time.Time
	keepAlive time.Duration // mailIdle

	mu   sync.Mutex
	conn net.Conn // nil: none
}

const (
	// mailIdle is how long a connection to the mail server is kept for the next message.
	mailIdle = 20 * time.Second
	// mailStepTimeout bounds the way to the first message, and each message. A server examines a message before it says that it
	// accepts it; a client that does not wait for that sends it twice.
	mailStepTimeout = 30 * time.Second
	// mailGrace is how long a message that is being sent may still take when the process stops.
	mailGrace = 5 * time.Second
)

// Why a message was not accepted. Any other error is an answer to this message, such as a full mailbox, and has it tried again on
// the schedule of its own mailbox.
var (
	// errRefused ends a message: its server, or a rule of ours, will never accept it.
	errRefused = errors.New("refused for good")
	// errServer says nothing about the message: its server accepts none at present. All mailboxes wait for it, and none uses up a
	// try.
	errServer = errors.New("the server takes no message now")
	// errUnanswered leaves open whether the message was accepted. It is tried again on the schedule of its mailbox, and never given
	// up.
	errUnanswered = errors.New("no answer to the message")
)

// dialFunc opens a connection to a mail server.
type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// newMailServer prepares the connection to the configured server. Tests give roots and dial; nil is the system's roots, and the
// network.
func newMailServer(c *config.Sender, roots *tls.Config, dial dialFunc) (*mailServer, error) {
	to, err := c.MailServer()
	if err != nil {
		return nil, err
	}
	m := &mailServer{keepAlive: mailIdle, from: c.SMTPFrom, name: net.JoinHostPort(to.Host, strconv.Itoa(to.Port)), secrets: strings.NewReplacer()}
	settings := &tls.Config{}
	if roots != nil {
		settings = roots.Clone()
	}
	settings.ServerName, settings.MinVersion = to.Host, tls.VersionTLS12
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	options := []mail.Option{mail.WithPort(to.Port), mail.WithTimeout(mailStepTimeout), mail.WithoutSMTPUTF8()}
	switch {
	case to.TLS: // not WithSSL: the connection that dialer returns has TLS already
		options = append(options, mail.WithTLSPolicy(mail.TLSOpportunistic))
	case to.Loopback:
		// On loopback mail may be sent without TLS as well, so a certificate that nobody signed, as mail servers make for themselves,
		// is no worse.
		settings.InsecureSkipVerify = true
		options = append(options, mail.WithTLSPolicy(mail.TLSOpportunistic))
	default:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	options = append(options, mail.WithTLSConfig(settings), mail.WithDialContextFunc(m.dialer(dial, settings, to.TLS)))
	if to.User != "" {
		how := mail.SMTPAuthAutoDiscover
		if to.Loopback && !to.TLS {
			how = mail.SMTPAuthPlainNoEnc // which autodiscovery refuses without TLS; nobody listens in on loopback
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

// dialer remembers each connection, because the library leaves one open where the server refuses STARTTLS or the login.
func (m *mailServer) dialer(dial dialFunc, settings *tls.Config, secure bool) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		m.mu.Lock()
		m.conn = conn
		m.mu.Unlock()
		if ctx.Err() != nil { // abort came too early for this connection
			return nil, ctx.Err()
		}
		if !secure {
			return conn, nil
		}
		over := tls.Client(conn, settings)
		return over, over.HandshakeContext(ctx)
	}
}

// send has the server accept a message, over the last connection where that is still open, and returns the answer.
func (m *mailServer) send(ctx context.Context, msg *mail.Msg) (string, error) {
	if m.connection() != nil {
		answer, err := m.sendOver(ctx, msg)
		var of *mail.SendError
		if !errors.As(err, &of) || of.Reason != mail.ErrConnCheck {
			return answer, m.classify(err)
		}
		m.close() // the server has closed it, so nothing of the message was sent
	}
	stop := context.AfterFunc(ctx, m.abort)
	err := m.client.DialWithContext(ctx)
	stop()
	if err != nil {
		m.close()
		return "", fmt.Errorf("%w: connecting to %s: %s", errServer, m.name, m.errorText(err))
	}
	answer, err := m.sendOver(ctx, msg)
	return answer, m.classify(err)
}

// sendOver sends a message over the open connection. When ctx ends the message gets mailGrace more, as one that is cut off may
// have been accepted.
func (m *mailServer) sendOver(ctx context.Context, msg *mail.Msg) (string, error) {
	m.lastUsed = time.Now()
	conn := m.connection()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now().Add(mailGrace)) })
	defer stop()
	err := m.client.Send(msg)
	if !msg.IsDelivered() {
		return "", err
	}
	if err != nil { // the error is of what follows the message
		m.close()
	}
	return m.errorText(errors.New(msg.ServerResponse())), nil
}

// classify turns an error of the library into errRefused, errServer, errUnanswered, or an answer to this message.
func (m *mailServer) classify(err error) error {
	var of *mail.SendError
	if err == nil {
		return nil
	}
	if !errors.As(err, &of) {
		m.close()
		return fmt.Errorf("%w: %s", errServer, m.errorText(err))
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
		return errors.New(m.errorText(err))
	}
	return fmt.Errorf("%w: %s", kind, m.errorText(err))
}

// serviceClosing is what a server that is about to stop answers to any command (RFC 5321 section 3.8).
const serviceClosing = 421

// quotedAnswer matches a server's answer in an error of the standard library.
var quotedAnswer = regexp.MustCompile(`(\d{3}) ("(?:[^"\\]|\\.)*")`)

// errorText returns what a server or the library says as one line for a log or a terminal, without secrets.
func (m *mailServer) errorText(err error) string {
	text := quotedAnswer.ReplaceAllStringFunc(err.Error(), func(answer string) string {
		said, err := strconv.Unquote(answer[4:])
		if err != nil {
			return answer
		}
		return answer[:4] + said
	})
	return oneLine(m.secrets.Replace(text))
}

// idle closes a connection that has not been used for a while, and returns after what time to call it again.
func (m *mailServer) idle(next time.Duration) time.Duration {
	if left := m.keepAlive - time.Since(m.lastUsed); m.connection() != nil && left > 0 {
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

// abort closes the connection, whatever is under way on it.
func (m *mailServer) abort() {
	if conn := m.connection(); conn != nil {
		_ = conn.Close()
	}
}

// close closes the connection, if there is one, and waits at most a second for the server's answer to QUIT.
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
