package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/videocloud/webhooks/client"
)

// exampleAPI stands in for the API, so that the examples run.
func exampleAPI(status int, body string) (url string, stop func()) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	return srv.URL, srv.Close
}

func Example() {
	url, stop := exampleAPI(202, `{"success":true,"data":{"id":"evt_1","event":"video.published","timestamp":"2024-03-31T12:00:00Z",
		"deliveries":[{"id":"dlv_1","webhookId":"whk_123456"}],"duplicate":false}}`)
	defer stop()

	c, err := client.New("your_api_key", client.WithBaseURL(url))
	if err != nil {
		log.Fatal(err)
	}
	published, err := c.Events.Publish(context.Background(), client.Event{
		Type: "video.published",
		Data: map[string]any{"videoId": "vid_123456"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(published.ID, "goes to", len(published.Deliveries), "webhook")
	// Output: evt_1 goes to 1 webhook
}

func ExampleWebhooks_Register() {
	url, stop := exampleAPI(422, `{"success":false,"error":{"code":"unsafe_url","message":"use https","field":"url"}}`)
	defer stop()

	c, err := client.New("your_api_key", client.WithBaseURL(url))
	if err != nil {
		log.Fatal(err)
	}
	_, err = c.Webhooks.Register(context.Background(), client.NewWebhook{
		URL:    "http://your-server.com/webhooks",
		Events: []string{"video.uploaded", "video.processed"},
		Secret: "your_webhook_secret",
	})
	var refused *client.Error
	if errors.As(err, &refused) {
		fmt.Println(refused.Code, refused.Field, refused.Status)
	}
	// Output: unsafe_url url 422
}

func ExampleWebhooks_All() {
	url, stop := exampleAPI(200, `{"success":true,"data":{"items":[{"id":"whk_1","status":"active"},{"id":"whk_2","status":"failed"}]}}`)
	defer stop()

	c, err := client.New("your_api_key", client.WithBaseURL(url))
	if err != nil {
		log.Fatal(err)
	}
	for webhook, err := range c.Webhooks.All(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(webhook.ID, webhook.Status)
	}
	// Output:
	// whk_1 active
	// whk_2 failed
}

func ExampleVerifySignature() {
	handler := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil || !client.VerifySignature(body, r.Header.Get(client.SignatureHeader), "your_webhook_secret") {
			http.Error(w, "Invalid signature", http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, "OK")
	}
	w := httptest.NewRecorder()
	handler(w, httptest.NewRequest(http.MethodPost, "/webhooks", http.NoBody))
	fmt.Println(w.Code)
	// Output: 401
}

func ExampleVerify() {
	body := []byte(`{"event":"user.registered","timestamp":"2024-03-31T12:00:00Z","data":{"userId":"usr_123456","firstName":"John"}}`)
	header := http.Header{}
	header.Set("webhook-id", "evt_1")
	header.Set("webhook-timestamp", "1711886400")
	header.Set("webhook-signature", "v1,HOjM12TZSPwhceKpvQnLfFZQiTIGkUV9NTYrH4O+dyw=")

	event, err := client.Verify(body, header, "your_webhook_secret", client.VerifyOptions{Now: time.Unix(1711886400, 0)})
	if err != nil {
		fmt.Println(err)
		return
	}
	payload, err := event.Payload()
	if err != nil {
		fmt.Println(err)
		return
	}
	switch data := payload.(type) {
	case *client.UserRegistered:
		fmt.Println("welcome,", data.FirstName)
	}
	// Output: welcome, John
}
