package sender_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/sender"
	"github.com/videocloud/webhooks/store"
)

// receive is a customer's endpoint: it checks the signature as the guide says, and hands the events on.
func receive(secret string, events chan<- string) *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(body)
		signature, _ := hex.DecodeString(r.Header.Get("X-VideoCloud-Signature"))
		if !hmac.Equal(signature, mac.Sum(nil)) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		events <- string(body)
	}))
}

// A sender on the in-memory store, with one webhook and one event.
func Example() {
	ctx := context.Background()
	store, err := store.Open(config.Redis{URL: config.Memory}, store.Options{})
	if err != nil {
		panic(err)
	}
	defer store.Close()
	s, err := sender.New(sender.Options{
		Store: store,
		// Destinations on this machine are refused unless it is said.
		Config: config.Sender{AllowHTTP: true, AllowNetworks: []string{"127.0.0.0/8"}},
	})
	if err != nil {
		panic(err)
	}
	if err := s.Start(ctx); err != nil {
		panic(err)
	}
	defer s.Stop(ctx)

	const secret = "your_webhook_secret"
	events := make(chan string, 1)
	endpoint := receive(secret, events)
	defer endpoint.Close()
	hook, _, err := s.CreateWebhook(ctx, "default", sender.NewWebhook{Settings: sender.Settings{URL: endpoint.URL, Events: []string{"video.*"}}, Secret: secret})
	if err != nil {
		panic(err)
	}
	at := time.Date(2024, 3, 31, 12, 0, 0, 0, time.UTC)
	_, err = s.Publish(ctx, "default", sender.Event{Type: "video.uploaded", Timestamp: at, Data: json.RawMessage(`{"videoId":"vid_123456"}`)})
	if err != nil {
		panic(err)
	}
	fmt.Println(hook.Status)
	fmt.Println(<-events)
	// Output:
	// active
	// {"event":"video.uploaded","timestamp":"2024-03-31T12:00:00Z","data":{"videoId":"vid_123456"}}
}

// The same ID is the same event: a publisher that got no answer publishes again without a second thought.
func ExampleSender_Publish_again() {
	ctx := context.Background()
	store, _ := store.Open(config.Redis{URL: config.Memory}, store.Options{})
	defer store.Close()
	s, _ := sender.New(sender.Options{Store: store})

	e := sender.Event{ID: "upload-4711", Type: "video.uploaded", Data: json.RawMessage(`{"videoId":"vid_123456"}`)}
	first, err := s.Publish(ctx, "default", e)
	fmt.Println(first.ID, first.Duplicate, err)
	again, err := s.Publish(ctx, "default", e)
	fmt.Println(again.ID, again.Duplicate, err)

	e.Data = json.RawMessage(`{"videoId":"vid_654321"}`)
	_, err = s.Publish(ctx, "default", e)
	var refused *sender.Error
	if errors.As(err, &refused) {
		fmt.Println(refused.Code, refused.Field)
	}
	// Output:
	// upload-4711 false <nil>
	// upload-4711 true <nil>
	// conflict id
}

// Sending again what failed, after an endpoint was mended.
func ExampleSender_StartReplay() {
	ctx := context.Background()
	store, _ := store.Open(config.Redis{URL: config.Memory}, store.Options{})
	defer store.Close()
	s, _ := sender.New(sender.Options{Store: store, Config: config.Sender{
		AllowHTTP: true, AllowNetworks: []string{"127.0.0.0/8"},
		Retry: []time.Duration{0}, // one attempt, so that the example is short
	}})
	_ = s.Start(ctx)
	defer s.Stop(ctx)

	answers := make(chan int, 2)
	answers <- http.StatusInternalServerError
	answers <- http.StatusOK
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(<-answers) }))
	defer endpoint.Close()
	hook, _, _ := s.CreateWebhook(ctx, "default", sender.NewWebhook{Settings: sender.Settings{URL: endpoint.URL, Events: []string{"*"}}})
	event, _ := s.Publish(ctx, "default", sender.Event{Type: "video.uploaded", Data: json.RawMessage(`{}`)})
	until := func(state sender.State) {
		for range time.Tick(time.Millisecond) {
			if d, err := s.Delivery(ctx, "default", event.Deliveries[0].ID); err == nil && d.State == state {
				fmt.Println(d.State)
				return
			}
		}
	}
	until(sender.StateFailed)
	replay, err := s.StartReplay(ctx, "default", hook.ID, sender.ReplayRequest{Since: event.Timestamp.Add(-time.Minute)})
	fmt.Println(replay.State, replay.Matched, err)
	until(sender.StateSucceeded)
	// Output:
	// failed
	// running 1 <nil>
	// succeeded
}
