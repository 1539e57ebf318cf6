package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/videocloud/webhooks/internal/signature"
)

func init() { roles["worldraw"] = runWorldRaw }

// rawWorldSettings of the yardstick of world.
type rawWorldSettings struct {
	URLs       []string
	N, C, Size int
	Profile    string
}

// runWorldRaw makes the sender's requests by plain net/http over the same TLS, C at once, round the hosts.
func runWorldRaw(_ context.Context, arg string, t *talk) error {
	var o rawWorldSettings
	if err := json.Unmarshal([]byte(arg), &o); err != nil {
		return err
	}
	body := []byte(`{"event":"bench.e0","timestamp":"2024-03-31T12:00:00Z","data":` + string(dataOf(o.Size, 0)) + `}`)
	transport := &http.Transport{
		MaxIdleConnsPerHost: o.C, DisableCompression: true, ForceAttemptHTTP2: true, DialContext: (&net.Dialer{}).DialContext,
	}
	video, err := signature.NewVideoCloudSigner(benchSecret)
	if err != nil {
		return err
	}
	standard, err := signature.NewStandardSigner(benchSecret)
	if err != nil {
		return err
	}
	defer profileTo(o.Profile, "raw")()
	empty := live()
	t.say("ready")
	var question string
	t.hear(&question)
	began, used := time.Now(), cpu()
	var next, inFlight atomic.Int64
	var workers sync.WaitGroup
	one := func(n int64) error {
		inFlight.Add(1)
		defer inFlight.Add(-1)
		id, now := fmt.Sprintf("evt_%032x", n), time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, o.URLs[int(n)%len(o.URLs)], bytes.NewReader(body))
		if err != nil {
			return err
		}
		r.Header = http.Header{
			"Content-Type": {"application/json"}, "User-Agent": {"VideoCloud-Webhooks/bench"},
			"X-VideoCloud-Signature": {string(video.Append(nil, body))}, "X-VideoCloud-Event": {"bench.e0"}, "X-VideoCloud-Installation": {"bench"},
			"X-VideoCloud-Event-Id": {id}, "X-VideoCloud-Attempt": {"1"}, "webhook-id": {id},
			"webhook-timestamp": {strconv.FormatInt(now.Unix(), 10)}, "webhook-signature": {string(standard.Append(nil, id, now.Unix(), body))},
		}
		answer, err := transport.RoundTrip(r)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		_, err = io.Copy(io.Discard, answer.Body)
		return err
	}
	for range o.C {
		workers.Go(func() {
			for n := next.Add(1); n <= int64(o.N); n = next.Add(1) {
				if err := one(n); err != nil {
					progress("raw: %v", err)
				}
			}
		})
	}
	for t.hear(&question) {
		answer := spent{
			Seconds: time.Since(began).Seconds(), CPUMS: float64((cpu() - used).Microseconds()) / 1000, Memory: memory(), Resident: resident(),
			InFlight: int(inFlight.Load()),
		}
		if question == "weigh" {
			answer.KiB = kibEach(empty, answer.InFlight)
		}
		t.say(answer)
	}
	next.Store(int64(o.N))
	workers.Wait()
	return nil
}
