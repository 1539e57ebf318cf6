package main

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/redistest"
)

const patience = 2 * time.Minute

// TestLesson36_AKilledGatewayLosesNoQueuedEvent: what was answered 200 reaches the app, though Caddy is killed with
// events waiting and under way, and Redis after it.
func TestLesson36_AKilledGatewayLosesNoQueuedEvent(t *testing.T) {
	t.Parallel()
	redis, app := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always"), newApp(t)
	g := newGateway(t, redis.URL(), app.queue("0s 100ms 1s 1s 1s 5s 5s 5s"), "")
	app.set(http.StatusOK, make(chan struct{})) // it hangs
	const events = 60
	for i := range events {
		require.Equal(t, http.StatusOK, g.deliver(fmt.Sprint("evt_", i)))
	}
	require.Eventually(t, func() bool { begun, _, _ := app.counts(); return begun > 0 }, patience, time.Millisecond)
	g.kill()
	redis.Kill()
	app.set(http.StatusOK, nil)

	redis.Up()
	g.up()
	require.Eventually(t, func() bool { _, n, _ := app.counts(); return n == events }, patience, 5*time.Millisecond, "an event is lost")
	_, _, most := app.counts()
	require.Equal(t, 1, most)
	require.Equal(t, http.StatusOK, g.deliver("evt_0"), "a duplicate")
	require.Eventually(t, func() bool {
		_, out := g.command("stats", "--json")
		return strings.Contains(out, `"waiting":0`)
	}, patience, 100*time.Millisecond)
	_, n, most := app.counts()
	require.Equal(t, []int{events, 1}, []int{n, most})
}

// TestLesson03_RedisRestartsUnderAQueue: senders that go on until they have their 200, as ours does, lose nothing. With
// everysec a slow fsync can hold back what was answered, and a kill loses it: the promise is that of always.
func TestLesson03_RedisRestartsUnderAQueue(t *testing.T) {
	t.Parallel()
	redis, app := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always"), newApp(t)
	g := newGateway(t, redis.URL(), app.queue("0s 100ms 1s 5s"), "")
	const senders, each = 8, 40
	var all sync.WaitGroup
	half := make(chan struct{})
	for s := range senders {
		all.Go(func() {
			for i := range each {
				if s == 0 && i == each/2 {
					close(half)
				}
				id := fmt.Sprintf("evt_%d_%d", s, i)
				assert.Eventually(t, func() bool { return g.send(id) == http.StatusOK }, patience, 10*time.Millisecond, "%s is never taken", id)
			}
		})
	}
	<-half
	redis.Kill()
	redis.Up()
	all.Wait()
	require.Eventually(t, func() bool { _, n, _ := app.counts(); return n == senders*each }, patience, 5*time.Millisecond, "an event is lost")
	_, _, most := app.counts()
	require.Equal(t, 1, most)
}

// TestTwoGatewaysOnOneQueue: two Caddys share the work, each event is delivered once, and one goes on for the other.
func TestTwoGatewaysOnOneQueue(t *testing.T) {
	t.Parallel()
	redis, app := redistest.Start(t), newApp(t)
	one := newGateway(t, redis.URL(), app.queue("0s 1s 1s"), "")
	two := newGateway(t, redis.URL(), app.queue("0s 1s 1s"), "")
	const events = 200
	var all sync.WaitGroup
	for w := range 8 {
		all.Go(func() {
			for i := w; i < events; i += 8 {
				for _, g := range []*gateway{one, two} { // each event comes to both
					if status := g.deliver(fmt.Sprint("evt_", i)); status != http.StatusOK {
						t.Errorf("answer %d", status)
					}
				}
			}
		})
	}
	all.Wait()
	require.Eventually(t, func() bool { _, n, _ := app.counts(); return n == events }, patience, 5*time.Millisecond)

	// Work of the one that dies in the middle is the other's.
	app.set(http.StatusOK, make(chan struct{}))
	for i := range 20 {
		require.Equal(t, http.StatusOK, one.deliver(fmt.Sprint("evt_late_", i)))
	}
	one.kill()
	two.kill() // what they have under way hangs for good; answered just before, it would come again
	app.set(http.StatusOK, nil)
	two.up()
	require.Eventually(t, func() bool { _, n, _ := app.counts(); return n == events+20 }, patience, 5*time.Millisecond)
	_, _, most := app.counts()
	require.Equal(t, 1, most)
}

func TestDeadAndForgotten(t *testing.T) {
	t.Parallel()
	redis, app := redistest.Start(t), newApp(t)
	g := newGateway(t, redis.URL(), app.queue("0s 10ms"), "")
	app.set(http.StatusTeapot, nil)
	for _, id := range []string{"evt_1", "evt_2", "evt_3"} {
		require.Equal(t, http.StatusOK, g.deliver(id))
	}
	var list string
	require.Eventually(t, func() bool {
		var status int
		status, list = g.command("dead", "list", "app")
		return status == 0 && strings.Count(list, "evt_") == 3
	}, patience, 50*time.Millisecond)
	require.Contains(t, list, "418")

	// One is dropped, the others go out again.
	app.set(http.StatusOK, nil)
	line := regexp.MustCompile(`(?m)^(\S+) .*evt_2 `).FindStringSubmatch(list)
	require.Len(t, line, 2, list)
	status, out := g.command("dead", "purge", "app", line[1])
	require.Zero(t, status, out)
	status, out = g.command("dead", "retry", "app", "--all")
	require.Zero(t, status, out)
	require.Eventually(t, func() bool { _, n, _ := app.counts(); return n == 2 }, patience, 5*time.Millisecond)
	_, out = g.command("dead", "list", "app")
	require.NotContains(t, out, "evt_")
	status, _ = g.command("dead", "retry", "nobody", "--all")
	require.Equal(t, 1, status)
	status, _ = g.command("dead", "retry", "app")
	require.Equal(t, 2, status)

	// An event is taken again once it is forgotten.
	require.Equal(t, http.StatusOK, g.deliver("evt_1"))
	status, out = g.command("forget", "app", "evt_1")
	require.Zero(t, status, out)
	require.Equal(t, http.StatusOK, g.deliver("evt_1"))
	require.Eventually(t, func() bool { _, _, most := app.counts(); return most == 2 }, patience, 5*time.Millisecond)
	status, out = g.command("forget", "app", "--since", "1h")
	require.Zero(t, status, out)
	require.Equal(t, http.StatusOK, g.deliver("evt_3"))
	require.Eventually(t, func() bool { app.mu.Lock(); defer app.mu.Unlock(); return app.got["evt_3"] == 2 }, patience, 5*time.Millisecond)
	status, _ = g.command("forget", "app", "evt_unknown")
	require.Equal(t, 1, status)
}
