package sender

import (
	"cmp"
	"math"
	"time"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/queue"
)

// scheduleOf fills in what a webhook has not set of its own: when attempts are made, and how long each may take.
func (s *Sender) scheduleOf(retry []time.Duration, timeout time.Duration) ([]time.Duration, time.Duration) {
	if len(retry) == 0 {
		retry = s.c.Retry
	}
	return retry, cmp.Or(timeout, s.c.Timeout)
}

// retryOf is the retry table of a job's webhook, as of its claim.
func (s *Sender) retryOf(j *queue.Job) []time.Duration {
	if e, err := s.endpointOf(j); err == nil {
		return e.retry
	}
	return s.c.Retry // what can't be read can't be attempted either
}

// attemptsOf is how many attempts a webhook with these settings gets.
func (s *Sender) attemptsOf(v *Settings) int {
	if len(v.Retry) > 0 {
		return len(v.Retry)
	}
	return len(s.c.Retry)
}

// checkRetry refuses a table, or a timeout with it, whose last attempt could come after the delivery has expired.
func (s *Sender) checkRetry(field string, v *Settings) error {
	var m meta
	m.set(v)
	for _, d := range m.Retry {
		if d < 0 {
			return invalid(field, "a delay of retry can't be negative")
		}
	}
	retry, timeout := s.scheduleOf(m.Retry, m.Timeout)
	takes := config.RetrySpan(retry, timeout)
	if takes < s.c.MaxAge {
		return nil
	}
	away := "so far"
	if takes < math.MaxInt64 {
		away = config.FormatDuration(takes)
	}
	return invalid(field, "the last attempt of retry could be %s away, with every one before it taking up its timeout, and a delivery fails as expired after %s (max_age); shorten retry or timeout",
		away, config.FormatDuration(s.c.MaxAge))
}
