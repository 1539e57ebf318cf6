package sender

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/videocloud/webhooks/internal/destination"
)

// slack posts to an incoming webhook of Slack. Its URL is a secret: whoever has it can post.
type slack struct {
	url       *url.URL
	transport http.RoundTripper
}

var slackEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// slackText returns a message as text for Slack. What came from outside is escaped, so that it can't make a link or notify
// somebody; post asks Slack to format nothing in it either.
func (m *message) slackText() string {
	var b strings.Builder
	b.WriteString(slackEscaper.Replace(m.Subject))
	for _, w := range m.Webhooks {
		fmt.Fprintf(&b, "\n• %s", slackEscaper.Replace(strings.Join(w.Lines(), "\n   ")))
	}
	if m.Portal != "" {
		fmt.Fprintf(&b, "\n%s", slackEscaper.Replace(m.Portal))
	}
	return b.String()
}

func (s *Sender) sendSlack(ctx context.Context, l *mailClaim) error {
	m, err := s.newMessage(ctx, l)
	if err != nil {
		return err
	}
	_, err = s.mails.slack.post(ctx, s.userAgent, m.slackText())
	return err
}

// post posts a text, and returns the answer of Slack.
func (k *slack) post(ctx context.Context, userAgent []string, text string) (string, error) {
	body, err := json.Marshal(map[string]any{"text": text, "mrkdwn": false, "parse": "none", "unfurl_links": false, "unfurl_media": false})
	if err != nil {
		return "", err
	}
	answer, err := k.transport.RoundTrip(newPost(ctx, k.url, http.Header{"Content-Type": contentType, "User-Agent": userAgent}, body))
	if err != nil {
		kind := errUnanswered
		var dial *net.OpError
		if errors.As(err, &dial) && dial.Op == "dial" {
			kind = errServer
		}
		return "", fmt.Errorf("%w: notify_slack: %s", kind, destination.Describe(err)) // the cause may hold the URL
	}
	defer answer.Body.Close()
	said, _ := readAnswer(answer.Body, answer.ContentLength)
	said = oneLine(fmt.Sprintf("%d %s", answer.StatusCode, said))
	switch c := answer.StatusCode; {
	case c >= 200 && c < 300:
		return said, nil
	case c == http.StatusTooManyRequests || c >= 500:
		return said, fmt.Errorf("%w: notify_slack: answered %s", errServer, said)
	}
	return said, fmt.Errorf("notify_slack: answered %s: %w", said, errRefused)
}
