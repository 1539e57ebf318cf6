package api

import (
	"encoding/json"
	"reflect"
	"slices"
	"time"

	"github.com/videocloud/webhooks/sender"
)

// newWebhook is the body of POST /webhooks.
type newWebhook struct {
	sender.Settings
	Secret  *string           `json:"secret" min:"MinSecretSize" max:"MaxSecretSize" doc:"What deliveries are signed with, 16 to 256 bytes. Left out, one is made and shown in the answer."`
	Headers map[string]string `json:"headers" max:"MaxHeaders" max_key:"MaxHeaderName" max_value:"MaxHeaderValue" doc:"Custom headers of every delivery. Their values are never shown again."`
	Auth    *newAuth          `json:"auth" doc:"What the endpoint asks of its callers beside the signature. Secrets in it are never shown again."`
	Status  *sender.Status    `json:"status" enum:"active,paused" doc:"Left out, active."`
}

// webhookUpdate is the body of PUT and PATCH /webhooks/{id}. The object that GET answers can be sent as it is, so it has members
// that change nothing.
type webhookUpdate struct {
	sender.Settings
	Secret        *string        `json:"secret" null:"no" min:"MinSecretSize" max:"MaxSecretSize" doc:"Signs from the next attempt on, 16 to 256 bytes."`
	SecretOverlap *time.Duration `json:"secretOverlap" max:"30d" doc:"How long the old secret, or key pair, keeps signing as a second value in webhook-signature, such as 24h; 30d at most. Goes with a new secret, rotateKey or a new signing."`
	RotateKey     *bool          `json:"rotateKey" null:"no" doc:"true makes another key pair, with signing ed25519."`
	Headers       *headerUpdate  `json:"headers" null:"clear" max:"MaxHeaders" max_key:"MaxHeaderName" max_value:"MaxHeaderValue" doc:"All custom headers of every delivery, in place of those before. The list of names that GET shows changes nothing."`
	Auth          *authUpdate    `json:"auth" null:"clear" doc:"What the endpoint asks of its callers from the next attempt on, in place of what it asked before. What GET shows changes nothing; null ends it."`
	Status        *sender.Status `json:"status" null:"no" enum:"active,paused,failed,disabled" doc:"active or paused: resume or pause it; active also ends failed and disabled. failed and disabled, which only the server sets, change nothing."`
	ID            *string        `json:"id" read_only:"true" doc:"Its own ID; another is refused."`
	CreatedAt     *time.Time     `json:"createdAt" read_only:"true" doc:"Its own time; another is refused."`
	LastDelivery  ignored        `json:"lastDelivery" read_only:"true" doc:"Changes nothing."`
	PublicKey     ignored        `json:"publicKey" read_only:"true" doc:"Changes nothing."`
	HeldUntil     ignored        `json:"heldUntil" read_only:"true" doc:"Changes nothing."`
	FilterErrors  ignored        `json:"filterErrors" read_only:"true" doc:"Changes nothing."`
}

// partial marks a request of which every member may be left out.
func (webhookUpdate) partial() {}

// headerUpdate is what an update says of the custom headers: an object of all of them with their values, or the list of their
// names, which changes nothing.
type headerUpdate struct {
	values map[string]string
	names  []string // where a list was given
}

// ignored accepts any value and keeps none.
type ignored struct{}

