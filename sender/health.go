package sender

import (
	"context"
	"time"

	"github.com/videocloud/webhooks/internal/queue"
)

// Health is the state of a sender.
type Health struct {
	// Store is the failure of the store: it is unreachable, or not safe to use. Nil where it is well.
	Store error
	// Delivers reports whether this process should deliver: it was started, and without deliver off.
	Delivers bool
	// Alive reports whether the dispatcher of this process had an answer of the store in the last 45 s. False where Delivers is
	// false.
	Alive bool
	// LastRound is the time of that answer; zero where there was none.
	LastRound time.Time
	// InFlight is the number of attempts in flight in this process.
	InFlight int
	// Queue has the figures of all processes together. Nil where the store can't be asked.
	Queue *QueueStats
}

// livenessTimeout is how long a dispatcher may go without an answer of the store. An idle one asks every 15 s.
const livenessTimeout = 45 * time.Second

// Abandoned reports whether deliveries wait although no process delivers.
func (h *Health) Abandoned() bool {
	return h.Queue != nil && !h.Alive && h.Queue.Senders == 0 && h.Queue.Waiting+h.Queue.InFlight > 0
}

// Healthy reports whether the store is well, this process delivers if it should, and the queue is not abandoned.
func (h *Health) Healthy() bool { return h.Store == nil && (h.Alive || !h.Delivers) && !h.Abandoned() }

// Health checks the store and the dispatcher.
func (s *Sender) Health(ctx context.Context) Health {
	h := Health{Store: s.store.Check(ctx), LastRound: s.dispatcher.LastRound(), InFlight: s.dispatcher.InFlight()}
	if began := s.began.Load(); began > 0 {
		last := time.UnixMilli(began)
		if h.LastRound.After(last) {
			last = h.LastRound
		}
		h.Delivers, h.Alive = true, time.Since(last) < livenessTimeout
	}
	if h.Store == nil {
		if stats, err := s.QueueStats(ctx); err == nil {
			h.Queue = &stats
		}
	}
	return h
}

// Slots returns how many attempts this process has in flight, and how many it may have at present.
func (s *Sender) Slots() (taken, all int) { return s.dispatcher.InFlight(), s.dispatcher.Slots() }

const (
	heartbeatInterval = 5 * time.Second
	// heartbeatLifetime is how long a process counts as delivering after its last heartbeat.
	heartbeatLifetime = 20 * time.Second
)

// runHeartbeat records in the store that this process delivers, until ctx ends. By that every process knows whether anybody
// delivers what is published.
func (s *Sender) runHeartbeat(ctx context.Context) {
	process := queue.NewJobID(newUUID())
	tick := time.NewTimer(0)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.store.Timeout())
			defer cancel()
			_, _ = s.queue.Heartbeat(ctx, process, 0) // without it the heartbeat expires
			return
		case <-tick.C:
			if _, err := s.queue.Heartbeat(ctx, process, heartbeatLifetime); err != nil && ctx.Err() == nil {
				s.o.Observer.StoreError("heartbeat")
			}
			tick.Reset(heartbeatInterval)
		}
	}
}

// Installation returns the random name that the store keeps: the same for all processes on one store, and different on every
// other store. Deliveries carry it, so that an API recognises events that its own deliveries publish.
func (s *Sender) Installation(ctx context.Context) (string, error) {
	name, err := s.store.Installation(ctx)
	if err != nil {
		return "", s.unavailable("check", err)
	}
	return name, nil
}
