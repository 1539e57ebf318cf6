package receiver

import (
	"context"
	_ "embed"
	"encoding/base64"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/videocloud/webhooks/internal/queue"
	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/store"
)

var (
	//go:embed lua/keys.lua
	keysLua string
	//go:embed lua/claims.lua
	claimsLua string
	//go:embed lua/forget.lua
	forgetLua string
)

// Keys of the claims of one receiver. They share a hash tag, and so a slot of a cluster.
const (
	keyID     = string(queue.KeyClaimID)
	keyDigest = string(queue.KeyClaimDigest)
	keyNone   = string(queue.KeyNoClaim)
)

// Redis is a [Store] that several gateways share. While Redis is down, its [Guard] takes over.
//
// Calls that are made while a round trip is under way go out together with the next one, as one script call. So the
// number of commands depends on the speed of Redis, not on the number of requests.
type Redis struct {
	*Guard
	claims *redisClaims
}

// RedisOptions are the settings of [NewRedis].
type RedisOptions struct {
	// Guard holds the settings for the time while Redis is down.
	Guard GuardOptions
}

// NewRedis returns the claims of the receivers of that name, which are kept in the store. It does not connect. The caller
// closes the store, after the claims.
func NewRedis(s *store.Store, name string, o RedisOptions) *Redis {
	inside := redisstore.Unwrap(s)
	return newRedis(inside.Client(), inside.Prefix(), name, o)
}

func newRedis(client redis.UniversalClient, prefix, name string, o RedisOptions) *Redis {
	r := newRedisClaims(client, prefix, name, o.Guard.timeout())
	return &Redis{Guard: NewGuard(r, o.Guard), claims: r}
}

// Tag returns the hash tag with which every key of a receiver begins.
func Tag(prefix, name string) string { return "{" + prefix + ":r:" + name + "}:" }

func redisKey(tag, kind string, k Key) string {
	return string(appendRedisKey(nil, tag, kind, k))
}

func appendRedisKey(b []byte, tag, kind string, k Key) []byte {
	b = append(b, tag...)
	if k.IsZero() {
		return append(b, keyNone...)
	}
	return base64.RawURLEncoding.AppendEncode(append(b, kind...), k[:])
}

// redisClaims is the [Store] in Redis itself, without a [Guard].
type redisClaims struct {
	client  redis.UniversalClient
	tag     string
	batcher batcher[*op]
}

func newRedisClaims(client redis.UniversalClient, prefix, name string, timeout time.Duration) *redisClaims {
	r := &redisClaims{client: client, tag: Tag(prefix, name)}
	r.batcher = batcher[*op]{timeout: timeout, carrier: func() carrier[*op] { return newBatch(client) }}
	return r
}

func (r *redisClaims) Claim(_ context.Context, c *Claim) (State, error) {
	return r.do(opClaim, c, c.Lease)
}

func (r *redisClaims) Renew(_ context.Context, c *Claim) error {
	_, err := r.do(opRenew, c, c.Lease)
	return err
}

func (r *redisClaims) Done(_ context.Context, c *Claim) error {
	_, err := r.do(opDone, c, c.TTL)
	return err
}

func (r *redisClaims) Release(_ context.Context, c *Claim) error {
	_, err := r.do(opRelease, c, 0)
	return err
}

func (r *redisClaims) do(kind opKind, c *Claim, lifetime time.Duration) (State, error) {
	r.encode(c)
	o := ops.Get().(*op)
	*o = op{call: call{at: time.Now(), ready: o.ready}, kind: kind, id: c.redis.id, digest: c.redis.digest, held: c.redis.held,
		ms: max(1, lifetime.Milliseconds())}
	r.batcher.run(o)
	state, err := o.state, o.err
	if !o.lost {
		ops.Put(o)
	}
	return state, err
}

// encode encodes the claim's keys and value, once.
func (r *redisClaims) encode(c *Claim) {
	if c.redis.tag == r.tag {
		return
	}
	c.redis.tag = r.tag
	c.redis.id, c.redis.digest, c.redis.held = c.inRedis(r.tag, stateWork)
	c.value = c.redis.held[1:]
}

// probe makes Redis run a script that writes, as a claim does. A PING would be answered also by a Redis that is full, is a
// replica, or forbids scripts.
func (r *redisClaims) probe(ctx context.Context) error {
	b := newBatch(r.client)
	b.carry(ctx, []*op{{kind: opRenew, id: queue.InTag(r.tag, queue.KeyProbe), digest: r.tag + keyNone, held: string([]byte{stateWork, modeUnsignedOnly}), ms: 1000}})
	return b.cmd.Err()
}

func (r *redisClaims) Forget(ctx context.Context, k Key) (int, error) {
	keys := []string{redisKey(r.tag, keyID, k), redisKey(r.tag, keyDigest, k)}
	return r.forget(ctx, r.client, keys, time.Unix(0, 0))
}

func (r *redisClaims) forget(ctx context.Context, client redis.Scripter, keys []string, since time.Time) (int, error) {
	at := fmt.Sprintf("%08x", min(max(since.Unix(), 0), math.MaxUint32)) // as in a claim's value
	n, err := redis.NewScript(forgetLua).Run(ctx, client, keys, r.tag+keyDigest, at).Int()
	if err != nil {
		return 0, fmt.Errorf("forgetting events: %w: %w", ErrStore, err)
	}
	return n, nil
}

// forgetPage is the number of keys in one step of ForgetSince, so that other clients get their turn between two steps.
const forgetPage = 500

func (r *redisClaims) ForgetSince(ctx context.Context, t time.Time) (int, error) {
	node := redis.Cmdable(r.client)
	if cluster, ok := r.client.(*redis.ClusterClient); ok {
		// A scan reads one node only, so it has to be the one with the receiver's slot.
		master, err := cluster.MasterForKey(ctx, r.tag)
		if err != nil {
			return 0, fmt.Errorf("forgetting events: %w: %w", ErrStore, err)
		}
		node = master
	}
	total, cursor := 0, uint64(0)
	for {
		keys, next, err := node.Scan(ctx, cursor, globQuote.Replace(r.tag)+"[id]:*", forgetPage).Result()
		if err != nil {
			return total, fmt.Errorf("forgetting events: %w: %w", ErrStore, err)
		}
		for some := range slices.Chunk(keys, forgetPage) { // SCAN may return more than it was asked for
			n, err := r.forget(ctx, r.client, some, t)
			if total += n; err != nil {
				return total, err
			}
		}
		if cursor = next; cursor == 0 {
			return total, nil
		}
	}
}

var globQuote = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`)

var _ Store = (*redisClaims)(nil)
