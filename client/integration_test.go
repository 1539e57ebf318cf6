package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/client"
)

// uploaded is a payload that no re-encoding would leave as it is.
const uploaded = `{"videoId":"vid_123456", "size":12345678901234567890,"title":"\u00fc<b>"}`

const secret = "your_webhook_secret"

// running is a running API, which must be allowed to deliver to loopback, and an endpoint of ours.
type running struct {
	*client.Client
	t       *testing.T
	url     string
	webhook client.Webhook

	mu       sync.Mutex
	received []delivered
}

type delivered struct {
	header http.Header
	body   []byte
}

func newRunning(t *testing.T, events ...string) *running {
	t.Helper()
	base := os.Getenv("VIDEOCLOUD_BASE_URL")
	if base == "" {
		t.Skip("VIDEOCLOUD_BASE_URL is not set: give it a running API that may deliver to loopback")
	}
	key := os.Getenv("VIDEOCLOUD_API_KEY")
	if key == "" {
		key = "videocloud-demo-key"
	}
	c, err := client.New(key, client.WithBaseURL(base))
	require.NoError(t, err)
	r := &running{Client: c, t: t}
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.received = append(r.received, delivered{req.Header, body})
	}))
	t.Cleanup(srv.Close)
	r.url = srv.URL + "/webhooks"
	r.webhook, err = c.Webhooks.Register(t.Context(), client.NewWebhook{URL: r.url, Events: events, Secret: secret})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Webhooks.Delete(context.Background(), r.webhook.ID)) })
	return r
}

func (r *running) publish() client.Published {
	r.t.Helper()
	p, err := r.Events.Publish(r.t.Context(), client.Event{Type: "video.uploaded", Data: json.RawMessage(uploaded)})
	require.NoError(r.t, err)
	require.False(r.t, p.Duplicate)
	return p
}

func (r *running) until(what string, ask func() bool) {
	r.t.Helper()
	require.Eventually(r.t, ask, 2*time.Minute, 10*time.Millisecond, what)
}

// arrival is the n-th request that brought an event.
func (r *running) arrival(event string, n int) (d delivered) {
	r.t.Helper()
	r.until("the event arrives", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		seen := 0
		for _, d = range r.received {
			if d.header.Get("webhook-id") == event {
				if seen++; seen == n {
					return true
				}
			}
		}
		return false
	})
	return d
}

// ours is the delivery of an event to our webhook.
func (r *running) ours(p client.Published) string {
	r.t.Helper()
	i := slices.IndexFunc(p.Deliveries, func(d client.DeliveryRef) bool { return d.WebhookID == r.webhook.ID })
	require.GreaterOrEqual(r.t, i, 0)
	return p.Deliveries[i].ID
}

func (r *running) ended(p client.Published) (d client.Delivery) {
	r.t.Helper()
	id := r.ours(p)
	r.until("the delivery ends", func() bool {
		var err error
		d, err = r.Deliveries.Get(r.t.Context(), id)
		return err == nil && d.Done()
	})
	return d
}

func TestRunningDelivery(t *testing.T) {
	t.Parallel()
	r := newRunning(t, "video.uploaded", "video.processed")
	require.Equal(t, client.StatusActive, r.webhook.Status)
	require.Empty(t, r.webhook.Secret)
	p := r.publish()
	got := r.arrival(p.ID, 1)
	require.True(t, client.VerifySignature(got.body, got.header.Get(client.SignatureHeader), secret))
	require.False(t, client.VerifySignature(got.body, got.header.Get(client.SignatureHeader), "another_webhook_secret"))
	event, err := client.Verify(got.body, got.header, secret, client.VerifyOptions{})
	require.NoError(t, err)
	require.Equal(t, p.ID, event.ID)
	require.Equal(t, uploaded, string(event.Data))

	d := r.ended(p)
	require.Equal(t, client.StateSucceeded, d.State)
	require.Equal(t, 200, d.Attempts[0].StatusCode)
	record, err := r.Events.Get(t.Context(), p.ID)
	require.NoError(t, err)
	require.Equal(t, uploaded, string(record.Data))
	listed := false
	for other, err := range r.Deliveries.All(t.Context(), r.webhook.ID, client.DeliveryListOptions{State: client.StateSucceeded}) {
		require.NoError(t, err)
		listed = listed || other.ID == d.ID
	}
	require.True(t, listed)
	w, err := r.Webhooks.Get(t.Context(), r.webhook.ID)
	require.NoError(t, err)
	require.True(t, w.LastDelivery.Success)

	_, err = r.Deliveries.Retry(t.Context(), d.ID)
	require.NoError(t, err)
	r.arrival(p.ID, 2)
}

func TestRunningPublish(t *testing.T) {
	t.Parallel()
	r := newRunning(t, "video.*")
	e := client.Event{Type: "video.uploaded", Data: json.RawMessage(uploaded), ID: fmt.Sprintf("go_%d", time.Now().UnixNano())}
	for _, duplicate := range []bool{false, true} {
		p, err := r.Events.Publish(t.Context(), e)
		require.NoError(t, err)
		require.Equal(t, duplicate, p.Duplicate)
	}
	e.Data = struct{}{}
	_, err := r.Events.Publish(t.Context(), e)
	var refused *client.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, client.CodeConflict, refused.Code)
	require.Equal(t, http.StatusConflict, refused.Status)

	results, err := r.Events.PublishBatch(t.Context(), []client.Event{
		{Type: "video.deleted", Data: json.RawMessage(uploaded)}, {Type: "video.burned", Data: struct{}{}},
	})
	require.NoError(t, err)
	require.Nil(t, results[0].Err)
	r.arrival(results[0].Published.ID, 1)
	require.Equal(t, client.CodeUnknownEventType, results[1].Err.Code)
}

