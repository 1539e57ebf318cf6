package caddymodule

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/sender"
	"github.com/videocloud/webhooks/sender/api"
)

// keyAnswer is an API key that was made at run time. Its value is there once, as it is made.
type keyAnswer struct {
	ID          string     `json:"id"`
	Key         string     `json:"key,omitempty"`
	Account     string     `json:"account"`
	Role        string     `json:"role"`
	WebhookID   string     `json:"webhookId,omitempty"`
	Description string     `json:"description,omitempty"`
	CreatedAt   time.Time  `json:"createdAt"`
	ExpiresAt   *time.Time `json:"expiresAt,omitempty"`
	LastUsedAt  *time.Time `json:"lastUsedAt,omitempty"`
}

func keyAnswerOf(k sender.Key, value string) keyAnswer {
	known := func(t time.Time) *time.Time {
		if t.IsZero() {
			return nil
		}
		return &t
	}
	return keyAnswer{
		ID: k.ID, Key: value, Account: k.Account, Role: k.Role, WebhookID: k.WebhookID, Description: k.Description, CreatedAt: k.CreatedAt,
		ExpiresAt: known(k.ExpiresAt), LastUsedAt: known(k.LastUsedAt),
	}
}

// keyList is a page of keys.
type keyList struct {
	Items      []keyAnswer `json:"items"`
	NextCursor string      `json:"nextCursor,omitempty"`
}

// listKeys answers GET /webhooks/keys?account=&limit=&cursor=: those of every account where none is named.
func listKeys(r *http.Request, a *App) (int, any, error) {
	param, err := parameters(r, "account", "limit", "cursor")
	if err != nil {
		return 0, nil, err
	}
	s, err := a.operated()
	if err != nil {
		return 0, nil, err
	}
	limit := 0
	if text := param("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil {
			return 0, nil, &badRequest{"limit is not a number"}
		}
	}
	keys, next, err := s.ListKeys(r.Context(), cmp.Or(param("account"), api.AnyAccount), param("cursor"), limit)
	answer := keyList{Items: make([]keyAnswer, len(keys)), NextCursor: next}
	for i, k := range keys {
		answer.Items[i] = keyAnswerOf(k, "")
	}
	return http.StatusOK, answer, err
}

// createKey answers POST /webhooks/keys. The key is the operator's own, and ends with no other.
func createKey(r *http.Request, a *App) (int, any, error) {
	var q struct{ Account, Role, Description, ExpiresIn string }
	s, err := a.operated()
	if err != nil {
		return 0, nil, err
	}
	if err := question(r, &q); err != nil {
		return 0, nil, err
	}
	in := sender.NewKey{
		Account: cmp.Or(q.Account, config.DefaultAccount), Role: q.Role, Description: q.Description, By: sender.RootOperator, Root: sender.RootOperator,
	}
	if !slices.Contains(api.Roles(), api.Role(q.Role)) {
		return 0, nil, &badRequest{fmt.Sprintf("role is one of %v", api.Roles())}
	}
	if len(q.Description) > api.MaxKeyDescription {
		return 0, nil, &badRequest{fmt.Sprintf("description has at most %d bytes", api.MaxKeyDescription)}
	}
	if q.ExpiresIn != "" {
		life, err := caddy.ParseDuration(q.ExpiresIn)
		if err != nil || life < time.Second {
			return 0, nil, &badRequest{"expiresIn is a duration of at least 1s, such as 2h or 30d"}
		}
		in.ExpiresAt = time.Now().Add(life)
	}
	k, value, err := s.CreateKey(r.Context(), in)
	return http.StatusCreated, keyAnswerOf(k, value), err
}

// deleteKey answers DELETE /webhooks/keys?id=.
func deleteKey(r *http.Request, a *App) (int, any, error) {
	param, err := parameters(r, "id")
	if err != nil {
		return 0, nil, err
	}
	s, err := a.operated()
	if err != nil {
		return 0, nil, err
	}
	if param("id") == "" {
		return 0, nil, &badRequest{"id is missing"}
	}
	return http.StatusOK, map[string]string{"id": param("id")}, s.DeleteKey(r.Context(), api.AnyAccount, param("id"))
}
