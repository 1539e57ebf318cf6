package caddymodule

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
)

// The logger of the Redis client is one for the whole process, and writes to standard error unless it is set; the client reads it
// without a lock, so it has to be set before anything runs.
func init() { redis.SetLogger(redisLog{}) }

// redisLog shows what the Redis client says, such as each connection that it can't make, at debug: that Redis is down
// the store says itself, once.
type redisLog struct{}

// Printf implements the logger of the Redis client.
func (redisLog) Printf(_ context.Context, format string, values ...any) {
	if entry := caddy.Log().Named("webhooks.redis").Check(zap.DebugLevel, "redis client"); entry != nil {
		entry.Write(zap.String("said", fmt.Sprintf(format, values...)))
	}
}
