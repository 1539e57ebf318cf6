package queue

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/internal/redistest"
)

func (b *bundle) gauges(shards int) Gauges {
	g, err := b.Gauges(b.Context(), shards)
	require.NoError(b, err)
	return g
}

func TestGauges(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, func(l *Limits) { l.InFlight = 1 })
		require.Zero(t, b.gauges(16), "nothing was ever pushed")
		b.lane("l")
		b.push(event(1), event(2), event(3))
		g := b.gauges(16)
		require.Equal(t, 3, g.Waiting)
		require.Zero(t, g.InFlight)
		eventually(t, "they are late", func() bool { return b.gauges(16).Late > 20*time.Millisecond })

		jobs := b.claim(10).jobs
		require.Len(t, jobs, 1)
		require.Equal(t, Gauges{Waiting: 2, InFlight: 1}, b.gauges(16), "a lane at its cap waits for its endpoint")
		b.settle(Outcome{Kind: Retry, Delay: time.Hour}, jobs...)
		require.Equal(t, 3, b.gauges(16).Waiting)
		require.Positive(t, b.gauges(16).Late)

		require.NoError(t, s.Client().HSet(t.Context(), b.Tag(0)+"conf:l", "st", "paused").Err())
		require.Empty(t, b.claim(10).jobs)
		require.Equal(t, Gauges{Waiting: 3}, b.gauges(16), "what its owner paused is not late")
	})
}

// The shards of one node cost one call, and each is counted.
func TestGaugesOfSeveralShards(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		for shard := range 3 {
			require.NoError(t, s.Client().HSet(t.Context(), b.Tag(shard)+"conf:l", "st", "active").Err())
			require.NoError(t, s.Client().SAdd(t.Context(), b.Tag(shard)+"topic:all", "l").Err())
			_, errs := b.PushAll(t.Context(), shard, []*Event{event(1), event(2)})
			require.Equal(t, []error{nil, nil}, errs)
		}
		require.Equal(t, 6, b.gauges(3).Waiting)
		require.Equal(t, 4, b.gauges(2).Waiting)
		require.Len(t, b.gaugesCalls(16), 1)
	})
}

// A lane that takes no job says so, and so does one whose jobs waited too long.
func TestRefusedAndExpired(t *testing.T) {
	t.Parallel()
	store := redistest.Open(t, config.Redis{URL: config.Memory})
	b := newBundle(t, store, func(l *Limits) { l.Pending, l.MaxAge = 2, time.Minute })
	now := time.Now()
	store.SetTime(now)
	b.lane("open")
	b.lane("off", "st", "disabled")
	pushed := b.push(event(1), event(2), event(3))
	require.Equal(t, []Refused{{"off", "disabled"}}, pushed[0].Refused)
	require.ElementsMatch(t, []Refused{{"off", "disabled"}, {"open", "backlog"}}, pushed[2].Refused)
	require.Equal(t, PushSame, b.push(event(1))[0].Outcome)

	store.SetTime(now.Add(2 * time.Minute))
	require.Equal(t, []Expired{{"open", 2}}, b.claim(0).expired)
	require.Empty(t, b.claim(0).expired)
}
