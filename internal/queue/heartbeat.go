package queue

import (
	"context"
	"time"

	"github.com/videocloud/webhooks/internal/redisstore"
)

var heartbeatScript = redisstore.NewScript(source("heartbeat"))

// Heartbeat notes that a process delivers, for so long; zero takes the note away. It returns how many processes do.
func (q *Queue) Heartbeat(ctx context.Context, process string, ttl time.Duration) (int, error) {
	n, err := q.store.Run(ctx, heartbeatScript, "{"+q.store.Prefix()+"}:", process, ttl.Milliseconds())
	if err != nil {
		return 0, err
	}
	count, _ := n.(int64)
	return int(count), nil
}

// Senders returns how many processes deliver, by their heartbeats.
func (q *Queue) Senders(ctx context.Context) (int, error) { return q.Heartbeat(ctx, "", 0) }
