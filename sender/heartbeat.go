package sender

import (
	"context"
	"time"

	"github.com/videocloud/webhooks/internal/queue"
)

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
