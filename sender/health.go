package sender

import (
	"context"
	"time"

	"github.com/videocloud/webhooks/internal/queue"
)

// Health says whether a sender does its work.
type Health struct {
	// Store is what is wrong with the store: unreachable, or not safe to use. Nil where it is well.
	Store error
	// Delivers is whether this process is meant to deliver: it was started, and not with deliver off.
	Delivers bool
	// Alive is whether its dispatcher had an answer of the store lately. False where Delivers is.
	Alive bool
	// LastRound is when that was. Zero: never.
	LastRound time.Time
	// InFlight is the number of attempts in flight in this process.
	InFlight int
	// Queue are figures over all processes. Nil where the store can't be asked.
	Queue *QueueStats
}

// aliveWithin is how long a dispatcher may go without an answer of the store. An idle one asks every 15 s.
const aliveWithin = 45 * time.Second

// Abandoned reports whether deliveries wait and no process delivers.
func (h *Health) Abandoned() bool {
	return h.Queue != nil && !h.Alive && h.Queue.Senders == 0 && h.Queue.Waiting+h.Queue.InFlight > 0
}

// Healthy reports whether nothing is wrong.
func (h *Health) Healthy() bool { return h.Store == nil && (h.Alive || !h.Delivers) && !h.Abandoned() }

// Health looks at the store and at the dispatcher.
func (s *Sender) Health(ctx context.Context) Health {
	h := Health{Store: s.store.Check(ctx), LastRound: s.dispatcher.LastRound(), InFlight: s.dispatcher.InFlight()}
	if began := s.began.Load(); began > 0 {
		last := time.UnixMilli(began)
		if h.LastRound.After(last) {
			last = h.LastRound
		}
		h.Delivers, h.Alive = true, time.Since(last) < aliveWithin
	}
	if h.Store == nil {
		if stats, err := s.QueueStats(ctx); err == nil {
			h.Queue = &stats
		}
	}
	return h
}

// Slots is how many attempts this process has in flight, and how many it may have right now.
func (s *Sender) Slots() (taken, all int) { return s.dispatcher.InFlight(), s.dispatcher.Slots() }

const (
	heartbeatEvery = 5 * time.Second
	// heartbeatCounts is for how long a process counts as delivering after its last heartbeat.
	heartbeatCounts = 20 * time.Second
)

// beat notes in the store that this process delivers, until ctx ends. So every other process, and its health, knows
// whether what is published will be delivered by anybody.
func (s *Sender) beat(ctx context.Context) {
	process := queue.NewJobID(newUUID())
	tick := time.NewTimer(0)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.store.Timeout())
			defer cancel()
			_, _ = s.queue.Heartbeat(ctx, process, 0) // it would end by itself
			return
		case <-tick.C:
			if _, err := s.queue.Heartbeat(ctx, process, heartbeatCounts); err != nil && ctx.Err() == nil {
				s.o.Observer.StoreError("heartbeat")
			}
			tick.Reset(heartbeatEvery)
		}
	}
}

// Installation returns the random name that the store keeps: the same for all processes on one store, another for
// every other store. Deliveries carry it, so that an API recognises events that its own deliveries publish.
func (s *Sender) Installation(ctx context.Context) (string, error) {
	name, err := s.store.Installation(ctx)
	if err != nil {
		return "", s.unavailable("check", err)
	}
	return name, nil
}
