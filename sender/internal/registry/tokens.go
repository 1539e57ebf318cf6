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

// ClaimedToken is the answer to a process that needs an access token. It is zero where another process is fetching one.
type ClaimedToken struct {
	Record    string // sealed
	Lifetime  time.Duration
	MustFetch bool // there is no token, and the caller must fetch one
}

// ClaimToken returns an access token whose record is not the given one. process is the caller, and lease is how long it has to
// fetch a token.
func (r *Registry) ClaimToken(ctx context.Context, shard int, lane, record, process string, lease time.Duration) (ClaimedToken, error) {
	v, err := r.queue.Run(ctx, shard, tokenClaimScript, lane, record, process, lease.Milliseconds())
	if err != nil {
		return ClaimedToken{}, err
	}
	if token, ok := v.([]any); ok && len(token) == 2 {
		left, _ := token[1].(int64)
		return ClaimedToken{Record: text(token[0]), Lifetime: time.Duration(left) * time.Millisecond}, nil
	}
	return ClaimedToken{MustFetch: v == "ask"}, nil
}

// StoreToken stores a token that was fetched, and ends the claim. record is empty where fetching failed.
func (r *Registry) StoreToken(ctx context.Context, shard int, account, lane, process, record string, lifetime time.Duration) error {
	_, err := r.queue.Run(ctx, shard, tokenStoreScript, lane, process, record, lifetime.Milliseconds(), account)
	return err
}

// DropToken removes a token, unless another one has replaced it.
func (r *Registry) DropToken(ctx context.Context, shard int, lane, record string) error {
	_, err := r.queue.Run(ctx, shard, tokenDropScript, lane, record)
	return err
}

// Token returns the record of a webhook's access token; empty where there is none.
func (r *Registry) Token(ctx context.Context, shard int, lane string) (string, error) {
	return emptyIfNil(r.redis.Get(ctx, r.queue.Key(shard, queue.KeyToken, lane)).Result())
}
