package receiver

import (
	"context"
	"time"
)

// Depth holds the numbers of events that wait, are being delivered, and are dead.
type Depth struct {
	Waiting  int `json:"waiting"`
	InFlight int `json:"inFlight"`
	Dead     int `json:"dead"`
	// Oldest is the time since the earliest waiting event became due; negative where it is not due yet.
	Oldest time.Duration `json:"-"`
}

// Depth returns the numbers of events in the queue, in one round trip.
func (q *Queue) Depth(ctx context.Context) (d Depth, err error) {
	in, err := q.queue.Depth(ctx, 0, q.o.Name)
	if err != nil {
		return d, queueError(err)
	}
	return Depth{Waiting: in.Waiting, InFlight: in.InFlight, Dead: in.Dead, Oldest: in.Oldest}, nil
}

// count returns the number of events in a place, by default [PlaceDead].
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
