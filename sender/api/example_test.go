package api_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/videocloud/webhooks/sender/api"
)

// A real program passes a *sender.Sender; this one keeps everything in memory.
func ExampleNew() {
	h, err := api.New(api.Options{
		Service: newFake(),
		Keys:    []api.Key{{Value: "videocloud-demo-key", Account: "default", Role: api.RoleAll}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	r := httptest.NewRequest(http.MethodPost, "/events", strings.NewReader(
		`{"event":"video.uploaded","id":"evt_1","timestamp":"2024-03-31T12:00:00Z","data":{"videoId":"vid_123456"}}`))
	r.Header.Set("Authorization", "Bearer videocloud-demo-key")
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	fmt.Println(w.Code)
	fmt.Println(w.Body)
	// Output:
	// 202
	// {"success":true,"data":{"id":"evt_1","event":"video.uploaded","timestamp":"2024-03-31T12:00:00Z","deliveries":[],"duplicate":false}}
}
