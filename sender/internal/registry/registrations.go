package registry

import (
	"context"

	"github.com/videocloud/webhooks/internal/queue"
)

var registrationResealScript = script("registration_reseal")

// AskedFor is an idempotency key and what it was first used to ask for.
type AskedFor struct {
	Key   string
	Asked string // sealed
}

// AskedFor returns what a webhook, which may be deleted, was registered with; zero where that was without a key, or long ago.
func (r *Registry) AskedFor(ctx context.Context, shard int, account, lane string) (AskedFor, error) {
	key, err := emptyIfNil(r.redis.HGet(ctx, r.queue.Key(shard, queue.KeyConf, lane), queue.FieldKey).Result())
	if err != nil || key == "" {
		return AskedFor{}, err
	}
	values, err := r.redis.HMGet(ctx, r.queue.Key(shard, queue.KeyMade, account+":"+key), queue.FieldMadeLane, queue.FieldMadeAsked).Result()
	if err != nil || text(values[0]) != lane {
		return AskedFor{}, err
	}
	return AskedFor{Key: key, Asked: text(values[1])}, nil
}

// ResealRegistration replaces what is sealed of a registration, unless the key stands for another one by now.
func (r *Registry) ResealRegistration(ctx context.Context, shard int, account string, before AskedFor, sealed string) error {
	_, err := r.queue.RunDurable(ctx, shard, registrationResealScript, account, before.Key, before.Asked, sealed)
	return err
}
