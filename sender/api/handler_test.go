package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/apitest"
	"github.com/videocloud/webhooks/sender"
	"github.com/videocloud/webhooks/sender/api"
)

const demoKey = "videocloud-demo-key"

// bench is a handler with its Service and its log; every answer is checked against the OpenAPI document.
type bench struct {
	service *fake
	handler http.Handler
	log     bytes.Buffer
}

func newBench(t testing.TB, o api.Options) *bench {
	t.Helper()
	b := &bench{service: newFake()}
	o.Service = b.service
	o.Logger = slog.New(slog.NewJSONHandler(&b.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if !o.Anonymous && o.Keys == nil {
		o.Keys = []api.Key{{Value: demoKey}}
	}
	h, err := api.New(o)
	require.NoError(t, err)
	b.handler = apitest.Checked(t, h, o.BasePath)
	b.log.Reset()
	return b
}

func (b *bench) do(method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-API-Key", demoKey)
	return b.serve(r)
}

func (b *bench) serve(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	return w
}

const (
	hook  = `{"url":"https://your-server.com/webhooks","events":["*"],"secret":"your_webhook_secret"}`
	event = `{"event":"video.uploaded","data":{}}`
)

func TestListShowsTheLastDeliveryLikeTheGuide(t *testing.T) {
	t.Parallel()
	b := newBench(t, api.Options{})
	b.do("POST", "/webhooks", strings.Replace(hook, `"*"`, `"video.uploaded","video.processed","video.published"`, 1))
	w := b.service.accounts["default"].webhooks[0]
	cet := time.FixedZone("CET", 3600)
	w.ID = "whk_123456"
	w.CreatedAt = time.Date(2024, 3, 31, 13, 0, 0, 999_999_999, cet)
	w.LastDelivery = &sender.LastDelivery{Success: true, Timestamp: time.Date(2024, 3, 31, 13, 5, 0, 1, cet)}
	const guide = `{
  "success": true,
  "data": {
    "items": [
      {
        "id": "whk_123456",
        "url": "https://your-server.com/webhooks",
        "events": [
          "video.uploaded",
          "video.processed",
          "video.published"
        ],
        "status": "active",
        "createdAt": "2024-03-31T12:00:00Z",
        "lastDelivery": {
          "success": true,
          "timestamp": "2024-03-31T12:05:00Z"
        }
      }
    ]
  }
}`
	var want bytes.Buffer
	require.NoError(t, json.Compact(&want, []byte(guide)))
	require.Equal(t, want.String()+"\n", b.do("GET", "/webhooks", "").Body.String())
}

func TestDeliveryShowsItsAttempts(t *testing.T) {
	t.Parallel()
	b := newBench(t, api.Options{})
	b.do("POST", "/webhooks", hook)
	b.do("POST", "/events", event)
	at := time.Date(2024, 3, 31, 12, 0, 0, 123_456_789, time.UTC)
	d := b.service.accounts["default"].deliveries[0]
	*d = sender.Delivery{
		ID: "dlv_1", EventID: "evt_1", Type: "video.uploaded", WebhookID: "whk_1", State: sender.StateFailed, Reason: sender.ReasonExpired, CreatedAt: at,
		Attempts: []sender.Attempt{{Number: 1, At: at, DurationMS: 15, Error: "timed out"}, {Number: 2, At: at, DurationMS: 3, StatusCode: 500, ResponseBody: "<\xff&>\x00"}},
	}
	require.Equal(t, `{"success":true,"data":{"id":"dlv_1","eventId":"evt_1","event":"video.uploaded","webhookId":"whk_1","state":"failed","reason":"expired",`+
		`"createdAt":"2024-03-31T12:00:00.123Z","attempts":[{"number":1,"at":"2024-03-31T12:00:00.123Z","durationMs":15,"error":"timed out"},`+
		`{"number":2,"at":"2024-03-31T12:00:00.123Z","durationMs":3,"statusCode":500,"responseBody":"<\ufffd&>\u0000"}]}}`+"\n",
		b.do("GET", "/deliveries/dlv_1", "").Body.String())
}

func TestAFailingServiceIs503WithoutItsReason(t *testing.T) {
	t.Parallel()
	secret := errors.New("dial tcp 10.1.2.3:6379: connection refused")
	for name, err := range map[string]error{
		"any error":        fmt.Errorf("storing the event: %w", secret),
		"said so":          &sender.Error{Code: sender.CodeUnavailable, Message: "the store is down; try again", Err: secret},
		"an unknown code":  &sender.Error{Code: "surprise", Message: "10.1.2.3", Err: secret},
		"a broken promise": context.DeadlineExceeded,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, api.Options{})
			b.service.down = err
			for _, request := range [][3]string{
				{"POST", "/events", event}, {"POST", "/webhooks", hook}, {"GET", "/webhooks", ""}, {"POST", "/events/batch", `{"events":[` + event + `,{}]}`},
			} {
				b.log.Reset()
				w := b.do(request[0], request[1], request[2])
				require.Equal(t, http.StatusServiceUnavailable, w.Code)
				require.Equal(t, "5", w.Header().Get("Retry-After"))
				require.Contains(t, w.Body.String(), `"code":"unavailable"`)
				require.NotContains(t, w.Body.String(), "10.1.2.3")
				require.Contains(t, b.log.String(), `"level":"ERROR"`)
				if errors.Is(err, secret) {
					require.Contains(t, b.log.String(), "connection refused", "the operator must learn the cause")
				}
			}
		})
	}
}

