package config

import (
	"errors"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// MailServer is the server that the option smtp names.
type MailServer struct {
	Host     string // a name or an address
	Port     int    // default: 587 with smtp, 465 with smtps
	TLS      bool   // from the beginning on (smtps); otherwise by STARTTLS
	Loopback bool   // whether the host is this machine: then STARTTLS is not required
	User     string // empty: no login
	Password string // goes with User
}

var errSMTP = errors.New("smtp: write smtp:// or smtps://, user and password where the server wants them, and a host, such as smtp://user:{env.SMTP_PASSWORD}@mail.example.com:587")

// MailServer parses SMTPURL.
func (s *Sender) MailServer() (m MailServer, err error) {
	scheme, rest, ok := strings.Cut(s.SMTPURL, "://")
	if !ok || scheme != "smtp" && scheme != "smtps" {
		return m, errSMTP
	}
	m.TLS = scheme == "smtps"
	// Not by url.Parse: a password from a placeholder may contain characters that would end the host.
	if at := strings.LastIndex(rest, "@"); at >= 0 {
		m.User, m.Password, ok = strings.Cut(rest[:at], ":")
		rest = rest[at+1:]
		if !ok || m.User == "" || m.Password == "" {
			return m, errSMTP
		}
		m.User, m.Password = unescaped(m.User), unescaped(m.Password)
	}
	rest = strings.TrimSuffix(rest, "/")
	if strings.ContainsAny(rest, "/?#") {
		return m, errSMTP
	}
	host, port, err := net.SplitHostPort(rest)
	if err != nil { // no port
		host, port = strings.Trim(rest, "[]"), "587"
		if m.TLS {
			port = "465"
		}
	}
	m.Host = host
	if m.Port, err = strconv.Atoi(port); err != nil || m.Port < 1 || m.Port > 65535 || host == "" || strings.ContainsAny(host, " []") {
		return m, errSMTP
	}
	addr, err := netip.ParseAddr(host)
	m.Loopback = host == "localhost" || err == nil && addr.Unmap().IsLoopback()
	return m, nil
}

// unescaped decodes percent-encodings, or returns the text as it is where they are malformed.
func unescaped(text string) string {
	if plain, err := url.PathUnescape(text); err == nil {
		return plain
	}
	return text
}

// validateMail checks the options about mail and Slack, each by itself.
func (s *Sender) validateMail() error {
	if s.SMTPURL != "" {
		if _, err := s.MailServer(); err != nil {
			return err
		}
		if _, err := mail.ParseAddress(s.SMTPFrom); err != nil {
			return errors.New("smtp: the second word is the address that mail comes from, such as webhooks@example.com")
		}
	}
	for _, address := range s.NotifyEmail {
		if a, err := mail.ParseAddress(address); err != nil || a.Address != address {
			return errors.New("notify_email: write addresses such as ops@example.com")
		}
	}
	return errorIf(s.NotifySlack != "" && !isWebURL(s.NotifySlack), "notify_slack: write the https:// address of an incoming webhook")
}
