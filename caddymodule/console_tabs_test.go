package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/redistest"
)

// TestConsoleTabsCostTheStoreNothing: what is live comes by one subscription of the process, so twenty tabs ask the store
// for no more than one does: twice a second at most, and what two processes tell each other is all of it.
func TestConsoleTabsCostTheStoreNothing(t *testing.T) {
	s := newServer(t)
	redis := redistest.Start(t)
	// Nothing is delivered here, so nobody looks after queues.
	s.load(fmt.Sprintf("webhooks {\nredis %s\nsender {\ndeliver off\n}\n}", redis.URL()), consoleSite)
	elsewhere, telling := process(t, redis.URL(), "elsewhere")
	client := redis.Client()
	// commands are those that anything was asked or told by; a connection that is new says who it is first.
	commands := func() (n int) {
		for name, line := range client.InfoMap(t.Context(), "commandstats").Val()["Commandstats"] {
			name, _, _ = strings.Cut(strings.TrimPrefix(name, "cmdstat_"), "|")
			if slices.Contains([]string{"hello", "client", "info", "ping", "select", "auth"}, name) {
				continue
			}
			calls, _, _ := strings.Cut(strings.TrimPrefix(line, "calls="), ",")
			one, err := strconv.Atoi(calls)
			require.NoError(t, err)
			n += one
		}
		return n
	}
	const rounds = 6
	for _, tabs := range []int{1, 20} {
		var streams []<-chan string
		var ends []func()
		for range tabs {
			events, end := s.live("")
			require.Contains(t, <-events, `"resumed":true`)
			streams, ends = append(streams, events), append(ends, end)
		}
		require.Eventually(t, func() bool { return telling.wanted() && elsewhere.watching() }, time.Minute, time.Millisecond)
		// What a process asks at its start may come late, but only once: what tabs cost would be seen each time.
		var asked, bound int
		var elapsed time.Duration
		for try := 0; try < 5 && (try == 0 || asked > bound); try++ {
			began, before := time.Now(), commands()
			for round := range rounds {
				id := fmt.Sprintf("%d-%d-%d", tabs, try, round)
				elsewhere.send(watched{received: &receivedInfo{Name: "console-test", ID: id}})
				for _, events := range streams {
					require.Contains(t, <-events, `"id":"`+id+`"`, "every tab sees each outcome, in their order")
				}
			}
			asked, elapsed = commands()-before, time.Since(began)
			// One telling is half a second apart from the next, and every five seconds somebody says that they watch.
			bound = int(elapsed/relayEvery) + 2*int(elapsed/relayAsk) + 4
		}
		for _, end := range ends {
			end()
		}
		require.LessOrEqual(t, asked, bound, "with %d tabs in %s", tabs, elapsed)
		t.Logf("%d tabs: %d commands in %s", tabs, asked, elapsed)
	}
}

// TestConsoleTabsShareAnswers: what tabs ask every few seconds is asked of the store once a second at most, and anew after
// a change.
func TestConsoleTabsShareAnswers(t *testing.T) {
	t.Parallel()
	var shared together
	var asked atomic.Int64
	ask := func() (int, any, error) { return http.StatusOK, asked.Add(1), nil }
	began := time.Now()
	var tabs sync.WaitGroup
	for range 20 {
		tabs.Go(func() {
			for range 50 {
				_, _, _ = shared.ask(t.Context(), "GET /gateways", ask)
			}
		})
	}
	tabs.Wait()
	require.LessOrEqual(t, asked.Load(), int64(time.Since(began)/togetherEvery)+1)

	before := asked.Load()
	shared.forget()
	_, answer, err := shared.ask(t.Context(), "GET /gateways", ask)
	require.NoError(t, err)
	require.Equal(t, before+1, answer)

	_, _, err = shared.ask(t.Context(), "GET /gateways?window=2h", func() (int, any, error) { return 0, nil, &badRequest{"window"} })
	require.Error(t, err)
	require.Len(t, shared.answers, 1, "what is refused is not kept")
}

// TestConsoleTabsWaitTogether: while the store does not answer, one tab finds that out for all who ask the same, and nobody else waits: neither who
// asks something else, nor who hangs up, nor who makes a change.
func TestConsoleTabsWaitTogether(t *testing.T) {
	t.Parallel()
	var shared together
	began, goOn, ended := make(chan struct{}), make(chan struct{}), make(chan error)
	down := errors.New("the store is down")
	never := func() (int, any, error) { return 0, nil, errors.New("asked once more") }
	says := func(text string) func() (int, any, error) {
		return func() (int, any, error) { return http.StatusOK, text, nil }
	}
	go func() {
		_, _, err := shared.ask(t.Context(), "GET /stats", func() (int, any, error) {
			close(began)
			<-goOn
			return 0, nil, down
		})
		ended <- err
	}()
	<-began
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	_, _, err := shared.ask(gone, "GET /stats", never)
	require.ErrorIs(t, err, context.Canceled)
	_, answer, err := shared.ask(t.Context(), "GET /gateways", says("other"))
	require.NoError(t, err)
	require.Equal(t, "other", answer)
	waits, isOurs := shared.find("GET /stats")
	require.False(t, isOurs)

	shared.forget()
	_, answer, err = shared.ask(t.Context(), "GET /stats", says("after the change"))
	require.NoError(t, err)
	require.Equal(t, "after the change", answer)
	close(goOn)
	require.ErrorIs(t, <-ended, down)
	<-waits.came
	require.ErrorIs(t, waits.err, down)
	require.Contains(t, shared.answers, "GET /stats", "what failed before the change does not take away what came after it")

	shared.forget()
	require.Panics(t, func() {
		_, _, _ = shared.ask(t.Context(), "GET /stats", func() (int, any, error) { panic("a bug") })
	})
	_, answer, err = shared.ask(t.Context(), "GET /stats", says("anew"))
	require.NoError(t, err)
	require.Equal(t, "anew", answer)
}
