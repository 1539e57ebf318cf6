package receiver

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/videocloud/webhooks/internal/queue"
	"github.com/videocloud/webhooks/internal/sample"
)

// queueLines sample a queue's log lines, each kind by itself, so that a flood of one hides no other.
type queueLines struct{ successes, failures, dead sample.Lines }

// QueueAttempt is an attempt to bring an event to its app, or events that were given up without one.
type QueueAttempt struct {
	ID, Event string
	Number    int    // 1 is the first; 0 without an attempt
	Status    int    // what the app answered; 0 where it did not
	Outcome   string // succeeded, retrying or failed
	Error     string
	Took      time.Duration
	Next      time.Duration // until the next attempt
	Count     int           // how many events waited too long; 0 for an attempt
}

// attempted is an attempt that ended, with what only the log tells of it.
type attempted struct {
	QueueAttempt
	traceparent string
	err         error
}

// logAttempt writes one log line for an attempt, and another where the event is given up.
func (q *Queue) logAttempt(ctx context.Context, a *attempted) {
	level, lines := slog.LevelInfo, &q.lines.successes
	if a.err != nil {
		level, lines = slog.LevelWarn, &q.lines.failures
	}
	q.logLine(ctx, level, lines, "delivery.attempted", a, slog.Int("attempt", a.Number), slog.Duration("duration", a.Took))
	if a.Outcome == outcomeFailed {
		q.logLine(ctx, slog.LevelWarn, &q.lines.dead, "delivery.failed", a, slog.Int("attempts", a.Number))
	}
}

func (q *Queue) logLine(ctx context.Context, level slog.Level, lines *sample.Lines, message string, a *attempted, more ...slog.Attr) {
	if !q.log.Enabled(ctx, level) {
		return
	}
	leftOut, ok := lines.Allow(time.Now())
	if !ok {
		return
	}
	attrs := append(make([]slog.Attr, 0, 12), slog.String("webhook_name", q.o.Name), slog.String("event_id", a.ID),
		slog.String("event", a.Event), slog.String("outcome", a.Outcome))
	if q.o.Delivery != "" {
		attrs = append(attrs, slog.String("deliver", q.o.Delivery))
	}
	attrs = append(attrs, more...)
	// The trace ID is the second field of the traceparent that came with the request.
	if parts := strings.Split(a.traceparent, "-"); len(parts) == 4 && len(parts[1]) == 32 {
		attrs = append(attrs, slog.String("trace_id", parts[1]))
	}
	if a.err != nil {
		attrs = append(attrs, slog.Any("error", a.err))
	}
	if a.Next > 0 {
		attrs = append(attrs, slog.Duration("next_attempt_in", a.Next))
	}
	if leftOut > 0 {
		attrs = append(attrs, slog.Int64("left_out", leftOut))
	}
	q.log.LogAttrs(ctx, level, message, attrs...)
}

// aliveWithin is the longest time that a queue's workers may go without an answer of the store. Idle ones ask every 15 s.
const aliveWithin = 45 * time.Second

// Alive reports whether the workers had an answer of the store, or were started, within the last 45 s. It is false for a
// queue that was not started.
func (q *Queue) Alive() bool {
	began := q.began.Load()
	return began > 0 && time.Since(time.UnixMilli(max(began, q.dispatcher.LastRound().UnixMilli()))) < aliveWithin
}

// unreadable reports a stored event that no version of this program wrote.
func (q *Queue) unreadable(j *queue.Job, err error) {
	q.log.Error("delivery.failed", "webhook_name", q.o.Name, "job", j.ID, "error", err)
	q.o.Observe(QueueAttempt{Number: j.Attempts + 1, Outcome: outcomeFailed, Error: err.Error()})
}

// expired reports events that waited too long.
func (q *Queue) expired(e queue.Expired) {
	q.log.Warn("delivery.failed", "webhook_name", q.o.Name, "deliver", q.o.Delivery, "outcome", outcomeFailed, "error", queue.ReasonExpired, "count", e.Count)
	q.o.Observe(QueueAttempt{Outcome: outcomeFailed, Error: "expired: they waited too long", Count: e.Count})
}
