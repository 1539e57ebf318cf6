package receiver

import (
	"context"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/videocloud/webhooks/internal/sample"
)

// The values of [Outcome.Result]. The result of a refused request is its Reason.
const (
	ResultAccepted  = "accepted"  // the app answered 2xx
	ResultFailed    = "failed"    // the app gave another answer or none, and the claim was released
	ResultQueued    = "queued"    // accepted, to be delivered later
	ResultDuplicate = "duplicate" // the event was finished before
	ResultChallenge = "challenge" // a provider's set-up request, answered
)

// Outcome describes a request and its result. It holds no secret, signature or body.
type Outcome struct {
	Name      string // of the receiver
	Scheme    string
	ID        string // the event ID, empty where there is none
	Event     string // the event type, empty where the scheme knows none
	Timestamp string // as the sender wrote it
	Key       string // of the event in the store of claims, see [Key.String]
	// Result is one of the Result constants, or the Reason of a refusal. While the app works, it is
	// ResultAccepted.
	Result string
	// Error is the Reason of a refusal, empty otherwise. In a dry run it is the Reason of the refusal that was ignored.
	Error string
	// Cause is the error of a request that was refused or failed, for operators. It may quote errors of the app's side.
	Cause     error
	Duplicate bool // the event was finished before
	Verified  bool // the signature was verified
	DryRun    bool
	Secret    int // index of the secret that matched
	Status    int // of the answer; 0 where it is not known
	Duration  time.Duration
}

type outcomeKey struct{}

// FromContext returns the outcome so far, for a handler behind the receiver, or nil where there is no receiver.
// It must not be changed.
func FromContext(ctx context.Context) *Outcome {
	o, _ := ctx.Value(outcomeKey{}).(*Outcome)
	return o
}

// detached is a request's context that is never cancelled, so that a sender that hangs up does not cancel the
// app's work. It holds the outcome as well, which saves an allocation.
type detached struct {
	context.Context
	outcome *Outcome
}

func (d *detached) Deadline() (time.Time, bool) { return time.Time{}, false }
func (d *detached) Done() <-chan struct{}       { return nil }
func (d *detached) Err() error                  { return nil }

func (d *detached) Value(key any) any {
	if _, ok := key.(outcomeKey); ok {
		return d.outcome
	}
	return d.Context.Value(key)
}

// lines sample the log lines of each level by itself, so that a flood of refusals does not hide an outage.
type lines struct{ info, warn, err sample.Lines }

func (l *lines) of(level slog.Level) *sample.Lines {
	switch {
	case level >= slog.LevelError:
		return &l.err
	case level >= slog.LevelWarn:
		return &l.warn
	default:
		return &l.info
	}
}

// level returns the level of a request's log line. Refusals are warnings, so that operators see what senders get.
func (o *Outcome) level() slog.Level {
	switch {
	case o.Error == ReasonStore, o.Error == ReasonQueueFull, o.Error == ReasonNoApp:
		return slog.LevelError
	case o.Error != "" && o.Error != ReasonInFlight, o.Result == ResultFailed:
		return slog.LevelWarn
	default:
		return slog.LevelInfo
	}
}

// report writes the request's one log line and tells the observer.
func (r *Receiver) report(ctx context.Context, o *Outcome, err error) {
	o.Cause = err
	if level := o.level(); r.log.Enabled(ctx, level) {
		if leftOut, ok := r.lines.of(level).Allow(r.now()); ok {
			r.log.LogAttrs(ctx, level, "webhook.received", o.attrs(ctx, err, leftOut)...)
		}
	}
	if r.observe != nil {
		r.observe(*o)
	}
}

func (o *Outcome) attrs(ctx context.Context, err error, leftOut int64) []slog.Attr {
	attrs := append(make([]slog.Attr, 0, 12),
		slog.String("webhook_name", o.Name),
		slog.String("webhook_outcome", o.Result),
		slog.String("event_id", o.ID),
		slog.String("event", o.Event),
		slog.String("scheme", o.Scheme),
		slog.String("key", o.Key),
		slog.Int("status", o.Status),
		slog.Bool("dry_run", o.DryRun),
		slog.Duration("duration", o.Duration),
	)
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		attrs = append(attrs, slog.String("trace_id", span.TraceID().String()))
	}
	if leftOut > 0 {
		attrs = append(attrs, slog.Int64("left_out", leftOut))
	}
	if err != nil {
		attrs = append(attrs, slog.Any("error", err))
	}
	return attrs
}
