package queue

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redistest"
)

// While a round trip tells of attempts that ended, as many jobs are claimed ahead. A worker that ends another attempt goes on
// with them at once, never more at a time than there are slots, and they are handed back where attempts end no more.
func TestClaimsAhead(t *testing.T) {
	t.Parallel()
	const slots, jobs = 8, 40
	b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), func(l *Limits) { l.InFlight = jobs })
	b.lane("one", "w", jobs)
	b.backlog("one", jobs)
	end := make(chan struct{})
	var running, most, made atomic.Int64
	d := b.byHand(Options{OneLane: true, Concurrency: slots, PerLane: jobs, Handler: func(context.Context, *Job) Outcome {
		most.Store(max(most.Load(), running.Add(1)))
		<-end
		running.Add(-1)
		made.Add(1)
		return Outcome{Kind: Succeeded}
	}}, 1)
	ends := func(n int) {
		before := made.Load()
		for range n {
			end <- struct{}{}
		}
		eventually(t, "they ended, and others began", func() bool {
			return made.Load() == before+int64(n) && running.Load()+int64(d.idle.Load()) == slots
		})
	}
	var helpers sync.WaitGroup
	d.roundTrip(t.Context(), &helpers)
	require.Len(t, d.inFlight, slots)
	require.Empty(t, d.work)
	ends(slots / 2)
	d.roundTrip(t.Context(), &helpers)
	require.Len(t, d.inFlight, slots+slots/2)
	eventually(t, "workers that waited took theirs", func() bool { return len(d.work) == slots/2 && d.idle.Load() == 0 })
	require.Equal(t, slots, d.InFlight())
	ends(1)
	require.Len(t, d.work, slots/2-1, "it went on without another round trip")

	now := d.ahead.looked.Add(time.Hour)
	d.ahead.ended = len(d.work)
	d.lookAhead(now)
	require.Len(t, d.work, slots/2-1, "so many ended since the last look that they will soon begin")
	d.lookAhead(now.Add(lookAheadEvery))
	require.Empty(t, d.work, "none ended since")
	require.Len(t, d.settling[0], slots/2-1)
	for _, o := range d.settling[0] {
		require.Equal(t, Back, o.Kind)
	}

	close(end)
	eventually(t, "all are settled", func() bool {
		d.roundTrip(t.Context(), &helpers)
		return made.Load() == jobs && len(d.inFlight) == 0 && d.unsent == 0
	})
	require.LessOrEqual(t, most.Load(), int64(slots))
	require.Zero(t, b.waitingCount())
	close(d.work)
	helpers.Wait()
}