// webhook is a webhook in answers: the fields of the guide in the guide's order, then the others. The Settings that come earlier
// in this order are repeated here, which hides them in the embedded struct.
type webhook struct {
	ID           string        `json:"id" example:"whk_123456"`
	URL          string        `json:"url" format:"uri"`
	Events       []string      `json:"events"`
	Status       sender.Status `json:"status" enum:"active,failed,paused,disabled"`
	CreatedAt    seconds       `json:"createdAt"`
	LastDelivery *lastDelivery `json:"lastDelivery,omitempty" doc:"Absent until there was one."`
	HeldUntil    *millis       `json:"heldUntil,omitempty" doc:"No attempt starts before, as the endpoint asked with Retry-After. Absent where none waits for that."`
	Description  string        `json:"description,omitempty"`
	Headers      []string      `json:"headers,omitempty" doc:"The names of the custom headers; their values are not shown."`
	FilterErrors int           `json:"filterErrors,omitempty" doc:"Events that the filter failed on, since it was set. They were delivered."`
	PublicKey    string        `json:"publicKey,omitempty" doc:"whpk_ and the public key in base64, with signing ed25519: what verifies webhook-signature."`
	Auth         *shownAuth    `json:"auth,omitempty" doc:"What the endpoint asks of its callers: the type, and what is no secret."`
	sender.Settings
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

type webhookPage struct{ page[webhook] }

type deletedWebhook struct {
	ID string `json:"id"`
}

func webhookOf(w sender.Webhook) webhook {
	a := webhook{
		ID: w.ID, URL: w.URL, Events: append([]string{}, w.Events...), Status: w.Status, CreatedAt: seconds(w.CreatedAt), HeldUntil: (*millis)(w.HeldUntil),
		Description: w.Description, Headers: w.HeaderNames, FilterErrors: w.FilterErrors, PublicKey: w.PublicKey, Auth: shownAuthOf(w.Auth), Settings: w.Settings,
	}
	if l := w.LastDelivery; l != nil {
		a.LastDelivery = &lastDelivery{Success: l.Success, Timestamp: seconds(l.Timestamp)}
	}
	return a
}

var webhookUpdatePlan = planOf(reflect.TypeFor[webhookUpdate]())

func (c *call) createWebhook(in newWebhook) (answer createdWebhook, err error) {
	key, err := c.idempotencyKey()
	if err != nil {
		return answer, err
	}
	n := sender.NewWebhook{Settings: in.Settings, Secret: valueOf(in.Secret), Headers: in.Headers, Status: valueOf(in.Status), IdempotencyKey: key}
	if in.Auth != nil {
		n.Auth = &in.Auth.Auth
	}
	w, secret, err := c.Service.CreateWebhook(c.r.Context(), c.account, n)
	if err != nil {
		return answer, err
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

func (c *call) listWebhooks() (webhookPage, error) {
	if own := c.caller.webhookID; own != "" {
		w, err := c.Service.Webhook(c.r.Context(), c.account, own)
		return pageOf[webhookPage](webhookOf)([]sender.Webhook{w}, "", err)
	}
	return pageOf[webhookPage](webhookOf)(c.Service.ListWebhooks(c.r.Context(), c.account, c.query.cursor, c.query.limit))
}

func (c *call) getWebhook() (webhook, error) {
	return converted(webhookOf)(c.Service.Webhook(c.r.Context(), c.account, c.id))
}

func (c *call) updateWebhook() (answer webhook, err error) {
	body, err := c.body(maxConfigBody)
	if err != nil {
		return answer, err
	}
	var in webhookUpdate
	if err := webhookUpdatePlan.decode(body, reflect.ValueOf(&in)); err != nil {
		return answer, err
	}
	if in.ID != nil && *in.ID != c.id {
		return answer, invalid("id", "is another webhook's; a webhook keeps its ID")
	}
	u := sender.WebhookUpdate{Secret: in.Secret, SecretOverlap: valueOf(in.SecretOverlap), RotateKey: valueOf(in.RotateKey), Change: in.settingsChange(body)}
	if in.Auth != nil {
		u.Auth = &in.Auth.Auth
	}
	if in.Headers != nil && in.Headers.names == nil {
		u.Headers = &in.Headers.values
	}
	if in.Status != nil && *in.Status != sender.StatusFailed && *in.Status != sender.StatusDisabled {
		u.Status = in.Status
	}
	return converted(webhookOf)(c.Service.UpdateWebhook(c.r.Context(), c.account, c.id, u))
}

// settingsChange returns the change of a webhook's settings that the members of the body make.
func (in *webhookUpdate) settingsChange(body []byte) func(w *sender.Webhook) error {
	return func(w *sender.Webhook) error {
		if in.CreatedAt != nil && !in.CreatedAt.Truncate(time.Second).Equal(w.CreatedAt.Truncate(time.Second)) {
			return invalid("createdAt", "is not the time at which this webhook was registered, which stays")
		}
		if in.Headers != nil && in.Headers.names != nil && !sameSet(in.Headers.names, w.HeaderNames) {
			return invalid("headers", "as a list leaves the headers as they are, so it must name those that there are; give an object of names and values to change them")
		}
		over := webhookUpdate{Settings: w.Settings}
		if err := webhookUpdatePlan.decode(body, reflect.ValueOf(&over)); err != nil {
			return err
		}
		w.Settings = over.Settings
		return nil
	}
}

func sameSet(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(slices.Compact(a), b)
}

func (c *call) deleteWebhook() (deletedWebhook, error) {
	return deletedWebhook{ID: c.id}, c.Service.DeleteWebhook(c.r.Context(), c.account, c.id)
}

// newTest is the body of POST /webhooks/{id}/test, which may be left out.
type newTest struct {
	Event string `json:"event" min:"1" max:"64" doc:"The type whose example is sent. Left out, a webhook.test event."`
}

var newTestPlan = planOf(reflect.TypeFor[newTest]())

func (c *call) testWebhook() (answer published, err error) {
	in, err := decodeOptional[newTest](c, newTestPlan)
	if err != nil {
		return answer, err
	}
	return converted(publishedOf)(c.Service.SendExample(c.r.Context(), c.account, c.id, in.Event))
}

// filterTest is the body of POST /webhooks/filter-test.
type filterTest struct {
	Filter string          `json:"filter" required:"true" max:"1024" doc:"A CEL expression, as a webhook's filter." example:"data.size > 1000000"`
	Event  string          `json:"event" required:"true" doc:"The event type." example:"video.uploaded"`
	Data   json.RawMessage `json:"data" required:"true" doc:"A JSON object, as an event's data."`
}

// filterTested is the answer to it.
type filterTested struct {
	Matches bool   `json:"matches" doc:"Whether the event would go to a webhook with this filter. It would where the filter fails on it."`
	Error   string `json:"error,omitempty" doc:"Why the filter fails on this event, where it does."`
}

// maxFilterTest leaves room for an event and an expression, each byte of which may be escaped.
const maxFilterTest = maxEventBody + 6<<10

func (c *call) testFilter(in filterTest) (filterTested, error) {
	matches, problem, err := c.Service.TestFilter(in.Filter, sender.Event{Type: in.Event, Data: in.Data})
	return filterTested{Matches: matches, Error: problem}, err
}
