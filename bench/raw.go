package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/videocloud/webhooks/internal/signature"
)

func init() { role("raw", runRaw) }

// rawSettings of the yardstick, which sends the deliveries' requests without a queue.
type rawSettings struct {
	URLs       []string // in turn
	N, C, Size int      // requests, how many at once, and bytes of an event's body
	Profile    string   // folder for its CPU profile; "" for none
}

// runRaw makes the sender's requests (headers, both signatures, body) by plain net/http. It answers the question "end" when all
// of them are made, and any other at once.
func runRaw(_ context.Context, o rawSettings, parent *pipe) error {
	post, err := o.poster()
	if err != nil {
		return err
	}
	defer profileTo(o.Profile, "raw")()
	empty := liveBytes()
	if !parent.waitForGo() {
		return nil
	}
	clock := startClock()
	var inFlight atomic.Int64
	var failed firstError
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = parallel(o.N, o.C, func(_, i int) error {
			inFlight.Add(1)
			defer inFlight.Add(-1)
			if err := post(i + 1); err != nil {
				progress("raw: %v", err)
				failed.set(err)
			}
			return nil
		})
	}()
	return parent.answerEach(func(question string) (any, error) {
		if question == "end" {
			<-ended
			if err := failed.get(); err != nil {
				return nil, err
			}
		}
		return clock.usageInFlight(question, int(inFlight.Load()), empty), nil
	})
}

// startRaw runs the yardstick and lets it begin.
func startRaw(ctx context.Context, o options, urls []string, n int, environment ...string) (*child, error) {
	return startAndGo(ctx, "raw", rawSettings{URLs: urls, N: n, C: o.c, Size: o.size, Profile: o.profile}, environment...)
}

// signers make the two signatures of a request, by benchSecret.
func signers() (video *signature.VideoCloudSigner, standard *signature.StandardSigner, err error) {
	if video, err = signature.NewVideoCloudSigner(benchSecret); err != nil {
		return nil, nil, err
	}
	standard, err = signature.NewStandardSigner(benchSecret)
	return video, standard, err
}

// poster returns a function that makes one request, to one of the URLs by its number.
func (o *rawSettings) poster() (post func(n int) error, err error) {
	body := []byte(`{"event":"bench.e0","timestamp":"2024-03-31T12:00:00Z","data":` + string(eventData(o.Size, 0)) + `}`)
	transport := &http.Transport{
		MaxIdleConnsPerHost: o.C, DisableCompression: true, ForceAttemptHTTP2: true, DialContext: (&net.Dialer{}).DialContext,
	}
	video, standard, err := signers()
	if err != nil {
		return nil, err
	}
	return func(n int) error {
		id, now := fmt.Sprintf("evt_%032x", n), time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, o.URLs[n%len(o.URLs)], bytes.NewReader(body))
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
	}, nil
}
