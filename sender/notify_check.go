package sender

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/destination"
	"github.com/videocloud/webhooks/internal/queue"
	"github.com/videocloud/webhooks/internal/signature"
)

// NotifyTest is the result of one test notice.
type NotifyTest struct {
	Option string `json:"option"` // notify_email, notify_slack or notify_url
	To     string `json:"to"`     // an address, or the host of one that may be secret
	OK     bool   `json:"ok"`
	Answer string `json:"answer"` // what the server said, or why there was no answer
}

// ErrNoNotices is returned where no option says where notices go.
var ErrNoNotices = errors.New("none of notify_email, notify_slack and notify_url is set, so there is nothing to try")

// TestNotices sends one message to each of notify_email, notify_slack and notify_url, now and once.
func (s *Sender) TestNotices(ctx context.Context) ([]NotifyTest, error) {
	var list []NotifyTest
	add := func(option, to, answer string, err error) {
		t := NotifyTest{Option: option, To: to, OK: err == nil, Answer: answer}
		if err != nil {
			t.Answer = err.Error()
		}
		list = append(list, t)
	}
	m := &message{Brand: s.c.Brand, Subject: "Test: notices about webhooks arrive"}
	m.Headline, m.Intro = m.Subject, "Somebody ran: caddy webhook notify-test. No webhook has failed."
	if len(s.c.NotifyEmail) > 0 {
		server, err := newMailServer(&s.c, s.mails.rootCAs, s.mails.dial) // the other one belongs to the goroutine that empties mailboxes
		if err != nil {
			return nil, err
		}
		defer server.close()
		for _, address := range s.c.NotifyEmail {
			to := *m
			to.Address, to.id = address, s.messageID(&mailClaim{box: boxName(notifyAccount, address), fields: []string{queue.NewJobID(newUUID())}})
			within, cancel := context.WithTimeout(ctx, mailTimeout)
			answer, err := s.postMail(within, server, &to, "notice")
			cancel()
			add("notify_email", address, answer, err)
		}
	}
	if k := s.mails.slack; k != nil {
		within, cancel := context.WithTimeout(ctx, mailTimeout)
		answer, err := k.post(within, s.userAgent, m.slackText())
		cancel()
		add("notify_slack", k.url.Host, answer, err)
	}
	if s.c.NotifyURL != "" {
		answer, err := s.testNotifyURL(ctx)
		host := ""
		if u, err := url.Parse(s.c.NotifyURL); err == nil {
			host = u.Host
		}
		add("notify_url", host, answer, err)
	}
	if len(list) == 0 {
		return nil, ErrNoNotices
	}
	return list, nil
}

func (s *Sender) testNotifyURL(ctx context.Context) (string, error) {
	e, err := s.endpoint(notifyLane, s.notify.meta)
	if err != nil {
		return "", err
	}
	installation, err := s.Installation(ctx)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, s.c.Timeout)
	defer cancel()
	now := time.Now()
	p := payload{eventID: signature.EventID(newUUID()), eventType: config.EventWarning, timestamp: now.Unix(), notice: true, data: `{"kind":"notify_test"}`}
	answer, err := e.transport.RoundTrip(s.newRequest(ctx, e, &p, 1, now, installation))
	if err != nil {
		return "", errors.New(destination.Describe(err))
	}
	defer answer.Body.Close()
	said := fmt.Sprintf("answered %d", answer.StatusCode)
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return "", errors.New(said)
	}
	return said, nil
}
