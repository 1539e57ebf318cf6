package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/videocloud/webhooks/internal/signature"
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

// tenantCounts are summed up over all rounds.
type tenantCounts struct{ refused, storeErrors atomic.Int64 }

// benchTenants measures how long the quiet tenant waits for the answer to a publish.
func benchTenants(ctx context.Context, o options) *figures {
	o.rate = cmp.Or(o.rate, tenantRate)
	var counts tenantCounts
	longest := 0.0
	f := aloneAndBeside(o, "p99_beside_ms", func(loud bool) []float64 {
		ms, script := roundTenants(ctx, o, loud, &counts)
		longest = max(longest, script)
		return ms
	})
	f.add("longest_script_ms", threeDecimals(longest))
	f.add("refused", counts.refused.Load())
	f.add("gateway_store_errors", counts.storeErrors.Load())
	return f
}

// roundTenants returns how many milliseconds each publish of the quiet tenant took, and the longest script.
func roundTenants(ctx context.Context, o options, loud bool, counts *tenantCounts) (ms []float64, longestScript float64) {
	x := newFixture(ctx, o.aof, senderConfig(o.c))
	defer x.close()
	createPausedWebhooks(ctx, x.sender, quietTenant, 1)
	if loud {
		createPausedWebhooks(ctx, x.sender, loudTenant, loudHooks)
	}
	gateway := must(openGateway(x.Redis(), "tenants", &counts.storeErrors))
	defer gateway.close()
	app := gateway.handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	check(x.c.ConfigSet(ctx, "slowlog-log-slower-than", "100").Err())
	publishing, stop := context.WithCancel(ctx)
	var loudPublisher sync.WaitGroup
	defer loudPublisher.Wait()
	defer stop()
	if loud {
		loudPublisher.Go(func() { publishLoudly(publishing, x.sender, o.size, counts) })
	}
	ms = must(publishQuietly(ctx, x.sender, app, o, counts))
	stop()
	loudPublisher.Wait()
	entries := must(x.c.SlowLogGet(ctx, -1).Result())
	for _, e := range entries {
		if len(e.Args) > 0 && strings.HasPrefix(strings.ToLower(e.Args[0]), "eval") {
			longestScript = max(longestScript, milliseconds(e.Duration))
		}
	}
	return ms, longestScript
}

// createPausedWebhooks registers webhooks of an account for bench.e0. As they are paused, what they are sent waits.
func createPausedWebhooks(ctx context.Context, s *sender.Sender, account string, n int) {
	paused := sender.StatusPaused
	for range n {
		must(s.UpdateWebhook(ctx, account, createWebhook(ctx, s, account, closedURL(""), typeName(0)), sender.WebhookUpdate{Status: &paused}))
	}
}

// publishLoudly publishes the batches of the loud tenant, with pauses, until the context ends.
func publishLoudly(ctx context.Context, s *sender.Sender, size int, counts *tenantCounts) {
	for range loudBatches {
		for _, r := range s.PublishBatch(ctx, loudTenant, eventBatch(typeNames(1), 0, loudBatch, eventData(size, 0))) {
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

// publishQuietly publishes events at a rate, each beside a request to the gateway, and returns how many milliseconds each publish
// took.
func publishQuietly(ctx context.Context, s *sender.Sender, gateway http.Handler, o options, counts *tenantCounts) ([]float64, error) {
	video, _, err := signers()
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var ms []float64
	err = atRate(ctx, o.n, o.rate, func(i int) {
		var request sync.WaitGroup
		request.Go(func() { gateway.ServeHTTP(httptest.NewRecorder(), signedRequest(video, i)) })
		defer request.Wait()
		at := time.Now()
		_, err := s.Publish(ctx, quietTenant, sender.Event{Type: typeName(0), Data: eventData(o.size, 0)})
		took := time.Since(at)
		mu.Lock()
		defer mu.Unlock()
		ms = append(ms, milliseconds(took))
		if err != nil {
			counts.refused.Add(1)
		}
	})
	return ms, err
}

func signedRequest(video *signature.VideoCloudSigner, n int) *http.Request {
	body := fmt.Appendf(nil, `{"event":"video.uploaded","timestamp":"2024-03-31T12:00:00Z","data":{"n":%d}}`, n)
	r := httptest.NewRequest(http.MethodPost, "/webhooks", bytes.NewReader(body))
	r.Header.Set("X-VideoCloud-Signature", string(video.Append(nil, body)))
	r.Header.Set("X-VideoCloud-Event", "video.uploaded")
	r.Header.Set("X-VideoCloud-Event-Id", "evt_"+strconv.Itoa(n))
	return r
}
