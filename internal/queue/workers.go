package queue

import (
	"context"
	"runtime/debug"
	"sync"
	"time"
)

// run calls the handler. A panic in it must not end the process, so it becomes an outcome.
func (d *Dispatcher) run(ctx context.Context, j *Job) (out Outcome) {
	defer func() {
		if p := recover(); p != nil {
			d.o.Logger.Error("attempt panicked", "lane", j.Lane, "job", j.ID, "panic", p, "stack", string(debug.Stack()))
			out = Outcome{Kind: Retry, Delay: time.Minute}
		}
	}()
	return d.o.Handler(ctx, j)
}

// worker attempts j and then what comes over work, until that is closed.
func (d *Dispatcher) worker(ctx context.Context, j *Job) {
	for ok := true; ok; j, ok = <-d.work {
		out := d.run(ctx, j)
		d.mu.Lock()
		d.done = append(d.done, &outcome{Job: j, Outcome: out})
		n := len(d.done)
		d.mu.Unlock()
		if d.underWay.Load() == 0 || n == d.overlap() { // otherwise the loop collects it with the next answer
			d.signal()
		}
	}
}

// start counts an attempt and gives the job to an idle worker, or to a new one.
func (d *Dispatcher) start(ctx context.Context, helpers *sync.WaitGroup, j *Job) {
	d.inFlight[j] = struct{}{}
	d.inFlightCount.Store(int64(len(d.inFlight)))
	l := d.lanes[j.Lane]
	if l == nil {
		l = &laneLoad{shard: j.Shard}
		d.lanes[j.Lane] = l
	}
	l.inFlight++
	select {
	case d.work <- j:
		return
	default:
	}
	helpers.Go(func() { d.worker(ctx, j) })
}

// release takes an ended attempt out of all counts.
func (d *Dispatcher) release(j *Job) {
	delete(d.inFlight, j)
	d.inFlightCount.Store(int64(len(d.inFlight)))
	l := d.lanes[j.Lane]
	l.inFlight--
	if j.slow {
		l.slow--
		d.slow--
	}
	if l.inFlight == 0 {
		delete(d.lanes, j.Lane)
	}
}

// slowCheckInterval is the shortest time between two checks of all attempts in flight.
const slowCheckInterval = 100 * time.Millisecond

// markSlow counts the attempts that have taken slowAfter or longer, in total and by lane.
func (d *Dispatcher) markSlow(now time.Time) {
	if now.Sub(d.slowChecked) < slowCheckInterval {
		return
	}
	d.slowChecked = now
	for j := range d.inFlight {
		if !j.slow && now.Sub(j.began) >= slowAfter {
			j.slow = true
			d.slow++
			d.lanes[j.Lane].slow++
		}
	}
}
