package sender

import (
	"cmp"
	"math"
	"time"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/queue"
)

// effectiveSchedule returns the retry table and the timeout of a webhook: its own, else those of the configuration.
func (s *Sender) effectiveSchedule(retry []time.Duration, timeout time.Duration) ([]time.Duration, time.Duration) {
	if len(retry) == 0 {
		retry = s.c.Retry
	}
	return retry, cmp.Or(timeout, s.c.Timeout)
}

// retryTable returns the retry table of a job's webhook, as of its claim.
func (s *Sender) retryTable(j *queue.Job) []time.Duration {
	if e, err := s.endpointFor(j); err == nil {
		return e.retry
	}
	return s.c.Retry // a meta that can't be read can't be attempted either
}

// checkRetry refuses a retry table and a timeout with which the last attempt could come after the delivery has expired.
func (s *Sender) checkRetry(field string, v *Settings) error {
	var m meta
	m.setFrom(v)
	for _, d := range m.Retry {
		if d < 0 {
			return invalid(field, "a delay of retry can't be negative")
		}
	}
	retry, timeout := s.effectiveSchedule(m.Retry, m.Timeout)
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
