package receiver

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"
)

// call is what every call of a store has in common: the waiting for its answer.
type call struct {
	at    time.Time // when it was made
	err   error
	lost  bool          // it was ended while its round trip may still be under way, which reads what it was given
	ready chan struct{} // sent to once the answer may be read
}

func (c *call) waits() *call { return c }

func (c *call) end(err error) {
	c.err = err
	c.ready <- struct{}{}
}

var errStoreSlow = fmt.Errorf("%w: it did not answer in time", ErrStore)

// carrier makes round trips, one after the other.
type carrier[T any] interface {
	// most is how many of the calls may go together, from the first on: at least one.
	most(calls []T) int
	// carry makes the round trip. It only reads the calls: their owners may have left before it is over.
	carry(ctx context.Context, calls []T)
	// answer tells the calls of the last round trip what came of it.
	answer(calls []T)
}

// batcher gathers calls into round batcher: whatever arrives while one is under way goes out with the next. Its goroutine
// lives only while there are calls.
type batcher[T interface{ waits() *call }] struct {
	timeout time.Duration
	carrier func() carrier[T]

	mu      sync.Mutex
	waiting []T
	trip    *roundTrip[T] // under way, nil for none
	spare   *roundTrip[T] // that of the last goroutine, to be used again
}

// roundTrip is a goroutine that makes round trips, and what it is working on.
type roundTrip[T any] struct {
	carrier   carrier[T]
	calls     []T
	timer     *time.Timer
	deadline  time.Time // zero between two round trips
	abandoned bool      // it overran its time; its calls were answered with an error, another may have its place
}

// run waits for the answer to the call. It takes no longer than the timeout: a round trip has the time that is left
// to its oldest call, and when it overruns, the calls that wait behind it are ended with it.
func (b *batcher[T]) run(o T) {
	b.mu.Lock()
	b.waiting = append(b.waiting, o)
	if b.trip == nil {
		if b.trip, b.spare = b.spare, nil; b.trip == nil {
			b.trip = &roundTrip[T]{carrier: b.carrier()}
		}
		go b.work(b.trip)
	}
	b.mu.Unlock()
	<-o.waits().ready
}

func (b *batcher[T]) work(t *roundTrip[T]) {
	b.mu.Lock()
	for !t.abandoned {
		t.calls = b.take(t)
		if len(t.calls) == 0 {
			break
		}
		t.deadline = t.calls[0].waits().at.Add(b.timeout)
		if left := time.Until(t.deadline); t.timer == nil {
			t.timer = time.AfterFunc(left, func() { b.abandon(t) })
		} else {
			t.timer.Reset(left)
		}
		calls, deadline := t.calls, t.deadline
		b.mu.Unlock()

		// Detached: the calls of many requests travel together, and none of them may end the others'.
		ctx, cancel := context.WithDeadline(context.Background(), deadline)
		t.carrier.carry(ctx, calls)
		cancel()

		b.mu.Lock()
		t.timer.Stop()
		if !t.abandoned {
			t.carrier.answer(calls)
			t.deadline = time.Time{} // none under way: a timer that goes off late ends nothing
			// Whoever can run makes its call before the next round trip: on a busy machine that makes batches several
			// times as large, and on an idle one there is nobody to wait for.
			b.mu.Unlock()
			runtime.Gosched()
			b.mu.Lock()
		}
	}
	if b.trip == t {
		b.trip, b.spare = nil, t
	}
	b.mu.Unlock()
}

// take moves the calls that go together out of those that wait, into the slice of the round trip before.
func (b *batcher[T]) take(t *roundTrip[T]) []T {
	clear(t.calls)
	calls := t.calls[:0]
	if len(b.waiting) == 0 {
		return calls
	}
	n := t.carrier.most(b.waiting)
	calls = append(calls, b.waiting[:n]...)
	rest := copy(b.waiting, b.waiting[n:])
	clear(b.waiting[rest:])
	b.waiting = b.waiting[:rest]
	return calls
}

// abandon ends the calls of a round trip that takes too long, and those behind it. Nobody reads them afterwards:
// the goroutine sees that it was abandoned and goes away once Redis, or the client's own timeout, lets it.
//
// Failure policy: what was abandoned may still happen. Each script is safe to run late: it compares the token, and
// who made the call settles the claim again when Redis is back.
func (b *batcher[T]) abandon(t *roundTrip[T]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.trip != t || t.deadline.IsZero() || time.Now().Before(t.deadline) {
		return // it is over, or the timer went off for the round trip before
	}
	t.abandoned = true
	b.trip = nil
	for _, o := range t.calls {
		c := o.waits()
		c.lost = true
		c.end(errStoreSlow)
	}
	for _, o := range b.waiting {
		o.waits().end(errStoreSlow)
	}
	b.waiting = nil
	t.calls = nil
}
