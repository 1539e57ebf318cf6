package api

import (
	"time"

	"github.com/videocloud/webhooks/sender"
)

// stats is the number of attempts by outcome over time, in answers.
type stats struct {
	Window        sender.Window `json:"window" enum:"1h,24h,7d"`
	BucketSeconds int           `json:"bucketSeconds" doc:"60, 1800 or 10800."`
	Buckets       []statsBucket `json:"buckets" doc:"Oldest first, the empty ones too: 60, 48 or 56. The last one is under way."`
	Totals        statsTotals   `json:"totals"`
	Waiting       int           `json:"waiting" doc:"Deliveries that wait, due or for their time."`
	OldestDue     float64       `json:"oldestDueSeconds" doc:"For how long the oldest delivery has been due that could be attempted now; 0 where none is."`
	FilterErrors  int           `json:"filterErrors,omitempty" doc:"Of one webhook: events that its filter failed on, since it was set. They were delivered."`
}

type statsBucket struct {
	At        seconds `json:"at" doc:"When it begins."`
	Succeeded int64   `json:"succeeded"`
	Failed    int64   `json:"failed"`
	P50       *int64  `json:"p50Ms" null:"yes" doc:"Half of the attempts ended within so many milliseconds; null where there were none."`
	P95       *int64  `json:"p95Ms" null:"yes" doc:"95 in 100 of the attempts ended within so many milliseconds; null where there were none."`
}

type statsTotals struct {
	Succeeded int64 `json:"succeeded"`
	Failed    int64 `json:"failed"`
}

func statsOf(s sender.Stats) stats {
	a := stats{
		Window: s.Window, BucketSeconds: s.BucketSeconds, Buckets: make([]statsBucket, len(s.Buckets)),
		Totals: statsTotals{s.Succeeded, s.Failed}, Waiting: s.Waiting, OldestDue: s.OldestDue.Truncate(time.Millisecond).Seconds(), FilterErrors: s.FilterErrors,
	}
	for i, b := range s.Buckets {
		a.Buckets[i] = statsBucket{At: seconds(b.At), Succeeded: b.Succeeded, Failed: b.Failed}
		if b.Succeeded+b.Failed > 0 {
			p50, p95 := b.P50.Milliseconds(), b.P95.Milliseconds()
			a.Buckets[i].P50, a.Buckets[i].P95 = &p50, &p95
		}
	}
	return a
}

// getStats answers for the account; for all of them where a key of every account names none; for one webhook where the token is
// for that.
func (c *call) getStats() (stats, error) {
	if own := c.caller.webhookID; own != "" {
		c.id = own
		return c.getWebhookStats()
	}
	return converted(statsOf)(c.Service.Stats(c.r.Context(), c.accountOrAny(), c.query.window))
}

func (c *call) getWebhookStats() (stats, error) {
	return converted(statsOf)(c.Service.WebhookStats(c.r.Context(), c.account, c.id, c.query.window))
}
