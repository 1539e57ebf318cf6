package receiver_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/receiver"
	"github.com/videocloud/webhooks/store"
)

const exampleSecret = "your_webhook_secret"

// post sends a signed delivery, as VideoCloud does: again where the gateway says that its store was too slow.
func post(h http.Handler, id, body string) *http.Response {
	m := hmac.New(sha256.New, []byte(exampleSecret))
	_, _ = io.WriteString(m, body)
	for {
		r := httptest.NewRequest(http.MethodPost, "/webhooks", strings.NewReader(body))
		r.Header.Set("X-VideoCloud-Signature", hex.EncodeToString(m.Sum(nil)))
		r.Header.Set("X-VideoCloud-Event-Id", id)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusServiceUnavailable {
			return w.Result()
		}
	}
}

// A middleware in front of an app: it gets each verified event once.
func Example() {
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println("the app gets", r.Header.Get("X-Webhook-Event"), r.Header.Get("X-Webhook-Id"))
	})
	r, err := receiver.New(receiver.Options{Config: config.Receiver{Secrets: []string{exampleSecret}}})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	h := r.Handler(app)

	body := `{"event":"video.uploaded","data":{"videoId":"v1"}}`
	fmt.Println(post(h, "evt_1", body).StatusCode)

	again := post(h, "evt_1", body)
	fmt.Println(again.StatusCode, "duplicate:", again.Header.Get("X-Webhook-Duplicate"))

	forged := httptest.NewRecorder()
	h.ServeHTTP(forged, httptest.NewRequest(http.MethodPost, "/webhooks", strings.NewReader(body)))
	fmt.Println(forged.Code, strings.TrimSpace(forged.Body.String()))
	// Output:
	// the app gets video.uploaded evt_1
	// 200
	// 200 duplicate: true
	// 401
}

// An event is done when the app answered 2xx; before that, the sender's next try reaches the app again.
func ExampleReceiver_Handler() {
	healthy := false
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !healthy {
			http.Error(w, "not now", http.StatusInternalServerError)
		}
	})
	r, err := receiver.New(receiver.Options{Config: config.Receiver{Secrets: []string{exampleSecret}}})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	h := r.Handler(app)
	fmt.Println(post(h, "evt_1", "{}").StatusCode)
	healthy = true
	fmt.Println(post(h, "evt_1", "{}").StatusCode)
	fmt.Println(post(h, "evt_1", "{}").Header.Get("X-Webhook-Duplicate"))
	// Output:
	// 500
	// 200
	// true
}

// A program with its own routing and error pages calls Serve, and writes refusals as it likes.
func ExampleReceiver_Serve() {
	r, err := receiver.New(receiver.Options{Config: config.Receiver{Scheme: "github", Secrets: []string{exampleSecret}}})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	outcome, err := r.Serve(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/webhooks", nil),
		func(w http.ResponseWriter, r *http.Request) error {
			fmt.Println("event", receiver.FromContext(r.Context()).ID)
			return nil
		})
	if refusal, ok := err.(*receiver.Refusal); ok {
		fmt.Println(refusal.Status, refusal.Header.Get("Allow"))
	}
	fmt.Println(outcome.Result)
	// Output:
	// 405 POST
	// method
}

// Several gateways of one app share a store under one name.
func ExampleNewRedis() {
	shared, err := store.Open(config.Redis{URL: "redis://localhost:6379/0"}, store.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer shared.Close()
	claims := receiver.NewRedis(shared, "videos", receiver.RedisOptions{
		Guard: receiver.GuardOptions{OnError: func(operation string, err error) { log.Println(operation, err) }},
	})
	defer claims.Close()
	r, err := receiver.New(receiver.Options{
		Config: config.Receiver{Name: "videos", Secrets: []string{exampleSecret}},
		Store:  claims,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	http.Handle("/webhooks", r.Handler(http.NotFoundHandler()))
}

// Something went wrong behind the app's 200: take the event again.
func ExampleReceiver_Forget() {
	r, err := receiver.New(receiver.Options{Config: config.Receiver{Secrets: []string{exampleSecret}}})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	h := r.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { fmt.Println("the app gets it") }))
	post(h, "evt_1", "{}")
	n, err := r.Forget(context.Background(), "evt_1")
	fmt.Println(n, err)
	post(h, "evt_1", "{}")
	// Output:
	// the app gets it
	// 1 <nil>
	// the app gets it
}
