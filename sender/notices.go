package sender

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/destination"
	"github.com/videocloud/webhooks/internal/queue"
	"github.com/videocloud/webhooks/internal/signature"
)

// notifyLane is the lane, in each shard, of deliveries to the operator's notify_url. It can't be a webhook's: those are longer.
const notifyLane = "notify"

// notifyAccount owns the events of notifyLane. No account has a tilde in its name.
const notifyAccount = "~notify"

// ownerAccount owns the events of ownerLane. It is not notifyAccount, as one notice has the same ID in both lanes.
const ownerAccount = "~owner"

// notice is an entry of the outbox. It was written in the same step as the failure or recovery that it reports.
type notice struct {
	id     string // of its entry
	kind   string // failed, disabled or recovered
	lane   string
	detail detail
	since  time.Time
	count  int
}

// outboxBatch is how many notices are read at once.
const outboxBatch = 50

// sendNotices sends all notices in a shard's outbox.
//
// Failure policy: an entry is removed after its notice was published. After a crash in between it is published again under the
// same event ID, which the store recognises; the log line and the operator's event may then come twice.
func (s *Sender) sendNotices(ctx context.Context, shard int) error {
	for {
		entries, err := s.queue.Notices(ctx, shard, outboxBatch)
		if err != nil || len(entries) == 0 {
			return err
		}
		for _, e := range entries {
			if err := s.sendNotice(ctx, shard, readNotice(e)); err != nil {
				return err
			}
			if err := s.queue.NoticeTold(ctx, shard, e.ID); err != nil {
				return err
			}
		}
	}
}

func readNotice(e queue.Notice) notice {
	n := notice{id: e.ID, kind: e.Kind, lane: e.Lane, since: e.Since, count: e.Count}
	_ = json.Unmarshal([]byte(e.Detail), &n.detail) // empty for a recovery
	return n
}

// Kinds of notices, and names of the operator's events.
const (
	noticeFailed    = "webhook_failed" // or disabled, after a 410 or disable_after
	noticeRecovered = "webhook_recovered"
)

// noticeData is the data of a notice's event, in the order of the contract.
type noticeData struct {
	Kind      string `json:"kind"`
	WebhookID string `json:"webhookId"`
	URL       string `json:"url"`
	*detail
	FailedSince      string `json:"failedSince"`
	FailedDeliveries int    `json:"failedDeliveries,omitempty"`
	Replay           string `json:"replay"`
}

func (s *Sender) sendNotice(ctx context.Context, shard int, n notice) error {
	w, err := s.registry.Webhook(ctx, shard, n.lane)
	if err != nil {
		return err
	}
	r, err := readRecord(w)
	if err != nil {
		return nil // deleted in between, so there is nobody to tell
	}
	id := webhookPrefix + n.lane
	d := noticeData{
		Kind: noticeRecovered, WebhookID: id, URL: r.public.URL, FailedSince: n.since.Format(timestampFormat),
		FailedDeliveries: n.count, Replay: "POST /webhooks/" + id + "/replay",
	}
	event := config.EventWarning
	if n.kind != "recovered" {
		d.Kind, event = noticeFailed, config.EventError
		d.detail = &n.detail
	}
	data, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("writing a notice: %w", err)
	}
	_, of, err := s.accountRecord(ctx, r.Account)
	if err != nil {
		return err
	}
	s.notifyOperator(ctx, r, n, d, data)
	if err := s.addNotice(ctx, shard, r, n, of); err != nil {
		return err
	}
	if err := s.publishNotice(ctx, shard, r, n, event, data, of); err != nil {
		return err
	}
	// The operator's mailboxes are in another shard, so the entries above may have been added after the deletion of the account
	// removed them.
	if _, now, err := s.accountRecord(ctx, r.Account); err != nil || !now.ending && now.exists {
		return err
	}
	return s.removeMail(ctx, shard, r.Account)
}

// notifyOperator writes a log line, and calls OnEvent of the options.
func (s *Sender) notifyOperator(ctx context.Context, r *record, n notice, d noticeData, data []byte) {
	attrs := []any{"webhook_id", d.WebhookID, "account", r.Account, "failed_since", d.FailedSince}
	if n.kind == "recovered" {
		s.log.InfoContext(ctx, "webhook.recovered", attrs...)
	} else {
		s.log.WarnContext(ctx, "webhook.failed", append(attrs, "status", n.kind, "event_id", n.detail.EventID, "delivery_id", n.detail.DeliveryID,
			"attempts", n.detail.Attempts, "last_status", n.detail.LastStatusCode, "last_error", n.detail.LastError, "failed_deliveries", n.count)...)
	}
	if s.o.OnEvent == nil {
		return
	}
	var fields map[string]any
	_ = json.Unmarshal(data, &fields) // just written
	fields["account"] = r.Account
	s.o.OnEvent(ctx, d.Kind, fields)
}