func TestRunningWebhook(t *testing.T) {
	t.Parallel()
	r := newRunning(t, "video.uploaded")
	w, err := r.Webhooks.Pause(t.Context(), r.webhook.ID)
	require.NoError(t, err)
	require.Equal(t, client.StatusPaused, w.Status)
	p := r.publish()
	d, err := r.Deliveries.Get(t.Context(), r.ours(p))
	require.NoError(t, err)
	require.Equal(t, client.StatePending, d.State)
	_, err = r.Webhooks.Resume(t.Context(), r.webhook.ID)
	require.NoError(t, err)
	r.arrival(p.ID, 1)

	p, err = r.Webhooks.Test(t.Context(), r.webhook.ID)
	require.NoError(t, err)
	require.Equal(t, "webhook.test", r.arrival(p.ID, 1).header.Get("X-VideoCloud-Event"))

	w, err = r.Webhooks.Update(t.Context(), r.webhook.ID, client.WebhookUpdate{
		Secret: new("new_webhook_secret"), SecretOverlap: time.Hour, Description: new("rotated"), Headers: map[string]string{"X-Tenant": "acme"},
	})
	require.NoError(t, err)
	require.Equal(t, "rotated", w.Description)
	require.Equal(t, []string{"X-Tenant"}, w.HeaderNames)
	got := r.arrival(r.publish().ID, 1)
	require.Equal(t, "acme", got.header.Get("X-Tenant"))
	require.True(t, client.VerifySignature(got.body, got.header.Get(client.SignatureHeader), "new_webhook_secret"))
	_, err = client.Verify(got.body, got.header, secret, client.VerifyOptions{})
	require.NoError(t, err, "the old secret, for an hour")

	seen := false
	for w, err := range r.Webhooks.All(t.Context()) {
		require.NoError(t, err)
		seen = seen || w.ID == r.webhook.ID
	}
	require.True(t, seen)
}

func TestRunningReplay(t *testing.T) {
	t.Parallel()
	r := newRunning(t, "video.uploaded")
	p := r.publish()
	r.ended(p)
	request := client.ReplayRequest{Since: time.Now().Add(-time.Hour), State: "all", DryRun: true}
	counted, err := r.Webhooks.Replay(t.Context(), r.webhook.ID, request)
	require.NoError(t, err)
	require.Empty(t, counted.ID)
	require.Positive(t, counted.Matched)
	request.DryRun = false
	started, err := r.Webhooks.Replay(t.Context(), r.webhook.ID, request)
	require.NoError(t, err)
	r.until("the replay ends", func() bool {
		replay, err := r.Replays.Get(t.Context(), started.ID)
		return err == nil && replay.State == "done" && replay.Sent > 0
	})
	r.arrival(p.ID, 2)
}

func TestRunningSecretOfTheAPI(t *testing.T) {
	t.Parallel()
	r := newRunning(t, "video.uploaded")
	w, err := r.Webhooks.Register(t.Context(), client.NewWebhook{URL: r.url, Events: []string{"user.*"}})
	require.NoError(t, err)
	require.Regexp(t, "^whsec_", w.Secret)
	p, err := r.Events.Publish(t.Context(), client.Event{Type: "user.deleted", Data: map[string]string{"userId": "usr_1"}})
	require.NoError(t, err)
	got := r.arrival(p.ID, 1)
	require.True(t, client.VerifySignature(got.body, got.header.Get(client.SignatureHeader), w.Secret))
	_, err = client.Verify(got.body, got.header, w.Secret, client.VerifyOptions{})
	require.NoError(t, err)
	require.NoError(t, r.Webhooks.Delete(t.Context(), w.ID))
	_, err = r.Webhooks.Get(t.Context(), w.ID)
	var refused *client.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, client.CodeNotFound, refused.Code)
}

func TestRunningRefusals(t *testing.T) {
	t.Parallel()
	r := newRunning(t, "video.uploaded")
	types, err := r.EventTypes.List(t.Context())
	require.NoError(t, err)
	require.True(t, slices.ContainsFunc(types, func(e client.EventType) bool { return e.Name == "comment.created" && e.Group == "comment" }))
	var refused *client.Error
	_, err = r.Webhooks.Register(t.Context(), client.NewWebhook{URL: "not a URL", Events: []string{"video.*"}})
	require.ErrorAs(t, err, &refused)
	require.Equal(t, http.StatusUnprocessableEntity, refused.Status)
	require.Equal(t, "url", refused.Field)
	stranger, err := client.New("no-such-key", client.WithBaseURL(os.Getenv("VIDEOCLOUD_BASE_URL")))
	require.NoError(t, err)
	_, err = stranger.EventTypes.List(t.Context())
	require.ErrorAs(t, err, &refused)
	require.Equal(t, client.CodeUnauthorized, refused.Code)
}
