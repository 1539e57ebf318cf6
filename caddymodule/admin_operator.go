package caddymodule

import (
	"cmp"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/adminapi"
	"github.com/videocloud/webhooks/sender"
)

// accountOf returns the account that was named, or the one that id belongs to.
func accountOf(q *adminRequest, s *sender.Sender, account, id string) (string, error) {
	switch {
	case id == "":
		return "", &badRequest{"id is missing"}
	case account != "":
		return account, nil
	}
	return s.AccountOf(q.Context(), id)
}

// listWebhooks answers GET /webhooks/webhooks.
func listWebhooks(q *adminRequest, s *sender.Sender) (any, error) {
	list := adminapi.Page[sender.WebhookInfo]{Items: []sender.WebhookInfo{}}
	err := s.EachWebhook(q.Context(), q.query.Get("account"), func(w sender.WebhookInfo) error {
		if matches(q.query.Get("status"), string(w.Status)) {
			list.Items = append(list.Items, w)
		}
		return nil
	})
	return list, err
}

// listEvents answers GET /webhooks/events, as the API's GET /events does.
func listEvents(q *adminRequest, s *sender.Sender) (any, error) {
	f := sender.EventFilter{Type: q.query.Get("event"), Cursor: q.query.Get("cursor")}
	var err error
	if f.Since, f.Until, err = q.between(); err != nil {
		return nil, err
	}
	if f.Limit, err = q.limit(); err != nil {
		return nil, err
	}
	items, next, err := s.Events(q.Context(), cmp.Or(q.query.Get("account"), config.DefaultAccount), f)
	return adminapi.Page[sender.EventSummary]{Items: items, NextCursor: next}, err
}

// retryDelivery answers POST /webhooks/retry.
func retryDelivery(q *adminRequest, s *sender.Sender) (any, error) {
	asked, err := question[adminapi.Retry](q)
	if err != nil {
		return nil, err
	}
	account, err := accountOf(q, s, asked.Account, asked.ID)
	if err != nil {
		return nil, err
	}
	return s.RetryDelivery(q.Context(), account, asked.ID)
}

// reencrypt answers POST /webhooks/reencrypt.
func reencrypt(q *adminRequest, s *sender.Sender) (any, error) {
	n, err := s.Reencrypt(q.Context())
	return adminapi.Count{Count: n}, err
}

// notifyTest answers POST /webhooks/notify-test.
func notifyTest(q *adminRequest, s *sender.Sender) (any, error) {
	list, err := s.TestNotices(q.Context())
	return adminapi.Page[sender.NotifyTest]{Items: list}, err
}

// startReplay answers POST /webhooks/replays.
func startReplay(q *adminRequest, s *sender.Sender) (any, error) {
	asked, err := question[adminapi.Replay](q)
	if err != nil {
		return nil, err
	}
	account, err := accountOf(q, s, asked.Account, asked.WebhookID)
	if err != nil {
		return nil, err
	}
	return s.StartReplay(q.Context(), account, asked.WebhookID, sender.ReplayRequest{
		Since: asked.Since, Until: asked.Until, Events: asked.Events, State: asked.State, DryRun: asked.DryRun,
	})
}

// showReplay answers GET /webhooks/replays.
func showReplay(q *adminRequest, s *sender.Sender) (any, error) {
	id := q.query.Get("id")
	account, err := accountOf(q, s, q.query.Get("account"), id)
	if err != nil {
		return nil, err
	}
	return s.Replay(q.Context(), account, id)
}
