package caddymodule

import (
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redistest"
	"github.com/videocloud/webhooks/sender"
)

// subscribed waits until so many processes hear each other: what is said before that, a process misses.
func subscribed(t *testing.T, client redis.UniversalClient, processes int64) {
	t.Helper()
	require.Eventually(t, func() bool {
		channels, err := client.PubSubChannels(t.Context(), "*"+relayTopic).Result()
		if err != nil || len(channels) != 1 {
			return false
		}
		return client.PubSubNumSub(t.Context(), channels...).Val()[channels[0]] == processes
	}, time.Minute, time.Millisecond)
}

// process is a feed with its relay, as each process on a store has one.
func process(t *testing.T, url, name string) (*broadcast, *relay) {
	store := redistest.Open(t, config.Redis{URL: url})
	b := newBroadcast()
	r := newRelay(store, b, name)
	r.start()
	t.Cleanup(r.end)
	return b, r
}

// TestRelayTellsWhoWatchesElsewhere: what happens in one process is seen in another while somebody watches there, each
// line once, with a count of what the bound left out, and costs nothing when nobody does.
func TestRelayTellsWhoWatchesElsewhere(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	url := server.URL()
	here, _ := process(t, url, "a")
	there, telling := process(t, url, "b")
	third, _ := process(t, url, "c")
	subscribed(t, server.Client(), 3)
	require.False(t, there.watching())

	viewer, other := here.view(), third.view()
	require.Eventually(t, there.watching, time.Minute, time.Millisecond, "the others are told that somebody watches")
	there.send(watched{attempt: &sender.AttemptInfo{EventID: "evt_1", WebhookID: "whk_1", Outcome: "success", StatusCode: 204}})
	there.send(watched{received: &receivedInfo{Name: "github", Outcome: "accepted", ID: "1"}})
	there.send(watched{delivered: &deliveredInfo{Name: "github", Outcome: "succeeded", ID: "1"}})
	for _, w := range []*feedWatcher{viewer, other} {
		attempt, received, delivered := <-w.lines, <-w.lines, <-w.lines
		require.Equal(t, "evt_1", attempt.attempt.EventID)
		require.Equal(t, 204, attempt.attempt.StatusCode)
		require.Equal(t, "accepted", received.received.Outcome)
		require.Equal(t, "succeeded", delivered.delivered.Outcome)
	}
	require.Empty(t, viewer.lines, "once, though three processes hear it")

	for n := range relayBatch + 10 {
		there.send(watched{attempt: &sender.AttemptInfo{EventID: fmt.Sprint(n)}})
	}
	seen, leftOut := 0, int64(0)
	require.Eventually(t, func() bool {
		for len(viewer.lines) > 0 {
			if line := <-viewer.lines; line.attempt != nil {
				seen++
			} else {
				leftOut += line.leftOut
			}
		}
		return seen+int(leftOut) == relayBatch+10
	}, time.Minute, time.Millisecond, "what is not passed on is counted")

	here.remove(viewer)
	third.remove(other)
	telling.mu.Lock()
	telling.until = time.Now() // as after a while without being asked
	telling.mu.Unlock()
	require.Eventually(t, func() bool { return !there.watching() }, time.Minute, time.Millisecond, "nobody watches any more")
}

// TestRelayOutlivesReloads: a second configuration joins, the first one leaves, and lines go on.
func TestRelayOutlivesReloads(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	here, _ := process(t, server.URL(), "a")
	there, r := process(t, server.URL(), "b")
	r.start()
	r.end()
	subscribed(t, server.Client(), 2)
	viewer := here.view()
	defer here.remove(viewer)
	require.Eventually(t, there.watching, time.Minute, time.Millisecond)
	there.send(watched{attempt: &sender.AttemptInfo{EventID: "evt_1"}})
	require.Equal(t, "evt_1", (<-viewer.lines).attempt.EventID)
}

// TestRelayCountsWhatItCouldNotTell: all of it, what the bound left out as well.
func TestRelayCountsWhatItCouldNotTell(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	b := newBroadcast()
	r := newRelay(redistest.Open(t, config.Redis{URL: server.URL()}), b, "a")
	server.Kill()
	lines := b.relay()
	defer b.remove(lines)
	for range relayBatch + 10 {
		b.send(watched{received: &receivedInfo{Name: "shop"}})
	}
	r.send(t.Context(), lines)
	require.EqualValues(t, relayBatch+10, lines.leftOut.Load())
}
