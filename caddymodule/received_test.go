package caddymodule

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/internal/redistest"
	"github.com/videocloud/webhooks/receiver"
)

// countedBy returns what a store says of the only receiver, nil before it says anything.
func countedBy(t *testing.T, c *receivedCounts, window string) *receivedTotals {
	w, err := receivedWindowOf(window)
	require.NoError(t, err)
	all, err := c.read(t.Context(), w)
	if err != nil || len(all) == 0 {
		return nil
	}
	require.Len(t, all, 1)
	return &all[0]
}

func sumOf(buckets []receivedPart, outcome string) (n int64) {
	for _, b := range buckets {
		n += b.Counts[outcome]
	}
	return n
}

// TestReceivedOfAllProcesses: what two processes count is one sum, in each window, also for a third that comes later and
// counted nothing itself; a store that was down meanwhile costs nothing.
func TestReceivedOfAllProcesses(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	process := func() *receivedCounts {
		return newReceivedCounts(redistest.Open(t, config.Redis{URL: redis.URL()}))
	}
	a, b := process(), process()
	request := a.observed("shop", func(receiver.Outcome) {})
	for range 700 {
		request(receiver.Outcome{Result: receiver.ResultAccepted})
	}
	require.Eventually(t, func() bool { return !a.waiting() }, time.Minute, time.Millisecond)
	redis.Kill()
	attempt := b.attempted("shop", func(receiver.QueueAttempt) {})
	for range 300 {
		b.add("shop", receiver.ResultAccepted, 1)
		attempt(receiver.QueueAttempt{Outcome: "succeeded"})
	}
	attempt(receiver.QueueAttempt{Outcome: "failed", Count: 7})
	require.Eventually(t, func() bool { // a batch is under way, and the store is down
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.sending != nil
	}, time.Minute, time.Millisecond)
	redis.Up()
	require.Eventually(t, func() bool { return !b.waiting() }, time.Minute, time.Millisecond)
	a.close()
	b.close()

	later := process()
	defer later.close()
	for window, parts := range map[string]int{"1h": 60, "24h": 48, "7d": 56, "": 48} {
		all := countedBy(t, later, window)
		require.NotNil(t, all)
		require.Equal(t, map[string]int64{"accepted": 1000, "delivered": 300, "dead": 7}, all.Counts)
		require.Len(t, all.Buckets, parts)
		require.EqualValues(t, 1000, sumOf(all.Buckets, "accepted"), window)
	}
}

// TestReceivedIsSafeToRepeat: a batch of which the answer was lost counts once; what is of long ago is in the sum alone,
// and what a window no longer shows is removed.
func TestReceivedIsSafeToRepeat(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		c := newReceivedCounts(s)
		defer c.close()
		minute := time.Now().Unix() / 60
		for range 3 {
			_, err := s.Run(t.Context(), receivedScript, c.tag(), "p", 1, "shop", "accepted", minute-30, 5, "shop", "accepted", minute-3*60, 2, "shop", "in_flight", 0, 1)
			require.NoError(t, err)
		}
		all := countedBy(t, c, "1h")
		require.Equal(t, map[string]int64{"accepted": 7, "in_flight": 1}, all.Counts)
		require.EqualValues(t, 5, sumOf(all.Buckets, "accepted"))
		require.EqualValues(t, 7, sumOf(countedBy(t, c, "24h").Buckets, "accepted"))

		key := c.tag() + "received:60:shop"
		require.NoError(t, s.Client().HSet(t.Context(), key, "1200:accepted", 1).Err(), "as from long ago")
		_, err := s.Run(t.Context(), receivedScript, c.tag(), "p", 2, "shop", "duplicate", minute, 1)
		require.NoError(t, err)
		require.False(t, s.Client().HExists(t.Context(), key, "1200:accepted").Val())
	})
}

// TestConsoleShowsWhatReceiversCounted: queued, repeated and delivered events as the API of the pages has them.
func TestConsoleShowsWhatReceiversCounted(t *testing.T) {
	stores(t, func(t *testing.T, redis string) {
		s, app := newServer(t), newBackend(t)
		s.load(strings.TrimSuffix(redis, "}")+"sender\n}", consoleSite+"\n"+queueSite(app, "0s 100ms"))
		answered := map[bool]int64{} // by whether it was for a repeated event, as may be the first that a slow store takes
		for _, id := range []string{"evt_1", "evt_2", "evt_2"} {
			resp := doTaken(t, func() *http.Request { return signed(t, s.url("/webhooks"), id, testEvent) })
			answered[resp.Header.Get(config.HeaderDuplicate) != ""]++
		}
		var told struct{ Data gatewaysAnswer }
		require.Eventually(t, func() bool {
			status, body := s.inside("GET", "gateways?window=1h", "operator", "")
			return status == http.StatusOK && json.Unmarshal([]byte(body), &told) == nil && len(told.Data.Counted) == 1 && told.Data.Counted[0].Counts["delivered"] == 2 &&
				told.Data.Counted[0].Counts["duplicate"] == answered[true]
		}, 2*time.Minute, 10*time.Millisecond)
		require.Equal(t, answered[false], told.Data.Counted[0].Counts["queued"])
		require.Positive(t, answered[true])
		require.EqualValues(t, 60, told.Data.BucketSeconds)
		status, _ := s.inside("GET", "gateways?window=2h", "operator", "")
		require.Equal(t, http.StatusBadRequest, status)
	})
}
