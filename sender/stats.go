package sender

import (
	"context"
	"sync"
	"time"

	"github.com/videocloud/webhooks/internal/destination"
	"github.com/videocloud/webhooks/internal/queue"
)

// QueueStats is how much there is to do, over all accounts and processes.
type QueueStats struct {
	Waiting  int `json:"waiting"`  // due, or waiting for their time
	InFlight int `json:"inFlight"` // being attempted
	// OldestDue is for how long the oldest delivery that could be attempted right now has been due. What waits for its own
	// webhook (paused, at its cap, at its rate) does not count: it says nothing about the sender.
	OldestDue time.Duration `json:"-"`
	// Senders is how many processes deliver, by their heartbeats in the store.
	Senders int `json:"senders"`
}

// statsKept is how long figures are returned again, so that frequent readers cost the store no more.
const statsKept = 2 * time.Second

// statsCache keeps the figures that were read last.
type statsCache struct {
	mu    sync.Mutex
	at    time.Time
	stats QueueStats
}

// QueueStats returns the figures of the queue, at most 2 s old. They cost two commands; on a cluster one for each shard and one
// more.
func (s *Sender) QueueStats(ctx context.Context) (QueueStats, error) {
	s.stats.mu.Lock()
	defer s.stats.mu.Unlock()
	if time.Since(s.stats.at) < statsKept {
		return s.stats.stats, nil
	}
	shards, err := s.store.Shards(ctx)
	if err != nil {
		return QueueStats{}, s.unavailable("check", err)
	}
	g, err := s.queue.Gauges(ctx, shards)
	if err != nil {
		return QueueStats{}, s.unavailable("stats", err)
	}
	senders, err := s.queue.Senders(ctx)
	if err != nil {
		return QueueStats{}, s.unavailable("stats", err)
	}
	s.stats.at, s.stats.stats = time.Now(), QueueStats{Waiting: g.Waiting, InFlight: g.InFlight, OldestDue: g.Late, Senders: senders}
	return s.stats.stats, nil
}

// Outcomes returns all outcomes of an attempt that an [Observer] may be told of.
func Outcomes() []string {
	outcomes := []string{outcomeSuccess, outcomeStatus, outcomeRedirect, outcomeRead, outcomeInternal, outcomePoison, outcomeToken}
	for _, k := range []destination.Kind{
		destination.KindBlocked, destination.KindDNS, destination.KindRefused, destination.KindConnect, destination.KindTLS,
		destination.KindProxy, destination.KindTimeout,
	} {
		outcomes = append(outcomes, string(k))
	}
	return outcomes
}

// AnyAccount stands for every account, where a method accepts that.
const AnyAccount = "*"

// Window is a stretch of time up to now, for which attempts are counted.
type Window string

// The windows: 60 buckets of a minute, 48 of half an hour, 56 of three hours.
const (
	WindowHour Window = "1h"
	WindowDay  Window = "24h"
	WindowWeek Window = "7d"
)

var windows = map[Window]queue.Window{WindowHour: queue.LastHour, WindowDay: queue.LastDay, WindowWeek: queue.LastWeek}

// Stats is the number of attempts by outcome over time, and what waits.
type Stats struct {
	Window        Window        // how far back they go
	BucketSeconds int           // 60, 1,800 or 10,800
	Buckets       []StatsBucket // oldest first, the empty ones too; the last one is under way
	Succeeded     int64         // attempts in all buckets
	Failed        int64         // the same
	Waiting       int           // deliveries that are due, or wait for their time
	// OldestDue is for how long the oldest of them has been due. What waits for its own webhook, paused or asked to hold back, is not due.
	OldestDue    time.Duration
	FilterErrors int // events on which the webhook's filter failed, since it was set; of one webhook only
}

// StatsBucket is what was attempted in one part of a window.
type StatsBucket struct {
	At                time.Time     // when it begins
	Succeeded, Failed int64         // attempts
	P50, P95          time.Duration // within which half and 95 in 100 of the attempts ended; nothing where there were none
}

func checkWindow(w Window) (queue.Window, error) {
	window, ok := windows[w]
	if !ok {
		return window, invalid("window", "window is 1h, 24h or 7d")
	}
	return window, nil
}

// WebhookStats returns the figures of one webhook.
func (s *Sender) WebhookStats(ctx context.Context, account, id string, w Window) (Stats, error) {
	window, err := checkWindow(w)
	if err != nil {
		return Stats{}, err
	}
	shard, r, err := s.record(ctx, account, id)
	if err != nil {
		return Stats{}, err
	}
	f, err := s.queue.LaneFigures(ctx, shard, r.Lane, window)
	return s.newStats(w, window, f, err)
}

// Stats returns the figures of an account, or of all accounts together where it is [AnyAccount].
func (s *Sender) Stats(ctx context.Context, account string, w Window) (Stats, error) {
	window, err := checkWindow(w)
	if err != nil {
		return Stats{}, err
	}
	if account == AnyAccount {
		return s.allStats(ctx, w, window)
	}
	shard, err := s.shard(ctx, account)
	if err != nil {
		return Stats{}, err
	}
	f, err := s.queue.AccountFigures(ctx, shard, account, window)
	return s.newStats(w, window, f, err)
}

func (s *Sender) allStats(ctx context.Context, w Window, window queue.Window) (Stats, error) {
	shards, err := s.store.Shards(ctx)
	if err != nil {
		return Stats{}, s.unavailable("check", err)
	}
	f, err := s.queue.AllFigures(ctx, shards, window)
	if err == nil {
		var g queue.Gauges
		g, err = s.queue.Gauges(ctx, shards)
		f.Waiting, f.OldestDue = g.Waiting, g.Late
	}
	return s.newStats(w, window, f, err)
}

// newStats makes the figures of a window of what the store answered.
func (s *Sender) newStats(w Window, window queue.Window, f queue.Figures, err error) (Stats, error) {
	if err != nil {
		return Stats{}, s.unavailable("stats", err)
	}
	stats := Stats{
		Window: w, BucketSeconds: int(window.Bucket / time.Second), Buckets: make([]StatsBucket, len(f.Buckets)),
		Waiting: f.Waiting, OldestDue: f.OldestDue, FilterErrors: f.FilterErrors,
	}
	for i, b := range f.Buckets {
		stats.Buckets[i] = StatsBucket(b)
		stats.Succeeded += b.Succeeded
		stats.Failed += b.Failed
	}
	return stats, nil
}
