package caddymodule

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/redistest"
)

// TestLesson42_ReloadsLeakNothing: after many reloads there are as many goroutines and connections to Redis as after a few.
func TestLesson42_ReloadsLeakNothing(t *testing.T) {
	for name, changed := range map[string]string{"the same Redis": "", "other settings each time": "timeout %ds"} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t) // first, so that it ends last
			s, app := newServer(t), newBackend(t)
			reloads := 0
			// Caddy's own transport leaves its idle connections to themselves for two minutes, unless it is written out.
			site := strings.Replace(queueSite(app, "0s 1s"), app.URL[len("http://"):], app.URL[len("http://"):]+" {\ntransport http {\nkeepalive off\n}\n}", 1)
			reload := func() {
				reloads++
				options := fmt.Sprintf("webhooks {\nredis {\naddress %s\n", server.Addr())
				if changed != "" {
					options += fmt.Sprintf(changed, reloads) + "\n"
				}
				s.load(options+"}\nsender\n}", site+fmt.Sprintf("\nheader X-Reload %d", reloads))
				doTaken(t, func() *http.Request {
					return signed(t, s.url("/webhooks"), fmt.Sprint("evt_", reloads), strings.Replace(testEvent, "vid_", fmt.Sprint(reloads, "_"), 1))
				})
			}
			for range 3 {
				reload()
			}
			client := redis.NewClient(&redis.Options{Addr: server.Addr(), PoolSize: 1})
			defer client.Close()
			connections := func() int {
				list, err := client.ClientList(t.Context()).Result()
				require.NoError(t, err)
				return strings.Count(list, "\n")
			}
			goroutines, connected := runtime.NumGoroutine(), connections()
			for range 10 {
				reload()
			}
			// Old configurations end in the background. Each leaves far more than one goroutine if it leaves any.
			require.Eventually(t, func() bool { return runtime.NumGoroutine() < goroutines+10 && connections() < connected+10 }, 2*time.Minute, 50*time.Millisecond,
				"%d goroutines were %d, %d connections were %d", runtime.NumGoroutine(), goroutines, connections(), connected)
			require.Eventually(t, func() bool { n, _, _ := app.seen(); return n == reloads }, 2*time.Minute, time.Millisecond)
		})
	}
}
