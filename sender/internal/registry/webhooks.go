package registry

import (
	"context"
	"strconv"
	"time"

	"github.com/videocloud/webhooks/internal/queue"
)

var (
	registerScript = script("register")
	updateScript   = script("update")
	deleteScript   = script("delete")
)

// Webhook is a webhook as it is stored.
type Webhook struct {
	Lane, Account string
	Status        string
	Version       string
	Public        string // what is shown of it
	Meta          string // what an attempt needs
	Created       time.Time
	// The outcome and the time of the latest delivery; Last is zero where there is none.
	LastOK bool
	Last   time.Time
	// HeldUntil is the time until which its endpoint asked for no attempts; zero where it did not.
	HeldUntil time.Time
	// FilterFails is the number of events on which its filter failed.
	FilterFails int
}

// webhookFields are the fields that newWebhook decodes, in this order.
var webhookFields = []string{
	queue.FieldAccount, queue.FieldStatus, queue.FieldVersion, queue.FieldCreated, queue.FieldPublic, queue.FieldMeta,
	queue.FieldLastOK, queue.FieldLastTime, queue.FieldHeldUntil, queue.FieldFilterFails,
}

// newWebhook decodes a webhook. It returns nil where the lane has none, or not any more.
func newWebhook(lane string, values []any) *Webhook {
	field := func(i int) string { return text(values[i]) }
	number := func(i int) int64 {
		n, _ := strconv.ParseInt(field(i), 10, 64)
		return n
	}
	w := &Webhook{Lane: lane, Account: field(0), Status: field(1), Version: field(2), Created: time.UnixMilli(number(3)).UTC(), Public: field(4), Meta: field(5)}
	if w.Account == "" || w.Status == queue.StatusDeleted {
		return nil
	}
	if ms := number(7); ms > 0 {
		w.LastOK, w.Last = field(6) == "1", time.UnixMilli(ms).UTC()
	}
	if ms := number(8); ms > 0 {
		w.HeldUntil = time.UnixMilli(ms).UTC()
	}
	w.FilterFails = int(number(9))
	return w
}

// Webhook returns a webhook; nil where there is none.
func (r *Registry) Webhook(ctx context.Context, shard int, lane string) (*Webhook, error) {
	values, err := r.redis.HMGet(ctx, r.queue.Key(shard, queue.KeyConf, lane), webhookFields...).Result()
	if err != nil {
		return nil, err
	}
	return newWebhook(lane, values), nil
}

// Webhooks returns webhooks of one shard in one round trip; nil in the place of one that does not exist.
func (r *Registry) Webhooks(ctx context.Context, shard int, lanes []string) ([]*Webhook, error) {
	if len(lanes) == 0 {
		return nil, nil
	}
	pipe := r.redis.Pipeline()
	for _, lane := range lanes {
		pipe.HMGet(ctx, r.queue.Key(shard, queue.KeyConf, lane), webhookFields...)
	}
	cmds, err := pipe.Exec(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]*Webhook, len(lanes))
	for i, cmd := range cmds {
		values, err := cmd.(interface{ Result() ([]any, error) }).Result()
		if err != nil {
			return nil, err
		}
		all[i] = newWebhook(lanes[i], values)
	}
	return all, nil
}

// ListedWebhook is a webhook of an account's list.
type ListedWebhook struct {
	Lane    string
	Created int64 // unix milliseconds; no two of an account have the same
}

// ListWebhooks returns an account's webhooks, oldest first. There are at most a thousand, so they are read as a whole.
func (r *Registry) ListWebhooks(ctx context.Context, shard int, account string) ([]ListedWebhook, error) {
	all, err := r.redis.ZRangeWithScores(ctx, r.queue.Key(shard, queue.KeyHooks, account), 0, -1).Result()
	list := make([]ListedWebhook, len(all))
	for i, z := range all {
		list[i] = ListedWebhook{text(z.Member), int64(z.Score)}
	}
	return list, err
}

// Stored is what every change of a webhook writes.
type Stored struct {
	Public, Meta string
	Rate, Cap    string // its own limits, or empty
	Ordered      bool   // its deliveries go out one after the other
	// Topics are the topics that it subscribes to, without the account, and Member is its entry in each: see lib.lua.
	Member string
	Topics []string
}

// Registration is a webhook to be added.
type Registration struct {
	Lane, Account, Status string
	Stored
	Limit int // how many webhooks an account may have
	// IdempotencyKey may be empty. Asked is what was asked for with it, sealed, which is stored for KeyLifetime.
	IdempotencyKey, Asked string
	KeyLifetime           time.Duration
}

// Registered is the result of a registration.
type Registered struct {
	Created time.Time
	// Before is the lane of the webhook that the same idempotency key registered before, and Asked what was asked for then.
	Before, Asked string
}

// Register adds a webhook to its account. It returns [ErrLimit] where the account has too many, and [ErrEnding].
func (r *Registry) Register(ctx context.Context, shard int, in Registration) (out Registered, err error) {
	args := append([]any{
		in.Lane, in.Account, in.Limit, in.Public, in.Meta, in.Rate, in.Cap, flag(in.Ordered), in.Status, in.IdempotencyKey, in.Asked, in.KeyLifetime.Milliseconds(), in.Member,
	}, stringArgs(in.Topics)...)
	v, err := r.queue.RunDurable(ctx, shard, registerScript, args...)
	if err != nil {
		return out, err
	}
	if before, ok := v.([]any); ok && len(before) == 2 {
		return Registered{Before: text(before[0]), Asked: text(before[1])}, nil
	}
	out.Created, err = parseWritten(v)
	return out, err
}

// flag returns a boolean in the form that scripts take.
func flag(set bool) string {
	if set {
		return "1"
	}
	return ""
}

// Change is a change of a webhook.
type Change struct {
	Lane, Account, Version string
	Status                 string // empty: as it is
	URLChanged             bool   // its URL is another
	Old, New               Stored
}

// Update changes a webhook, if it still has the given version. It returns [ErrChanged] where it has not, and [ErrGone].
func (r *Registry) Update(ctx context.Context, shard int, c Change) error {
	args := append([]any{
		c.Lane, c.Account, c.Version, c.New.Public, c.New.Meta, c.New.Rate, c.New.Cap, flag(c.New.Ordered), c.Status, flag(c.URLChanged), c.Old.Member, c.New.Member, len(c.Old.Topics),
	}, append(stringArgs(c.Old.Topics), stringArgs(c.New.Topics)...)...)
	_, err := r.write(ctx, shard, updateScript, args...)
	return err
}

// Delete removes a webhook from its account, if it still has the given version; [queue.Queue.Cancel] then cancels what waits. It
// returns [ErrChanged] where the webhook has another version by now, and [ErrGone].
func (r *Registry) Delete(ctx context.Context, shard int, lane, account, version string, old Stored) error {
	_, err := r.write(ctx, shard, deleteScript, append([]any{lane, account, version, old.Member}, stringArgs(old.Topics)...)...)
	return err
}

// DeletedLanes returns the lanes of an account's deleted webhooks, for as long as anything of them may be stored.
func (r *Registry) DeletedLanes(ctx context.Context, shard int, account string) ([]string, error) {
	return r.redis.ZRange(ctx, r.queue.Key(shard, queue.KeyUnhooked, account), 0, -1).Result()
}
