package registry

import (
	"context"
	"time"

	"github.com/videocloud/webhooks/internal/queue"
)

var (
	tokenClaimScript = script("token_claim")
	tokenStoreScript = script("token_store")
	tokenDropScript  = script("token_drop")
)

// ClaimedToken is what a caller who wants a webhook's access token finds.
type ClaimedToken struct {
	Record    string // sealed
	Lifetime  time.Duration
	MustFetch bool // there is none, and the caller is to ask for one; where another does that already both are empty
}

// ClaimToken finds an access token other than a known one. process is who calls, and lease the time in which it will have asked.
func (r *Registry) ClaimToken(ctx context.Context, shard int, lane, known, process string, lease time.Duration) (ClaimedToken, error) {
	v, err := r.queue.Run(ctx, shard, tokenClaimScript, lane, known, process, lease.Milliseconds())
	if err != nil {
		return ClaimedToken{}, err
	}
	if there, ok := v.([]any); ok && len(there) == 2 {
		left, _ := there[1].(int64)
		return ClaimedToken{Record: text(there[0]), Lifetime: time.Duration(left) * time.Millisecond}, nil
	}
	return ClaimedToken{MustFetch: v == "ask"}, nil
}

// StoreToken says what came of asking; record is empty where no token was given.
func (r *Registry) StoreToken(ctx context.Context, shard int, account, lane, process, record string, lifetime time.Duration) error {
	_, err := r.queue.Run(ctx, shard, tokenStoreScript, lane, process, record, lifetime.Milliseconds(), account)
	return err
}

// DropToken forgets a token, unless another has come in its place.
func (r *Registry) DropToken(ctx context.Context, shard int, lane, record string) error {
	_, err := r.queue.Run(ctx, shard, tokenDropScript, lane, record)
	return err
}

// Token reads a webhook's access token; empty where there is none.
func (r *Registry) Token(ctx context.Context, shard int, lane string) (string, error) {
	return emptyIfNil(r.redis.Get(ctx, r.queue.Key(shard, queue.KeyToken, lane)).Result())
}
