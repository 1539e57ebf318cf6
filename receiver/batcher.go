package receiver

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"
)

// call is the part that all calls of a store have in common: waiting for the answer.
type call struct {
	at    time.Time // when it was made
	err   error
	lost  bool          // it ended with an error, while a round trip that reads its fields may still be under way: don't reuse it
	ready chan struct{} // gets a value once the answer can be read
}

func (c *call) waits() *call { return c }

func (c *call) end(err error) {
	c.err = err
	c.ready <- struct{}{}
}

var errStoreSlow = fmt.Errorf("%w: it did not answer in time", ErrStore)

// carrier makes round trips, one after the other.
type carrier[T any] interface {
	// most returns how many of the calls, from the first on, may go out together: at least one.
	most(calls []T) int
	// carry makes the round trip. It must not write to the calls: their callers may have given up meanwhile.
	carry(ctx context.Context, calls []T)
	// answer gives the calls of the last round trip their results.
	answer(calls []T)
}

// batcher combines calls into round trips: calls that are made while one is under way go out with the next. Its goroutine
// runs only while there are calls.
type batcher[T interface{ waits() *call }] struct {
	timeout time.Duration
	carrier func() carrier[T]

	mu      sync.Mutex
	waiting []T
	trip    *roundTrip[T] // the one that runs; nil for none
	spare   *roundTrip[T] // of a goroutine that ended, to be reused
}

// roundTrip is the state of a goroutine that makes round trips.
type roundTrip[T any] struct {
	carrier   carrier[T]
	calls     []T
	timer     *time.Timer
	deadline  time.Time // zero between two round trips
	abandoned bool      // it overran its deadline: its calls got an error, and another goroutine may have taken its place
}

// run makes the call and waits for its answer, no longer than the timeout. The deadline of a round trip is that of its
// oldest call; when a round trip overruns it, the calls that wait behind it end as well.
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

		// A context of its own: the calls of many requests go out together, and no request may cancel those of others.
		ctx, cancel := context.WithDeadline(context.Background(), deadline)
		t.carrier.carry(ctx, calls)
		cancel()

		b.mu.Lock()
		t.timer.Stop()
		if !t.abandoned {
			t.carrier.answer(calls)
			t.deadline = time.Time{} // so that a timer that fires late abandons nothing
			// Other goroutines that can run make their calls before the next round trip. On a busy machine this makes
			// batches several times as large; on an idle one nobody waits.
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

// take removes the calls of the next round trip from those that wait. It reuses the slice of the previous one.
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

// abandon ends the calls of a round trip that overran its deadline, and those that wait behind it. Their answers are not
// read any more: the goroutine ends once Redis answers, or the client's own timeout ends the command.
//
// Failure policy: Redis may still run an abandoned script. Each script is safe to run late, as it compares the token, and
// the caller settles the claim again once Redis answers.
func (b *batcher[T]) abandon(t *roundTrip[T]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.trip != t || t.deadline.IsZero() || time.Now().Before(t.deadline) {
		return // the round trip has ended, or the timer fired for the previous one
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
