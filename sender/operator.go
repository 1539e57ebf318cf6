package sender

import (
	"context"
	"slices"
	"time"

	"github.com/videocloud/webhooks/internal/names"
	"github.com/videocloud/webhooks/internal/queue"
)

// This file and explain.go are for the operator, who may see every account. The API has nothing of them.

// WebhookInfo is a webhook as its operator sees it.
type WebhookInfo struct {
	Account string `json:"account"`
	Webhook
	Waiting     int        `json:"waiting"`
	InFlight    int        `json:"inFlight"`
	Failed      int        `json:"failed"` // failed deliveries that can be sent again
	FailedSince *time.Time `json:"failedSince,omitempty"`
}

// EachWebhook calls f for each webhook of an account, of every account where it is "", account by account and oldest first, until
// f returns an error, which it returns. It reads a hundred webhooks at a time, so that it never occupies the store for long.
func (s *Sender) EachWebhook(ctx context.Context, account string, f func(WebhookInfo) error) error {
	accounts, err := []string{account}, error(nil)
	if account == "" {
		accounts, err = s.accountNames(ctx, "", 0)
	}
	if err != nil {
		return err
	}
	for _, account := range accounts {
		if err := s.eachWebhookOf(ctx, account, f); err != nil {
			return err
		}
	}
	return nil
}

func (s *Sender) eachWebhookOf(ctx context.Context, account string, f func(WebhookInfo) error) error {
	shard, err := s.shard(ctx, account)
	if err != nil {
		return err
	}
	for cursor := ""; ; {
		page, next, err := s.ListWebhooks(ctx, account, cursor, 100)
		if err != nil {
			return err
		}
		infos, err := s.webhookInfos(ctx, shard, account, page)
		if err != nil {
			return err
		}
		for _, info := range infos {
			if err := f(info); err != nil {
				return err
			}
		}
		if cursor = next; cursor == "" {
			return nil
		}
	}
}

// webhookInfos adds the counts to webhooks of one account.
func (s *Sender) webhookInfos(ctx context.Context, shard int, account string, page []Webhook) ([]WebhookInfo, error) {
	if len(page) == 0 {
		return nil, nil
	}
	lanes := make([]string, len(page))
	for i, w := range page {
		lanes[i] = laneOf(w.ID)
	}
	depths, err := s.queue.Depths(ctx, shard, lanes...)
	if err != nil {
		return nil, s.unavailable("list", err)
	}
	infos := make([]WebhookInfo, len(page))
	for i, d := range depths {
		infos[i] = WebhookInfo{Account: account, Webhook: page[i], Waiting: d.Waiting, Failed: d.Dead, InFlight: d.InFlight}
		if !d.FailedSince.IsZero() {
			infos[i].FailedSince = &d.FailedSince
		}
	}
	return infos, nil
}

// AccountOf returns the account of a webhook, a delivery, a replay or an event. For an event whose ID its publisher gave, it asks
// all accounts.
func (s *Sender) AccountOf(ctx context.Context, id string) (account string, err error) {
	shards, err := s.store.Shards(ctx)
	if err != nil {
		return "", s.unavailable("check", err)
	}
	_, job, isDelivery := parseDeliveryID(id)
	if !isDelivery {
		job = jobOfEventID(id)
	}
	switch lane := laneOf(id); {
	case lane != "":
		account, err = s.queue.AccountOfLane(ctx, shards, lane)
	case isReplayID(id):
		account, err = s.registry.AccountOfReplay(ctx, shards, id)
	case job != "":
		account, err = s.queue.AccountOfJob(ctx, shards, job)
	}
	if err != nil {
		return "", s.unavailable("read", err)
	}
	if account != "" {
		return account, nil
	}
	if !names.IsID(id) {
		return "", errNotInAnyAccount
	}
	return s.findPublishersEvent(ctx, id)
}

var errNotInAnyAccount = &Error{Code: CodeNotFound, Message: "no account has such a thing, or it has expired; check the ID, and name the account if it has no webhook any more"}

// lookupBatch is how many accounts are asked in one round trip.
const lookupBatch = 500

func (s *Sender) findPublishersEvent(ctx context.Context, id string) (string, error) {
	accounts, err := s.accountNames(ctx, "", 0)
	if err != nil {
		return "", err
	}
	for some := range slices.Chunk(accounts, lookupBatch) {
		ids := make([]queue.GivenID, len(some))
		for i, account := range some {
			shard, err := s.shard(ctx, account)
			if err != nil {
				return "", err
			}
			ids[i] = queue.GivenID{Shard: shard, Account: account, ID: id}
		}
		switch at, err := s.queue.FindGiven(ctx, ids); {
		case err != nil:
			return "", s.unavailable("read", err)
		case at >= 0:
			return some[at], nil
		}
	}
	return "", errNotInAnyAccount
}
