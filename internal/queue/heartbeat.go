package queue

import (
	"context"
	"time"

	"github.com/videocloud/webhooks/internal/redisstore"
)

var heartbeatScript = redisstore.NewScript(source("heartbeat"))

// Heartbeat records that a process delivers, for the time ttl; a ttl of 0 removes the record. It returns how many processes have one. With
// process "" it only counts.
func (q *Queue) Heartbeat(ctx context.Context, process string, ttl time.Duration) (int, error) {
	n, err := q.store.Run(ctx, heartbeatScript, "{"+q.store.Prefix()+"}:", process, ttl.Milliseconds())
	count, _ := n.(int64)
	return int(count), err
}

// Senders returns how many processes have a heartbeat that has not expired.
func (q *Queue) Senders(ctx context.Context) (int, error) { return q.Heartbeat(ctx, "", 0) }
