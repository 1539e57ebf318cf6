package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/videocloud/webhooks/sender"
)

func init() {
	benchmarks["tenants"] = benchmark{"a quiet tenant and a gateway beside a tenant that publishes batches to 1,000 webhooks", 300, 256, benchTenants}
}

const (
	quietTenant, loudTenant = "quiet", "loud"

	tenantRate  = 50                     // events a second of the quiet tenant, and requests a second to the gateway
	loudHooks   = 1_000                  // paused: what they are sent waits
	loudBatch   = 256                    // events
	loudBatches = 3                      // of a round: each is 256,000 deliveries that wait
	loudPause   = 500 * time.Millisecond // between them
)

// tenantCounts are what a round counts over both tenants.
type tenantCounts struct{ refused, storeErrors atomic.Int64 }

// benchTenants measures how long the quiet tenant waits for the answer to a publish.
func benchTenants(ctx context.Context, o options) (*figures, error) {
	if o.rate == 0 {
		o.rate = tenantRate
	}
	var counts tenantCounts
	longest := 0.0
	f, err := aloneAndBeside(o, "p99_beside_ms", func(loud bool) ([]float64, error) {
		times, script, err := roundTenants(ctx, o, loud, &counts)
		longest = max(longest, script)
		return times, err
	})
	if err != nil {
		return nil, err
	}
	f.add("longest_script_ms", round3(longest))
	f.add("refused", counts.refused.Load())
	f.add("gateway_store_errors", counts.storeErrors.Load())
	return f, nil
}

func roundTenants(ctx context.Context, o options, loud bool, counts *tenantCounts) (times []float64, script float64, err error) {
	s, err := newStage(ctx, o.aof, senderConfig(o.c))
	if err != nil {
		return nil, 0, err
	}
	defer s.close()
	hooksOf := map[string]int{quietTenant: 1}
	if loud {
		hooksOf[loudTenant] = loudHooks
	}
	for account, n := range hooksOf {
		if err := pausedHooks(ctx, s.sender, account, n); err != nil {
			return nil, 0, err
		}
	}
	gateway, err := openGateway(s.Redis(), "tenants", &counts.storeErrors)
	if err != nil {
		return nil, 0, err
	}
	defer gateway.close()
	app := gateway.handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	if err := s.c.ConfigSet(ctx, "slowlog-log-slower-than", "100").Err(); err != nil {
		return nil, 0, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var others sync.WaitGroup
	defer others.Wait()
	defer cancel()
	if loud {
		others.Go(func() { publishBatches(ctx, s.sender, o.size, counts) })
	}
	times, err = publishQuietly(ctx, s.sender, app, o, counts)
	if err != nil {
		return nil, 0, err
	}
	cancel()
	others.Wait()
	entries, err := s.c.SlowLogGet(context.WithoutCancel(ctx), -1).Result()
	if err != nil {
		return nil, 0, err
	}
	for _, e := range entries {
		if len(e.Args) > 0 && strings.HasPrefix(strings.ToLower(e.Args[0]), "eval") {
			script = max(script, float64(e.Duration.Microseconds())/1000)
		}
	}
	return times, script, nil
}

// pausedHooks registers webhooks of an account for bench.e0 that take what they are sent and let it wait.
func pausedHooks(ctx context.Context, s *sender.Sender, account string, n int) error {
	paused := sender.StatusPaused
	for range n {
		id, err := createWebhook(ctx, s, account, "http://"+nowhere+"/", typeName(0))
		if err == nil {
			_, err = s.UpdateWebhook(ctx, account, id, sender.WebhookUpdate{Status: &paused})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func publishBatches(ctx context.Context, s *sender.Sender, size int, counts *tenantCounts) {
	for range loudBatches {
		batch := make([]sender.Event, loudBatch)
		for i := range batch {
			batch[i] = sender.Event{Type: "bench.e0", Data: dataOf(size, 0)}
		}
		for _, r := range s.PublishBatch(ctx, loudTenant, batch) {
			if r.Err != nil && ctx.Err() == nil {
				counts.refused.Add(1)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(loudPause):
		}
	}
}

// publishQuietly publishes events at a rate, each beside a request to the gateway, and returns how long each publish took.
func publishQuietly(ctx context.Context, s *sender.Sender, gateway http.Handler, o options, counts *tenantCounts) ([]float64, error) {
	var mu sync.Mutex
	var times []float64
	err := atRate(ctx, o.n, o.rate, func(i int) {
		var request sync.WaitGroup
		request.Go(func() { gateway.ServeHTTP(httptest.NewRecorder(), signedRequest(i)) })
		defer request.Wait()
		at := time.Now()
		_, err := s.Publish(ctx, quietTenant, sender.Event{Type: typeName(0), Data: dataOf(o.size, 0)})
		took := float64(time.Since(at).Microseconds()) / 1000
		mu.Lock()
		defer mu.Unlock()
		times = append(times, took)
		if err != nil {
			counts.refused.Add(1)
		}
	})
	return times, err
}

func signedRequest(n int) *http.Request {
	body := `{"event":"video.uploaded","timestamp":"2024-03-31T12:00:00Z","data":{"n":` + strconv.Itoa(n) + `}}`
	mac := hmac.New(sha256.New, []byte(benchSecret))
	mac.Write([]byte(body))
	r := httptest.NewRequest(http.MethodPost, "/webhooks", strings.NewReader(body))
	r.Header.Set("X-VideoCloud-Signature", hex.EncodeToString(mac.Sum(nil)))
	r.Header.Set("X-VideoCloud-Event", "video.uploaded")
	r.Header.Set("X-VideoCloud-Event-Id", "evt_"+strconv.Itoa(n))
	return r
}
