package sender

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// postOffice is an SMTP server (RFC 5321) that keeps what it takes, over TLS where it is asked to, and can be told to fail.
type postOffice struct {
	t      *testing.T
	l      net.Listener
	tls    *tls.Config // of STARTTLS; nil: not offered
	trust  *tls.Config // for clients
	whole  bool        // TLS from the beginning on (smtps)
	conns  atomic.Int64
	open   atomic.Int64
	logins atomic.Int64

	mu    sync.Mutex
	taken []letterTaken
	heard []string                    // commands
	says  func(command string) string // "" : as usual
}

// letterTaken is a mail that was taken.
type letterTaken struct {
	secure bool
	to     string
	raw    []byte
}

func newPostOffice(t *testing.T, secure bool) *postOffice {
	t.Helper()
	return (&postOffice{t: t}).opened(secure)
}

func (p *postOffice) opened(secure bool) *postOffice {
	t := p.t
	t.Helper()
	if secure {
		ca := newAuthority(t)
		pair, key := ca.server()
		p.tls = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{pair.Raw}, PrivateKey: key}}}
		roots := x509.NewCertPool()
		roots.AddCert(ca.certificate)
		p.trust = &tls.Config{RootCAs: roots}
	}
	var err error
	p.l, err = net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var serving sync.WaitGroup
	var open sync.Map
	serving.Go(func() {
		for {
			c, err := p.l.Accept()
			if err != nil {
				return
			}
			p.conns.Add(1)
			p.open.Add(1)
			open.Store(c, true)
			serving.Go(func() {
				defer p.open.Add(-1)
				defer c.Close()
				p.serve(c)
			})
		}
	})
	t.Cleanup(func() {
		_ = p.l.Close()
		open.Range(func(c, _ any) bool { _ = c.(net.Conn).Close(); return true })
		serving.Wait()
	})
	return p
}

func (p *postOffice) url() string { return "smtp://user:pass%20word@" + p.l.Addr().String() }

// answers has commands that begin with a prefix answered with a line; "" ends that. CONTENT stands for the beginning of a mail's
// content, TAKEN for its end, GREETING for a new connection.
func (p *postOffice) answers(prefix, line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.says = func(command string) string {
		if strings.HasPrefix(strings.ToUpper(command), prefix) {
			return line
		}
		return ""
	}
}

func (p *postOffice) serve(c net.Conn) {
	secure := p.whole
	if p.whole {
		c = tls.Server(c, p.tls)
	}
	r := bufio.NewReader(c)
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(c, format+"\r\n", args...) }
	to := ""
	switch told := p.told("GREETING"); told {
	case "":
		say("220 office.test ready")
	case "hang up":
		return
	default:
		say("%s", told)
	}
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		switch told := p.told(line); told {
		case "":
		case "hang up":
			return
		case "silence":
			continue
		default:
			say("%s", told)
			continue
		}
		verb, _, _ := strings.Cut(strings.ToUpper(line), " ")
		switch verb {
		case "EHLO":
			say("250-office.test")
			if p.tls != nil && !secure {
				say("250-STARTTLS")
			}
			say("250-AUTH PLAIN")
			say("250 8BITMIME")
		case "STARTTLS":
			say("220 go on")
			s := tls.Server(c, p.tls)
			if s.Handshake() != nil {
				return
			}
			c, secure, r = s, true, bufio.NewReader(s)
		case "AUTH":
			login, _ := base64.StdEncoding.DecodeString(line[strings.LastIndex(line, " ")+1:])
			if string(login) != "\x00user\x00pass word" {
				say("535 5.7.8 no")
				continue
			}
			p.logins.Add(1)
			say("235 yes")
		case "RCPT":
			to = strings.Trim(line[strings.Index(line, ":")+1:], "<> ")
			say("250 ok")
		case "DATA":
			say("354 go on")
			if p.told("CONTENT") == "hang up" {
				return
			}
			var raw bytes.Buffer
			for {
				line, err := r.ReadString('\n')
				if err != nil {
					return
				}
				if line == ".\r\n" {
					break
				}
				raw.WriteString(strings.TrimPrefix(line, "."))
			}
			p.mu.Lock()
			p.taken = append(p.taken, letterTaken{secure, to, raw.Bytes()})
			p.mu.Unlock()
			switch p.told("TAKEN") {
			case "hang up":
				return
			case "silence":
				continue
			}
			say("250 2.0.0 taken as number %d", len(p.got()))
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

// told notes what was heard, and returns what is to be answered to it, "" for the usual.
func (p *postOffice) told(command string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard = append(p.heard, command)
	if p.says == nil {
		return ""
	}
	return p.says(command)
}

// hears reports whether a command that begins with a prefix was heard.
func (p *postOffice) hears(prefix string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(p.heard, func(command string) bool { return strings.HasPrefix(strings.ToUpper(command), prefix) })
}

func (p *postOffice) got() []letterTaken {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]letterTaken(nil), p.taken...)
}

// mails waits until so many were taken.
func (p *postOffice) mails(n int) []letterTaken {
	p.t.Helper()
	eventually(p.t, fmt.Sprintf("%d mails were taken", n), func() bool { return len(p.got()) >= n })
	return p.got()
}

// read returns a mail's headers, its text and its HTML.
func (l letterTaken) read(t *testing.T) (head mail.Header, text, html string) {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(l.raw))
	require.NoError(t, err, string(l.raw))
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	require.NoError(t, err)
	require.Equal(t, "multipart/alternative", kind)
	parts := multipart.NewReader(m.Body, params["boundary"])
	for _, to := range []*string{&text, &html} {
		part, err := parts.NextRawPart()
		require.NoError(t, err)
		require.Equal(t, "quoted-printable", part.Header.Get("Content-Transfer-Encoding"))
		content, err := io.ReadAll(quotedprintable.NewReader(part))
		require.NoError(t, err)
		*to = strings.ReplaceAll(string(content), "\r\n", "\n")
	}
	return m.Header, text, html
}
