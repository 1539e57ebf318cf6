package queue

import (
	"context"
	"runtime/debug"
	"sync"
	"time"
)

// run attempts one job in a worker.
func (d *Dispatcher) run(ctx context.Context, j *Job) (out Outcome) {
	defer func() {
		if p := recover(); p != nil {
			d.o.Logger.Error("attempt panicked", "lane", j.Lane, "job", j.ID, "panic", p, "stack", string(debug.Stack()))
			out = Outcome{Kind: Retry, Delay: time.Minute}
		}
	}()
	return d.o.Handler(ctx, j)
}

func (d *Dispatcher) worker(ctx context.Context, j *Job) {
	for ok := true; ok; j, ok = <-d.work {
		out := d.run(ctx, j)
		d.mu.Lock()
		d.done = append(d.done, &outcome{Job: j, Outcome: out})
		n := len(d.done)
		d.mu.Unlock()
		if d.underWay.Load() == 0 || n == d.overlap() { // else whoever takes the answer looks
			d.signal()
		}
	}
}

// start hands a job to an idle worker, or makes one.
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

// release takes an attempt off the books of this process.
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

// slowCheckInterval bounds how often the attempts in flight are looked through.
const slowCheckInterval = 100 * time.Millisecond

// markSlow marks the attempts that take long, and their lanes.
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
