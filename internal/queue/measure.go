package queue

import (
	"context"
	"time"

	"github.com/videocloud/webhooks/internal/redisstore"
)

// Measure makes one claim of most jobs at once, one from each lane, with what goes around it: around is to call the
// claim and measures what it likes. The jobs are then ended as succeeded. It returns how many they were. It serves
// benchmarks; deliveries go through a [Dispatcher].
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
	_, _, err = settled(q.store.RunAll(ctx, []redisstore.Call{q.settleCall(shard, outcomes, false)})[0])
	return len(c.jobs), err
}
