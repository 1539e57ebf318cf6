package queue

import (
	"context"
	"time"

	"github.com/videocloud/webhooks/internal/redisstore"
)

// Measure makes one claim of up to most jobs, one from each lane, for benchmarks; deliveries go through a [Dispatcher]. It calls
// around, which has to call claim once and can measure that. Then it settles the jobs as succeeded. It returns how many jobs it
// claimed.
func (q *Queue) Measure(ctx context.Context, shard, most int, around func(claim func())) (int, error) {
	token := newToken()
	var c claimed
	var err error
	around(func() {
		cmd := q.store.RunAll(ctx, []redisstore.Call{q.claimCall(shard, most, 1, time.Minute, token, nil)})[0]
		c, err = readClaimed(cmd, shard, token)
	})
	if err != nil || len(c.jobs) == 0 {
		return 0, err
	}
	outcomes := make([]*outcome, len(c.jobs))
	for i, j := range c.jobs {
		outcomes[i] = &outcome{Job: j, Outcome: Outcome{Kind: Succeeded}}
	}
	_, _, err = readSettled(q.store.RunAll(ctx, []redisstore.Call{q.settleCall(shard, outcomes, false)})[0])
	return len(c.jobs), err
}
