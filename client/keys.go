package client

import (
	"context"
	"encoding/json"
	"iter"
	"time"
)

// Role is what a key may do.
type Role string

// The roles. RolePortal is that of portal links only.
const (
	RolePublish Role = "publish" // publish, and read event types and the events it can name
	RoleRead    Role = "read"    // look at everything, change nothing
	RoleManage  Role = "manage"  // all of read, and change everything but publish
	RolePortal  Role = "portal"  // what manage may but delete events
	RoleAll     Role = "all"     // everything
)

// APIKey is a key that was made by [APIKeys.Create].
type APIKey struct {
	ID          string    `json:"id"`
	Account     string    `json:"account"`
	Role        Role      `json:"role"`
	WebhookID   string    `json:"webhookId,omitempty"` // of the portal of one webhook
	Description string    `json:"description,omitempty"`
	CreatedAt   time.Time `json:"createdAt"`
	ExpiresAt   time.Time `json:"expiresAt,omitzero"`  // zero: never
	LastUsedAt  time.Time `json:"lastUsedAt,omitzero"` // to the hour; zero: never

	// Key is set by [APIKeys.Create] only. Keep it: it is never shown again.
	Key string `json:"key,omitempty"`
}

// NewAPIKey is a key to make.
type NewAPIKey struct {
	Account     string        `json:"account,omitempty"` // default: that of the key that makes it
	Role        Role          `json:"role"`
	Description string        `json:"description,omitempty"`
	ExpiresIn   time.Duration `json:"expiresIn,omitempty"` // 0: until it is deleted
}

// MarshalJSON implements json.Marshaler. It writes the duration as a text, which the API needs.
func (k NewAPIKey) MarshalJSON() ([]byte, error) {
	type plain NewAPIKey
	return json.Marshal(struct {
		plain
		ExpiresIn string `json:"expiresIn,omitempty"`
	}{plain(k), durationText(k.ExpiresIn)})
}

// PortalLink is a link to the portal. Whoever has it can use it.
type PortalLink struct {
	ID        string    `json:"id"` // of the key in it
	URL       string    `json:"url"`
	Token     string    `json:"token"`
	ExpiresAt time.Time `json:"expiresAt"`
}

// NewPortalLink is a portal link to make.
type NewPortalLink struct {
	Account   string        `json:"account,omitempty"`   // default: that of the key that makes it
	WebhookID string        `json:"webhookId,omitempty"` // the only one to show; default: all
	ExpiresIn time.Duration `json:"expiresIn,omitempty"` // at most 7 days; 0 is 24 hours
}

// MarshalJSON implements json.Marshaler. It writes the duration as a text, which the API needs.
func (l NewPortalLink) MarshalJSON() ([]byte, error) {
	type plain NewPortalLink
	return json.Marshal(struct {
		plain
		ExpiresIn string `json:"expiresIn,omitempty"`
	}{plain(l), durationText(l.ExpiresIn)})
}

// durationText is the duration as a text, empty for zero.
func durationText(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

// APIKeys makes keys at run time, lists and deletes them. Get it from [Client.APIKeys].
type APIKeys struct{ c *Client }

// Create makes a key. It is not retried: a second try could make another.
func (k *APIKeys) Create(ctx context.Context, in NewAPIKey) (APIKey, error) {
	return post[APIKey](ctx, k.c, in, "api-keys")
}

// List returns one page of the keys that were made, oldest first.
func (k *APIKeys) List(ctx context.Context, o ListOptions) (Page[APIKey], error) {
	return get[Page[APIKey]](ctx, k.c, o.query(), "api-keys")
}

// All yields every key that was made, oldest first.
func (k *APIKeys) All(ctx context.Context) iter.Seq2[APIKey, error] {
	return allPages(ctx, k.List)
}

// Delete deletes a key and all keys that were made with it. Within a second every process refuses them.
func (k *APIKeys) Delete(ctx context.Context, id string) error {
	return remove(ctx, k.c, "api-keys", id)
}

// PortalLinks makes links to the portal. Get it from [Client.PortalLinks].
type PortalLinks struct{ c *Client }

// Create makes a link. It is not retried: a second try could make another.
func (p *PortalLinks) Create(ctx context.Context, in NewPortalLink) (PortalLink, error) {
	return post[PortalLink](ctx, p.c, in, "portal-links")
}
