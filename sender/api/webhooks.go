package api

import (
	"reflect"
	"time"

	"github.com/videocloud/webhooks/sender"
)

// maxSecretOverlap bounds how long an old secret goes on signing.
const maxSecretOverlap = 30 * 24 * time.Hour

// newWebhook is the body of POST /webhooks.
type newWebhook struct {
	URL         string            `json:"url" required:"true" format:"uri" doc:"Where deliveries go: https, a public host, no user info." example:"https://your-server.com/webhooks"`
	Events      []string          `json:"events" required:"true" min:"1" doc:"Event types, groups such as video.*, or * for all." example:"video.uploaded"`
	Secret      *string           `json:"secret" min:"1" max:"256" doc:"What deliveries are signed with, 16 to 256 bytes. Left out, one is made and shown in the answer."`
	Description string            `json:"description" doc:"A note of yours."`
	Headers     map[string]string `json:"headers" doc:"Custom headers of every delivery. Their values are never shown again."`
	RateLimit   int               `json:"rateLimit" min:"0" doc:"Attempts a second at most; 0 is no limit."`
	MaxInFlight int               `json:"maxInFlight" min:"0" doc:"Attempts in flight at most; 0 is the server's own limit."`
}

// webhookUpdate is the body of PUT and PATCH /webhooks/{id}.
type webhookUpdate struct {
	URL           *string            `json:"url" null:"no" format:"uri" doc:"Where deliveries go: https, a public host, no user info."`
	Events        *[]string          `json:"events" null:"no" min:"1" doc:"Event types, groups such as video.*, or * for all."`
	Secret        *string            `json:"secret" null:"no" min:"1" max:"256" doc:"Signs from the next attempt on, 16 to 256 bytes."`
	SecretOverlap *time.Duration     `json:"secretOverlap" doc:"How long the old secret keeps signing as a second value in webhook-signature, such as 24h; 720h at most. Goes with a new secret."`
	Description   *string            `json:"description" null:"clear" doc:"A note of yours."`
	Headers       *map[string]string `json:"headers" null:"clear" doc:"All custom headers of every delivery, in place of those before."`
	RateLimit     *int               `json:"rateLimit" null:"clear" min:"0" doc:"Attempts a second at most; 0 is no limit."`
	MaxInFlight   *int               `json:"maxInFlight" null:"clear" min:"0" doc:"Attempts in flight at most; 0 is the server's own limit."`
	Status        *sender.Status     `json:"status" null:"no" enum:"active,paused" doc:"Pause or resume it; active also ends failed and disabled."`
}

// webhook is a webhook in answers: exactly the guide's fields in the guide's order, then what was set.
type webhook struct {
	ID           string        `json:"id" example:"whk_123456"`
	URL          string        `json:"url" format:"uri"`
	Events       []string      `json:"events"`
	Status       sender.Status `json:"status" enum:"active,failed,paused,disabled"`
	CreatedAt    seconds       `json:"createdAt"`
	LastDelivery *lastDelivery `json:"lastDelivery,omitempty" doc:"Absent until there was one."`
	Description  string        `json:"description,omitempty"`
	Headers      []string      `json:"headers,omitempty" doc:"The names of the custom headers; their values are not shown."`
	RateLimit    int           `json:"rateLimit,omitempty"`
	MaxInFlight  int           `json:"maxInFlight,omitempty"`
}

type lastDelivery struct {
	Success   bool    `json:"success"`
	Timestamp seconds `json:"timestamp"`
}

// createdWebhook is the answer to POST /webhooks.
type createdWebhook struct {
	webhook
	Secret string `json:"secret,omitempty" doc:"The secret that was made, where none was given. Keep it: it is not shown again."`
}

type webhookPage struct {
	Items      []webhook `json:"items"`
	NextCursor string    `json:"nextCursor,omitempty" doc:"The cursor of the next page, where there is more."`
}

type deletedWebhook struct {
	ID string `json:"id"`
}

func webhookOf(w sender.Webhook) webhook {
	a := webhook{
		ID: w.ID, URL: w.URL, Events: notNil(w.Events), Status: w.Status, CreatedAt: seconds(w.CreatedAt),
		Description: w.Description, Headers: w.HeaderNames, RateLimit: w.RateLimit, MaxInFlight: w.MaxInFlight,
	}
	if l := w.LastDelivery; l != nil {
		a.LastDelivery = &lastDelivery{Success: l.Success, Timestamp: seconds(l.Timestamp)}
	}
	return a
}

// notNil makes an empty list of none, for JSON.
func notNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

var (
	newWebhookPlan    = planOf(reflect.TypeFor[newWebhook]())
	webhookUpdatePlan = planOf(reflect.TypeFor[webhookUpdate]())
)

func (c *call) createWebhook() (any, error) {
	in, err := decode[newWebhook](c, newWebhookPlan, maxConfigBody)
	if err != nil {
		return nil, err
	}
	w, secret, err := c.service.CreateWebhook(c.r.Context(), c.account, sender.NewWebhook{
		URL: in.URL, Events: in.Events, Secret: valueOf(in.Secret), Description: in.Description,
		Headers: in.Headers, RateLimit: in.RateLimit, MaxInFlight: in.MaxInFlight,
	})
	if err != nil {
		return nil, err
	}
	c.location = "/webhooks/" + w.ID
	return createdWebhook{webhook: webhookOf(w), Secret: secret}, nil
}

func valueOf[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func (c *call) listWebhooks() (any, error) {
	items, next, err := c.service.ListWebhooks(c.r.Context(), c.account, c.query.cursor, c.query.limit)
	if err != nil {
		return nil, err
	}
	page := webhookPage{Items: make([]webhook, len(items)), NextCursor: next}
	for i := range items {
		page.Items[i] = webhookOf(items[i])
	}
	return page, nil
}

func (c *call) getWebhook() (any, error) {
	w, err := c.service.Webhook(c.r.Context(), c.account, c.id)
	if err != nil {
		return nil, err
	}
	return webhookOf(w), nil
}

func (c *call) updateWebhook() (any, error) {
	in, err := decode[webhookUpdate](c, webhookUpdatePlan, maxConfigBody)
	if err != nil {
		return nil, err
	}
	if in.SecretOverlap != nil && in.Secret == nil {
		return nil, invalid("secretOverlap", "goes with a new secret; give both")
	}
	w, err := c.service.UpdateWebhook(c.r.Context(), c.account, c.id, sender.WebhookUpdate{
		URL: in.URL, Events: in.Events, Secret: in.Secret, SecretOverlap: valueOf(in.SecretOverlap),
		Description: in.Description, Headers: in.Headers, RateLimit: in.RateLimit, MaxInFlight: in.MaxInFlight,
		Status: in.Status,
	})
	if err != nil {
		return nil, err
	}
	return webhookOf(w), nil
}

func (c *call) deleteWebhook() (any, error) {
	if err := c.service.DeleteWebhook(c.r.Context(), c.account, c.id); err != nil {
		return nil, err
	}
	return deletedWebhook{ID: c.id}, nil
}

func (c *call) testWebhook() (any, error) {
	if err := c.noBody(); err != nil {
		return nil, err
	}
	p, err := c.service.TestWebhook(c.r.Context(), c.account, c.id)
	if err != nil {
		return nil, err
	}
	return publishedOf(p), nil
}
