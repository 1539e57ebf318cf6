package sender

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Explanation is everything that the store holds about an event or a delivery but the payload, for the operator.
type Explanation struct {
	Account   string    `json:"account"`
	EventID   string    `json:"eventId"`
	Type      string    `json:"event"`
	Timestamp time.Time `json:"timestamp"`
	Size      int       `json:"size,omitempty"` // bytes of the body; 0 once the payload has expired
	// KeptUntil is when the payload expires, unless it is sent again. Nil where it has expired.
	KeptUntil  *time.Time          `json:"keptUntil,omitempty"`
	TraceID    string              `json:"traceId,omitempty"`
	Deliveries []ExplainedDelivery `json:"deliveries"`
}

// ExplainedDelivery is a delivery with its webhook, and sentences about its state and what comes next.
type ExplainedDelivery struct {
	Delivery
	Webhook *WebhookInfo `json:"webhook,omitempty"` // nil where it was deleted
	Says    []string     `json:"says"`
}

// Explain explains what became of an event, or of one delivery, and what comes next.
func (s *Sender) Explain(ctx context.Context, account, id string) (Explanation, error) {
	deliveries, event, err := s.explainedDeliveries(ctx, account, id)
	if err != nil {
		return Explanation{}, err
	}
	x := Explanation{Account: account, EventID: event.ID, Type: event.Type, Timestamp: event.Timestamp, Deliveries: []ExplainedDelivery{}}
	shard, err := s.shard(ctx, account)
	if err != nil {
		return Explanation{}, err
	}
	if err := s.explainPayload(ctx, shard, &x, deliveries, len(event.Deliveries)); err != nil {
		return Explanation{}, err
	}
	for _, d := range deliveries {
		explained := ExplainedDelivery{Delivery: d}
		w, err := s.Webhook(ctx, account, d.WebhookID)
		if err == nil {
			infos, err := s.webhookInfos(ctx, shard, account, []Webhook{w})
			if err != nil {
				return Explanation{}, err
			}
			explained.Webhook = &infos[0]
		} else if !errors.Is(err, errNotFound) {
			return Explanation{}, err
		}
		explained.Says = s.explainState(&explained, x.KeptUntil)
		x.Deliveries = append(x.Deliveries, explained)
	}
	return x, nil
}

// explainedDeliveries returns all deliveries of an event, or the one that id names, with the event.
func (s *Sender) explainedDeliveries(ctx context.Context, account, id string) ([]Delivery, EventRecord, error) {
	only := ""
	if _, _, ok := parseDeliveryID(id); ok {
		d, err := s.Delivery(ctx, account, id)
		if err != nil {
			return nil, EventRecord{}, err
		}
		only, id = d.ID, d.EventID
	}
	event, err := s.Event(ctx, account, id)
	if err != nil {
		return nil, EventRecord{}, err
	}
	deliveries := event.Deliveries
	if only != "" {
		deliveries = slices.DeleteFunc(deliveries, func(d Delivery) bool { return d.ID != only })
	}
	return deliveries, event, nil
}

// explainPayload adds to x the size and the expiry of the payload, and the ID of the trace.
func (s *Sender) explainPayload(ctx context.Context, shard int, x *Explanation, ds []Delivery, lanes int) error {
	if len(ds) == 0 {
		return nil // an event without subscribers is not kept
	}
	_, job, _ := parseDeliveryID(ds[0].ID)
	body, left, err := s.queue.Payload(ctx, shard, job)
	if err != nil {
		return s.unavailable("read", err)
	}
	p, ok := decodePayload(body, job)
	if !ok {
		return nil
	}
	x.Size, x.TraceID = p.size(), p.traceID()
	if left > 0 {
		until := time.Now().Add(left).UTC()
		if end, ok := lastSuccess(ds); ok && lanes == 1 { // the expiry of its key is only a safety net, see settle.lua
			if kept := end.Add(s.c.RetentionSucceeded); kept.Before(until) {
				until = kept
			}
		}
		until = until.Truncate(time.Second)
		x.KeptUntil = &until
	}
	return nil
}

