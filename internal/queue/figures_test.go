package queue

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/internal/redistest"
)

var windows = map[string]Window{"1h": LastHour, "24h": LastDay, "7d": LastWeek}

// attempted is one attempt that a test made.
type attempted struct {
	at        time.Time
	lane      string
	succeeded bool
	took      time.Duration
}

// expected is what a window has to show of attempts.
func expected(now time.Time, w Window, attempts []attempted) []attemptTally {
	parts := make([]attemptTally, w.Buckets)
	last := now.Unix() / int64(w.Bucket/time.Second)
	for _, a := range attempts {
		place := int64(w.Buckets) - 1 - (last - a.at.Unix()/int64(w.Bucket/time.Second))
		if place < 0 {
			continue
		}
		if a.succeeded {
			parts[place].succeeded++
		} else {
			parts[place].failed++
		}
		parts[place].steps[(&outcome{Outcome: Outcome{Took: a.took}}).durationStep()[0]-firstStep]++
	}
	return parts
}

func requireFigures(t *testing.T, now time.Time, w Window, attempts []attempted, f Figures) {
	t.Helper()
	want := expected(now, w, attempts)
	require.Len(t, f.Buckets, w.Buckets)
	for i, b := range f.Buckets {
		require.Equal(t, now.Truncate(w.Bucket).Add(-time.Duration(w.Buckets-1-i)*w.Bucket).UTC(), b.At)
		require.Equal(t, [2]int64{want[i].succeeded, want[i].failed}, [2]int64{b.Succeeded, b.Failed}, "bucket %d of %s", i, w.Bucket)
		require.InDelta(t, want[i].quantile(0.5).Milliseconds(), b.P50.Milliseconds(), 1, "bucket %d of %s", i, w.Bucket)
		require.InDelta(t, want[i].quantile(0.95).Milliseconds(), b.P95.Milliseconds(), 1, "bucket %d of %s", i, w.Bucket)
	}
}

func TestFiguresAreRight(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(seed, 7))
			c := newClock(t, nil)
			c.lane("one", "a", "a")
			c.lane("two", "a", "a")
			c.lane("free") // of no account: it has no figures
			var all []attempted
			of := func(lane string) (own []attempted) {
				for _, a := range all {
					if a.lane == lane {
						own = append(own, a)
					}
				}
				return own
			}
			pauses := []time.Duration{0, time.Second, time.Minute, 7 * time.Minute, 40 * time.Minute, 5 * time.Hour, 3 * 24 * time.Hour}
			for i := range 150 {
				c.push(event(i))
				for _, j := range c.claim(10).jobs {
					o := Outcome{Kind: Succeeded, Took: time.Duration(random.ExpFloat64() * float64(200*time.Millisecond))}
					if random.IntN(3) == 0 {
						o = Outcome{Kind: Failed, Reason: "exhausted", Took: o.Took * 10}
					}
					if random.IntN(5) == 0 {
						c.settle(Outcome{Kind: Back}, j)
						j = nil
						continue
					}
					c.settle(o, j)
					c.settle(o, j) // its lease is gone: it is not counted twice
					if j.Lane != "free" {
						all = append(all, attempted{c.now, j.Lane, o.Kind == Succeeded, o.Took})
					}
				}
				c.advance(pauses[random.IntN(random.IntN(len(pauses))+1)])
				if i%10 != 0 {
					continue
				}
				for _, w := range windows {
					for _, lane := range []string{"one", "two"} {
						f, err := c.LaneFigures(t.Context(), 0, lane, w)
						require.NoError(t, err)
						requireFigures(t, c.now, w, of(lane), f)
					}
					f, err := c.AccountFigures(t.Context(), 0, "a", w)
					require.NoError(t, err)
					requireFigures(t, c.now, w, all, f)
					f, err = c.AllFigures(t.Context(), 1, w)
					require.NoError(t, err)
					requireFigures(t, c.now, w, all, f)
				}
			}
			f, err := c.LaneFigures(t.Context(), 0, "free", LastWeek)
			require.NoError(t, err)
			requireFigures(t, c.now, LastWeek, nil, f)
		})
	}
}