func TestABatchThatIsPartlyStoredIsNot503(t *testing.T) {
	t.Parallel()
	b := newBench(t, api.Options{})
	h, err := api.New(api.Options{Service: halfDown{b.service}, Anonymous: true})
	require.NoError(t, err)
	b.handler = apitest.Checked(t, h, "")
	w := b.do("POST", "/events/batch", `{"events":[`+event+`,`+event+`]}`)
	require.Equal(t, http.StatusAccepted, w.Code)
	require.Contains(t, w.Body.String(), `"code":"unavailable"`)
	require.Contains(t, w.Body.String(), `"duplicate":false`)
}

// halfDown stores the first event of a batch and no other.
type halfDown struct{ *fake }

func (h halfDown) PublishBatch(ctx context.Context, account string, events []sender.Event) []sender.PublishResult {
	results := h.fake.PublishBatch(ctx, account, events)
	for i := range results[1:] {
		results[i+1] = sender.PublishResult{Err: errors.New("the store is down")}
	}
	return results
}

func TestNothingSecretIsLogged(t *testing.T) {
	t.Parallel()
	b := newBench(t, api.Options{})
	for _, key := range []string{demoKey, "a-key-of-somebody-else"} {
		for _, body := range []string{hook, strings.Replace(hook, `"secret"`, `"Secret"`, 1), hook + "x", strings.Replace(hook, "*", "video.eaten", 1)} {
			r := httptest.NewRequest("POST", "/webhooks?cursor=x", strings.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Authorization", "Bearer "+key)
			b.serve(r)
			r = httptest.NewRequest("POST", "/webhooks", strings.NewReader(body))
			r.Header = http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + key}}
			b.serve(r)
		}
	}
	require.Contains(t, b.log.String(), `"code":"unauthorized"`)
	require.Contains(t, b.log.String(), `"code":"unknown_field"`)
	for _, secret := range []string{demoKey, "a-key-of-somebody-else", "your_webhook_secret"} {
		require.NotContains(t, b.log.String(), secret)
	}
}

func TestAnonymous(t *testing.T) {
	t.Parallel()
	b := newBench(t, api.Options{Anonymous: true})
	require.Equal(t, http.StatusCreated, b.do("POST", "/webhooks", hook).Code)
	require.Len(t, b.service.accounts["default"].webhooks, 1)
	r := httptest.NewRequest("GET", "/webhooks", nil)
	r.Header.Set("X-VideoCloud-Account", "other")
	require.Equal(t, http.StatusForbidden, b.serve(r).Code)
	require.NotContains(t, b.do("GET", "/openapi.json", "").Body.String(), "securitySchemes")
}

