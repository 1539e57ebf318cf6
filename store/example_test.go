package store_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/receiver"
	"github.com/videocloud/webhooks/sender"
	"github.com/videocloud/webhooks/store"
)

// One store for a sender and a gateway with a queue, all in one program.
func Example() {
	s, err := store.Open(config.Redis{URL: config.Memory}, store.Options{}) // in production redis://localhost:6379/0
	if err != nil {
		panic(err)
	}
	defer s.Close()

	deliveries, err := sender.New(sender.Options{Store: s})
	if err != nil {
		panic(err)
	}
	queue, err := receiver.NewQueue(receiver.QueueOptions{
		Store: s, Name: "videos",
		Deliver: func(w http.ResponseWriter, _ *http.Request) error { w.WriteHeader(http.StatusNoContent); return nil },
	})
	if err != nil {
		panic(err)
	}
	claims := receiver.NewRedis(s, "videos", receiver.RedisOptions{})
	defer claims.Close()
	gateway, err := receiver.New(receiver.Options{
		Config: config.Receiver{Name: "videos", Secrets: []string{"your_webhook_secret"}, Queue: &config.Queue{}},
		Store:  claims, Enqueuer: queue,
	})
	if err != nil {
		panic(err)
	}
	defer gateway.Close()

	_, _, err = deliveries.CreateWebhook(context.Background(), "default", sender.NewWebhook{Settings: sender.Settings{URL: "https://example.com/webhooks", Events: []string{"video.*"}}})
	fmt.Println(s.InMemory(), err)
	// Output:
	// true <nil>
}

// A store that is down keeps no program from starting: whoever needs it asks whether it is there.
func ExampleStore_Ready() {
	s, err := store.Open(config.Redis{URL: "redis://127.0.0.1:1/0", Timeout: time.Second}, store.Options{})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	fmt.Println(errors.Is(s.Ready(context.Background()), store.ErrUnreachable))
	// Output:
	// true
}