// lastSuccess returns when the last of some deliveries succeeded. ok is false where one did not. Where the history has no attempt
// left it returns now, the latest time that it can have been.
func lastSuccess(ds []Delivery) (end time.Time, ok bool) {
	for _, d := range ds {
		if d.State != StateSucceeded {
			return end, false
		}
		if len(d.Attempts) == 0 {
			return time.Now(), true
		}
		last := d.Attempts[len(d.Attempts)-1]
		if at := last.At.Add(time.Duration(last.DurationMS) * time.Millisecond); at.After(end) {
			end = at
		}
	}
	return end, true
}

// explainState describes the state of a delivery and what comes next.
func (s *Sender) explainState(d *ExplainedDelivery, keptUntil *time.Time) []string {
	switch d.State {
	case StateSucceeded:
		if n := len(d.Attempts); n > 0 {
			last := d.Attempts[n-1]
			return []string{fmt.Sprintf("delivered: attempt %d was answered %d after %d ms", last.Number, last.StatusCode, last.DurationMS)}
		}
		return []string{"delivered; its attempts are no longer in the history (history)"}
	case StateCancelled:
		return []string{"cancelled: its webhook was deleted"}
	case StateFailed:
		return s.explainFailed(d, keptUntil)
	default:
		return s.explainOpen(d)
	}
}

// reasonTexts describes the reasons of deliveries that failed without a last attempt.
var reasonTexts = map[string]string{
	ReasonBacklog:  "failed at once: the webhook had max_pending deliveries waiting, or its account max_pending_account",
	ReasonDisabled: "failed at once: the webhook was disabled",
	ReasonExpired:  "failed: it waited longer than max_age",
	ReasonGone:     "failed: the endpoint answered 410, which disabled the webhook",
	ReasonPoison:   "failed: three processes in a row died while attempting it; their logs may say why",
}

func (s *Sender) explainFailed(d *ExplainedDelivery, keptUntil *time.Time) []string {
	says := []string{reasonTexts[d.Reason]}
	if says[0] == "" {
		says[0] = "failed: every attempt of the retry table did"
		if n := len(d.Attempts); n > 0 {
			says[0] += ", the last because it " + attemptProblem(&d.Attempts[n-1])
		}
	}
	switch {
	case keptUntil == nil:
		return append(says, "its payload has expired: publish the event again")
	case d.Webhook == nil:
		return append(says, "its webhook was deleted: it can't be sent again")
	}
	return append(says, "it can be sent again until "+keptUntil.Format(time.RFC3339)+": caddy webhook retry "+d.ID)
}

func attemptProblem(a *Attempt) string {
	if a.StatusCode != 0 {
		return "was answered " + strconv.Itoa(a.StatusCode)
	}
	return "got no answer (" + a.Error + ")"
}

func (s *Sender) explainOpen(d *ExplainedDelivery) []string {
	next, of := 1, len(s.c.Retry)
	if d.Webhook != nil {
		of = cmp.Or(len(d.Webhook.Retry), of)
	}
	var says []string
	if n := len(d.Attempts); n > 0 && d.State == StateRetrying {
		last := &d.Attempts[n-1]
		next = last.Number + 1
		says = append(says, fmt.Sprintf("attempt %d of %d failed: it %s", last.Number, of, attemptProblem(last)))
	}
	number := fmt.Sprintf("attempt %d of %d", next, of)
	switch {
	case d.underWay:
		return append(says, number+" is under way")
	case d.Webhook == nil:
		return append(says, "its webhook was deleted: it is about to be cancelled")
	case d.Webhook.Status == StatusPaused:
		return append(says, "its owner paused the webhook: it goes out on resume")
	case d.Webhook.Status == StatusDisabled:
		return append(says, "the webhook is disabled: it goes out when its owner makes it active")
	}
	if d.NextAttemptAt == nil {
		return says // its webhook was paused a moment ago
	}
	if wait := time.Until(*d.NextAttemptAt); wait > 0 {
		return append(says, fmt.Sprintf("%s is due in %s, at %s", number, wait.Round(time.Second), d.NextAttemptAt.Format(time.RFC3339)))
	}
	says = append(says, fmt.Sprintf("%s has been due for %s", number, time.Since(d.due).Round(time.Second)))
	if d.Webhook.InFlight > 0 || d.Webhook.RateLimit > 0 {
		return append(says, fmt.Sprintf("it waits for its turn: %d of its webhook are in flight and %d wait", d.Webhook.InFlight, d.Webhook.Waiting))
	}
	return append(says, "nobody has taken it yet: does a process with a sender run? See caddy webhook stats")
}
