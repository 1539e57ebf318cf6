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
	Waiting  int // jobs in lanes, due or not
	InFlight int // jobs being attempted, by any process
	// Late is for how long the oldest job that could be attempted right now has been due. Jobs of a lane that is paused, or has reached its
	// rate or its attempts in flight, are not late.
	Late time.Duration
}

// Gauges adds up all shards; shards is their number. It takes one command, in a cluster one for each shard. With an error, g covers only those
// that answered.
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

// gaugesCalls is one call for all shards or, in a cluster, one for each, as a script may read keys of one slot only.
func (q *Queue) gaugesCalls(shards int) []redisstore.Call {
	if _, cluster := q.store.Client().(*redis.ClusterClient); cluster {
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
