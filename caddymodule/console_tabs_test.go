package caddymodule

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/polls"
	"github.com/videocloud/webhooks/internal/redistest"
	"github.com/videocloud/webhooks/sender/api"
)

// commandsOf are those that a store was asked or told by; a connection that is new says who it is first.
func commandsOf(t *testing.T, client redis.UniversalClient) (n int) {
	t.Helper()
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

// TestConsoleTabsCostTheStoreNothing: what is live comes by one subscription of the process, so twenty tabs ask the store
// for no more than one does: twice a second at most, and what two processes tell each other is all of it.
func TestConsoleTabsCostTheStoreNothing(t *testing.T) {
	s := newServer(t)
	store := redistest.Start(t)
	// Nothing is delivered here, so nobody looks after queues.
	s.load(fmt.Sprintf("webhooks {\nredis %s\nsender {\ndeliver off\n}\n}", store.URL()), consoleSite)
	elsewhere, telling := process(t, store.URL(), "elsewhere")
	client := store.Client()
	subscribed(t, client, 2)
	commands := func() int { return commandsOf(t, client) }
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

// TestConsoleTabsAskTwiceASecond: whatever views many tabs have open, what they ask by the clock is two questions a second
// to the store, of the REST API and of the console's own handler together.
func TestConsoleTabsAskTwiceASecond(t *testing.T) {
	s := newServer(t)
	store := redistest.Start(t)
	s.load(fmt.Sprintf("webhooks {\nredis %s\nsender {\ndeliver off\nallow_http\nallow_networks 127.0.0.0/8\n}\n}", store.URL()), consoleSite)
	client := store.Client()
	ask := func(method, path, body, how string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), method, s.url(path), strings.NewReader(body))
		require.NoError(t, err)
		for name, value := range map[string]string{fromConsole: how, "Authorization": "Bearer operator", "X-VideoCloud-Account": "default", "Content-Type": "application/json"} {
			req.Header.Set(name, value)
		}
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		return read(t, resp)
	}
	id := func(path, body string) string {
		status, text := ask("POST", path, body, "1")
		require.Less(t, status, 300, text)
		var made struct{ Data struct{ ID string } }
		require.NoError(t, json.Unmarshal([]byte(text), &made))
		return made.Data.ID
	}
	webhook := id("/webhooks", `{"url":"http://127.0.0.1:1/hook","events":["*"]}`)
	event := id("/events", `{"event":"video.uploaded","data":{}}`)
	replay := id("/webhooks/"+webhook+"/replay", `{"since":"2020-01-01T00:00:00Z","state":"all"}`)
	questions := []string{
		"/webhooks?limit=100", "/webhooks/" + webhook, "/webhooks/" + webhook + "/stats?window=24h", "/webhooks/" + webhook + "/deliveries?limit=1", "/stats?window=24h", "/events/" + event, "/replays/" + replay,
		"/console/api/stats", "/console/api/gateways?window=24h",
	}
	most := 0
	for _, question := range questions {
		before := commandsOf(t, client)
		status, text := ask("GET", question, "", "1")
		require.Equal(t, http.StatusOK, status, text)
		most = max(most, commandsOf(t, client)-before)
	}
	// What a process asks at its start may come late, but only once: what tabs cost would be seen each time.
	var asked, bound int
	for try := 0; try < 5 && (try == 0 || asked > bound); try++ {
		began, before := time.Now(), commandsOf(t, client)
		var tabs sync.WaitGroup
		for range 60 {
			tabs.Go(func() {
				for _, question := range questions {
					status, text := ask("GET", question, "", api.Again)
					require.Contains(t, []int{http.StatusOK, http.StatusTooManyRequests}, status, text)
				}
			})
		}
		tabs.Wait()
		asked = commandsOf(t, client) - before
		// A question may have got its turn before and be asked now.
		bound = most * (int(time.Since(began)/polls.Every) + 6)
	}
	require.LessOrEqual(t, asked, bound, "%d at most for a question", most)
	t.Logf("60 tabs with %d questions each: %d commands, %d at most for a question", len(questions), asked, most)
}
