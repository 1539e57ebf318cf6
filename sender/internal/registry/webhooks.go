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
	// Of its latest delivery; Last is zero where there is none.
	LastOK bool
	Last   time.Time
	// HeldUntil is until when its endpoint asked for no attempts; zero: it didn't.
	HeldUntil time.Time
	// FilterFails are the events on which its filter failed.
	FilterFails int
}

// webhookFields are those that a webhook is read from.
var webhookFields = []string{
	queue.FieldAccount, queue.FieldStatus, queue.FieldVersion, queue.FieldCreated, queue.FieldPublic, queue.FieldMeta,
	queue.FieldLastOK, queue.FieldLastTime, queue.FieldHeldUntil, queue.FieldFilterFails,
}

// newWebhook returns nil for a lane that is none, or not any more.
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

// Webhook reads a webhook; nil where there is none.
func (r *Registry) Webhook(ctx context.Context, shard int, lane string) (*Webhook, error) {
	values, err := r.redis.HMGet(ctx, r.queue.Key(shard, queue.KeyConf, lane), webhookFields...).Result()
	if err != nil {
		return nil, err
	}
	return newWebhook(lane, values), nil
}

// Webhooks reads webhooks of one shard in a round trip; nil in the place of one that there is not.
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
	Created int64 // ms; no two of an account have the same
}

// ListWebhooks lists an account's webhooks, oldest first. There are a thousand at most, so they are read as a whole.
func (r *Registry) ListWebhooks(ctx context.Context, shard int, account string) ([]ListedWebhook, error) {
	all, err := r.redis.ZRangeWithScores(ctx, r.queue.Key(shard, queue.KeyHooks, account), 0, -1).Result()
	list := make([]ListedWebhook, len(all))
	for i, z := range all {
		list[i] = ListedWebhook{text(z.Member), int64(z.Score)}
	}
	return list, err
}

// Stored is what is written of a webhook whenever it changes.
type Stored struct {
	Public, Meta string
	Rate, Cap    string // its own limits, or empty
	Ordered      bool   // its deliveries go out one after the other
	// Topics are those that it subscribes to, without the account, and Member is how it stands in them: see lib.lua.
	Member string
	Topics []string
}

// Registration is a webhook to be added.
type Registration struct {
	Lane, Account, Status string
	Stored
	Limit int // webhooks of an account
	// IdempotencyKey, where one was given, with what was asked for, sealed, and for how long that is remembered.
	IdempotencyKey, Asked string
	KeyLifetime           time.Duration
}

// Registered says how a registration went.
type Registered struct {
	Created time.Time
	// Before and Asked are the webhook that the same idempotency key made before, and what was asked for then.
	Before, Asked string
}

// Register adds a webhook to its account. It returns [ErrLimit] where that has too many, and [ErrEnding].
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

// flag is how scripts take what is true or not.
func flag(is bool) string {
	if is {
		return "1"
	}
	return ""
}

// Change is a webhook that is to be another.
type Change struct {
	Lane, Account, Version string
	Status                 string // empty: as it is
	URLChanged             bool   // its URL is another
	Old, New               Stored
}

// Update changes a webhook that is still as it was read. It returns [ErrChanged] where it is not, and [ErrGone].
func (r *Registry) Update(ctx context.Context, shard int, c Change) error {
	args := append([]any{
		c.Lane, c.Account, c.Version, c.New.Public, c.New.Meta, c.New.Rate, c.New.Cap, flag(c.New.Ordered), c.Status, flag(c.URLChanged), c.Old.Member, c.New.Member, len(c.Old.Topics),
	}, append(stringArgs(c.Old.Topics), stringArgs(c.New.Topics)...)...)
	_, err := r.write(ctx, shard, updateScript, args...)
	return err
}

// Delete takes a webhook that is still as it was read out of its account; [queue.Queue.Cancel] then ends what waits. It returns
// [ErrChanged] where it is another by now, and [ErrGone].
func (r *Registry) Delete(ctx context.Context, shard int, lane, account, version string, old Stored) error {
	_, err := r.write(ctx, shard, deleteScript, append([]any{lane, account, version, old.Member}, stringArgs(old.Topics)...)...)
	return err
}

// DeletedLanes are those of an account's webhooks that were deleted, for as long as anything of them may be kept.
func (r *Registry) DeletedLanes(ctx context.Context, shard int, account string) ([]string, error) {
	return r.redis.ZRange(ctx, r.queue.Key(shard, queue.KeyUnhooked, account), 0, -1).Result()
}
