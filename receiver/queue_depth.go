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
	in, err := q.queue.Depth(ctx, 0, q.o.Name)
	if err != nil {
		return d, queueError(err)
	}
	return Depth{Waiting: in.Waiting, InFlight: in.InFlight, Dead: in.Dead, Oldest: in.Oldest}, nil
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
