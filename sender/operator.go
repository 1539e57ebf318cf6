package sender

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// What is in this file and in explain.go is for the operator, who may see every account. Nothing of it is in the API.

// WebhookInfo is a webhook as its operator sees it.
type WebhookInfo struct {
	Account string `json:"account"`
	Webhook
	Waiting     int        `json:"waiting"`
	InFlight    int        `json:"inFlight"`
	Failed      int        `json:"failed"` // failed deliveries that can be sent again
	FailedSince *time.Time `json:"failedSince,omitempty"`
}

// EachWebhook calls f for the webhooks of an account, or of every account where it is "", account by account and oldest
// first, until f returns an error. It reads some at a time, so that it never holds the store for long.
func (s *Sender) EachWebhook(ctx context.Context, account string, f func(WebhookInfo) error) error {
	if account != "" {
		return s.eachWebhookOf(ctx, account, f)
	}
	accounts, err := s.accountNames(ctx, "", 0)
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
		infos, err := s.infos(ctx, shard, account, page)
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

// infos adds the counts to webhooks of one account.
func (s *Sender) infos(ctx context.Context, shard int, account string, page []Webhook) ([]WebhookInfo, error) {
	if len(page) == 0 {
		return nil, nil
	}
	tag, pipe := s.queue.Tag(shard), s.store.Client().Pipeline()
	waiting, failed, flow := make([]*redis.IntCmd, len(page)), make([]*redis.IntCmd, len(page)), make([]*redis.SliceCmd, len(page))
	for i, w := range page {
		lane := laneOf(w.ID)
		waiting[i], failed[i] = pipe.ZCard(ctx, tag+"lane:"+lane), pipe.ZCard(ctx, tag+"dead:"+lane)
		flow[i] = pipe.HMGet(ctx, tag+"conf:"+lane, "fl", "fs")
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, s.unavailable("list", err)
	}
	infos := make([]WebhookInfo, len(page))
	for i, w := range page {
		infos[i] = WebhookInfo{Account: account, Webhook: w, Waiting: int(waiting[i].Val()), Failed: int(failed[i].Val())}
		values := flow[i].Val()
		infos[i].InFlight = int(numberIn(values[0]))
		if ms := numberIn(values[1]); ms > 0 {
			at := time.UnixMilli(ms).UTC()
			infos[i].FailedSince = &at
		}
	}
	return infos, nil
}

func numberIn(v any) int64 {
	text, _ := v.(string)
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}

// AccountOf finds the account of a webhook, a delivery, a replay or an event. An event whose ID its publisher gave is
// looked for in all accounts.
func (s *Sender) AccountOf(ctx context.Context, id string) (string, error) {
	key, field := "", "a"
	if lane := laneOf(id); lane != "" {
		key = "conf:" + lane
	} else if _, job, ok := deliveryParts(id); ok {
		key = "event:" + job
	} else if strings.HasPrefix(id, replayPrefix) && len(id) <= 64 {
		key, field = replayKey(id), "account"
	} else if job := jobOfOwn(id); job != "" {
		key = "event:" + job
	}
	if key != "" {
		if account, err := s.findField(ctx, key, field); account != "" || err != nil {
			return account, err
		}
	}
	if !validEventID(id) {
		return "", errNowhere
	}
	return s.findGivenEvent(ctx, id)
}

var errNowhere = &Error{Code: CodeNotFound, Message: "no account has such a thing, or it has expired; check the ID, and name the account if it has no webhook any more"}

// findField reads a hash's field in whichever shard has it.
func (s *Sender) findField(ctx context.Context, key, field string) (string, error) {
	shards, err := s.store.Shards(ctx)
	if err != nil {
		return "", s.unavailable("check", err)
	}
	pipe := s.store.Client().Pipeline()
	cmds := make([]*redis.StringCmd, shards)
	for i := range cmds {
		cmds[i] = pipe.HGet(ctx, s.queue.Tag(i)+key, field)
	}
	return s.firstOf(ctx, pipe, cmds, func(i int) string { return cmds[i].Val() })
}

// lookupBatch is how many accounts are asked in one round trip.
const lookupBatch = 500

func (s *Sender) findGivenEvent(ctx context.Context, id string) (string, error) {
	accounts, err := s.accountNames(ctx, "", 0)
	if err != nil {
		return "", err
	}
	for some := range slices.Chunk(accounts, lookupBatch) {
		pipe := s.store.Client().Pipeline()
		cmds := make([]*redis.StringCmd, len(some))
		for i, account := range some {
			shard, err := s.shard(ctx, account)
			if err != nil {
				return "", err
			}
			cmds[i] = pipe.Get(ctx, s.queue.Tag(shard)+"id:"+account+":"+id)
		}
		account, err := s.firstOf(ctx, pipe, cmds, func(i int) string { return some[i] })
		if account != "" || err != nil {
			return account, err
		}
	}
	return "", errNowhere
}

// firstOf runs the commands and returns what name says of the first that found something.
func (s *Sender) firstOf(ctx context.Context, pipe redis.Pipeliner, cmds []*redis.StringCmd, name func(int) string) (string, error) {
	_, _ = pipe.Exec(ctx) // each command carries its own error
	for i, cmd := range cmds {
		switch err := cmd.Err(); {
		case err == redis.Nil:
		case err != nil:
			return "", s.unavailable("read", err)
		case cmd.Val() != "":
			return name(i), nil
		}
	}
	return "", nil
}
