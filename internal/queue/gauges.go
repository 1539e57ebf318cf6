package queue

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/videocloud/webhooks/internal/redisstore"
)

var gaugesScript = Script(source("gauges"))

// Gauges say how much there is to do.
type Gauges struct {
	Waiting  int // due, or waiting for their time
	InFlight int // being attempted, in any process
	// Late is for how long the oldest job that could be attempted right now has been due. What waits for its lane (paused,
	// at its cap, at its rate) is not late.
	Late time.Duration
}

// Gauges sums up so many shards. It costs one command, in a cluster one for each shard.
func (q *Queue) Gauges(ctx context.Context, shards int) (g Gauges, err error) {
	for _, cmd := range q.store.RunAll(ctx, q.gaugesCalls(shards)) {
		r := newReply(cmd.Result())
		for len(r.values) > 0 && r.err == nil {
			g.Waiting += int(r.number())
			g.InFlight += int(r.number())
			g.Late = max(g.Late, time.Duration(r.number())*time.Millisecond)
		}
		if r.err != nil {
			err = r.err
		}
	}
	return g, err
}

func (q *Queue) gaugesCalls(shards int) []redisstore.Call {
	if _, spread := q.store.Client().(*redis.ClusterClient); spread {
		calls := make([]redisstore.Call, shards)
		for i := range calls {
			calls[i] = q.call(i, gaugesScript, q.limits)
		}
		return calls
	}
	var others []any
	for i := 1; i < shards; i++ {
		others = append(others, q.tags(i))
	}
	return []redisstore.Call{q.call(0, gaugesScript, q.argv(others))}
}
