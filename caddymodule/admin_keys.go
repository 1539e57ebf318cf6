package caddymodule

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/adminapi"
	"github.com/videocloud/webhooks/sender"
	"github.com/videocloud/webhooks/sender/api"
)

func keyAnswer(k sender.Key, value string) adminapi.Key {
	return adminapi.Key{
		ID: k.ID, Key: value, Account: k.Account, Role: k.Role, WebhookID: k.WebhookID, Description: k.Description, CreatedAt: k.CreatedAt,
		ExpiresAt: unlessZero(k.ExpiresAt), LastUsedAt: unlessZero(k.LastUsedAt),
	}
}

// listKeys answers GET /webhooks/keys: those of every account where none is named.
func listKeys(q *adminRequest) (any, error) {
	keys, next, err := q.sender.ListKeys(q.Context(), cmp.Or(q.query.Get("account"), api.AnyAccount), q.query.Get("cursor"), q.limit)
	list := adminapi.Page[adminapi.Key]{Items: make([]adminapi.Key, len(keys)), NextCursor: next}
	for i, k := range keys {
		list.Items[i] = keyAnswer(k, "")
	}
	return list, err
}

// createKey answers POST /webhooks/keys. The key is the operator's own, and ends with no other.
func createKey(q *adminRequest, asked *adminapi.NewKey) (any, error) {
	in := sender.NewKey{
		Account: cmp.Or(asked.Account, config.DefaultAccount), Role: asked.Role, Description: asked.Description, By: sender.RootOperator, Root: sender.RootOperator,
	}
	if !slices.Contains(api.Roles(), api.Role(asked.Role)) {
		return nil, badRequest(fmt.Sprintf("role is one of %v", api.Roles()))
	}
	if len(asked.Description) > api.MaxKeyDescription {
		return nil, badRequest(fmt.Sprintf("description has at most %d bytes", api.MaxKeyDescription))
	}
	if asked.ExpiresIn != "" {
		life, err := caddy.ParseDuration(asked.ExpiresIn)
		if err != nil || life < time.Second {
			return nil, badRequest("expiresIn is a duration of at least 1s, such as 2h or 30d")
		}
		in.ExpiresAt = time.Now().Add(life)
	}
	q.status = http.StatusCreated
	k, value, err := q.sender.CreateKey(q.Context(), in)
	return keyAnswer(k, value), err
}

// deleteKey answers DELETE /webhooks/keys.
func deleteKey(q *adminRequest) (any, error) {
	id := q.query.Get("id")
	return map[string]string{"id": id}, q.sender.DeleteKey(q.Context(), api.AnyAccount, id)
}
