package receiver_test

import (
	"context"
	"fmt"
	"log"
	"net/http"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/receiver"
	"github.com/videocloud/webhooks/store"
)

// A sender gets its 200 as soon as the event is stored; the app gets it from the queue, again until it answers 2xx.
func ExampleNewQueue() {
	// In production config.Redis{URL: "redis://localhost:6379/0"}.
	store, err := store.Open(config.Redis{URL: config.Memory}, store.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()

	delivered := make(chan string)
	queue, err := receiver.NewQueue(receiver.QueueOptions{
		Store: store,
		Name:  "videos",
		Deliver: func(w http.ResponseWriter, r *http.Request) error {
			w.WriteHeader(http.StatusNoContent)
			delivered <- r.Header.Get("X-Webhook-Id") + ", attempt " + r.Header.Get("X-Webhook-Attempt")
			return nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	queue.Start(context.Background())
	defer queue.Stop(context.Background())

	// The store of claims is the queue's own: an event is claimed and stored in one step.
	claims := receiver.NewRedis(store, "videos", receiver.RedisOptions{})
	defer claims.Close()
	r, err := receiver.New(receiver.Options{
		Config:   config.Receiver{Name: "videos", Secrets: []string{exampleSecret}, Queue: &config.Queue{}},
		Store:    claims,
		Enqueuer: queue,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	h := r.Handler(http.NotFoundHandler()) // everything that is accepted goes into the queue

	fmt.Println(post(h, "evt_1", "{}").StatusCode)
	fmt.Println(<-delivered)
	fmt.Println(post(h, "evt_1", "{}").Header.Get("X-Webhook-Duplicate"))
	// Output:
	// 200
	// evt_1, attempt 1
	// true
}
