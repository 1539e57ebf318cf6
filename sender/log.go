package sender

import (
	"context"
	"log/slog"
	"time"

	"github.com/videocloud/webhooks/internal/queue"
	"github.com/videocloud/webhooks/internal/sample"
)

// logAttempt writes the one log line of an attempt, and tells the watcher of it.
func (s *Sender) logAttempt(ctx context.Context, j *queue.Job, p *payload, number int, r *result, state State, delay time.Duration) {
	if w := s.o.Watcher; w != nil && w.Watching() {
		w.Attempted(s.newAttemptInfo(j, p, number, r, state, delay))
	}
	level, lines := slog.LevelWarn, &s.lines.failures
	if r.success() {
		level, lines = slog.LevelInfo, &s.lines.successes
	}
	if !s.log.Enabled(ctx, level) {
		return
	}
	leftOut, ok := lines.Allow(time.Now())
	if !ok {
		return
	}
	attrs := append(s.deliveryAttrs(j, p), slog.Int("attempt", number), slog.String("outcome", r.outcome), slog.Int("status", r.status),
		slog.Duration("duration", r.took), slog.String("state", string(state)))
	if r.err != "" {
		attrs = append(attrs, slog.String("error", r.err))
	}
	if r.cause != nil {
		attrs = append(attrs, slog.Any("cause", r.cause))
	}
	if state == StateRetrying {
		attrs = append(attrs, slog.Duration("next_attempt_in", delay))
	}
	s.log.LogAttrs(ctx, level, "delivery.attempted", withLeftOut(attrs, leftOut)...)
}

// recordEnd counts a delivery that ended, and logs it where it failed. r is nil where it ended without an attempt.
func (s *Sender) recordEnd(ctx context.Context, j *queue.Job, p *payload, state State, reason string, r *result) {
	s.o.Observer.Delivery(state)
	if state != StateFailed {
		return
	}
	leftOut, ok := s.lines.ended.Allow(time.Now())
	if !ok {
		return
	}
	attempts := j.Attempts
	if r != nil {
		attempts++
	}
	attrs := append(s.deliveryAttrs(j, p), slog.Int("attempts", attempts), slog.String("reason", reason))
	if r != nil {
		attrs = append(attrs, slog.String("last_error", r.err), slog.Int("last_status", r.status))
	}
	s.log.LogAttrs(ctx, slog.LevelWarn, "delivery.failed", withLeftOut(attrs, leftOut)...)
}

// recordRefused counts and logs the deliveries of a new event that failed at once, as their webhooks accept none.
func (s *Sender) recordRefused(ctx context.Context, q *queue.Event, a queue.Pushed) {
	for _, r := range a.Refused {
		p := payload{eventID: q.ID, eventType: q.Type}
		p.traceparent, _ = traceOf(ctx)
		s.recordEnd(ctx, &queue.Job{Lane: r.Lane, ID: a.Job}, &p, StateFailed, r.Reason, nil)
	}
}

// recordExpired counts and logs deliveries that waited longer than max_age.
func (s *Sender) recordExpired(e queue.Expired) {
	for range e.Count {
		s.o.Observer.Delivery(StateFailed)
	}
	s.log.Warn("delivery.failed", "webhook_id", webhookPrefix+e.Lane, "deliveries", e.Count, "reason", ReasonExpired)
}

// recordCancelled counts and logs the deliveries that were cancelled with their webhook.
func (s *Sender) recordCancelled(ctx context.Context, lane string, n int) {
	for range n {
		s.o.Observer.Delivery(StateCancelled)
	}
	s.log.InfoContext(ctx, "deliveries of a deleted webhook are cancelled", "webhook_id", webhookPrefix+lane, "deliveries", n)
}

// logLines limits the rate of log lines, each kind by itself.
type logLines struct{ successes, failures, ended sample.Lines }

func withLeftOut(attrs []slog.Attr, leftOut int64) []slog.Attr {
	if leftOut > 0 {
		attrs = append(attrs, slog.Int64("left_out", leftOut))
	}
	return attrs
}

func (s *Sender) deliveryAttrs(j *queue.Job, p *payload) []slog.Attr {
	attrs := []slog.Attr{
		slog.String("webhook_id", webhookPrefix+j.Lane), slog.String("delivery_id", deliveryID(j.Lane, j.ID)),
		slog.String("event_id", p.eventID), slog.String("event", p.eventType),
	}
	if id := p.traceID(); id != "" {
		attrs = append(attrs, slog.String("trace_id", id))
	}
	return attrs
}

// Watcher is told of each attempt of this process as it ends. Its methods must not block.
type Watcher interface {
	// Watching reports whether anybody wants to know. Attempted is called only then.
	Watching() bool
	// Attempted is one attempt that ended.
	Attempted(a AttemptInfo)
}

// AttemptInfo is an attempt with the IDs of what it belongs to. It holds no secret, signature or body.
type AttemptInfo struct {
	At         time.Time `json:"at"` // its end
	Account    string    `json:"account"`
	WebhookID  string    `json:"webhookId"`
	DeliveryID string    `json:"deliveryId"`
	EventID    string    `json:"eventId"`
	Type       string    `json:"event"`
	Number     int       `json:"attempt"`
	Outcome    string    `json:"outcome"` // success, or the kind of the failure
	StatusCode int       `json:"statusCode,omitempty"`
	Error      string    `json:"error,omitempty"`
	DurationMS int64     `json:"durationMs"`
	State      State     `json:"state"` // of the delivery, now
	NextInMS   int64     `json:"nextAttemptInMs,omitempty"`
	TraceID    string    `json:"traceId,omitempty"`
}

func (s *Sender) newAttemptInfo(j *queue.Job, p *payload, number int, r *result, state State, delay time.Duration) AttemptInfo {
	a := AttemptInfo{
		At: time.Now().UTC(), WebhookID: webhookPrefix + j.Lane, DeliveryID: deliveryID(j.Lane, j.ID), EventID: p.eventID, Type: p.eventType,
		Number: number, Outcome: r.outcome, StatusCode: r.status, Error: r.err, DurationMS: r.took.Milliseconds(), State: state, TraceID: p.traceID(),
	}
	if state == StateRetrying {
		a.NextInMS = delay.Milliseconds()
	}
	if e, err := s.endpointFor(j); err == nil {
		a.Account = e.account
	}
	return a
}
