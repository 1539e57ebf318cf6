package receiver

import (
	"context"
	"time"
)

// Depth is how many events wait, are being delivered and are dead.
type Depth struct {
	Waiting  int `json:"waiting"`
	InFlight int `json:"inFlight"`
	Dead     int `json:"dead"`
	// Oldest is for how long the earliest waiting event has been due. Negative: it is not due yet.
	Oldest time.Duration `json:"-"`
}

// Depth says how full the queue is, in one round trip.
func (q *Queue) Depth(ctx context.Context) (d Depth, err error) {
	tag := q.queue.Tag(0)
	pipe := q.store.Client().TxPipeline() // as of one moment
	waiting := pipe.ZCard(ctx, tag+"lane:"+q.o.Name)
	leased := pipe.ZCard(ctx, tag+"leases")
	dead := pipe.ZCard(ctx, tag+"dead:"+q.o.Name)
	head := pipe.ZRangeWithScores(ctx, tag+"lane:"+q.o.Name, 0, 0)
	now := pipe.Time(ctx)
	if _, err := pipe.Exec(ctx); err != nil {
		return d, queueError(err)
	}
	d = Depth{Waiting: int(waiting.Val()), InFlight: int(leased.Val()), Dead: int(dead.Val())}
	if z := head.Val(); len(z) == 1 {
		d.Oldest = now.Val().Sub(time.UnixMilli(int64(z[0].Score)))
	}
	return d, nil
}

// count is how many events are in a place now, that of the dead by default.
func (q *Queue) count(ctx context.Context, place Place) (int, error) {
	d, err := q.Depth(ctx)
	switch place {
	case PlaceWaiting:
		return d.Waiting, err
	case PlaceInFlight:
		return d.InFlight, err
	}
	return d.Dead, err
}
