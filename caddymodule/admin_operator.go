package caddymodule

import (
	"cmp"
	"net/http"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/adminapi"
	"github.com/videocloud/webhooks/sender"
)

// accountOf returns the account that was named, or the one that id belongs to.
func (q *adminRequest) accountOf(account, id string) (string, error) {
	switch {
	case id == "":
		return "", badRequest("id is missing")
	case account != "":
		return account, nil
	}
	return q.sender.AccountOf(q.Context(), id)
}

// listWebhooks answers GET /webhooks/webhooks.
func listWebhooks(q *adminRequest) (any, error) {
	list := adminapi.Page[sender.WebhookInfo]{Items: []sender.WebhookInfo{}}
	err := q.sender.EachWebhook(q.Context(), q.query.Get("account"), func(w sender.WebhookInfo) error {
		if matches(q.query.Get("status"), string(w.Status)) {
			list.Items = append(list.Items, w)
		}
		return nil
	})
	return list, err
}

// listEvents answers GET /webhooks/events, as the API's GET /events does.
func listEvents(q *adminRequest) (any, error) {
	items, next, err := q.sender.Events(q.Context(), cmp.Or(q.query.Get("account"), config.DefaultAccount), sender.EventFilter{
		Type: q.query.Get("event"), Since: q.since, Until: q.until, Limit: q.limit, Cursor: q.query.Get("cursor"),
	})
	return adminapi.Page[sender.EventSummary]{Items: items, NextCursor: next}, err
}

// retryDelivery answers POST /webhooks/retry.
func retryDelivery(q *adminRequest, asked *adminapi.Retry) (any, error) {
	account, err := q.accountOf(asked.Account, asked.ID)
	if err != nil {
		return nil, err
	}
	q.status = http.StatusAccepted
	return q.sender.RetryDelivery(q.Context(), account, asked.ID)
}

// reencrypt answers POST /webhooks/reencrypt.
func reencrypt(q *adminRequest) (any, error) {
	n, err := q.sender.Reencrypt(q.Context())
	return adminapi.Count{Count: n}, err
}

// notifyTest answers POST /webhooks/notify-test.
func notifyTest(q *adminRequest) (any, error) {
	list, err := q.sender.TestNotices(q.Context())
	return adminapi.Page[sender.NotifyTest]{Items: list}, err
}

// startReplay answers POST /webhooks/replays.
func startReplay(q *adminRequest, asked *adminapi.Replay) (any, error) {
	account, err := q.accountOf(asked.Account, asked.WebhookID)
	if err != nil {
		return nil, err
	}
	q.status = http.StatusAccepted
	return q.sender.StartReplay(q.Context(), account, asked.WebhookID, sender.ReplayRequest{
		Since: asked.Since, Until: asked.Until, Events: asked.Events, State: asked.State, DryRun: asked.DryRun,
	})
}

// showReplay answers GET /webhooks/replays.
func showReplay(q *adminRequest) (any, error) {
	id := q.query.Get("id")
	account, err := q.accountOf(q.query.Get("account"), id)
	if err != nil {
		return nil, err
	}
	return q.sender.Replay(q.Context(), account, id)
}