// In the worst case, with attempts of every length in each bucket of all windows, a lane's figures and an account's take no more than 4 KiB each.
func TestFiguresAreSmall(t *testing.T) {
	t.Parallel()
	server := redistest.Open(t, config.Redis{URL: redistest.Start(t).URL()})
	c := newClock(t, nil)
	c.lane("one", "a", "a")
	for i := range 8*24*2 + 70 { // a week, and the last hour minute by minute
		token := newToken()
		var all []*outcome
		var leases []redis.Z
		for k := range steps { // claimed, as it were: to push and claim them takes the store in memory minutes
			took := time.Duration(1<<(k/3)) * time.Millisecond * time.Duration(4+k%3) / 3
			j := &Job{Lane: "one", ID: event(0).Job, token: token, single: true, claimed: c.now.UnixMilli()}
			leases = append(leases, redis.Z{Score: float64(c.now.Add(time.Minute).UnixMilli()), Member: j.lease()})
			all = append(all, &outcome{Job: j, Outcome: Outcome{Kind: Succeeded, Took: took}})
		}
		require.NoError(t, c.redis().ZAdd(t.Context(), c.key("leases"), leases...).Err())
		c.setConf("one", "fl", steps)
		_, lost, err := readSettled(c.store.RunAll(t.Context(), []redisstore.Call{c.settleCall(0, all, false)})[0])
		require.NoError(t, err)
		require.Zero(t, lost)
		if i < 8*24*2 {
			c.advance(30 * time.Minute)
		} else {
			c.advance(time.Minute)
		}
	}
	size := func(key string) int64 {
		value, err := c.redis().Get(t.Context(), key).Result()
		require.NoError(t, err)
		require.NoError(t, server.Client().Set(t.Context(), key, value, time.Hour).Err())
		n, err := server.Client().MemoryUsage(t.Context(), key).Result()
		require.NoError(t, err)
		return n
	}
	open := c.conf("one", "q")
	require.NotEmpty(t, open)
	require.LessOrEqual(t, size(c.key("figures:w:one"))+int64(len(open))+64, int64(4096))
	require.LessOrEqual(t, size(c.key("figures:a:a"))+int64(len(open))+64, int64(4096))
}

// An account that has no attempts any more leaves nothing behind.
func TestFiguresOfIdleAccountsGo(t *testing.T) {
	t.Parallel()
	c := newClock(t, nil)
	c.lane("one", "a", "a")
	c.push(event(1))
	c.succeed()
	c.redis().HSet(t.Context(), c.key("conf:one"), "a", "b")
	for i := range 3 {
		c.advance(4 * 24 * time.Hour)
		c.push(event(2 + i))
		c.succeed()
	}
	require.False(t, c.redis().HExists(t.Context(), c.key("figures"), "a").Val())
	require.True(t, c.redis().HExists(t.Context(), c.key("figures"), "b").Val())
}

// What waits is due for as long as nothing but its own lane keeps it.
func TestFiguresOfWhatWaits(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		b.lane("one", "a", "a")
		b.lane("paused", "a", "a", "st", "paused")
		require.NoError(t, b.redis().ZAdd(t.Context(), b.key("hooks:a"), later("one"), later("paused")).Err())
		b.push(event(1), event(2))
		eventually(t, "some time passes", func() bool {
			f, err := b.AccountFigures(t.Context(), 0, "a", LastHour)
			require.NoError(t, err)
			require.Equal(t, 4, f.Waiting)
			return f.OldestDue > 5*time.Millisecond
		})
		f, err := b.LaneFigures(t.Context(), 0, "paused", LastHour)
		require.NoError(t, err)
		require.Equal(t, 2, f.Waiting)
		require.Zero(t, f.OldestDue)
	})
}

func later(member string) redis.Z { return redis.Z{Score: 2e12, Member: member} }
