package main

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/redistest"
)

// TestSeveralAppsThroughChaos: two gateways in front of three apps are killed in turn, also both at once, while senders go on until they
// have their 200. One app is down all that time, and one wants half of the events. Each app gets each event that is for it, and no other;
// the one that is down holds up nobody.
func TestSeveralAppsThroughChaos(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	every, half, down := newApp(t), newApp(t), newApp(t)
	down.set(http.StatusServiceUnavailable, nil)
	deliver := func(words string, a *app) string { return "deliver " + words + " {\n" + a.proxy() + "\n}\n" }
	queue := "queue {\nretry 0s 100ms" + strings.Repeat(" 3s", 48) + "\n" + deliver("every", every) + deliver("@even half", half) + deliver("down", down) + "}"
	matcher := "@even header X-VideoCloud-Event-Id *-even"
	gateways := []*gateway{newGateway(t, redis.URL(), queue, matcher), newGateway(t, redis.URL(), queue, matcher)}

	const senders, each = 6, 60
	want, wantHalf := map[string]bool{}, map[string]bool{}
	var all sync.WaitGroup
	taken := make(chan struct{}, senders*each)
	for s := range senders {
		var ids []string
		for i := range each {
			id := fmt.Sprintf("evt_%d_%d-odd", s, i)
			if i%2 == 0 {
				id = fmt.Sprintf("evt_%d_%d-even", s, i)
				wantHalf[id] = true
			}
			want[id] = true
			ids = append(ids, id)
		}
		all.Go(func() {
			for i, id := range ids {
				end := time.Now().Add(patience)
				for try := i; gateways[try%2].send(id) != http.StatusOK; try++ {
					if time.Now().After(end) {
						t.Errorf("%s is never taken", id)
						return
					}
					time.Sleep(time.Millisecond) // as a sender waits before it tries again; nothing is asserted by it
				}
				taken <- struct{}{}
			}
		})
	}
	const quarter = senders * each / 4
	for _, dying := range [][]*gateway{gateways[:1], gateways[1:], gateways} {
		for range quarter {
			<-taken
		}
		for _, g := range dying {
			g.kill()
		}
		for _, g := range dying {
			g.up()
		}
	}
	all.Wait()
	got := func(a *app) []string {
		a.mu.Lock()
		defer a.mu.Unlock()
		return slices.Sorted(maps.Keys(a.got))
	}
	arrives := func(a *app, want map[string]bool, why string) {
		ids := slices.Sorted(maps.Keys(want))
		require.Eventually(t, func() bool { return slices.Equal(got(a), ids) }, patience, 5*time.Millisecond, why)
	}
	arrives(every, want, "an event is lost, or held up by the app that is down")
	arrives(half, wantHalf, "an event is lost, or one came that does not match")
	require.Empty(t, got(down))
	down.set(http.StatusOK, nil)
	arrives(down, want, "an event for the app that was down is lost")
	require.Eventually(t, func() bool {
		_, out := gateways[0].command("stats", "--json")
		return strings.Count(out, `"waiting":0`) == 3 && !strings.Contains(out, `"dead":1`)
	}, patience, 100*time.Millisecond)
	require.Equal(t, slices.Sorted(maps.Keys(wantHalf)), got(half))
}
