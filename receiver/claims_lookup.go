package receiver

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// EventState is the state of an event in a receiver's claims.
type EventState uint8

// The states of an event.
const (
	EventUnknown EventState = iota // it was never claimed, its claim was released, or its TTL has ended
	EventInWork                    // a request holds its claim
	EventDone                      // it was finished: a copy is a duplicate
)

// EventStatus is the entry of an event in a receiver's claims.
type EventStatus struct {
	State     EventState
	ClaimedAt time.Time // to the second
	Until     time.Time // the end of its lease, or of its TTL once done
}

// lookupStore is a [Store] that can be read without claiming anything.
type lookupStore interface {
	lookup(ctx context.Context, k Key) (EventStatus, error)
}

var (
	_ lookupStore = (*Memory)(nil)
	_ lookupStore = (*Redis)(nil)
)

// Lookup returns the entry of an event, which is named as for [Receiver.Forget]. A store of the caller's own has none to
// read, so the state is [EventUnknown] there.
func (r *Receiver) Lookup(ctx context.Context, event string) (EventStatus, error) {
	s, ok := r.store.(lookupStore)
	if !ok {
		return EventStatus{}, nil
	}
	found, err := s.lookup(ctx, EventKey(r.config.Name, r.scheme, event))
	if err != nil || found.State != EventUnknown {
		return found, err
	}
	if k, ok := ParseKey(event); ok {
		return s.lookup(ctx, k)
	}
	return found, nil
}

func (m *Memory) lookup(_ context.Context, k Key) (EventStatus, error) {
	s, same := m.lock(k, Key{})
	defer unlock(s, same)
	e, ok := s.live(k, m.now().UnixMilli())
	if !ok {
		return EventStatus{}, nil
	}
	return newEventStatus(e.done, int64(e.at), time.UnixMilli(e.expires)), nil
}

func newEventStatus(done bool, at int64, until time.Time) EventStatus {
	found := EventStatus{State: EventInWork, ClaimedAt: time.Unix(at, 0).UTC(), Until: until.UTC().Truncate(time.Second)}
	if done {
		found.State = EventDone
	}
	return found
}

func (r *Redis) lookup(ctx context.Context, k Key) (EventStatus, error) {
	return r.claims.lookup(ctx, k)
}

func (r *redisClaims) lookup(ctx context.Context, k Key) (EventStatus, error) {
	for _, kind := range []string{keyID, keyDigest} {
		pipe := r.client.TxPipeline() // so that value and TTL are of the same moment
		held, left := pipe.Get(ctx, redisKey(r.tag, kind, k)), pipe.PTTL(ctx, redisKey(r.tag, kind, k))
		if _, err := pipe.Exec(ctx); err != nil && err != redis.Nil {
			return EventStatus{}, queueError(err)
		}
		value := held.Val()
		if len(value) < 1+valuePrefixLength {
			continue
		}
		at, _ := strconv.ParseInt(value[1+1+tokenLength:1+valuePrefixLength], 16, 64)
		return newEventStatus(value[0] == stateDone, at, time.Now().Add(left.Val())), nil
	}
	return EventStatus{}, nil
}