func TestBrandAndBasePath(t *testing.T) {
	t.Parallel()
	b := newBench(t, api.Options{Brand: "Acme", BasePath: "/api/v1", Keys: []api.Key{{Value: demoKey, Account: api.AnyAccount}}})
	r := httptest.NewRequest("POST", "/api/v1/webhooks", strings.NewReader(hook))
	r.Header = http.Header{"Content-Type": {"application/json"}, "X-Api-Key": {demoKey}, "X-Acme-Account": {"acme"}}
	w := b.serve(r)
	require.Equal(t, http.StatusCreated, w.Code, w.Body)
	require.Len(t, b.service.accounts["acme"].webhooks, 1)
	require.Equal(t, "/api/v1/webhooks/"+b.service.accounts["acme"].webhooks[0].ID, w.Header().Get("Location"))
	require.Equal(t, http.StatusNotFound, b.do("GET", "/webhooks", "").Code)
	require.Equal(t, http.StatusNotFound, b.do("GET", "/api/v1webhooks", "").Code)
	document := b.do("GET", "/api/v1/openapi.json", "").Body.String()
	require.Contains(t, document, `"servers":[{"url":"/api/v1"}]`)
	require.Contains(t, document, `"X-Acme-Account"`)
}

func TestABodyThatBreaksOff(t *testing.T) {
	t.Parallel()
	b := newBench(t, api.Options{})
	for _, length := range []int64{-1, int64(len(event))} {
		r := httptest.NewRequest("POST", "/events", io.MultiReader(strings.NewReader(event[:10]), failing{}))
		r.ContentLength = length
		r.Header = http.Header{"Content-Type": {"application/json"}, "X-Api-Key": {demoKey}}
		w := b.serve(r)
		require.Equal(t, http.StatusBadRequest, w.Code)
		require.NotContains(t, w.Body.String(), "reset by peer")
	}
	require.Empty(t, b.service.accounts)
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("reset by peer") }

func TestNothingIsReadOfARefusedRequest(t *testing.T) {
	t.Parallel()
	b := newBench(t, api.Options{})
	for name, r := range map[string]*http.Request{
		"too long":      httptest.NewRequest("POST", "/events", failing{}),
		"no key":        httptest.NewRequest("POST", "/events", failing{}),
		"another media": httptest.NewRequest("POST", "/events", failing{}),
	} {
		r.Header = http.Header{"Content-Type": {"application/json"}, "X-Api-Key": {demoKey}}
		want := http.StatusUnauthorized
		switch name {
		case "too long":
			r.ContentLength, want = 300<<10, http.StatusRequestEntityTooLarge
		case "no key":
			r.Header.Del("X-Api-Key")
		case "another media":
			r.Header.Set("Content-Type", "text/plain")
			want = http.StatusUnsupportedMediaType
		}
		require.Equal(t, want, b.serve(r).Code, name)
	}
}

func BenchmarkPublish(b *testing.B) {
	h, err := api.New(api.Options{Service: instant{}, Keys: []api.Key{{Value: demoKey}}})
	require.NoError(b, err)
	body := strings.Replace(event, "{}", `{"videoId":"vid_123456","title":"My Video","size":10485760,"description":"`+strings.Repeat("x", 900)+`"}`, 1)
	r := httptest.NewRequest("POST", "/events", nil)
	r.Header = http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + demoKey}}
	r.ContentLength = int64(len(body))
	reader := strings.NewReader(body)
	r.Body = io.NopCloser(reader)
	b.ReportAllocs()
	for b.Loop() {
		reader.Reset(body)
		w := discard{header: http.Header{}}
		h.ServeHTTP(&w, r)
		if w.status != http.StatusAccepted {
			b.Fatal(w.status)
		}
	}
}

// instant publishes at once.
type instant struct{ api.Service }

func (instant) Publish(_ context.Context, _ string, e sender.Event) (sender.Published, error) {
	return sender.Published{
		ID: "evt_0190a5e4c0de7b2ca7d1f00dcafe0001", Type: e.Type, Timestamp: time.Unix(1_711_886_400, 0),
		Deliveries: []sender.DeliveryRef{{ID: "dlv_0190a5e4c0de7b2ca7d1f00dcafe0001", WebhookID: "whk_0190a5e4c0de7b2ca7d1f00dcafe0001"}},
	}, nil
}

type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
