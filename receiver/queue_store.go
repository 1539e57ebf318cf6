package receiver

import (
	"log/slog"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redisstore"
)

// QueueStore is where a [Queue] keeps its events. See [OpenQueueStore].
type QueueStore = redisstore.Store

// OpenQueueStore prepares a store for queues. It does not dial: while Redis is down, events are refused. A nil log is none.
func OpenQueueStore(c config.Redis, prefix string, log *slog.Logger) (*QueueStore, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return redisstore.Open(c, prefix, log)
}
