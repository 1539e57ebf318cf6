package sender

import (
	"context"
	"sync"
	"time"

	"github.com/videocloud/webhooks/internal/destination"
)

// QueueStats says how much there is to do, over all accounts and processes.
type QueueStats struct {
	Waiting  int `json:"waiting"`  // due, or waiting for their time
	InFlight int `json:"inFlight"` // being attempted
	// OldestDue is for how long the oldest delivery that could be attempted right now has been due. What waits for its own
	// webhook (paused, at its cap, at its rate) does not count: it says nothing about the sender.
	OldestDue time.Duration `json:"-"`
	// Senders is how many processes deliver, by their heartbeats in the store.
	Senders int `json:"senders"`
}

// statsKept is for how long figures are given out again: scrapers and people cost no more than that.
const statsKept = 2 * time.Second

// statsCache keeps the last figures.
type statsCache struct {
	mu    sync.Mutex
	at    time.Time
	stats QueueStats
}

// QueueStats asks the store, in two commands (in a cluster one for each shard, and one), or gives out figures of the last 2 s.
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

// Outcomes are those that an [Observer] may be told of an attempt.
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
