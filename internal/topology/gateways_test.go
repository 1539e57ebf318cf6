//go:build topology

package topology_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/topology"
	"github.com/videocloud/webhooks/receiver"
	"github.com/videocloud/webhooks/store"
)

const gatewaySecret = "your_webhook_secret"

// app counts the requests that reach it, by event.
type app struct {
	mu       sync.Mutex
	requests map[string]int
}

func (a *app) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.requests[r.Header.Get(config.HeaderID)]++
}

// counts returns how many events came, and how many requests of one event at most.
func (a *app) counts() (events, most int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, n := range a.requests {
		most = max(most, n)
	}
	return len(a.requests), most
}

func post(h http.Handler, id string) int {
	body := `{"event":"video.uploaded","data":{"videoId":"` + id + `"}}`
	m := hmac.New(sha256.New, []byte(gatewaySecret))
	_, _ = io.WriteString(m, body)
	r := httptest.NewRequest(http.MethodPost, "/webhooks", strings.NewReader(body))
	r.Header.Set("X-VideoCloud-Signature", hex.EncodeToString(m.Sum(nil)))
	r.Header.Set("X-VideoCloud-Event-Id", id)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code
}

// newGateway makes a gateway with its own connections, as another machine would have.
func (r *rig) newGateway(a *app, queued bool) http.Handler {
	r.t.Helper()
	c := r.redis
	store, err := store.Open(c, store.Options{})
	require.NoError(r.t, err)
	claims := receiver.NewRedis(store, "app", receiver.RedisOptions{Guard: receiver.GuardOptions{Timeout: 2 * time.Second}})
	o := receiver.Options{Config: config.Receiver{Name: "app", Secrets: []string{gatewaySecret}}, Store: claims}
	r.t.Cleanup(func() {
		_ = claims.Close()
		_ = store.Close()
	})
	if queued {
		o.Config.Queue = &config.Queue{}
		q, err := receiver.NewQueue(receiver.QueueOptions{Store: store, Name: "app", Deliver: func(w http.ResponseWriter, req *http.Request) error {
			a.ServeHTTP(w, req)
			w.WriteHeader(http.StatusOK)
			return nil
		}})
		require.NoError(r.t, err)
		o.Enqueuer = q
		q.Start(r.t.Context())
		r.t.Cleanup(func() { _ = q.Stop(r.t.Context()) })
	}
	g, err := receiver.New(o)
	require.NoError(r.t, err)
	r.t.Cleanup(func() { _ = g.Close() })
	return g.Handler(a)
}

func TestGateways(t *testing.T) {
	r := newRig(t, topology.Cluster)
	// deliver posts each event to all gateways at the same time, and to each of them again until it answers 200, as a sender would.
	deliver := func(gateways []http.Handler, from, to int) {
		var posts sync.WaitGroup
		for i := from; i < to; i++ {
			for _, g := range gateways {
				posts.Go(func() {
					for post(g, fmt.Sprintf("event-%d", i)) != http.StatusOK {
						time.Sleep(20 * time.Millisecond)
					}
				})
			}
			if i%32 == 31 {
				posts.Wait()
			}
		}
		posts.Wait()
	}
	t.Run("dedup", func(t *testing.T) {
		a := &app{requests: map[string]int{}}
		gateways := []http.Handler{r.newGateway(a, false), r.newGateway(a, false), r.newGateway(a, false)}
		deliver(gateways, 0, 200)
		events, most := a.counts()
		require.Equal(t, 200, events)
		require.Equal(t, 1, most)
	})
	t.Run("queue while its slot moves", func(t *testing.T) {
		a := &app{requests: map[string]int{}}
		gateways := []http.Handler{r.newGateway(a, true), r.newGateway(a, true)}
		deliver(gateways, 1000, 1100)
		m := r.startMove(receiver.Tag("webhooks", "app"))
		moved := make(chan struct{})
		go func() {
			defer close(moved)
			deliver(gateways, 1100, 1200)
		}()
		for m.moveKeys(10) > 0 {
			time.Sleep(2 * time.Millisecond)
		}
		m.finish()
		<-moved
		require.Eventually(t, func() bool {
			events, _ := a.counts()
			return events == 200
		}, 2*time.Minute, 10*time.Millisecond)
		_, most := a.counts()
		require.Equal(t, 1, most)
	})
}
