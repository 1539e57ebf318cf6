package receiver

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// KnownState is the state of an event in a receiver's claims.
type KnownState uint8

// The states of an event.
const (
	Unknown     KnownState = iota // it was never claimed, its claim was released, or its TTL has ended
	KnownInWork                   // a request holds its claim
	KnownDone                     // it was finished: a copy is a duplicate
)

// KnownEvent is the entry of an event in a receiver's claims.
type KnownEvent struct {
	State     KnownState
	ClaimedAt time.Time // to the second
	Until     time.Time // the end of its lease, or of its TTL once done
}

// knower is a [Store] that can be read without claiming anything.
type knower interface {
	lookUp(ctx context.Context, k Key) (KnownEvent, error)
}

var (
	_ knower = (*Memory)(nil)
	_ knower = (*Redis)(nil)
)

// Known returns the entry of an event, which is named as for [Receiver.Forget]. A store of the caller's own has none to
// read, so the state is [Unknown] there.
func (r *Receiver) Known(ctx context.Context, event string) (KnownEvent, error) {
	s, ok := r.store.(knower)
	if !ok {
		return KnownEvent{}, nil
	}
	found, err := s.lookUp(ctx, EventKey(r.config.Name, r.scheme, event))
	if err != nil || found.State != Unknown {
		return found, err
	}
	if k, ok := ParseKey(event); ok {
		return s.lookUp(ctx, k)
	}
	return found, nil
}

func (m *Memory) lookUp(_ context.Context, k Key) (KnownEvent, error) {
	s, same := m.lock(k, Key{})
	defer unlock(s, same)
	e, ok := s.live(k, m.now().UnixMilli())
	if !ok {
		return KnownEvent{}, nil
	}
	return knownEvent(e.done, int64(e.at), time.UnixMilli(e.expires)), nil
}

func knownEvent(done bool, at int64, until time.Time) KnownEvent {
	found := KnownEvent{State: KnownInWork, ClaimedAt: time.Unix(at, 0).UTC(), Until: until.UTC().Truncate(time.Second)}
	if done {
		found.State = KnownDone
	}
	return found
}

func (r *Redis) lookUp(ctx context.Context, k Key) (KnownEvent, error) {
	return r.remote.lookUp(ctx, k)
}

func (r *remote) lookUp(ctx context.Context, k Key) (KnownEvent, error) {
	for _, kind := range []string{keyID, keyDigest} {
		pipe := r.client.TxPipeline() // so that value and TTL are of the same moment
		held, left := pipe.Get(ctx, redisKey(r.tag, kind, k)), pipe.PTTL(ctx, redisKey(r.tag, kind, k))
		if _, err := pipe.Exec(ctx); err != nil && err != redis.Nil {
			return KnownEvent{}, queueError(err)
		}
		value := held.Val()
		if len(value) < 1+valueHead {
			continue
		}
		at, _ := strconv.ParseInt(value[1+1+tokenText:1+valueHead], 16, 64)
		return knownEvent(value[0] == stateDone, at, time.Now().Add(left.Val())), nil
	}
	return KnownEvent{}, nil
}
