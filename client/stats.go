package client

import (
	"context"
	"net/url"
	"time"
)

// Window is the length of a period that ends now.
type Window string

// The windows of [Stats].
const (
	WindowHour Window = "1h"
	WindowDay  Window = "24h"
	WindowWeek Window = "7d"
)

// Stats are the attempts by outcome over time, and how much waits.
type Stats struct {
	Window           Window        `json:"window"`
	BucketSeconds    int           `json:"bucketSeconds"`
	Buckets          []StatsBucket `json:"buckets"` // oldest first, also those without attempts; the last one has not ended yet
	Totals           StatsTotals   `json:"totals"`
	Waiting          int           `json:"waiting"`
	OldestDueSeconds float64       `json:"oldestDueSeconds"`       // for how long the oldest delivery has been due that could be attempted now
	FilterErrors     int           `json:"filterErrors,omitempty"` // of one webhook: events that its filter failed on, since it was set; they were delivered
}

// StatsBucket is what was attempted in one part of a window.
type StatsBucket struct {
	At        time.Time `json:"at"` // when it begins
	Succeeded int64     `json:"succeeded"`
	Failed    int64     `json:"failed"`
	P50MS     *int64    `json:"p50Ms"` // half of the attempts ended within so many milliseconds; nil where there were none
	P95MS     *int64    `json:"p95Ms"` // and 95 in 100 of them
}

// StatsTotals are the attempts in all buckets.
type StatsTotals struct {
	Succeeded int64 `json:"succeeded"`
	Failed    int64 `json:"failed"`
}

// StatsAPI reads statistics. Get it from [Client.Stats].
type StatsAPI struct{ c *Client }

// Get returns the statistics of the client's account or, with a key of every account and without [WithAccount], of all accounts. An empty
// window is a day.
func (s *StatsAPI) Get(ctx context.Context, w Window) (Stats, error) {
	return get[Stats](ctx, s.c, w.query(), "stats")
}

// Stats returns the statistics of one webhook. An empty window is a day.
func (w *Webhooks) Stats(ctx context.Context, id string, window Window) (Stats, error) {
	return get[Stats](ctx, w.c, window.query(), "webhooks", id, "stats")
}

func (w Window) query() url.Values {
	if w == "" {
		return nil
	}
	return url.Values{"window": {string(w)}}
}
