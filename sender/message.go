package sender

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	htmltemplate "html/template"
	"net/url"
	"slices"
	"strings"
	texttemplate "text/template"
	"time"
	"unicode"
)

//go:embed mail
var mailFiles embed.FS

var (
	mailText = texttemplate.Must(texttemplate.ParseFS(mailFiles, "mail/*.txt"))
	mailHTML = htmltemplate.Must(htmltemplate.ParseFS(mailFiles, "mail/*.html"))
)

// maxListed is how many webhooks a message describes.
const maxListed = 50

// message is what one address is told, as the templates and Slack show it. Everything in it is text, which whoever shows it as
// markup must escape.
type message struct {
	Subject     string
	Headline    string
	Intro       string
	Brand       string
	Address     string
	Account     string // empty for the operator
	Webhooks    []messageWebhook
	More        int // webhooks beyond maxListed
	Portal      string
	Confirm     string
	Unsubscribe string

	all        []*summary // of all webhooks that it reports
	id         string     // Message-ID, without the angle brackets
	oneClick   string     // Unsubscribe, for programs
	references []string   // Message-IDs of the first mails about these webhooks
}

// messageWebhook is one webhook in a message.
type messageWebhook struct {
	State   string
	Class   string // CSS class, for colours in dark mode
	Colour  string
	Address string
	Note    string
	Account string // for the operator
	Facts   []fact
	Todo    string
	Command string
	Link    string
}

type fact struct{ Name, Value string }

// Lines returns the description of the webhook as lines of plain text.
func (w messageWebhook) Lines() []string {
	head := w.State + ": " + w.Address
	if w.Account != "" {
		head += " (account " + w.Account + ")"
	}
	list := []string{head}
	if w.Note != "" {
		list = append(list, "  "+w.Note)
	}
	for _, f := range w.Facts {
		list = append(list, "  "+f.Name+": "+f.Value)
	}
	for _, line := range []string{w.Todo, w.Command, w.Link} {
		if line != "" {
			list = append(list, "  "+line)
		}
	}
	return list
}

const (
	stateFailed    = "Failed"
	stateDisabled  = "Disabled"
	stateRecovered = "Recovered"
)

var stateColours = map[string]string{stateFailed: "#b3261e", stateDisabled: "#8a4b00", stateRecovered: "#1b6e3c"}

// summary sums up all notices of a mailbox about one webhook.
type summary struct {
	mailEntry
	state              string
	count              int  // deliveries that failed since the last message
	failedAndRecovered bool // it failed and recovered within this letter
}

// summaries sums up notices by webhook, in the order of the first notice about each.
func summaries(notices []mailEntry) (list []*summary) {
	by := map[string]*summary{}
	for _, n := range notices {
		o := by[n.Lane]
		if o == nil {
			o = &summary{}
			by[n.Lane] = o
			list = append(list, o)
		}
		failed := o.state == stateFailed
		o.state = stateFailed
		switch n.Kind {
		case "recovered":
			o.state, o.failedAndRecovered = stateRecovered, failed || o.failedAndRecovered
			n.LastError, n.Status, n.Attempts = o.LastError, o.Status, o.Attempts
		case "disabled":
			o.state = stateDisabled
		}
		o.mailEntry = n
		o.count += n.Count
	}
	return list
}

// newMessage makes the message of a claimed mailbox, with the counts of the webhooks as they are now.
func (s *Sender) newMessage(ctx context.Context, l *mailClaim) (*message, error) {
	m := &message{Brand: s.c.Brand, Address: l.address, id: s.messageID(l)}
	ours := l.account == notifyAccount
	if !ours {
		m.Account, m.Portal = l.account, s.c.PortalURL
	}
	m.all = summaries(l.notices)
	byAccount := map[string][]Webhook{}
	for _, o := range m.all[:min(len(m.all), maxListed)] {
		byAccount[o.Account] = append(byAccount[o.Account], Webhook{ID: webhookPrefix + o.Lane})
	}
	counts := map[string]WebhookInfo{}
	for account, list := range byAccount {
		shard, err := s.shard(ctx, account)
		if err != nil {
			return nil, err
		}
		infos, err := s.webhookInfos(ctx, shard, account, list)
		if err != nil {
			return nil, err
		}
		for _, info := range infos {
			counts[laneOf(info.ID)] = info
		}
	}
	states := map[string]int{}
	for i, o := range m.all {
		states[o.state]++
		if i < maxListed {
			m.Webhooks = append(m.Webhooks, s.describeWebhook(o, counts[o.Lane], ours))
		}
	}
	m.More = len(m.all) - len(m.Webhooks)
	m.setTexts(states)
	return m, nil
}

