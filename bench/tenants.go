package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/receiver"
	"github.com/videocloud/webhooks/sender"
	"github.com/videocloud/webhooks/store"
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
	var alone, beside, ratio []float64
	longest := 0.0
	for round := range o.rounds {
		var p99 [2]float64
		for i, loud := range []bool{false, true} {
			times, script, err := roundTenants(ctx, o, loud, &counts)
			if err != nil {
				return nil, err
			}
			p99[i], longest = percentile(times, 99), max(longest, script)
		}
		alone, beside, ratio = append(alone, p99[0]), append(beside, p99[1]), append(ratio, p99[1]/p99[0])
		progress("round %d of %d: p99 alone %.2f ms, beside %.2f ms", round+1, o.rounds, p99[0], p99[1])
	}
	f := &figures{}
	f.add("p99_alone_ms", round3(median(alone)))
	f.add("p99_beside_ms", round3(median(beside)))
	f.add("ratio", round3(median(ratio)))
	f.add("longest_script_ms", round3(longest))
	f.add("refused", counts.refused.Load())
	f.add("gateway_store_errors", counts.storeErrors.Load())
	return f, nil
}

func roundTenants(ctx context.Context, o options, loud bool, counts *tenantCounts) (times []float64, script float64, err error) {
	server, err := startRedis(ctx, o.aof)
	if err != nil {
		return nil, 0, err
	}
	defer server.stop()
	s, shared, err := openSender(config.Redis{URL: server.url()}, senderConfig(o.c))
	if err != nil {
		return nil, 0, err
	}
	defer shared.Close()
	hooksOf := map[string]int{quietTenant: 1}
	if loud {
		hooksOf[loudTenant] = loudHooks
	}
	for account, n := range hooksOf {
		if err := pausedHooks(ctx, s, account, n); err != nil {
			return nil, 0, err
		}
	}
	gateway, stop, err := tenantGateway(server, counts)
	if err != nil {
		return nil, 0, err
	}
	defer stop()
	if err := shared.Client().ConfigSet(ctx, "slowlog-log-slower-than", "100").Err(); err != nil {
		return nil, 0, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var others sync.WaitGroup
	defer others.Wait()
	defer cancel()
	if loud {
		others.Go(func() { publishBatches(ctx, s, o.size, counts) })
	}
	times, err = publishQuietly(ctx, s, gateway, o, counts)
	if err != nil {
		return nil, 0, err
	}
	cancel()
	others.Wait()
	entries, err := shared.Client().SlowLogGet(context.WithoutCancel(ctx), -1).Result()
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
		w, _, err := s.CreateWebhook(ctx, account, sender.NewWebhook{Settings: sender.Settings{URL: "http://127.0.0.1:9/", Events: []string{"bench.e0"}}, Secret: benchSecret})
		if err == nil {
			_, err = s.UpdateWebhook(ctx, account, w.ID, sender.WebhookUpdate{Status: &paused})
		}
		if err != nil {
			return fmt.Errorf("registering: %w", err)
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
	var publishers sync.WaitGroup
	began := time.Now()
	for i := range o.n {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Until(began.Add(time.Duration(i) * time.Second / time.Duration(o.rate)))):
		}
		publishers.Go(func() {
			at := time.Now()
			_, err := s.Publish(ctx, quietTenant, sender.Event{Type: "bench.e0", Data: dataOf(o.size, 0)})
			took := float64(time.Since(at).Microseconds()) / 1000
			mu.Lock()
			defer mu.Unlock()
			times = append(times, took)
			if err != nil {
				counts.refused.Add(1)
			}
		})
		publishers.Go(func() { gateway.ServeHTTP(httptest.NewRecorder(), signedRequest(i)) })
	}
	publishers.Wait()
	return times, nil
}

// tenantGateway is a receiver whose claims are in the same Redis.
func tenantGateway(server *redisServer, counts *tenantCounts) (h http.Handler, stop func(), err error) {
	s, err := store.Open(config.Redis{URL: server.url()}, store.Options{})
	if err != nil {
		return nil, nil, err
	}
	claims := receiver.NewRedis(s, "tenants", receiver.RedisOptions{Guard: receiver.GuardOptions{
		OnError: func(string, error) { counts.storeErrors.Add(1) },
	}})
	r, err := receiver.New(receiver.Options{Config: config.Receiver{Name: "tenants", Secrets: []string{benchSecret}}, Store: claims})
	if err != nil {
		claims.Close()
		s.Close()
		return nil, nil, err
	}
	return r.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })), func() {
		r.Close()
		claims.Close()
		s.Close()
	}, nil
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