// publishNotice publishes a notice to the account's other webhooks, to its owner's notifyUrl and to the operator's notify_url.
func (s *Sender) publishNotice(ctx context.Context, shard int, r *record, n notice, event string, data []byte, of *accountRecord) error {
	job := noticeJob(s.queue.Tag(shard), n)
	own, _ := queue.JobBytes(job)
	q := &queue.Event{
		Account: r.Account, ID: signature.EventID(own), IDJob: job, Job: job, Type: event, Timestamp: noticeTime(n).Unix(),
		Digest: digest(event, data), Topics: topics(r.Account, event), TellsOf: n.lane, Verdicts: queue.VerdictsTaken, // no filter keeps it out
	}
	p := payload{eventID: q.ID, eventType: event, timestamp: q.Timestamp, notice: true, data: string(data)}
	q.Payload = p.encode()
	if _, err := s.queue.Push(ctx, shard, q); err != nil {
		return err
	}
	if of.URL != "" {
		if err := s.pushNotice(ctx, shard, q, ownerAccount, ownerLane(r.Account)); err != nil {
			return err
		}
	}
	if s.c.NotifyURL == "" {
		return nil
	}
	return s.pushNotice(ctx, shard, q, notifyAccount, notifyLane)
}

// pushNotice queues a notice in a lane that is not a webhook's. Where it goes is decided at the attempt: by the configuration of
// that process, or by the account as it is then. Nothing is queued about a webhook that was deleted meanwhile.
func (s *Sender) pushNotice(ctx context.Context, shard int, q *queue.Event, account, lane string) error {
	to := *q
	to.Account, to.IDJob, to.Job, to.Lane = account, "", queue.NewJobID(newUUID()), lane
	_, err := s.queue.Push(ctx, shard, &to)
	return err
}

// ownerLane returns the lane of what goes to an account's notifyUrl. Lanes of webhooks have no tilde.
func ownerLane(account string) string { return notifyLane + "~" + account }

// ownerOf returns the account of an ownerLane, "" for any other lane.
func ownerOf(lane string) string {
	account, _ := strings.CutPrefix(lane, notifyLane+"~")
	if account == lane {
		return ""
	}
	return account
}

// isNotifyLane reports whether a lane's deliveries are notices to the operator or an owner.
func isNotifyLane(lane string) bool { return lane == notifyLane || ownerOf(lane) != "" }

// noticeTime returns when the entry of a notice was written, by the clock of Redis.
func noticeTime(n notice) time.Time {
	ms, _, _ := strings.Cut(n.id, "-")
	at, _ := strconv.ParseInt(ms, 10, 64)
	return time.UnixMilli(at).UTC()
}

// noticeJob returns the job of a notice. It is always the same for one entry, so that publishing it twice is recognised.
func noticeJob(tag string, n notice) string {
	sum := sha256.Sum256([]byte(tag + n.lane + n.id))
	var b [16]byte
	ms := uint64(noticeTime(n).UnixMilli())
	for i := range 6 {
		b[i] = byte(ms >> (40 - 8*i))
	}
	copy(b[6:], sum[:10])
	b[6], b[8] = b[6]&0x0f|0x70, b[8]&0x3f|0x80 // a UUIDv7, see RFC 9562
	return queue.NewJobID(b)
}

// notifier delivers to the operator's notify_url: signed, retried and logged like any webhook, and to any address but those of
// our own admin endpoint.
type notifier struct {
	meta      string
	transport http.RoundTripper
}

func (s *Sender) newNotifier() (n notifier, err error) {
	if s.c.NotifyURL == "" && s.c.NotifySlack == "" {
		return n, nil
	}
	n.transport = s.o.Transport
	if n.transport == nil {
		anywhere := &destination.Policy{AllowHTTP: true, AllowPrivate: true, Forbidden: s.o.Forbidden,
			Allow: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}}
		n.transport = destination.NewTransport(anywhere, destination.TransportOptions{})
	}
	if s.c.NotifyURL == "" {
		return n, nil
	}
	sealed, err := s.seal(notifyAccount, notifyLane, s.c.NotifySecret)
	if err != nil {
		return n, err
	}
	b, err := json.Marshal(meta{URL: s.c.NotifyURL, Account: notifyAccount, Secret: sealed})
	if err != nil {
		return n, fmt.Errorf("notify_url: %w", err)
	}
	n.meta = string(b)
	return n, nil
}

// ownerMeta returns the meta for notices to the owner of an account, as it is now; "" where the owner has no notifyUrl any more.
func (s *Sender) ownerMeta(ctx context.Context, account string) (string, error) {
	_, of, err := s.accountRecord(ctx, account)
	if err != nil || of.URL == "" {
		return "", err
	}
	text, err := json.Marshal(meta{URL: of.URL, Account: account, Secret: of.Secret})
	return string(text), err
}

// endpointFor returns the endpoint of a job.
func (s *Sender) endpointFor(j *queue.Job) (*endpoint, error) {
	if j.Lane != notifyLane {
		return s.endpoint(j.Lane, j.Meta)
	}
	if s.notify.meta == "" {
		return nil, errors.New("this process has no notify_url any more")
	}
	return s.endpoint(notifyLane, s.notify.meta)
}