// setTexts sets the subject, the headline and the sentence below it.
func (m *message) setTexts(states map[string]int) {
	if len(m.all) == 1 {
		o := m.all[0]
		m.Subject = "Webhook " + strings.ToLower(o.state) + ": " + hostOf(o.URL)
		m.Headline = m.Subject
		m.Intro = map[string]string{
			stateFailed:    "Deliveries to this webhook did not succeed, whatever was tried. New events still go there; its next success ends the failure, and you are told.",
			stateDisabled:  "This webhook gets nothing more until you set its status to active.",
			stateRecovered: "Deliveries to this webhook succeed again.",
		}[o.state]
		if o.failedAndRecovered {
			m.Intro = "This webhook failed, and succeeds again by now."
		}
		return
	}
	var parts []string
	for _, state := range []string{stateFailed, stateDisabled, stateRecovered} {
		if n := states[state]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, strings.ToLower(state)))
		}
	}
	m.Subject = fmt.Sprintf("%d webhooks: %s", len(m.all), strings.Join(parts, ", "))
	m.Headline = m.Subject
	m.Intro = "What happened since the last message, one webhook after the other."
}

// describeWebhook describes how one webhook stands.
func (s *Sender) describeWebhook(o *summary, now WebhookInfo, ours bool) messageWebhook {
	id := webhookPrefix + o.Lane
	w := messageWebhook{State: o.state, Class: strings.ToLower(o.state), Colour: stateColours[o.state], Address: oneLine(o.URL), Note: oneLine(o.Note)}
	add := func(name, value string) { w.Facts = append(w.Facts, fact{name, value}) }
	add("Webhook", id)
	add("Failed since", formatUTC(o.Since))
	if o.state == stateRecovered {
		add("Recovered", formatUTC(o.At))
	}
	if o.LastError != "" || o.Status != 0 {
		add("Last error", oneLine(cmp.Or(o.LastError, fmt.Sprintf("answered %d", o.Status))))
	}
	if o.count > 0 {
		add("Failed deliveries", fmt.Sprintf("%d since the last message", o.count))
	}
	if now.Failed > 0 {
		add("Failed in all", fmt.Sprintf("%d, which can be sent again", now.Failed))
	}
	add("Waiting", fmt.Sprint(now.Waiting))
	switch {
	case o.state == stateDisabled:
		w.Todo = "When the endpoint is right: set its status to active, then send again what failed:"
	case now.Failed > 0 || o.state == stateFailed:
		w.Todo = "When the endpoint is right, send again what failed:"
	}
	if w.Todo != "" {
		w.Command = fmt.Sprintf(`POST /webhooks/%s/replay {"since":"%s"}`, id, time.UnixMilli(o.Since).UTC().Format(time.RFC3339))
	}
	if ours {
		w.Account = o.Account
		if w.Command != "" {
			w.Command = fmt.Sprintf("caddy webhook replay %s --since %s", id, time.UnixMilli(o.Since).UTC().Format(time.RFC3339))
		}
	} else if s.c.PortalURL != "" {
		w.Link = s.c.PortalURL + "#/webhooks/" + id
	}
	return w
}

func formatUTC(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04:05 UTC") }

func hostOf(raw string) string {
	if u, err := url.Parse(raw); err == nil && u.Host != "" {
		return oneLine(u.Host)
	}
	return "?"
}

// oneLine makes text from outside safe to show: it becomes one line, without characters that are invisible or change how others
// are read.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp):
			return ' '
		case unicode.In(r, unicode.Cf, unicode.Co, unicode.Variation_Selector): // invisible ones that reverse, join or hide others
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	return truncate(strings.Join(strings.Fields(text), " "), maxError)
}

// messageID returns the same ID for the same content, so that a mail which was sent twice is shown once.
func (s *Sender) messageID(l *mailClaim) string {
	oldest := ""
	if len(l.fields) > 0 {
		oldest = l.fields[0]
	}
	sum := sha256.Sum256([]byte(s.store.Prefix() + "\x00" + l.box + "\x00" + oldest))
	domain := "webhooks.invalid"
	if _, after, ok := strings.Cut(bareAddress(s.c.SMTPFrom), "@"); ok {
		domain = after
	}
	return base64.RawURLEncoding.EncodeToString(sum[:18]) + "@" + domain
}

// render returns the text and the HTML of a message, made by the templates with a name.
func (m *message) render(name string) (text, html string, err error) {
	var t, h bytes.Buffer
	if err := mailText.ExecuteTemplate(&t, name+".txt", m); err != nil {
		return "", "", err
	}
	if err := mailHTML.ExecuteTemplate(&h, name+".html", m); err != nil {
		return "", "", err
	}
	return strings.TrimSpace(t.String()) + "\n", h.String(), nil
}

// distinct returns a list without empty and repeated values.
func distinct(list []string) []string {
	var kept []string
	for _, v := range list {
		if v != "" && !slices.Contains(kept, v) {
			kept = append(kept, v)
		}
	}
	return kept
}
